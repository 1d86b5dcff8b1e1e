//! What the fuzz targets ask of the codecs. Exists only in builds for fuzzing.

#![allow(clippy::expect_used, reason = "a target that finds something ends with a panic")]

use prost::Message;
use serde_json::{Value, json};
use trackside_spec::{ElementType, Tensor};

use super::{
    backend::{InferAnswer, InferRequest},
    grpc::contents,
    proto::{ModelInferRequest, model_infer_request::InferInputTensor},
    rest,
};

/// An answer that gives a request's own tensors back.
fn echo(request: InferRequest) -> InferAnswer {
    InferAnswer {
        model: "m".to_owned(),
        version: "1".to_owned(),
        outputs: request.inputs,
        parameters: request.parameters,
        labels: Vec::new(),
    }
}

/// What is in memory of it.
fn size(tensor: &Tensor) -> usize {
    tensor.data().len() + tensor.text().iter().map(|text| text.len() + size_of::<String>()).sum::<usize>()
}

/// Reads the body of a request; what is taken is no more than came, and comes back as it went.
pub fn rest(body: &[u8], json_length: Option<usize>) {
    let Ok(request) = rest::fuzzing::read(body, json_length) else { return };
    let held: usize = request.inputs.iter().map(|(_, tensor)| size(tensor)).sum();
    assert!(held <= body.len() * 16 + 64, "{held} bytes of {}", body.len());
    let narrow = |tensor: &Tensor| matches!(tensor.element(), ElementType::Float16 | ElementType::Bfloat16);
    if request.inputs.iter().any(|(_, tensor)| narrow(tensor)) {
        return;
    }
    let answer = echo(request);
    let written = rest::fuzzing::write(&answer, false);
    let told: Value = serde_json::from_slice(&written).expect("an answer is JSON");
    let again = json!({ "inputs": told["outputs"] }).to_string();
    let again = rest::fuzzing::read(again.as_bytes(), None).expect("what was told is taken");
    let again = InferAnswer { outputs: again.inputs, ..answer };
    assert_eq!(rest::fuzzing::write(&again, false), written);
}

/// Our reader of JSON takes what another one does, and little else.
pub fn json(text: &[u8]) {
    let ours = rest::fuzzing::is_json(text);
    match serde_json::from_slice::<Value>(text) {
        Ok(value) => assert!(ours || depth(&value) > 60, "{:?} is JSON", String::from_utf8_lossy(text)),
        Err(error) => {
            let told = error.to_string();
            let words =
                [&b"NaN"[..], b"Infinity"].iter().any(|word| text.windows(word.len()).any(|part| part == *word));
            assert!(
                !ours || words || told.starts_with("number out of range"),
                "{:?}: {told}",
                String::from_utf8_lossy(text)
            );
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Reads a message of gRPC; what is taken comes back as it went.
pub fn grpc(bytes: &[u8]) {
    let Ok(message) = ModelInferRequest::decode(bytes) else { return };
    let Ok(request) = contents::read(message) else { return };
    let answer = echo(request);
    let told = contents::write(answer.clone(), None);
    let inputs = told.outputs.into_iter().map(|output| InferInputTensor {
        name: output.name,
        datatype: output.datatype,
        shape: output.shape,
        ..InferInputTensor::default()
    });
    let again = ModelInferRequest {
        inputs: inputs.collect(),
        raw_input_contents: told.raw_output_contents.clone(),
        ..ModelInferRequest::default()
    };
    let again = contents::read(again).expect("what was told is taken");
    let again = contents::write(InferAnswer { outputs: again.inputs, ..answer }, None);
    assert_eq!(again.raw_output_contents, told.raw_output_contents);
}
