//! Triggers that somebody has paused.

use rusqlite::{Transaction, params};

use crate::{error::StoreError, read::Reader};

/// A trigger that starts nothing until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedRow {
    /// The trigger's id.
    pub trigger: String,
    /// Since when, milliseconds since 1970.
    pub at_ms: i64,
    /// Who paused it.
    pub by: String,
}

/// Paused twice, the first time counts.
pub(crate) fn pause(txn: &Transaction<'_>, row: &PausedRow) -> rusqlite::Result<()> {
    txn.prepare_cached("INSERT INTO paused (trigger, at_ms, by) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![row.trigger, row.at_ms, row.by])?;
    Ok(())
}

pub(crate) fn resume(txn: &Transaction<'_>, trigger: &str) -> rusqlite::Result<()> {
    txn.prepare_cached("DELETE FROM paused WHERE trigger = ?1")?.execute([trigger])?;
    Ok(())
}

impl Reader {
    /// The triggers that are paused, by id.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn paused(&self) -> Result<Vec<PausedRow>, StoreError> {
        // A database that no node of this version has opened yet has no such table, and nothing paused.
        let known = self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'paused'", [], |_| Ok(()))?;
        if known.is_empty() {
            return Ok(Vec::new());
        }
        self.rows("SELECT trigger, at_ms, by FROM paused ORDER BY trigger", [], |row| {
            Ok(PausedRow { trigger: row.get(0)?, at_ms: row.get(1)?, by: row.get(2)? })
        })
    }
}
