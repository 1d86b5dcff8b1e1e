//! What each workflow used on each day.

use rusqlite::{Transaction, params};

use crate::{error::StoreError, holdings::signed, read::Reader};

/// Days that are kept.
pub const USAGE_DAYS_KEPT: i64 = 400;

/// What a workflow used on one day, or what is to be added to that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The workflow's name.
    pub workflow: String,
    /// Days since 1970, UTC.
    pub day: i64,
    /// Runs that were accepted.
    pub runs: u64,
    /// Runs that ended well.
    pub succeeded: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
    /// Attempts of steps that came to an end.
    pub attempts: u64,
    /// Their time, microseconds.
    pub wall_us: u64,
    /// Processor time of plugins, microseconds.
    pub cpu_us: u64,
    /// Time in which models computed, microseconds.
    pub model_us: u64,
    /// The most memory that one attempt of a plugin had, bytes.
    pub memory_peak: u64,
    /// Bytes of journal entries, logs and artifacts.
    pub bytes_written: u64,
}

impl UsageRow {
    /// Adds another row of the same workflow and day.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.attempts += other.attempts;
        self.wall_us = self.wall_us.saturating_add(other.wall_us);
        self.cpu_us = self.cpu_us.saturating_add(other.cpu_us);
        self.model_us = self.model_us.saturating_add(other.model_us);
        self.memory_peak = self.memory_peak.max(other.memory_peak);
        self.bytes_written = self.bytes_written.saturating_add(other.bytes_written);
    }
}

pub(crate) fn add(txn: &Transaction<'_>, row: &UsageRow) -> rusqlite::Result<()> {
    let new = txn
        .prepare_cached(
            "INSERT INTO usage (workflow, day, runs, succeeded, failed, cancelled, attempts, wall_us, cpu_us, model_us,
                 memory_peak, bytes_written)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (workflow, day) DO UPDATE SET runs = runs + excluded.runs,
                 succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
                 cancelled = cancelled + excluded.cancelled, attempts = attempts + excluded.attempts,
                 wall_us = wall_us + excluded.wall_us, cpu_us = cpu_us + excluded.cpu_us,
                 model_us = model_us + excluded.model_us, memory_peak = max(memory_peak, excluded.memory_peak),
                 bytes_written = bytes_written + excluded.bytes_written
             RETURNING runs = ?3 AND attempts = ?7",
        )?
        .query_row(
            params![
                row.workflow,
                row.day,
                signed(row.runs),
                signed(row.succeeded),
                signed(row.failed),
                signed(row.cancelled),
                signed(row.attempts),
                signed(row.wall_us),
                signed(row.cpu_us),
                signed(row.model_us),
                signed(row.memory_peak),
                signed(row.bytes_written),
            ],
            |row| row.get::<_, bool>(0),
        )?;
    // About once a day.
    if new {
        txn.prepare_cached("DELETE FROM usage WHERE workflow = ?1 AND day <= ?2 - ?3")?.execute(params![
            row.workflow,
            row.day,
            USAGE_DAYS_KEPT
        ])?;
    }
    Ok(())
}

impl Reader {
    /// What was used from the day `from` on, by workflow and day.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn usage(&self, from: i64) -> Result<Vec<UsageRow>, StoreError> {
        if !self.has_table("usage")? {
            return Ok(Vec::new());
        }
        let number = |row: &rusqlite::Row<'_>, column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
        self.rows(
            "SELECT workflow, day, runs, succeeded, failed, cancelled, attempts, wall_us, cpu_us, model_us, memory_peak,
                 bytes_written
             FROM usage WHERE day >= ?1 ORDER BY workflow, day",
            [from],
            |row| {
                Ok(UsageRow {
                    workflow: row.get(0)?,
                    day: row.get(1)?,
                    runs: number(row, 2)?,
                    succeeded: number(row, 3)?,
                    failed: number(row, 4)?,
                    cancelled: number(row, 5)?,
                    attempts: number(row, 6)?,
                    wall_us: number(row, 7)?,
                    cpu_us: number(row, 8)?,
                    model_us: number(row, 9)?,
                    memory_peak: number(row, 10)?,
                    bytes_written: number(row, 11)?,
                })
            },
        )
    }
}
