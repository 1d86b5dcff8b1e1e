//! Running a case: the plugin in the real sandbox, everything around it made up.

use std::{collections::BTreeMap, path::Path, sync::Arc};
use trackside_codes::{Class, Reason};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::DateTime;
use serde_json::{Value, json};
use trackside_sandbox::{CallLimits, CallUsage, CommandCall, CommandStdin, LogLine, Plugin, StepCall};
use trackside_spec::{Action, ArtifactRef, NodeLimits, PluginCall, load_workflow};

use crate::{
    case::{Case, Content, OneOrMany},
    compare::differences,
    error::KitError,
    fakes::Fakes,
};

/// The artifact that a WASI command reads as its standard input; all others lie below `/in`.
const STDIN: &str = "stdin";
/// What the plugin sees when the case names no time: 2026-01-01T00:00:00Z.
const CLOCK_MS: u64 = 1_767_225_600_000;

/// How a case went.
#[derive(Debug)]
pub struct CaseResult {
    /// What differs from what the case expects; nothing when it passed.
    pub differences: Vec<String>,
    /// What the plugin logged.
    pub logs: Vec<LogLine>,
    /// What the call cost.
    pub usage: CallUsage,
}

/// Runs the case that was read from `file`.
///
/// # Errors
/// When the case itself is wrong. A plugin that does not do what it should is a result.
pub async fn run_case(plugin: &Plugin, case: &Case, file: &Path) -> Result<CaseResult, KitError> {
    let bad = |reason: Reason| KitError::BadCase { file: file.to_owned(), reason };
    let step = step(case, file)?;
    let now_ms = match &case.clock {
        None => CLOCK_MS,
        Some(text) => DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|time| u64::try_from(time.timestamp_millis()).ok())
            .ok_or_else(|| bad(format!("`clock` must be a time such as 2026-01-31T06:00:00Z, not {text:?}").into()))?,
    };
    let fakes = Arc::new(Fakes::new(case, &step.allow, now_ms).map_err(bad)?);
    let mut document = case.with.clone();
    if document.is_null() {
        document = json!({});
    }
    let put = |name: &str, contents: &OneOrMany| {
        let put = |content| artifact(content, name, file, &fakes).map_err(bad);
        contents.all().iter().map(put).collect::<Result<Vec<_>, _>>()
    };
    let mut inputs = BTreeMap::new();
    let mut command = command(case, &step).map_err(bad)?;
    for (name, contents) in &case.artifacts {
        let artifacts = put(name, contents)?;
        match &mut command {
            Some(command) if name == STDIN => {
                command.stdin = artifacts.into_iter().next().map_or_else(CommandStdin::default, CommandStdin::Artifact);
            }
            Some(command) => command.files.extend(artifacts.into_iter().map(|artifact| (name.clone(), artifact))),
            None if plugin.descriptor().input(name).is_none() => {
                return Err(bad(format!("the plugin has no input port `{name}`").into()));
            }
            None => {
                if let (Some(fields), [first, rest @ ..]) = (document.as_object_mut(), artifacts.as_slice()) {
                    let value = match rest {
                        [] => first.to_json(),
                        _ => artifacts.iter().map(ArtifactRef::to_json).collect(),
                    };
                    fields.insert(name.clone(), value);
                }
                inputs.insert(name.clone(), artifacts);
            }
        }
    }
    let call = StepCall {
        attempt: case.attempt,
        logical_time_ms: now_ms,
        trigger_kind: case.context.trigger.get("kind").and_then(Value::as_str).unwrap_or("test").to_owned(),
        trigger: case.context.trigger.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        input_json: document.to_string(),
        inputs,
        command,
        limits: CallLimits::from(&NodeLimits::default().with(&step.limits)),
        fuel: step.limits.fuel,
        seed: case.seed,
        allow: step.allow.clone(),
        ..StepCall::new(&case.context.workflow, &case.context.run, &case.context.step)
    };
    let report = plugin.run(call, fakes.clone()).await;
    Ok(CaseResult { differences: differences(case, &report, &fakes), usage: report.usage, logs: report.logs })
}

/// The case's grants and limits, read as those of a workflow's step: what is wrong here is wrong there.
fn step(case: &Case, file: &Path) -> Result<PluginCall, KitError> {
    let mut step = json!({ "plugin": "test" });
    for (key, value) in [("allow", &case.allow), ("limits", &case.limits), ("command", &case.command)] {
        if let Some(value) = value {
            step[key] = value.clone();
        }
    }
    let workflow = json!({ "version": 1, "name": "test", "steps": { "test": step } });
    // JSON is YAML.
    let plan = load_workflow(&file.display().to_string(), &workflow.to_string()).map_err(|error| {
        let reasons: Vec<&str> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
        KitError::BadCase { file: file.to_owned(), reason: reasons.join("; ").into() }
    })?;
    match plan.steps.into_iter().next().map(|step| step.action) {
        Some(Action::Plugin(call)) => Ok(call),
        _ => Err(KitError::BadCase { file: file.to_owned(), reason: "it calls no plugin".into() }),
    }
}

/// A fact as the plugin sees it: text as it is, all else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How a WASI command is called; `None` for a case of a component.
fn command(case: &Case, step: &PluginCall) -> Result<Option<CommandCall>, Reason> {
    let (Some(given), Some(command)) = (&case.command, &step.command) else { return Ok(None) };
    CommandCall::read(given, command.stdout, command.exit.clone()).map(Some)
}

fn artifact(content: &Content, port: &str, file: &Path, fakes: &Fakes) -> Result<ArtifactRef, Reason> {
    let at = |reason: Reason| reason.told(|text| format!("artifacts.{port}: {text}"));
    let disk = |error: std::io::Error, what: String| at(Reason::disk(error).told(|text| format!("{what}: {text}")));
    let (bytes, usual_name) = match (&content.text, &content.base64, &content.file) {
        (Some(text), None, None) => (text.clone().into_bytes(), "input".to_owned()),
        (None, Some(text), None) => {
            let packed: String = text.split_ascii_whitespace().collect();
            let bytes = BASE64_STANDARD
                .decode(packed)
                .map_err(|error| at(Reason::by(Class::BadInput, error).told(|text| format!("no Base64: {text}"))))?;
            (bytes, "input".to_owned())
        }
        (None, None, Some(path)) => {
            let path = file.parent().unwrap_or(Path::new(".")).join(path);
            let name = path.file_name().map_or_else(|| "input".to_owned(), |name| name.to_string_lossy().into_owned());
            (std::fs::read(&path).map_err(|error| disk(error, format!("cannot read {}", path.display())))?, name)
        }
        _ => return Err(at("give exactly one of `text`, `base64` and `file`".into())),
    };
    let name = content.name.clone().unwrap_or(usual_name);
    let media_type = content.media_type.as_deref().unwrap_or("application/octet-stream");
    fakes.put(&bytes, &name, media_type).map_err(|error| disk(error, "cannot be kept".to_owned()))
}
