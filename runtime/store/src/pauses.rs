//! Triggers that somebody has paused.

use rusqlite::{Transaction, params};
use trackside_facts::{Subject, SubjectEvent};

use crate::{error::StoreError, read::Reader, subjects};

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
    let new = txn
        .prepare_cached("INSERT INTO paused (trigger, at_ms, by) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![row.trigger, row.at_ms, row.by])?;
    if new == 0 {
        return Ok(());
    }
    let event = SubjectEvent::TriggerPaused { by: row.by.clone() };
    subjects::enter(txn, &Subject::Trigger(row.trigger.clone()), row.at_ms, &event)
}

pub(crate) fn resume(txn: &Transaction<'_>, trigger: &str, at_ms: i64, by: &str) -> rusqlite::Result<()> {
    if txn.prepare_cached("DELETE FROM paused WHERE trigger = ?1")?.execute([trigger])? == 0 {
        return Ok(());
    }
    let event = SubjectEvent::TriggerResumed { by: by.to_owned() };
    subjects::enter(txn, &Subject::Trigger(trigger.to_owned()), at_ms, &event)
}

impl Reader {
    /// The triggers that are paused, by id.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn paused(&self) -> Result<Vec<PausedRow>, StoreError> {
        // A database that no node of this version has opened yet has no such table, and nothing paused.
        if !self.has_table("paused")? {
            return Ok(Vec::new());
        }
        self.rows("SELECT trigger, at_ms, by FROM paused ORDER BY trigger", [], |row| {
            Ok(PausedRow { trigger: row.get(0)?, at_ms: row.get(1)?, by: row.get(2)? })
        })
    }
}
