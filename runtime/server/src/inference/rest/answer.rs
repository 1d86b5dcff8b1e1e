//! The answer to a request for inference: JSON, and bytes behind it where they were asked for.

use trackside_spec::{ElementType, Tensor};

use super::super::{
    backend::{InferAnswer, Parameter, WantedOutput},
    datatype,
    failure::Failure,
    raw,
};

/// What was asked for, as far as the answer goes by it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) id: Option<String>,
    pub(crate) outputs: Vec<WantedOutput>,
    pub(crate) binary_default: bool,
}

impl Asked {
    fn is_binary(&self, name: &str) -> bool {
        let output = self.outputs.iter().find(|output| output.name == name);
        output.and_then(|output| output.binary).unwrap_or(self.binary_default)
    }
}

/// An answer as it is sent.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// How many of the bytes are JSON, where others follow.
    pub(crate) json: Option<usize>,
}

/// Writes an answer.
///
/// # Errors
/// When an output has no form in JSON and was not asked for as bytes.
pub(crate) fn write(answer: &InferAnswer, asked: &Asked) -> Result<Written, Failure> {
    let mut bytes = Vec::with_capacity(256 + answer.outputs.iter().map(|(_, tensor)| likely(tensor)).sum::<usize>());
    bytes.extend_from_slice(b"{\"model_name\":");
    text(&mut bytes, &answer.model);
    bytes.extend_from_slice(b",\"model_version\":");
    text(&mut bytes, &answer.version);
    if let Some(id) = &asked.id {
        bytes.extend_from_slice(b",\"id\":");
        text(&mut bytes, id);
    }
    if !answer.parameters.is_empty() {
        bytes.extend_from_slice(b",\"parameters\":{");
        for (index, (name, value)) in answer.parameters.iter().enumerate() {
            comma(&mut bytes, index);
            text(&mut bytes, name);
            bytes.push(b':');
            parameter(&mut bytes, value);
        }
        bytes.push(b'}');
    }
    bytes.extend_from_slice(b",\"outputs\":[");
    let mut behind = Vec::new();
    for (index, (name, tensor)) in answer.outputs.iter().enumerate() {
        comma(&mut bytes, index);
        bytes.extend_from_slice(b"{\"name\":");
        text(&mut bytes, name);
        bytes.extend_from_slice(b",\"datatype\":\"");
        bytes.extend_from_slice(datatype::name(tensor.element()).as_bytes());
        bytes.extend_from_slice(b"\",\"shape\":[");
        for (index, dim) in tensor.shape().iter().enumerate() {
            comma(&mut bytes, index);
            scalar(&mut bytes, dim);
        }
        bytes.push(b']');
        if asked.is_binary(name) {
            bytes.extend_from_slice(b",\"parameters\":{\"binary_data_size\":");
            scalar(&mut bytes, &raw::size(tensor));
            bytes.push(b'}');
            behind.push(tensor);
        } else {
            bytes.extend_from_slice(b",\"data\":[");
            data(&mut bytes, name, tensor)?;
            bytes.push(b']');
        }
        bytes.push(b'}');
    }
    bytes.extend_from_slice(b"]}");
    let json = (!behind.is_empty()).then_some(bytes.len());
    for tensor in behind {
        raw::write(tensor, &mut bytes);
    }
    Ok(Written { bytes, json })
}

/// About so many bytes it takes, in either form.
fn likely(tensor: &Tensor) -> usize {
    96 + tensor.len() * 12
}

fn comma(bytes: &mut Vec<u8>, index: usize) {
    if index > 0 {
        bytes.push(b',');
    }
}

/// A number, or a text with its quotes. Into memory it can not fail.
fn scalar(bytes: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    let _ = serde_json::to_writer(bytes, value);
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    scalar(bytes, text);
}

fn parameter(bytes: &mut Vec<u8>, value: &Parameter) {
    match value {
        Parameter::Bool(value) => scalar(bytes, value),
        Parameter::Int(value) => scalar(bytes, value),
        Parameter::Uint(value) => scalar(bytes, value),
        Parameter::Double(value) => scalar(bytes, value),
        Parameter::Text(value) => scalar(bytes, value),
    }
}

