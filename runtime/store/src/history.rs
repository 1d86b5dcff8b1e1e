//! Questions about what a trigger accepted, for people who want to know why.

use rusqlite::{Row, params};
use trackside_engine::RunId;

use crate::{error::StoreError, read::Reader};

/// A ledger row with its trigger and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntryRow {
    /// The key that it is kept under: the trigger's id, for a schedule with its text behind a space.
    pub trigger: String,
    /// What makes the file itself; `at:MILLISECONDS` for a time.
    pub identity: String,
    /// The run that it started; none for files that were there before the trigger.
    pub run: Option<RunId>,
    /// The file's path below the watched folder; the time for a schedule.
    pub path: String,
    /// Whether the file was taken out of the folder.
    pub claimed: bool,
    /// When it was accepted, milliseconds since 1970.
    pub at_ms: i64,
}

/// The rows of one trigger: its own key, and its keys with a schedule behind a space (`!` follows the space).
const OF_TRIGGER: &str = "(trigger = ?1 OR (trigger > ?1 || ' ' AND trigger < ?1 || '!'))";

impl Reader {
    /// What a trigger accepted, newest first; with `path` only what lay there.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn accepted(&self, trigger: &str, path: Option<&str>, limit: u32) -> Result<Vec<LedgerEntryRow>, StoreError> {
        self.rows(
            &format!(
                "SELECT trigger, identity, run, path, claimed, at_ms FROM ledger
                 WHERE {OF_TRIGGER} AND (?2 IS NULL OR path = ?2) ORDER BY at_ms DESC, identity DESC LIMIT ?3"
            ),
            params![trigger, path, limit],
            entry,
        )
    }

    /// What of a trigger's ledger started this run: nothing for a run by hand, several files for a batch.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn accepted_by(&self, trigger: &str, run: RunId) -> Result<Vec<LedgerEntryRow>, StoreError> {
        self.rows(
            &format!(
                "SELECT trigger, identity, run, path, claimed, at_ms FROM ledger
                 WHERE {OF_TRIGGER} AND run = ?2 ORDER BY path"
            ),
            params![trigger, run.as_i64()],
            entry,
        )
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
    })
}
