//! Results that stand for another attempt of a pure step.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use trackside_engine::Outcome;
use trackside_facts::AttemptReport;
use trackside_spec::{ArtifactRef, Digest, NodeLimits, PluginCall, config::Policy};
use trackside_store::{Hold, ResultRow};

use crate::{
    job::{KeptResult, StepJob, StepResult},
    workshop::Workshop,
};

/// Changes when something enters the key or leaves it.
const KEY_FORMAT: u32 = 1;

/// What makes the result of a step: everything that it is given, and the bounds that it may run into.
pub fn key(
    plugin: &str,
    job: &StepJob,
    call: &PluginCall,
    inputs: &BTreeMap<String, Vec<ArtifactRef>>,
    staged: (&Value, &str),
    limits: &NodeLimits,
    policy: &Policy,
) -> Digest {
    let (input, command) = staged;
    let digests: BTreeMap<&str, Vec<Digest>> = inputs
        .iter()
        .map(|(port, artifacts)| (port.as_str(), artifacts.iter().map(|artifact| artifact.digest).collect()))
        .collect();
    // How long it may take says nothing of what it makes: a slower box finds the results of a patient one.
    let mut limits = json!(limits);
    if let Some(limits) = limits.as_object_mut() {
        for timing in ["cpu", "wall", "log", "log_lines", "log_rate"] {
            limits.remove(timing);
        }
    }
    let document = json!({
        "format": KEY_FORMAT,
        // What a plugin sees of the box may differ in the next version.
        "version": env!("CARGO_PKG_VERSION"),
        "plugin": plugin,
        "with": input,
        "command": [job.command, command],
        "inputs": digests,
        "limits": limits,
        "fuel": call.limits.fuel,
        // The variables that a plugin is given, and what the box lets through of them.
        "env": [call.allow.env, policy.env],
    });
    Digest::of(document.to_string().as_bytes())
}

/// The kept result, as the result of this attempt. None when there is none, or an artifact of it is gone.
pub async fn find(workshop: &Arc<Workshop>, job: &StepJob, hold: &Hold, key: Digest) -> Option<StepResult> {
    let (readers, artifacts, hold) = (workshop.readers.clone(), workshop.artifacts.clone(), hold.clone());
    let found = tokio::task::spawn_blocking(move || {
        let row = match readers.with(|reader| reader.kept_result(&key)) {
            Ok(row) => row?,
            Err(error) => {
                tracing::warn!(%error, "kept results can not be read; the step runs");
                return None;
            }
        };
        // Held first: what is there then stays.
        row.artifacts.iter().for_each(|digest| hold.keep(digest));
        row.artifacts.iter().all(|digest| artifacts.has(digest)).then_some(row)
    });
    let row: ResultRow = found.await.ok()??;
    let output = serde_json::from_str(&row.output).ok()?;
    Some(StepResult {
        report: AttemptReport { cached_from: Some(row.run.to_string()), ..AttemptReport::default() }.into(),
        artifacts: row.artifacts,
        kept: Some(KeptResult::Used { key }),
        ..StepResult::of(job, Outcome::Cached(output))
    })
}

/// What is to be kept of an attempt: a result that nothing but the input made, and that made nothing but its output.
pub fn to_keep(key: Digest, result: &StepResult) -> Option<KeptResult> {
    let Outcome::Succeeded(output) = &result.outcome else { return None };
    (result.state.is_empty() && result.outbox.is_empty()).then(|| KeptResult::New {
        key,
        output: output.to_string(),
        artifacts: result.artifacts.clone(),
    })
}
