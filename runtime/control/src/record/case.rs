//! The text of a case.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use trackside_engine::RunId;
use trackside_node::{Plugins, Project, RunHistory, rfc3339};
use trackside_sandbox::Descriptor;
use trackside_spec::{ArtifactRef, PluginCall};
use trackside_store::{Artifacts, Reader};

use super::{
    RecordError,
    beside::{Beside, KeepFile},
    step::{End, RecordedStep},
};
use crate::QueryError;

/// A case: a file `NAME.yaml`, with what it names beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCase {
    /// Its name, of the step and the run.
    pub name: String,
    /// The text of the file.
    pub text: String,
}

/// The case of a step of a run: of its only plugin step where none is named. Artifacts that do not fit into it are handed to
/// `keep`, each with its path beside the file.
///
/// # Errors
/// Any [`RecordError`], and those of `keep`.
pub fn record_case<'k, E: From<RecordError>>(
    reader: &Reader,
    project: &Project,
    plugins: &Plugins,
    run: RunId,
    step: Option<&str>,
    keep: &'k mut KeepFile<'k, E>,
) -> Result<RecordedCase, E> {
    let history = RunHistory::open(reader, run).map_err(QueryError::from).map_err(RecordError::from)?;
    let history = history.ok_or(QueryError::NoRun(run)).map_err(RecordError::from)?;
    let other_version = "its definition is of another version of this program";
    let plan = history.head.plan.clone();
    let plan = plan.map_err(|_| RecordError::NoCase { run, reason: other_version.to_owned() })?;
    let told = RecordedStep::read(&history, run, &plan, step)?;
    let plugin = plugins.get(&told.call.plugin).map_err(RecordError::from)?;
    let name = format!("{}-{}", told.step_name(), run.to_string().to_lowercase());
    let store = Artifacts::read_only(&project.data_dir());
    let text = text(&told, plugin.descriptor(), &mut Beside { run, name: &name, project, store, keep })?;
    Ok(RecordedCase { name, text })
}

/// Whether this is an object of values by name with artifacts among them.
fn by_name(value: &Value) -> bool {
    let fields = value.as_object().filter(|_| ArtifactRef::from_json(value).is_none());
    fields.is_some_and(|fields| fields.values().any(|field| ArtifactRef::from_json(field).is_some()))
}

fn text<E: From<RecordError>>(
    told: &RecordedStep<'_>,
    about: &Descriptor,
    beside: &mut Beside<'_, E>,
) -> Result<String, E> {
    let unusable = |error: &dyn std::fmt::Display| RecordError::NoCase {
        run: told.run,
        reason: format!("the step's input: {error}"),
    };
    let call = told.call;
    let mut with = told.before.input(told.step, None, &Value::Null).map_err(|error| unusable(&error))?;
    let mut artifacts = Map::new();
    let command = told.before.command(told.step, None, &Value::Null).map_err(|error| unusable(&error))?;
    let command = match command {
        Some(given) => Some(program(&given, &told.source()["command"], beside, &mut artifacts)?),
        None => {
            for port in &about.inputs {
                let Some(value) = with.get(&port.name).cloned() else { continue };
                if port.many && by_name(&value) {
                    return Err(unusable(&format!(
                        "`{}` gives artifacts by name, which a case has no form for: record a run with small outputs",
                        port.name
                    ))
                    .into());
                }
                if let Some(content) = beside.port(&value)? {
                    artifacts.insert(port.name.clone(), content);
                    with.as_object_mut().and_then(|fields| fields.remove(&port.name));
                }
            }
            None
        }
    };
    let logical = rfc3339(told.before.logical_time_ms());
    let mut text = format!("# Recorded from run {} of workflow {}.\n", told.run, told.before.plan().name);
    remarks(call, &mut text);
    let mut put = |key: &str, value: Value| {
        if !value.is_null() && value != json!({}) {
            // JSON is YAML.
            let _ = writeln!(text, "{key}: {value}");
        }
    };
    put("context", context_of(told));
    put("with", with);
    put("artifacts", artifacts.into());
    put("command", command.unwrap_or_default());
    for key in ["allow", "limits"] {
        put(key, told.source()[key].clone());
    }
    put("attempt", told.attempt.into());
    put("clock", logical.into());
    put("expect", expected(told, about));
    Ok(text)
}

fn context_of(told: &RecordedStep<'_>) -> Value {
    json!({
        "workflow": told.before.plan().name,
        "run": told.run.to_string(),
        "step": told.step_name(),
        "trigger": told.before.trigger().as_json(),
    })
}

/// What the author must add.
fn remarks(call: &PluginCall, text: &mut String) {
    let missing = [
        (!call.allow.http.is_empty(), "requests and answers: write them under `http`"),
        (!call.allow.secrets.is_empty(), "values of secrets: make some up under `secrets`"),
        (!call.allow.models.is_empty(), "answers of models: write them under `models`"),
        (call.allow.state, "state as it was before: write it under `state`"),
    ];
    for (_, what) in missing.into_iter().filter(|(is_missing, _)| *is_missing) {
        let _ = writeln!(text, "# Not kept by the node: {what}.");
    }
}

/// How a WASI command was called; what it read becomes artifacts.
fn program<E: From<RecordError>>(
    given: &Value,
    source: &Value,
    beside: &mut Beside<'_, E>,
    artifacts: &mut Map<String, Value>,
) -> Result<Value, E> {
    let mut command = Map::new();
    for (key, from) in [("args", given), ("env", given), ("stdout", source), ("exit", source)] {
        if !from[key].is_null() {
            command.insert(key.to_owned(), from[key].clone());
        }
    }
    let named = given["files"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    let stdin = Some(("stdin", &given["stdin"])).filter(|(_, value)| !value.is_null());
    for (name, value) in named.chain(stdin) {
        let content = match beside.port(value)? {
            Some(content) => content,
            None => beside.content(value.to_string().as_bytes(), name, "application/json")?,
        };
        artifacts.insert(name.to_owned(), content);
    }
    Ok(command.into())
}

/// What came of it: the plugin's document, and the artifacts that the node laid beside it, by their digests.
fn expected(told: &RecordedStep<'_>, about: &Descriptor) -> Value {
    let output = match &told.end {
        End::Skipped(why) => return json!({ "skipped": why }),
        End::Failed(error) => {
            return json!({ "error": { "code": error.code, "retryable": error.retryable, "message": error.message } });
        }
        End::Done(output) => output,
    };
    let mut output = output.clone();
    let mut artifacts = Map::new();
    let made = |value: &Value| {
        let artifact = ArtifactRef::from_json(value)?;
        Some(json!({ "sha256": artifact.digest.hex(), "size": artifact.size, "name": artifact.name }))
    };
    if told.call.command.is_none() {
        for port in &about.outputs {
            let content = match &output[&port.name] {
                Value::Array(items) if port.many => items.iter().map(made).collect::<Option<Vec<_>>>().map(Value::from),
                value => made(value),
            };
            if let (Some(content), Some(fields)) = (content, output.as_object_mut()) {
                fields.remove(&port.name);
                artifacts.insert(port.name.clone(), content);
            }
        }
    }
    let mut expect = json!({ "output": output });
    if !artifacts.is_empty() {
        expect["artifacts"] = artifacts.into();
    }
    expect
}
