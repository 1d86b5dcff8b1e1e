//! Questions about the past, for people who want to know why: what a trigger accepted, what a workflow's runs were.

use rusqlite::{Row, params};
use trackside_engine::RunId;

use crate::{
    error::StoreError,
    read::{RUN_COLUMNS, Reader, RunFilter, RunRow, run_row},
};

/// A ledger row with its trigger and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntryRow {
    /// The key that it is kept under: the trigger's id, for a schedule with its text behind a space.
    pub trigger: String,
    /// What makes the file itself; `at:MILLISECONDS` for a time; empty for a request that has nothing of the kind.
    pub identity: String,
    /// The run that it started; none for files that were there before the trigger.
    pub run: Option<RunId>,
    /// Whether that run is still kept.
    pub is_kept: bool,
    /// The file's path below the watched folder; the time for a schedule.
    pub path: String,
    /// Whether the file was taken out of the folder.
    pub claimed: bool,
    /// When it was accepted, milliseconds since 1970.
    pub at_ms: i64,
}

/// The columns of a [`LedgerEntryRow`].
const ENTRY: &str = "SELECT trigger, identity, run, path, claimed, at_ms,
     EXISTS (SELECT 1 FROM runs WHERE id = ledger.run) FROM ledger";

/// The rows of one trigger: its own key, and its keys with a schedule behind a space (`!` follows the space).
const OF_TRIGGER: &str = "(trigger = ?1 OR (trigger > ?1 || ' ' AND trigger < ?1 || '!'))";

impl Reader {
    /// What a trigger accepted, newest first; with `path` only what lay there.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn accepted(&self, trigger: &str, path: Option<&str>, limit: u32) -> Result<Vec<LedgerEntryRow>, StoreError> {
        let mut accepted = self.requests(trigger, path, limit)?;
        accepted.extend(self.rows(
            &format!(
                "{ENTRY} WHERE {OF_TRIGGER} AND (?2 IS NULL OR path = ?2)
                 ORDER BY at_ms DESC, identity DESC LIMIT ?3"
            ),
            params![trigger, path, limit],
            entry,
        )?);
        // Stable: of those of one moment the order stays that they were found in.
        accepted.sort_by_key(|row| std::cmp::Reverse(row.at_ms));
        accepted.truncate(limit as usize);
        Ok(accepted)
    }

    /// What of a trigger's ledger or requests started this run: nothing for a run by hand, several files for a batch.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn accepted_by(&self, trigger: &str, run: RunId) -> Result<Vec<LedgerEntryRow>, StoreError> {
        if let Some(request) = self.request_of(trigger, run)? {
            return Ok(vec![request]);
        }
        self.rows(
            &format!("{ENTRY} WHERE {OF_TRIGGER} AND run = ?2 ORDER BY path"),
            params![trigger, run.as_i64()],
            entry,
        )
    }

    /// The runs of one workflow, newest first, whatever their state or with a good end. It looks at that workflow's runs and
    /// at those that are under way or have just ended, not at all of history: those that have ended longer ago are found by
    /// what the consumer `retention` has entered. `None` where the database has no such rows yet.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(crate) fn runs_of_workflow(
        &self,
        workflow: &str,
        filter: &RunFilter,
    ) -> Result<Option<Vec<RunRow>>, StoreError> {
        if !self.has_table("ended_runs")? {
            return Ok(None);
        }
        let before = filter.before.map_or(i64::MAX, RunId::as_i64);
        // Both of one moment: between them a run may be entered.
        let mut runs = self.snapshot(|reader| {
            let mut runs = reader.rows(
                &format!(
                    "{RUN_COLUMNS} WHERE r.id IN (
                         SELECT id FROM runs WHERE id >= (SELECT run FROM live_from) AND ended_ms IS NULL
                         UNION SELECT run FROM journal WHERE seq > ?5 AND run > 0)
                     AND r.id NOT IN (SELECT run FROM ended_runs)
                     AND r.id < ?1 AND d.name = ?2 AND (?3 IS NULL OR r.end = ?3) ORDER BY r.id DESC LIMIT ?4"
                ),
                params![before, workflow, filter.state, filter.limit, reader.cursor("retention")?],
                run_row,
            )?;
            runs.extend(reader.rows(
                &format!(
                    "{RUN_COLUMNS} JOIN ended_runs e ON e.run = r.id
                     WHERE e.holding = (SELECT id FROM holdings WHERE workflow = ?2) AND e.run < ?1
                     AND (?3 IS NULL OR r.end = ?3) ORDER BY e.run DESC LIMIT ?4"
                ),
                params![before, workflow, filter.state, filter.limit],
                run_row,
            )?);
            Ok(runs)
        })?;
        runs.sort_by_key(|row| std::cmp::Reverse(row.run));
        runs.truncate(filter.limit as usize);
        Ok(Some(runs))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<LedgerEntryRow> {
    Ok(LedgerEntryRow {
        trigger: row.get(0)?,
        identity: row.get(1)?,
        run: row.get::<_, Option<i64>>(2)?.map(RunId::from_i64),
        path: row.get(3)?,
        claimed: row.get(4)?,
        at_ms: row.get(5)?,
        is_kept: row.get(6)?,
    })
}