/// Flat and in row-major order.
fn data(bytes: &mut Vec<u8>, name: &str, tensor: &Tensor) -> Result<(), Failure> {
    let data = tensor.data();
    macro_rules! whole {
        ($type:ty, $size:literal) => {
            for (index, value) in data.as_chunks::<$size>().0.iter().enumerate() {
                comma(bytes, index);
                scalar(bytes, &<$type>::from_le_bytes(*value));
            }
        };
    }
    macro_rules! floats {
        ($type:ty, $size:literal) => {
            for (index, value) in data.as_chunks::<$size>().0.iter().enumerate() {
                comma(bytes, index);
                let value = <$type>::from_le_bytes(*value);
                if value.is_finite() {
                    scalar(bytes, &value);
                } else {
                    bytes.extend_from_slice(if value.is_nan() {
                        b"\"NaN\""
                    } else if value > 0.0 {
                        b"\"Infinity\""
                    } else {
                        b"\"-Infinity\""
                    });
                }
            }
        };
    }
    match tensor.element() {
        ElementType::Float16 | ElementType::Bfloat16 => {
            let what = datatype::name(tensor.element());
            return Err(Failure::invalid(format!(
                "output {name:?} is {what}, which has no form in JSON; ask for it with the parameter binary_data"
            )));
        }
        ElementType::Text => {
            for (index, value) in tensor.text().iter().enumerate() {
                comma(bytes, index);
                text(bytes, value);
            }
        }
        ElementType::Boolean => {
            for (index, value) in data.iter().enumerate() {
                comma(bytes, index);
                bytes.extend_from_slice(if *value == 0 { b"false" } else { b"true" });
            }
        }
        ElementType::Uint8 => whole!(u8, 1),
        ElementType::Uint16 => whole!(u16, 2),
        ElementType::Uint32 => whole!(u32, 4),
        ElementType::Uint64 => whole!(u64, 8),
        ElementType::Int8 => whole!(i8, 1),
        ElementType::Int16 => whole!(i16, 2),
        ElementType::Int32 => whole!(i32, 4),
        ElementType::Int64 => whole!(i64, 8),
        ElementType::Float32 => floats!(f32, 4),
        ElementType::Float64 => floats!(f64, 8),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(outputs: Vec<(&str, Tensor)>) -> InferAnswer {
        let outputs = outputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
        InferAnswer {
            model: "m\"".to_owned(),
            version: "3".to_owned(),
            outputs,
            parameters: Vec::new(),
            labels: Vec::new(),
        }
    }

    fn tensor(element: ElementType, shape: &[u32], data: &[u8]) -> Tensor {
        Tensor::from_bytes(element, shape.to_vec(), data.to_vec()).unwrap()
    }

    #[test]
    fn json_holds_names_types_shapes_and_flat_data() {
        let floats = Tensor::from_f32(vec![2, 2], &[0.1, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]).unwrap();
        let texts = Tensor::from_text(vec![1], vec!["a\"\0".to_owned()]).unwrap();
        let flags = tensor(ElementType::Boolean, &[2], &[0, 1]);
        let most = tensor(ElementType::Uint64, &[], &[255; 8]);
        let mut answer = answer(vec![("f", floats), ("t", texts), ("b", flags), ("u", most)]);
        answer.parameters.push(("k".to_owned(), Parameter::Int(-1)));
        let written = write(&answer, &Asked { id: Some("7".to_owned()), ..Asked::default() }).unwrap();
        assert_eq!(written.json, None);
        assert_eq!(
            serde_json::from_slice::<Value>(&written.bytes).unwrap(),
            json!({"model_name": "m\"", "model_version": "3", "id": "7", "parameters": {"k": -1}, "outputs": [
                {"name": "f", "datatype": "FP32", "shape": [2, 2], "data": [0.1, "NaN", "Infinity", "-Infinity"]},
                {"name": "t", "datatype": "BYTES", "shape": [1], "data": ["a\"\0"]},
                {"name": "b", "datatype": "BOOL", "shape": [2], "data": [false, true]},
                {"name": "u", "datatype": "UINT64", "shape": [], "data": [18_446_744_073_709_551_615u64]},
            ]})
        );
    }

    #[test]
    fn bytes_follow_in_the_order_of_the_outputs() {
        let halves = tensor(ElementType::Float16, &[1], &[1, 2]);
        let texts = Tensor::from_text(vec![1], vec!["ab".to_owned()]).unwrap();
        let whole = tensor(ElementType::Int32, &[1], &[9, 0, 0, 0]);
        let answer = answer(vec![("h", halves.clone()), ("i", whole), ("t", texts)]);
        let json = WantedOutput { name: "i".to_owned(), binary: Some(false), classification: 0 };
        let asked = Asked { binary_default: true, outputs: vec![json], id: None };
        let written = write(&answer, &asked).unwrap();
        let (json, behind) = written.bytes.split_at(written.json.unwrap());
        assert_eq!(behind, [1, 2, 2, 0, 0, 0, b'a', b'b']);
        let json: Value = serde_json::from_slice(json).unwrap();
        assert_eq!(json["outputs"][0]["parameters"], json!({"binary_data_size": 2}));
        assert_eq!(json["outputs"][1]["data"], json!([9]));
        assert_eq!(json["outputs"][2]["parameters"], json!({"binary_data_size": 6}));
        assert!(json.get("id").is_none());

        let refused = write(&answer, &Asked::default()).unwrap_err().to_string();
        assert!(refused.contains("\"h\" is FP16") && refused.contains("binary_data"), "{refused}");
    }
}
