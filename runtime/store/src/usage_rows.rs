//! What each workflow used on each day.

use rusqlite::{Transaction, params};
use trackside_facts::Used;

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
    /// What it used.
    pub used: Used,
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
                signed(row.used.runs),
                signed(row.used.succeeded),
                signed(row.used.failed),
                signed(row.used.cancelled),
                signed(row.used.attempts),
                signed(row.used.wall_us),
                signed(row.used.cpu_us),
                signed(row.used.model_us),
                signed(row.used.memory_peak),
                signed(row.used.bytes_written),
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
                let used = Used {
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
                };
                Ok(UsageRow { workflow: row.get(0)?, day: row.get(1)?, used })
            },
        )
    }
}
