//! Entries of the journal that belong to no run.

use rusqlite::{Transaction, params};
use trackside_facts::{Subject, SubjectEvent};

use crate::{
    error::StoreError,
    read::{JournalRow, Reader},
};

/// Enters a fact. Whoever writes a row that says the same to queries calls this beside it, so that no such row is without
/// its entry.
pub(crate) fn enter(
    txn: &Transaction<'_>,
    subject: &Subject,
    at_ms: i64,
    event: &SubjectEvent,
) -> rusqlite::Result<()> {
    let (subject, events) = (subject.to_string(), event.to_entry());
    txn.prepare_cached("INSERT INTO subjects (name, last_entry) VALUES (?1, 0) ON CONFLICT DO NOTHING")?
        .execute([&subject])?;
    let (id, previous): (i64, i64) = txn
        .prepare_cached("SELECT id, last_entry FROM subjects WHERE name = ?1")?
        .query_row([&subject], |row| Ok((row.get(0)?, row.get(1)?)))?;
    txn.prepare_cached("INSERT INTO journal (run, previous, at_ms, events) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![-id, previous, at_ms, events])?;
    txn.prepare_cached("UPDATE subjects SET last_entry = ?2 WHERE id = ?1")?
        .execute(params![id, txn.last_insert_rowid()])?;
    Ok(())
}

impl Reader {
    /// What the journal says of a subject, newest entry first. Entries that retention has removed are not among them.
    ///
    /// # Errors
    /// When SQLite refuses; [`StoreError::Damaged`] when an entry is another subject's.
    pub fn subject(&self, subject: &Subject, limit: u32) -> Result<Vec<JournalRow>, StoreError> {
        if !self.has_table("subjects")? {
            return Ok(Vec::new());
        }
        let head = self.rows("SELECT id, last_entry FROM subjects WHERE name = ?1", [subject.to_string()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        let Some((id, last)) = head.first().copied() else { return Ok(Vec::new()) };
        self.chain(-id, last, limit)
    }
}
