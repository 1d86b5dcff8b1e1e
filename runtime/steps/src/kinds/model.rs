//! One attempt of a model step: tensors from JSON, artifacts or the rows of a table, a run, outputs as JSON or an artifact.

mod asked;
mod beside;
mod rows;

use std::{
    io::Read,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use trackside_codes::{Class, Coded, Reason};
use trackside_engine::{Outcome, StepError};
use trackside_facts::AttemptReport;
use trackside_models::{CancelToken, ModelError, Output, takes, tensor_io};
use trackside_sandbox::BoxFuture;
use trackside_serving::{Answer, Request, ServeError, Served};
use trackside_spec::{ArtifactRef, ElementType, ModelCall, Tensor};
use trackside_store::Hold;

use self::{
    asked::{Asked, One, asked},
    beside::Beside,
    rows::{Given, Reader},
};
use super::{Attempt, Executed, Needed};
use crate::{
    job::{StepJob, StepResult},
    models::ModelProblem,
    workshop::Workshop,
};

/// Outputs with at most so many elements are given as JSON arrays, larger ones as an artifact.
const INLINE_ELEMENTS: usize = 1024;
/// How long a step waits before it asks again a model that others ask too much.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Executed for ModelCall {
    fn run<'a>(&'a self, attempt: Attempt<'a>) -> BoxFuture<'a, StepResult> {
        Box::pin(run(self, attempt))
    }

    fn needs(&self) -> Option<Needed> {
        Some(Needed::Model(self.model.clone(), self.engine))
    }
}

/// Runs the attempt to its end.
async fn run(call: &ModelCall, made: Attempt<'_>) -> StepResult {
    let Attempt { workshop, job, hold, cancel } = made;
    let (workshop, input, hold) = (workshop.clone(), job.input.clone(), hold.clone());
    let (name, engine) = (call.model.clone(), call.engine);
    let (run, trigger) = (job.run.to_string(), job.trigger.clone());
    let id = asker(job);
    let work = move || {
        let model = workshop.models.get_for(&name, engine, &run, |path| trigger.text_at(path));
        attempt((&workshop, &hold), model, (&input, id), &cancel)
    };
    let attempt = tokio::task::spawn_blocking(work).await;
    let blank = |outcome| StepResult::of(job, outcome);
    match attempt {
        Ok(Ended { report, ended: Ok(done) }) => {
            StepResult { report, artifacts: done.artifacts, ..blank(Outcome::Succeeded(done.output)) }
        }
        Ok(Ended { report, ended: Err(error) }) => StepResult { report, ..blank(Outcome::Failed(error)) },
        Err(error) => {
            blank(Outcome::Failed(StepError::fatal("internal-error", format!("the model's thread ended: {error}"))))
        }
    }
}

/// An attempt that has ended.
struct Ended {
    /// What the journal keeps of it: nothing when there was no model.
    report: Option<Box<AttemptReport>>,
    ended: Result<Done, StepError>,
}

struct Done {
    output: Value,
    artifacts: Vec<trackside_spec::Digest>,
}

