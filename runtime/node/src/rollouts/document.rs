//! How a rollout stands, as a document: for people, for the journal, over the wire.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trackside_serving::rollout::{GateReport, Machine, Missing, Standing, Status, Verdict};
use trackside_spec::RolloutPlan;
use trackside_store::RolloutRow;

use super::settle::PROMOTING;

/// A rollout, as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutDocument {
    /// Its number.
    pub rollout: i64,
    /// What is rolled out: `model/NAME`.
    pub subject: String,
    /// The version in service when it began.
    pub stable: String,
    /// The one that is tried.
    pub candidate: String,
    /// The candidate's content.
    pub digest: String,
    /// One word: `running`, `held`, `asks`, `stopped`, `promoted`, `rolled-back`, `aborted`.
    pub status: String,
    /// Why, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How it is to go.
    pub plan: RolloutPlan,
    /// When it began, milliseconds since 1970.
    pub started_ms: i64,
    /// Who began it.
    pub started_by: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// Share, time, requests, gates: see the page on rollouts. Null where what was kept can not be read.
    pub evidence: Value,
}

/// Of a row, and of the machine where it goes on in this process.
#[must_use]
pub fn rollout_document(row: &RolloutRow, standing: Option<Standing>) -> RolloutDocument {
    let plan: RolloutPlan = serde_json::from_str(&row.plan).unwrap_or_default();
    let standing = standing.or_else(|| Some(Machine::read(plan.clone(), &row.state).ok()?.standing()));
    // Of one that is over the row says how it ended; what is counted on may be a moment old.
    let (status, why) = match &standing {
        // Decided, and not done yet.
        _ if row.status == PROMOTING => (PROMOTING.to_owned(), None),
        Some(standing) if row.ended_ms.is_none() || standing.status.word() == row.status => {
            (standing.status.word().to_owned(), why(&standing.status))
        }
        _ => (row.status.clone(), None),
    };
    RolloutDocument {
        rollout: row.id,
        subject: row.subject.clone(),
        stable: row.stable.clone(),
        candidate: row.candidate.clone(),
        digest: row.digest.clone(),
        status,
        why,
        plan,
        started_ms: row.started_ms,
        started_by: row.started_by.clone(),
        ended_ms: row.ended_ms,
        evidence: standing.as_ref().map_or(Value::Null, evidence),
    }
}

pub(super) fn why(status: &Status) -> Option<String> {
    match status {
        Status::Asks { why } | Status::Stopped { why } | Status::RolledBack { why } => Some(why.clone()),
        Status::Held { by } => Some(format!("{by} holds it")),
        Status::Aborted { by } => Some(by.clone()),
        Status::Running | Status::Promoted => None,
    }
}

/// What was seen, in numbers and words.
pub(super) fn evidence(standing: &Standing) -> Value {
    let arms = |seen: [u64; 2]| json!({ "stable": seen[0], "candidate": seen[1] });
    let seconds = |time: std::time::Duration| (time.as_secs_f64() * 10.0).round() / 10.0;
    let mut document = json!({
        "step": standing.step.0,
        "steps": standing.step.1,
        "share": standing.share,
        "ran_s": seconds(standing.ran.0),
        "ran_step_s": seconds(standing.ran.1),
        "requests": arms(standing.seen.0),
        "requests_step": arms(standing.seen.1),
        "gates": standing.gates.iter().map(gate).collect::<Vec<_>>(),
        "missing": standing.missing,
    });
    if let Some((subjects, unsaid)) = &standing.subjects {
        document["subjects"] = json!({ "stable": subjects[0], "candidate": subjects[1], "unsaid": unsaid });
    }
    document
}

fn gate(report: &GateReport) -> Value {
    let share = |value: f64| (value * 1000.0).round() / 1000.0;
    json!({
        "gate": report.gate,
        "verdict": match report.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
        },
        "holds": share(report.holds),
        "broken": share(report.broken),
        "observations": report.observations,
        "unit": report.unit,
        "missing": match report.missing {
            Missing::Nothing => json!(0),
            Missing::About(more) => json!(more),
            Missing::Unknown => Value::Null,
            Missing::Never => json!("never"),
        },
        "seen": report.seen,
    })
}
