//! `trackside plugin test --record`: a case out of a step that ran on a node.
//!
//! The run's journal holds what the step was given and what came of it; the store holds its artifacts. What a node does
//! not keep (conversations, the answers of models, state as it was) is left to the author, with a remark in the case.

use std::{
    fmt::Write as _,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use trackside_codes::code;

use serde_json::{Map, Value, json};
use trackside_control::{QueryError, find_run};
use trackside_engine::{Event, RunId, RunState, SkipReason, StepError};
use trackside_node::{Project, RunHistory, rfc3339};
use trackside_sandbox::Descriptor;
use trackside_spec::{Action, ArtifactRef, Plan, PluginCall, StepIndex, read_yaml};
use trackside_store::Artifacts;

use crate::{
    context::{Context, plugins_of},
    failure::{Exit, Failure},
};

/// Artifacts up to this many bytes that are text stand in the case itself.
const INLINE: u64 = 2048;
/// Larger artifacts are not copied into a plugin's source tree.
const LARGEST: u64 = 64 << 20;

/// Writes the case of a step (the only plugin step of its run when none is named) into `dir`, and says where.
pub fn execute(context: &Context, run: &str, step: Option<&str>, dir: &Path) -> Result<PathBuf, Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, run)?;
    let history = RunHistory::open(&reader, run)?;
    let history = history.ok_or(QueryError::NoRun(run))?;
    let other_version = |_| no_case(run, "its definition is of another version of this program");
    let plan = history.head.plan.clone().map_err(other_version)?;
    let told = Told::read(&history, run, &plan, step)?;
    let (plugins, _temp) = plugins_of(&project)?;
    let plugin = plugins.get(&told.call.plugin)?;
    let name = format!("{}-{}", told.step_name(), run.to_string().to_lowercase());
    let mut folder =
        Beside { folder: dir.join("tests"), name, project: &project, store: Artifacts::read_only(&project.data_dir()) };
    let text = case(&told, plugin.descriptor(), &mut folder)?;
    let file = folder.folder.join(format!("{}.yaml", folder.name));
    write(&file, text.as_bytes())?;
    Ok(file)
}

fn no_case(run: RunId, why: &str) -> Failure {
    Failure::new(code!("TS-0910"), format!("run {run} gives no case: {why}"))
}

/// What the journal tells of one step.
struct Told<'p> {
    run: RunId,
    step: StepIndex,
    call: &'p PluginCall,
    attempt: u32,
    /// The run when the attempt began.
    before: RunState,
    end: End,
}

enum End {
    Done(Value),
    Skipped(String),
    Failed(StepError),
}

impl<'p> Told<'p> {
    fn read(history: &RunHistory, run: RunId, plan: &'p Arc<Plan>, step: Option<&str>) -> Result<Self, Failure> {
        let unusable = |why: String| no_case(run, &why);
        let calls = (0..).map(StepIndex).zip(&plan.steps).filter_map(|(index, step)| match &step.action {
            Action::Plugin(call) if step.foreach.is_none() => Some((index, step.id.as_str(), call)),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        let found = match step {
            Some(name) => calls.iter().find(|(_, id, _)| *id == name),
            None => calls.first().filter(|_| calls.len() == 1),
        };
        let Some((step, call)) = found.map(|(index, _, call)| (*index, *call)) else {
            let names: Vec<&str> = calls.iter().map(|(_, id, _)| *id).collect();
            return Err(unusable(format!("name one of its plugin steps with --step: {}", names.join(", "))));
        };
        let mut before = RunState::new(plan.clone(), run);
        let mut begun = None;
        for (at_ms, event) in history.events() {
            let end = match event {
                Event::StepStarted { step: started, attempt, .. } if *started == step => {
                    begun = Some(*attempt);
                    None
                }
                Event::StepSucceeded { step: ended, output, .. } if *ended == step => Some(End::Done(output.clone())),
                Event::StepSkipped { step: ended, reason: SkipReason::Said(why), .. } if *ended == step => {
                    Some(End::Skipped(why.clone()))
                }
                Event::StepFailed { step: ended, error, .. } if *ended == step => Some(End::Failed(error.clone())),
                _ => None,
            };
            if let (Some(end), Some(attempt)) = (end, begun) {
                return Ok(Self { run, step, call, attempt, before, end });
            }
            before.apply(event, at_ms).map_err(|error| unusable(error.to_string()))?;
        }
        Err(unusable(format!("its step `{}` did not run to an end of its own", plan.step(step).id)))
    }

    fn step_name(&self) -> &str {
        &self.before.plan().step(self.step).id
    }
}

/// Where artifacts of the case go: into it, or into files beside it.
struct Beside<'p> {
    folder: PathBuf,
    name: String,
    project: &'p Project,
    store: Artifacts,
}

impl Beside<'_> {
    fn artifact(&mut self, artifact: &ArtifactRef) -> Result<Value, Failure> {
        let gone = |error| {
            Failure::ended(
                Exit::Bad,
                code!("TS-0851"),
                format!("cannot read artifact {} of the run: {error}", artifact.digest),
            )
        };
        let file = self.store.open_artifact(&artifact.digest).map_err(gone)?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(gone)?;
        self.content(&bytes, &artifact.name, &artifact.media_type)
    }

