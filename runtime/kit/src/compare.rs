//! What came of a case against what must.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use trackside_sandbox::{Completion, LogLine, StateOp, StateScope, StepReport};
use trackside_spec::{ArtifactRef, Digest};

use crate::{
    case::{Case, Ending, Expect, ExpectArtifact, ExpectLog},
    fakes::Fakes,
};

/// Longest text of a value in a message, in characters.
const SHOWN: usize = 400;

/// Everything that differs, one line each.
pub(crate) fn differences(case: &Case, report: &StepReport, fakes: &Fakes) -> Vec<String> {
    let expect = &case.expect;
    let mut found = Vec::new();
    ending(expect, report, &mut found);
    for (port, wanted) in &expect.artifacts {
        let made: Vec<&ArtifactRef> =
            report.artifacts.iter().filter(|(name, _)| name == port).map(|(_, artifact)| artifact).collect();
        if made.len() != wanted.all().len() {
            found.push(format!("artifacts.{port}: {} made, {} expected", made.len(), wanted.all().len()));
            continue;
        }
        for (artifact, wanted) in made.into_iter().zip(wanted.all()) {
            content(port, artifact, wanted, fakes, &mut found);
        }
    }
    for (what, scope, wanted, before) in [
        ("state", StateScope::Step, &expect.state, &case.state),
        ("workflow_state", StateScope::Workflow, &expect.workflow_state, &case.workflow_state),
    ] {
        for (key, wanted) in wanted {
            let after = match report.state_writes.iter().rfind(|write| write.scope == scope && write.key == *key) {
                None => before.get(key).cloned().unwrap_or_default(),
                Some(write) => match &write.op {
                    StateOp::Delete => Value::Null,
                    StateOp::Set { value, .. } => read(value),
                },
            };
            if after != *wanted {
                found.push(format!("{what}.{key}: {}, expected {}", shown(&after), shown(wanted)));
            }
        }
    }
    logs(&expect.logs, &report.logs, &mut found);
    if let Some(most) = expect.max_memory
        && report.usage.memory_peak > most.as_bytes()
    {
        found.push(format!("memory: {} bytes used, at most {} expected", report.usage.memory_peak, most.as_bytes()));
    }
    if let (Some(most), Some(fuel)) = (expect.max_fuel, report.usage.fuel)
        && fuel > most
    {
        found.push(format!("fuel: {fuel} instructions executed, at most {most} expected"));
    }
    found.extend(fakes.conversation());
    found
}

fn ending(expect: &Expect, report: &StepReport, found: &mut Vec<String>) {
    let wanted = expect.outcome.unwrap_or(match (&expect.error, &expect.skipped) {
        (Some(_), _) => Ending::Error,
        (None, Some(_)) => Ending::Skipped,
        (None, None) => Ending::Done,
    });
    let was = match &report.outcome {
        Ok(Completion::Done(text)) => {
            let output: Value = serde_json::from_str(text).unwrap_or_default();
            if let Some(wanted) = expect.output.as_ref().filter(|wanted| **wanted != output) {
                found.push(format!("output: {}, expected {}", shown(&output), shown(wanted)));
            }
            Ending::Done
        }
        Ok(Completion::Skipped(reason)) => {
            if let Some(wanted) = expect.skipped.as_ref().filter(|wanted| !reason.contains(wanted.as_str())) {
                found.push(format!("skipped: {reason:?}, expected to contain {wanted:?}"));
            }
            Ending::Skipped
        }
        Err(failure) => {
            if wanted != Ending::Error {
                found.push(format!("it failed: {failure}"));
                found.extend(failure.backtrace.iter().take(10).map(|frame| format!("  {frame}")));
                found.extend(failure.stderr_tail.lines().map(|line| format!("  stderr: {line}")));
                found.extend(report.denials.iter().cloned());
                return;
            }
            if let Some(wanted) = &expect.error {
                if failure.code != wanted.code {
                    found.push(format!("error.code: {:?}, expected {:?} ({failure})", failure.code, wanted.code));
                }
                if wanted.retryable.is_some_and(|retryable| retryable != failure.retryable) {
                    found.push(format!("error.retryable: {}", failure.retryable));
                }
                if let Some(part) = wanted.message.as_ref().filter(|part| !failure.message.contains(part.as_str())) {
                    found.push(format!("error.message: {:?}, expected to contain {part:?}", failure.message));
                }
            }
            Ending::Error
        }
    };
    if was != wanted {
        found.push(format!("outcome: {was:?}, expected {wanted:?}").to_lowercase());
    }
}

fn content(port: &str, artifact: &ArtifactRef, wanted: &ExpectArtifact, fakes: &Fakes, found: &mut Vec<String>) {
    let bytes = match fakes.get(artifact) {
        Ok(bytes) => bytes,
        Err(error) => return found.push(format!("artifacts.{port}: cannot be read: {error}")),
    };
    let mut differs = |what: &str, was: String, wanted: String| {
        if was != wanted {
            found.push(format!("artifacts.{port}.{what}: {}, expected {}", cut(&was), cut(&wanted)));
        }
    };
    if let Some(text) = &wanted.text {
        differs("text", format!("{:?}", String::from_utf8_lossy(&bytes)), format!("{text:?}"));
    }
    if let Some(text) = &wanted.base64 {
        differs("base64", BASE64_STANDARD.encode(&bytes), text.split_ascii_whitespace().collect());
    }
    if let Some(hex) = &wanted.sha256 {
        differs("sha256", Digest::of(&bytes).hex(), hex.to_ascii_lowercase());
    }
    if let Some(size) = wanted.size {
        differs("size", bytes.len().to_string(), size.to_string());
    }
    if let Some(name) = &wanted.name {
        differs("name", artifact.name.clone(), name.clone());
    }
    if let Some(media_type) = &wanted.media_type {
        differs("media_type", artifact.media_type.clone(), media_type.clone());
    }
}

fn logs(wanted: &[ExpectLog], lines: &[LogLine], found: &mut Vec<String>) {
    let mut lines = lines.iter();
    for line in wanted {
        let fits = |one: &LogLine| {
            one.message.contains(&line.contains) && line.level.as_ref().is_none_or(|level| one.level.name() == level)
        };
        if !lines.any(fits) {
            let level = line.level.as_deref().unwrap_or("any level");
            found.push(format!("logs: no line ({level}) that contains {:?}, in the order of the case", line.contains));
            return;
        }
    }
}

/// State that is no JSON is shown as text.
fn read(value: &[u8]) -> Value {
    serde_json::from_slice(value).unwrap_or_else(|_| String::from_utf8_lossy(value).into_owned().into())
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