fn attempt(
    (workshop, hold): (&Workshop, &Hold),
    model: Result<Served, ModelProblem>,
    (input, id): (&Value, String),
    cancel: &CancelToken,
) -> Ended {
    let model = match model {
        Ok(model) => model,
        Err(problem) => {
            let error = StepError::fatal("model-unavailable", problem.to_string());
            return Ended { report: None, ended: Err(error) };
        }
    };
    let info = model.info();
    let (handed_over, begun) = (workshop.clock.now_us(), Instant::now());
    let mut report = Box::new(AttemptReport {
        model: Some(info.name.clone()),
        digest: Some(info.digest),
        engine: Some(info.engine.to_string()),
        engine_version: Some(info.engine.version.clone()),
        began_us: Some(handed_over),
        ..AttemptReport::default()
    });
    let reader = Reader { workshop, info, cancel };
    let ended = given(&reader, input).and_then(|Given { tensors, table }| {
        let ran = ask(&model, (tensors, id), begun + workshop.models.run_limit(), cancel).map_err(step_error)?;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let queued = micros(ran.times.queue);
        report.began_us = Some(handed_over.saturating_add_unsigned(queued));
        report.queued_us = Some(queued);
        report.run_us = Some(micros(ran.times.input + ran.times.infer + ran.times.output));
        let (outputs, mut artifacts) = values(hold, &ran)?;
        let mut output =
            json!({ "outputs": outputs, "model": info.name, "digest": info.digest, "engine": info.engine.to_string() });
        if let Some((source, rows)) = &table {
            let beside = Beside { reader: Reader { workshop, info, cancel }, source, rows: *rows };
            let (rows, artifact) = beside.rows(hold, &ran)?;
            output["rows"] = rows;
            artifacts.extend(artifact);
        }
        Ok(Done { output, artifacts })
    });
    // As of a plugin: reading the inputs and storing the outputs included.
    report.wall_us = Some(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    Ended { report: Some(report), ended }
}

/// What the request of a step is called: its run, its step, and of which item.
fn asker(job: &StepJob) -> String {
    let item = job.item.map_or_else(String::new, |item| format!("/{item}"));
    format!("{}/{}{item}", job.run, job.plan.step(job.step).id)
}

/// Asks the model. A step waits where a client is refused: it has its time, and nobody else to ask.
fn ask(
    model: &Served,
    (inputs, id): (Vec<(String, Tensor)>, String),
    deadline: Instant,
    cancel: &CancelToken,
) -> Result<Answer, ServeError> {
    loop {
        // Alone: what a step gives must come out the same when it is done again.
        let request = Request {
            inputs: inputs.clone(),
            deadline: Some(deadline),
            cancel: cancel.clone(),
            alone: true,
            id: Some(id.clone()),
            ..Request::default()
        };
        let refused = match model.predict_here(request) {
            Err(refused @ (ServeError::TooOften { .. } | ServeError::QueueFull { .. } | ServeError::Shed { .. })) => {
                refused
            }
            ended => return ended,
        };
        let pause = refused.again_in().unwrap_or_default().clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        if cancel.is_cancelled() || Instant::now() + pause >= deadline {
            return Err(refused);
        }
        std::thread::sleep(pause);
    }
}

fn step_error(error: ServeError) -> StepError {
    let code = match &error {
        ServeError::Late { .. } => "wall-limit",
        ServeError::Cancelled { .. } => "cancelled",
        ServeError::Unfit { .. } => "model-failed",
        ServeError::Run(error) => match &**error {
            ModelError::Timeout { .. } => "wall-limit",
            ModelError::Cancelled { .. } => "cancelled",
            ModelError::Input { .. } => "bad-tensor",
            _ => "model-failed",
        },
        _ => "model-unavailable",
    };
    StepError { retryable: error.is_retryable(), ..StepError::fatal(code, error.told()) }
}

/// The model's inputs: rows of a table, or for each an artifact (safetensors, or JSON for texts) or JSON arrays, which take the
/// declared element type.
fn given(reader: &Reader<'_>, input: &Value) -> Result<Given, StepError> {
    let (workshop, info) = (reader.workshop, reader.info);
    let fields = match asked(input, info)? {
        Asked::Whole(source) => return reader.whole(*source),
        Asked::Each(fields) => fields,
    };
    let refuse = |name: &str, reason: Reason| StepError::fatal("bad-tensor", format!("input `{name}`: {reason}"));
    let limit = workshop.config.limits.tensor.as_bytes();
    let (mut tensors, mut columns) = (Vec::with_capacity(fields.len()), Vec::new());
    for (name, one) in fields {
        let value = match one {
            One::Rows(source) => {
                columns.push((name, *source));
                continue;
            }
            One::Tensor(value) => value,
        };
        let port = info.inputs.iter().find(|port| port.name == *name).ok_or_else(|| {
            refuse(name, format!("the model has no such input; it takes {}", takes(&info.inputs)).into())
        })?;
        let tensor = match ArtifactRef::from_json(value) {
            Some(artifact) => from_artifact(workshop, &artifact, name, limit),
            None => tensor_io::from_json_for(port, value).map_err(Reason::of),
        };
        tensors.push((name.to_owned(), tensor.map_err(|reason| refuse(name, reason))?));
    }
    let Given { tensors: more, table } = reader.each(columns)?;
    tensors.extend(more);
    Ok(Given { tensors, table })
}

fn from_artifact(workshop: &Workshop, artifact: &ArtifactRef, name: &str, limit: u64) -> Result<Tensor, Reason> {
    if artifact.size > limit {
        let words =
            format!("artifact {} has {} bytes, more than limits.tensor ({limit})", artifact.name, artifact.size);
        return Err(words.into());
    }
    let is_text = artifact.media_type == tensor_io::TEXT_MEDIA_TYPE;
    if is_text && artifact.size > tensor_io::MAX_TEXT_FILE {
        let most = tensor_io::MAX_TEXT_FILE;
        return Err(format!("artifact {} has {} bytes; texts may have {most}", artifact.name, artifact.size).into());
    }
    let file = workshop.artifacts.open_artifact(&artifact.digest).map_err(Reason::disk)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(Reason::disk)?;
    if is_text {
        let read = tensor_io::from_text_file(&bytes).map_err(Reason::of);
        let read = read.map_err(|reason| reason.told(|reason| format!("artifact {}: {reason}", artifact.name)));
        return read.map(|(_, tensor)| tensor);
    }
    let mut tensors =
        tensor_io::from_safetensors_bytes(&bytes, &tensor_io::TensorLimits::default()).map_err(Reason::of)?;
    // A file with one tensor fits whatever it is called; of several, the input's namesake is meant.
    let place = if tensors.len() == 1 { Some(0) } else { tensors.iter().position(|(known, _)| known == name) };
    place.map(|place| tensors.swap_remove(place).1).ok_or_else(|| {
        let known: Vec<&str> = tensors.iter().map(|(known, _)| known.as_str()).collect();
        format!("{} holds no tensor `{name}`, only {}", artifact.name, known.join(", ")).into()
    })
}

fn values(hold: &Hold, output: &Answer) -> Result<(Value, Vec<trackside_spec::Digest>), StepError> {
    let mut outputs = Map::new();
    let mut artifacts = Vec::new();
    for (name, output) in &output.outputs {
        let value = if output.values() <= INLINE_ELEMENTS {
            output.to_json()
        } else {
            let stored = store(hold, name, output)
                .map_err(|reason| StepError::fatal("output-not-stored", format!("output `{name}`: {reason}")))?;
            artifacts.push(stored.digest);
            stored.to_json()
        };
        outputs.insert(name.clone(), value);
    }
    Ok((outputs.into(), artifacts))
}

fn store(hold: &Hold, name: &str, output: &Output) -> Result<ArtifactRef, Reason> {
    let (bytes, ending, media_type) = match output {
        Output::Json(value) => {
            let bytes = serde_json::to_vec(value).map_err(|error| Reason::by(Class::Bug, error))?;
            (bytes, "json", "application/json")
        }
        Output::Tensor(tensor) if tensor.element() == ElementType::Text => {
            (tensor_io::to_text_file(name, tensor).map_err(Reason::of)?, "json", tensor_io::TEXT_MEDIA_TYPE)
        }
        Output::Tensor(tensor) => {
            let tensors = [(name.to_owned(), tensor.clone())];
            let bytes = tensor_io::to_safetensors_bytes(&tensors).map_err(Reason::of)?;
            (bytes, "safetensors", "application/vnd.safetensors")
        }
    };
    let stored = hold.store(&mut bytes.as_slice(), &format!("{name}.{ending}"), media_type);
    stored.map_err(Reason::disk)
}
