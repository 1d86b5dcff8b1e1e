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

/// Removes entries; what is the newest of its subject stays, and so does the entry of a run. Of a model all stay: which version
/// answered at any time must be told for ever.
pub(crate) fn forget(txn: &Transaction<'_>, entries: &[i64]) -> rusqlite::Result<()> {
    let mut delete = txn.prepare_cached(
        "DELETE FROM journal WHERE seq = ?1 AND run < 0
         AND seq < (SELECT last_entry FROM subjects WHERE id = -journal.run AND substr(name, 1, 6) <> 'model/')",
    )?;
    entries.iter().try_for_each(|seq| delete.execute([seq]).map(drop))
}

impl Reader {
    /// Entries of subjects that newer ones of the same subject have superseded: all that are from before this time and not
    /// after the entry `seen`, the newest of each subject and what stands between it and one that stays excepted. So many at
    /// most, the oldest of each subject first: what is left of it goes on to be one chain. None is of a model.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn superseded(&self, before_ms: i64, seen: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        if !self.has_table("subjects")? {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let heads =
            self.rows("SELECT id, last_entry FROM subjects WHERE substr(name, 1, 6) <> 'model/'", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
        for (id, last) in heads {
            let (mut old, mut next): (Vec<i64>, i64) = (Vec::new(), last);
            while next > 0 {
                let query = "SELECT at_ms, previous FROM journal WHERE seq = ?1 AND run = ?2";
                let entry = self.rows(query, params![next, -id], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
                let Some((at_ms, previous)) = entry.first().copied() else { break };
                if next == last || at_ms >= before_ms || next > seen {
                    old.clear();
                } else {
                    old.push(next);
                }
                // A damaged chain ends here.
                next = if previous < next { previous } else { 0 };
            }
            found.extend(old.into_iter().rev().take(limit - found.len()));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

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
