//! Runs in a list, and the steps of them that wait for a person, a time or an event.

use serde::Serialize;
use trackside_engine::RunId;
use trackside_node::rfc3339;
use trackside_store::{Reader, RunFilter, RunRow, StoreError};

use crate::{Asks, RunView, StepView, Waits};

/// Runs that are looked through for what waits; a node has fewer under way.
const LOOKED_THROUGH: u32 = 10_000;

/// A run in a list. The JSON form is what `runs list --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// The workflow.
    pub workflow: String,
    /// Digest of the definition that it runs on.
    pub definition: String,
    /// `running`, `succeeded`, `failed`, `cancelled`.
    pub state: String,
    /// The trigger's kind.
    pub trigger: String,
    /// When it was accepted, RFC 3339.
    pub started: String,
    /// The same, milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended: Option<String>,
    /// The same, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// From acceptance to end.
    pub duration_ms: Option<i64>,
    /// One line for people.
    pub error: Option<String>,
}

impl From<RunRow> for RunSummary {
    fn from(row: RunRow) -> Self {
        Self {
            run: row.run,
            workflow: row.workflow,
            definition: row.definition,
            state: row.end.unwrap_or_else(|| "running".to_owned()),
            trigger: row.trigger,
            started: rfc3339(row.started_ms),
            started_ms: row.started_ms,
            ended: row.ended_ms.map(rfc3339),
            ended_ms: row.ended_ms,
            duration_ms: row.ended_ms.map(|ended| ended.saturating_sub(row.started_ms)),
            error: row.error,
        }
    }
}

/// Runs, newest first.
///
/// # Errors
/// When the database refuses.
pub fn list_runs(reader: &Reader, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
    Ok(reader.runs(filter)?.into_iter().map(RunSummary::from).collect())
}

/// A step that waits. The JSON form is what `runs list --waiting --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct WaitingStep {
    /// Its run.
    pub run: RunId,
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// What it waits for.
    #[serde(flatten)]
    pub waits_for: WaitsFor,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "waits_for", rename_all = "kebab-case")]
pub enum WaitsFor {
    /// A person's word.
    Decision(Asks),
    /// A time.
    Time {
        /// Until when, RFC 3339.
        until: Option<String>,
    },
    /// An event.
    Event {
        /// Its name.
        event: String,
        /// Until when, RFC 3339; none where it is waited for without end.
        until: Option<String>,
    },
}

impl From<Waits> for WaitsFor {
    fn from(Waits { event, until }: Waits) -> Self {
        match event {
            Some(event) => Self::Event { event, until },
            None => Self::Time { until },
        }
    }
}

/// The steps that wait for a person, a time or an event, at most `limit`, those of the newest runs first.
///
/// # Errors
/// When the database refuses, or a run under way can not be read.
pub fn waiting_steps(reader: &Reader, workflow: Option<String>, limit: u32) -> Result<Vec<WaitingStep>, StoreError> {
    let mut waiting = Vec::new();
    let state = Some("running".to_owned());
    for row in reader.runs(&RunFilter { workflow, state, before: None, limit: LOOKED_THROUGH })? {
        let Some(view) = RunView::read(reader, row.run)? else { continue };
        let (run, workflow) = (view.run, view.workflow);
        let of = |step: StepView| {
            let waits_for = step.asks.map(WaitsFor::Decision).or(step.waits.map(WaitsFor::from))?;
            Some(WaitingStep { run, workflow: workflow.clone(), step: step.id, waits_for })
        };
        waiting.extend(view.steps.into_iter().filter_map(of));
        if waiting.len() >= limit as usize {
            break;
        }
    }
    waiting.truncate(limit as usize);
    Ok(waiting)
}
