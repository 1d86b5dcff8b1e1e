//! Data contracts: what the inputs of a step must be like, looked at before its first attempt.
//!
//! Tables are read row by row; what is kept of them is bounded, and so are time and the length of a row. The first pass
//! only looks. A second one, which splits a table, is made when there is something to split: data that fits costs no
//! write. How rows and values are read is `trackside_rows`' business: `csv-check` reads by the same rules.

mod books;
mod column;
mod input;
pub(crate) mod row;
mod scan;
mod split;
#[cfg(test)]
mod tests;
mod watch;

use std::{sync::Arc, time::Instant};

use serde_json::{Map, Value};
use trackside_engine::{Outcome, StepError};
use trackside_facts::AttemptReport;
use trackside_sandbox::CancelToken;
use trackside_serving::drift::Board;
use trackside_spec::plan::Contract;
use trackside_store::{Artifacts, Hold};

pub(crate) use self::input::{LARGEST_DOCUMENT, document, form_of};
use self::scan::Patience;
use crate::{
    job::{Passed, StepJob},
    workshop::Workshop,
};

/// Why an input can not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The disk.
    #[error("the input can not be read: {0}")]
    Io(#[from] std::io::Error),
    /// The step was stopped.
    #[error("stopped while its inputs were checked")]
    Cancelled,
    /// The limit `wall`.
    #[error("checking the inputs takes longer than the step may take (limits.wall)")]
    TooSlow,
    /// The limit of memory for `unique`.
    #[error("`unique` keeps at most {} values in mind; check larger tables in a plugin", column::MAX_DISTINCT)]
    TooManyDistinct,
}

impl From<CheckError> for StepError {
    fn from(error: CheckError) -> Self {
        let (code, retryable) = match &error {
            CheckError::Io(_) => ("contract-unreadable", true),
            CheckError::Cancelled => ("cancelled", false),
            CheckError::TooSlow => ("wall-limit", false),
            CheckError::TooManyDistinct => ("contract-too-large", false),
        };
        Self { retryable, ..Self::fatal(code, error.to_string()) }
    }
}

/// What became of the inputs.
pub enum Verdict {
    /// The step may run.
    Passed(Box<Passed>),
    /// It may not: how it ends, what it says in its log, which artifacts its report names.
    Stopped(Outcome, String),
}

/// Holds the inputs of a step against its contracts, on a thread that may wait. With `watch`, tables whose columns are watched for
/// drift count: those of a run, not of a look at one that was.
pub async fn check(
    workshop: &Arc<Workshop>,
    job: &StepJob,
    inputs: Vec<Value>,
    hold: &Hold,
    cancel: &CancelToken,
    watch: bool,
) -> Verdict {
    let own = job.plan.step(job.step).action.kind().limits();
    let wall = workshop.config.limits.with(&own).wall.to_std();
    let patience = Patience { until: Instant::now() + wall, cancel: cancel.clone() };
    let (plan, step, artifacts) = (job.plan.clone(), job.step, workshop.artifacts.clone());
    let hold = hold.clone();
    let board = watch.then(|| workshop.models.serving().board().clone());
    let checked = tokio::task::spawn_blocking(move || {
        check_all((&artifacts, &hold), &plan.step(step).requires, inputs, &patience, board.as_deref())
    })
    .await;
    match checked {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => Verdict::Stopped(Outcome::Failed(error.into()), String::new()),
        Err(error) => {
            let error = StepError::fatal("internal-error", format!("the check ended early: {error}"));
            Verdict::Stopped(Outcome::Failed(error), String::new())
        }
    }
}

fn check_all(
    (artifacts, hold): (&Artifacts, &Hold),
    contracts: &[Contract],
    inputs: Vec<Value>,
    patience: &Patience,
    board: Option<&Board>,
) -> Result<Verdict, CheckError> {
    let (mut requires, mut reports, mut logs) = (Map::new(), Vec::new(), String::new());
    let (mut kept, mut blocking) = (Vec::new(), None);
    for (contract, value) in contracts.iter().zip(inputs) {
        let checked = input::check((artifacts, hold), contract, value, patience, board)?;
        if !checked.books.is_clean() {
            logs.push_str(&checked.books.log_line());
            reports.push(checked.books.report());
            if checked.books.blocks() {
                blocking.get_or_insert_with(|| checked.books.summary());
            }
        }
        kept.extend(checked.artifacts);
        requires.insert(contract.name.clone(), checked.value);
    }
    if let Some(message) = blocking {
        let report = AttemptReport { contracts: Some(reports), ..AttemptReport::default() };
        return Ok(Verdict::Stopped(Outcome::Blocked { message, report: report.into() }, logs));
    }
    Ok(Verdict::Passed(Box::new(Passed {
        requires: requires.into(),
        report: reports,
        artifacts: kept,
        hold: Some(hold.clone()),
        logs,
    })))
}
