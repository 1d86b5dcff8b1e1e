//! The features of Google's Magika model: which bytes of a file the model sees.
//!
//! Pure: the same file and configuration always give the same tensor. The work is in [`extract`]; this file only
//! carries bytes in and out.

pub mod extract;
pub mod layout;

use serde::{Deserialize, Serialize};
use trackside_sdk::{Artifact, ArtifactRef, Port, Step, StepError, tensor};

use extract::Features;
use layout::Layout;

/// A model configuration has about 2 kB.
const MAX_CONFIG: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "artifacts are opened by port; the fields make serde refuse unknown keys")]
struct Input {
    file: ArtifactRef,
    config: ArtifactRef,
}

/// What the workflow sees.
#[derive(Debug, Serialize)]
struct Output {
    /// The file's length in bytes.
    size: u64,
    /// Whether the model must look at the tensor.
    model_needed: bool,
    /// The label of a file that needs no model, else null.
    decided: Option<&'static str>,
    /// Why it needs none: `empty` or `few-bytes`.
    reason: Option<&'static str>,
}

fn run(_input: Input, step: &Step) -> Result<Output, StepError> {
    let config = step.input("config")?.bytes(MAX_CONFIG)?;
    let layout = Layout::from_json(&config).map_err(|error| StepError::fatal("bad-config", error.to_string()))?;
    let file = step.input("file")?;

    let size = file.size();
    let block = layout.block(size);
    let head = read(&file, 0, block)?;
    let tail = read(&file, size - block as u64, block)?;
    let features = extract::features(&layout, size, &head, &tail)
        .map_err(|error| StepError::retryable("short-read", format!("{}: {error}", file.name())))?;

    match features {
        Features::Model(values) => {
            let artifact = step.create("tensor", "features.safetensors", tensor::MEDIA_TYPE)?;
            let mut writer = tensor::TensorWriter::i32(artifact, "bytes", &[1, values.len() as u64])?;
            writer.write_i32(&values)?;
            writer.commit()?;
            Ok(Output { size, model_needed: true, decided: None, reason: None })
        }
        Features::Decided(decided) => {
            Ok(Output { size, model_needed: false, decided: Some(decided.label()), reason: Some(decided.reason()) })
        }
    }
}

/// Exactly `length` bytes, however many the host gives per call; fewer only where the file ends.
fn read(file: &Artifact, offset: u64, length: usize) -> Result<Vec<u8>, StepError> {
    let mut block = Vec::with_capacity(length);
    while block.len() < length {
        let wanted = u32::try_from(length - block.len()).unwrap_or(u32::MAX);
        let part = file.read_at(offset + block.len() as u64, wanted)?;
        if part.is_empty() {
            break;
        }
        block.extend_from_slice(&part);
    }
    Ok(block)
}

trackside_sdk::plugin! {
    name: "magika-features",
    summary: "Turns the ends of a file into the tensor that the Magika model reads",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("file", "the file to identify; only its ends are read").required(),
        Port::new("config", "the model's config.min.json").required().media_type("application/json"),
    ],
    outputs: [
        Port::new("tensor", "int32 `bytes` [1, beg_size + end_size]; absent when no model is needed")
            .media_type(tensor::MEDIA_TYPE),
    ],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
