//! What each workflow used on each day, and what it holds.

use std::collections::BTreeMap;

use serde::Serialize;
use trackside_facts::{Used, rfc3339};
use trackside_node::usage_since;
use trackside_store::{Reader, StoreError, UsageRow};

/// What workflows used and hold.
#[derive(Debug, Serialize)]
pub struct UsageDocument {
    /// By workflow and day.
    pub days: Vec<UsageDay>,
    /// What the ended runs of each workflow hold on disk.
    pub held: Vec<HeldByWorkflow>,
}

/// One workflow on one day.
#[derive(Debug, Serialize)]
pub struct UsageDay {
    /// The workflow.
    pub workflow: String,
    /// The day in UTC, such as 2026-03-01.
    pub day: String,
    /// What it used.
    #[serde(flatten)]
    pub used: Used,
}

/// What the ended runs of one workflow hold.
#[derive(Debug, Serialize)]
pub struct HeldByWorkflow {
    /// The workflow.
    pub workflow: String,
    /// How many ended runs are kept.
    pub runs: u64,
    /// Their bytes: journal, logs and artifacts. An artifact of several runs counts for each.
    pub bytes: u64,
}

/// What was used from a day on (days since 1970, UTC), and what is held now; of one workflow, or of all.
///
/// # Errors
/// When the database refuses.
pub fn usage(reader: &Reader, from: i64, workflow: Option<&str>) -> Result<UsageDocument, StoreError> {
    let wanted = |name: &str| workflow.is_none_or(|workflow| workflow == name);
    let days = usage_since(reader, from)?.into_iter().filter(|row| wanted(&row.workflow)).map(UsageDay::from);
    let held = reader.holdings()?.into_iter().filter(|one| wanted(&one.workflow) && one.runs > 0);
    let held = held.map(|one| HeldByWorkflow { workflow: one.workflow, runs: one.runs, bytes: one.bytes });
    Ok(UsageDocument { days: days.collect(), held: held.collect() })
}

impl UsageDocument {
    /// The days of each workflow added up.
    #[must_use]
    pub fn sums(&self) -> BTreeMap<&str, Used> {
        let mut sums: BTreeMap<&str, Used> = BTreeMap::new();
        for day in &self.days {
            sums.entry(&day.workflow).or_default().add(&day.used);
        }
        sums
    }
}

impl From<UsageRow> for UsageDay {
    fn from(row: UsageRow) -> Self {
        let day = rfc3339(row.day.saturating_mul(86_400_000));
        let day = day.split('T').next().unwrap_or_default().to_owned();
        Self { workflow: row.workflow, day, used: row.used }
    }
}
