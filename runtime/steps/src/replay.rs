//! Doing the pure steps of a finished run once more, beside the store, to see whether they give the same.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use trackside_engine::{Outcome, RunState, StepStatus};
use trackside_facts::AttemptReport;
use trackside_sandbox::CancelToken;
use trackside_spec::StepIndex;
use trackside_store::Hold;

use crate::{
    contracts,
    job::StepJob,
    kinds::{self, Attempt},
    workshop::Workshop,
};

/// What came of doing a step, or an item of one, once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The output is the same, byte for byte; artifacts are compared by their digests.
    Identical,
    /// It is another one.
    Different {
        /// Where the first difference lies, as a JSON pointer.
        at: String,
    },
    /// Another version of the plugin or model is there now, or another engine.
    OtherVersion {
        /// What did it then and what would do it now.
        detail: String,
    },
    /// It was not done again: it is not pure, or did not end well.
    Left {
        /// Why.
        reason: String,
    },
    /// It failed this time.
    Failed {
        /// How.
        error: String,
    },
}

/// A step, or an item of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The step's id.
    pub step: String,
    /// The item, where the step ran for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Does every pure step of a run that has ended once more, one after the other: with the inputs, the logical time and the
/// seeds that it had. `report_of` gives what the journal says of the attempt that ended well (plugin, digest, engine).
/// Staged effects are dropped.
pub async fn replay(
    workshop: &Arc<Workshop>,
    state: &RunState,
    report_of: impl Fn(StepIndex, Option<u32>) -> Option<Box<AttemptReport>>,
) -> Vec<Replayed> {
    let plan = state.plan();
    let mut told = Vec::new();
    for (position, definition) in plan.steps.iter().enumerate() {
        let Some(step) = plan.index_of(&definition.id) else { continue };
        let Some(record) = state.steps().get(position) else { continue };
        let items: Vec<Option<u32>> = match &record.items {
            None => vec![None],
            Some(items) => (0u32..).zip(items.records()).map(|(item, _)| Some(item)).collect(),
        };
        for item in items {
            let verdict = one(workshop, state, (step, item), &report_of).await;
            told.push(Replayed { step: definition.id.clone(), item, verdict });
        }
    }
    told
}

async fn one(
    workshop: &Arc<Workshop>,
    state: &RunState,
    (step, item): (StepIndex, Option<u32>),
    report_of: &impl Fn(StepIndex, Option<u32>) -> Option<Box<AttemptReport>>,
) -> Verdict {
    let left = |reason: &str| Verdict::Left { reason: reason.to_owned() };
    if let Some(reason) = state.plan().step(step).action.kind().impurity() {
        return left(reason);
    }
    let Some(record) = state.record(step, item) else { return left("it did not run") };
    if record.status != StepStatus::Succeeded {
        return left(&format!("it is {}", record.status.name()));
    }
    if record.attempts == 0 {
        return left("its output was taken over from another run");
    }
    let output = state.output(step).cloned().unwrap_or_default();
    let then = match item {
        None => output,
        Some(item) => match output.get("results").and_then(|results| results.get(item as usize)) {
            Some(result) => result.clone(),
            None => return left("its step did not end well: nothing was kept of it"),
        },
    };
    let mut job = StepJob {
        run: state.id(),
        plan: state.plan().clone(),
        step,
        item,
        attempt: record.attempts,
        contracts: None,
        input: Value::Null,
        command: None,
        trigger: state.trigger().clone(),
        logical_time_ms: state.logical_time_ms(),
    };
    let inputs = match state.contract_inputs(step, item) {
        Ok(inputs) => inputs,
        Err(error) => return Verdict::Failed { error: error.to_string() },
    };
    let hold = Hold::new(&workshop.artifacts);
    let mut requires = Value::Null;
    if !inputs.is_empty() {
        match contracts::check(workshop, &job, inputs, &hold, &CancelToken::new(), false).await {
            contracts::Verdict::Passed(passed) => requires = passed.requires,
            contracts::Verdict::Stopped(..) => {
                return Verdict::Failed { error: "its inputs do not fit its contracts this time".to_owned() };
            }
        }
    }
    let evaluated =
        state.input(step, item, &requires).and_then(|input| Ok((input, state.command(step, item, &requires)?)));
    (job.input, job.command) = match evaluated {
        Ok(evaluated) => evaluated,
        Err(error) => return Verdict::Failed { error: error.to_string() },
    };
    let result = kinds::run(Attempt { workshop, job: &job, hold: &hold, cancel: CancelToken::new() }).await;
    let now = match result.outcome {
        Outcome::Succeeded(now) | Outcome::Cached(now) => now,
        Outcome::Skipped(reason) => return Verdict::Failed { error: format!("it skipped this time: {reason}") },
        Outcome::Blocked { message, .. } => return Verdict::Failed { error: message },
        Outcome::Failed(error) => return Verdict::Failed { error: format!("{}: {}", error.code, error.message) },
    };
    if let (Some(then), Some(now)) = (report_of(step, item), result.report)
        && let Some(detail) = other_version(&then, &now)
    {
        return Verdict::OtherVersion { detail };
    }
    // The text is compared, not the value: numbers that are equal and written otherwise are a difference.
    if serde_json::to_string(&then).ok() == serde_json::to_string(&now).ok() {
        return Verdict::Identical;
    }
    Verdict::Different { at: first_difference(&then, &now) }
}