    fn content(&mut self, bytes: &[u8], name: &str, media_type: &str) -> Result<Value, Failure> {
        let size = bytes.len() as u64;
        if size > LARGEST {
            return Err(Failure::new(
                code!("TS-0910"),
                format!(
                    "the artifact `{name}` is larger than {LARGEST} bytes: too large for a case; record a run of smaller data"
                ),
            ));
        }
        let mut content = json!({ "name": name, "media_type": media_type });
        match std::str::from_utf8(bytes) {
            Ok(text) if size <= INLINE => content["text"] = text.into(),
            _ => {
                let safe: String =
                    name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
                let digest = trackside_spec::Digest::of(bytes);
                let file = format!("{}/{}-{}", self.name, digest.short(), safe.trim_start_matches('.'));
                write(&self.folder.join(&file), bytes)?;
                content["file"] = file.into();
            }
        }
        Ok(content)
    }

    /// An input port's value: artifacts of the store, or a file of the project that is named as it is.
    fn port(&mut self, value: &Value) -> Result<Option<Value>, Failure> {
        if let Some(artifact) = ArtifactRef::from_json(value) {
            return self.artifact(&artifact).map(Some);
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                let artifacts: Option<Vec<ArtifactRef>> = items.iter().map(ArtifactRef::from_json).collect();
                let Some(artifacts) = artifacts else { return Ok(None) };
                let contents: Result<Vec<Value>, Failure> =
                    artifacts.iter().map(|artifact| self.artifact(artifact)).collect();
                contents.map(|contents| Some(contents.into()))
            }
            Value::String(path) => {
                let full = self.project.root.join(path);
                let Ok(bytes) = fs::read(&full) else { return Ok(None) };
                let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.content(&bytes, &name, "application/octet-stream").map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Whether this is an object of values by name with artifacts among them.
fn by_name(value: &Value) -> bool {
    let fields = value.as_object().filter(|_| ArtifactRef::from_json(value).is_none());
    fields.is_some_and(|fields| fields.values().any(|field| ArtifactRef::from_json(field).is_some()))
}

/// The text of the case.
fn case(told: &Told<'_>, about: &Descriptor, beside: &mut Beside<'_>) -> Result<String, Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::new(code!("TS-0910"), format!("the step's input: {error}"));
    let call = told.call;
    let mut with = told.before.input(told.step, None, &Value::Null).map_err(|error| unusable(&error))?;
    let mut artifacts = Map::new();
    let command = told.before.command(told.step, None, &Value::Null).map_err(|error| unusable(&error))?;
    let command = match command {
        Some(given) => Some(program(&given, &source_of(told)["command"], beside, &mut artifacts)?),
        None => {
            for port in &about.inputs {
                let Some(value) = with.get(&port.name).cloned() else { continue };
                if port.many && by_name(&value) {
                    return Err(unusable(&format!(
                        "`{}` gives artifacts by name, which a case has no form for: record a run with small outputs",
                        port.name
                    )));
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
        put(key, source_of(told)[key].clone());
    }
    put("attempt", told.attempt.into());
    put("clock", logical.into());
    put("expect", expected(told, about, call));
    Ok(text)
}

fn context_of(told: &Told<'_>) -> Value {
    json!({
        "workflow": told.before.plan().name,
        "run": told.run.to_string(),
        "step": told.step_name(),
        "trigger": told.before.trigger().as_json(),
    })
}

/// The step as its author wrote it.
fn source_of(told: &Told<'_>) -> Value {
    let plan = told.before.plan();
    let source: Value = read_yaml(&plan.name, &plan.source).unwrap_or_default();
    match told.step_name().split_once('.') {
        Some(("finally", end)) => source["finally"][end].clone(),
        _ => source["steps"][told.step_name()].clone(),
    }
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
fn program(
    given: &Value,
    source: &Value,
    beside: &mut Beside<'_>,
    artifacts: &mut Map<String, Value>,
) -> Result<Value, Failure> {
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
fn expected(told: &Told<'_>, about: &Descriptor, call: &PluginCall) -> Value {
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
    if call.command.is_none() {
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

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, bytes));
    written.map_err(|error| Failure::new(code!("TS-0852"), format!("cannot write {}: {error}", file.display())))
}
