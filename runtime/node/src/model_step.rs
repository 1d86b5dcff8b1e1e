//! One attempt of a model step: tensors from JSON or artifacts, a run, outputs as JSON or an artifact.

use std::{
    io::Read,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use trackside_engine::{Outcome, StepError};
use trackside_models::{CancelToken as ModelCancel, Model, ModelError, RunOutput, tensor_io};
use trackside_sandbox::CancelToken;
use trackside_spec::{Action, ArtifactRef, Tensor};

use crate::{
    core::{StepJob, StepResult},
    executor::{Workshop, failed},
};

/// Outputs with at most so many elements are given as JSON arrays, larger ones as an artifact.
const INLINE_ELEMENTS: usize = 1024;

/// Runs the attempt to its end.
pub async fn run(workshop: &Arc<Workshop>, job: &StepJob, cancel: CancelToken) -> StepResult {
    let Action::Model(call) = &job.plan.step(job.step).action else {
        let error = StepError::fatal("internal-error", "not a model step");
        return failed((job.run, job.step, job.item), job.attempt, error);
    };
    let stop = ModelCancel::new();
    let watch = {
        let stop = stop.clone();
        tokio::spawn(async move {
            cancel.cancelled().await;
            stop.cancel();
        })
    };
    let (workshop, name, input, token) = (workshop.clone(), call.model.clone(), job.input.clone(), stop.clone());
    let attempt = tokio::task::spawn_blocking(move || attempt(&workshop, &name, &input, &token)).await;
    watch.abort();
    let blank = |outcome| StepResult {
        outcome,
        ..failed((job.run, job.step, job.item), job.attempt, StepError::fatal("internal-error", String::new()))
    };
    match attempt {
        Ok(Ok(done)) => {
            StepResult { report: done.report, artifacts: done.artifacts, ..blank(Outcome::Succeeded(done.output)) }
        }
        Ok(Err(error)) => blank(Outcome::Failed(error)),
        Err(error) => {
            blank(Outcome::Failed(StepError::fatal("internal-error", format!("the model's thread ended: {error}"))))
        }
    }
}

struct Done {
    output: Value,
    report: Value,
    artifacts: Vec<trackside_spec::Digest>,
}

fn attempt(workshop: &Workshop, name: &str, input: &Value, cancel: &ModelCancel) -> Result<Done, StepError> {
    let model =
        workshop.models.get(name).map_err(|problem| StepError::fatal("model-unavailable", problem.to_string()))?;
    let inputs = tensors(workshop, &model, input)?;
    let deadline = Instant::now() + workshop.config.limits.wall.to_std().max(Duration::from_millis(1));
    let output = model.run(inputs, &[], Some(deadline), cancel).map_err(step_error)?;
    let info = model.info();
    let report = json!({
        "model": info.name,
        "digest": info.digest,
        "engine": info.engine.to_string(),
        "queued_us": output.queued_us,
        "run_us": output.run_us,
    });
    let (outputs, artifacts) = values(workshop, &output)?;
    let output =
        json!({ "outputs": outputs, "model": info.name, "digest": info.digest, "engine": info.engine.to_string() });
    Ok(Done { output, report, artifacts })
}

fn step_error(error: ModelError) -> StepError {
    let code = match &error {
        ModelError::Timeout { .. } => "wall-limit",
        ModelError::Cancelled { .. } => "cancelled",
        ModelError::Input { .. } => "bad-tensor",
        _ => "model-failed",
    };
    StepError { retryable: error.is_retryable(), ..StepError::fatal(code, format!("[{}] {error}", error.code())) }
}

/// The model's inputs: a safetensors artifact, or JSON arrays that take the declared element type.
fn tensors(workshop: &Workshop, model: &Model, input: &Value) -> Result<Vec<(String, Tensor)>, StepError> {
    let refuse = |name: &str, reason: String| StepError::fatal("bad-tensor", format!("input `{name}`: {reason}"));
    let Some(fields) = input.as_object() else {
        return Err(StepError::fatal("bad-tensor", "`inputs` must be an object of input name to tensor"));
    };
    let limit = workshop.config.limits.tensor.as_bytes();
    fields
        .iter()
        .map(|(name, value)| {
            let port = model.info().inputs.iter().find(|port| port.name == *name).ok_or_else(|| {
                let known: Vec<&str> = model.info().inputs.iter().map(|port| port.name.as_str()).collect();
                refuse(name, format!("the model has no such input; it has {}", known.join(", ")))
            })?;
            let tensor = match ArtifactRef::from_json(value) {
                Some(artifact) => from_artifact(workshop, &artifact, name, limit),
                None => tensor_io::from_json(value, port.element, None).map_err(|error| error.to_string()),
            };
            tensor.map(|tensor| (name.clone(), tensor)).map_err(|reason| refuse(name, reason))
        })
        .collect()
}

fn from_artifact(workshop: &Workshop, artifact: &ArtifactRef, name: &str, limit: u64) -> Result<Tensor, String> {
    if artifact.size > limit {
        return Err(format!(
            "artifact {} has {} bytes, more than limits.tensor ({limit})",
            artifact.name, artifact.size
        ));
    }
    let file = workshop.artifacts.open_artifact(&artifact.digest).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let mut tensors = tensor_io::from_safetensors_bytes(&bytes, &tensor_io::TensorLimits::default())
        .map_err(|error| error.to_string())?;
    // A file with one tensor fits whatever it is called; of several, the input's namesake is meant.
    let place = if tensors.len() == 1 { Some(0) } else { tensors.iter().position(|(known, _)| known == name) };
    place.map(|place| tensors.swap_remove(place).1).ok_or_else(|| {
        let known: Vec<&str> = tensors.iter().map(|(known, _)| known.as_str()).collect();
        format!("{} holds no tensor `{name}`, only {}", artifact.name, known.join(", "))
    })
}

fn values(workshop: &Workshop, output: &RunOutput) -> Result<(Value, Vec<trackside_spec::Digest>), StepError> {
    let mut outputs = Map::new();
    let mut artifacts = Vec::new();
    for (name, tensor) in &output.outputs {
        let value = if tensor.len() <= INLINE_ELEMENTS {
            tensor_io::to_json(tensor)
        } else {
            let stored = store(workshop, name, tensor)
                .map_err(|reason| StepError::fatal("output-not-stored", format!("output `{name}`: {reason}")))?;
            artifacts.push(stored.digest);
            stored.to_json()
        };
        outputs.insert(name.clone(), value);
    }
    Ok((outputs.into(), artifacts))
}

fn store(workshop: &Workshop, name: &str, tensor: &Tensor) -> Result<ArtifactRef, String> {
    let tensors = [(name.to_owned(), tensor.clone())];
    let bytes = tensor_io::to_safetensors_bytes(&tensors).map_err(|error| error.to_string())?;
    let file = format!("{name}.safetensors");
    let stored = workshop.artifacts.store(&mut bytes.as_slice(), &file, "application/vnd.safetensors");
    stored.map_err(|error| error.to_string())
}