fn other_version(then: &AttemptReport, now: &AttemptReport) -> Option<String> {
    fn other<T: PartialEq + Serialize>(key: &str, then: Option<&T>, now: Option<&T>) -> Option<String> {
        let (then, now) = (then?, now?);
        (then != now).then(|| format!("{key}: {} then, {} now", json!(then), json!(now)))
    }
    other("digest", then.digest.as_ref(), now.digest.as_ref())
        .or_else(|| other("version", then.version.as_ref(), now.version.as_ref()))
        .or_else(|| other("engine", then.engine.as_ref(), now.engine.as_ref()))
}

/// A JSON pointer to the first place where the two are not the same.
fn first_difference(a: &Value, b: &Value) -> String {
    let mut pointer = String::new();
    let (mut a, mut b) = (a, b);
    loop {
        let step = match (a, b) {
            (Value::Object(x), Value::Object(y)) if x.len() == y.len() => x.iter().find_map(|(key, value)| {
                y.get(key).filter(|other| *other != value).map(|other| (key.clone(), value, other))
            }),
            (Value::Array(x), Value::Array(y)) if x.len() == y.len() => x
                .iter()
                .zip(y)
                .enumerate()
                .find_map(|(index, (value, other))| (value != other).then(|| (index.to_string(), value, other))),
            _ => None,
        };
        let Some((key, x, y)) = step else { return pointer };
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        (a, b) = (x, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_pointed_at() {
        let at = |a: Value, b: Value| first_difference(&a, &b);
        assert_eq!(
            at(json!({ "a": 1, "b": [1, { "c/d": 2 }] }), json!({ "a": 1, "b": [1, { "c/d": 3 }] })),
            "/b/1/c~1d"
        );
        assert_eq!(at(json!({ "a": 1 }), json!({ "a": 1, "b": 2 })), "");
        assert_eq!(at(json!(1), json!("1")), "");
    }

    #[test]
    fn only_what_both_reports_have_makes_another_version() {
        let report = |version: &str, wall_us: u64| AttemptReport {
            version: Some(version.to_owned()),
            wall_us: Some(wall_us),
            ..AttemptReport::default()
        };
        assert_eq!(other_version(&report("1", 2), &report("1", 3)), None);
        assert_eq!(other_version(&AttemptReport::default(), &report("1", 3)), None);
        let other = other_version(&report("1", 2), &report("2", 2));
        assert_eq!(other.as_deref(), Some("version: \"1\" then, \"2\" now"));
    }
}
