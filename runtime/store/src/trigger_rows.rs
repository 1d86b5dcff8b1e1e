//! What triggers keep besides ledger and position: decisions, waiting times, the box's own name.

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_facts::{Decided, DecisionSubject};

use crate::{error::StoreError, read::Reader};

/// Decisions that are kept of one trigger.
pub const DECISIONS_KEPT: i64 = 5_000;

/// Longest text of a decision, in characters: what came from outside does not fill the disk.
const LONGEST_DETAIL: usize = 1_000;

/// A decision that started no run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// The trigger's id.
    pub trigger: String,
    /// What it is about.
    pub subject: DecisionSubject,
    /// When it was taken, milliseconds since 1970.
    pub at_ms: i64,
    /// What it is.
    pub decision: Decided,
    /// For people.
    pub detail: String,
}

pub(crate) fn decide(txn: &Transaction<'_>, row: &DecisionRow) -> rusqlite::Result<()> {
    let DecisionRow { trigger, subject, at_ms, decision, detail } = row;
    let detail: String = detail.chars().take(LONGEST_DETAIL).collect();
    txn.prepare_cached(
        "INSERT INTO decisions (trigger, seq, subject, at_ms, decision, detail)
         VALUES (?1, 1 + coalesce((SELECT max(seq) FROM decisions WHERE trigger = ?1), 0), ?2, ?3, ?4, ?5)",
    )?
    .execute(params![trigger, subject.text(), at_ms, decision.name(), detail])?;
    txn.prepare_cached(
        "DELETE FROM decisions
         WHERE trigger = ?1 AND seq <= (SELECT max(seq) FROM decisions WHERE trigger = ?1) - ?2",
    )?
    .execute(params![trigger, DECISIONS_KEPT])?;
    Ok(())
}

pub(crate) fn remember(txn: &Transaction<'_>, trigger: &str, key: &str, value: &str) -> rusqlite::Result<()> {
    txn.prepare_cached(
        "INSERT INTO trigger_state (trigger, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (trigger, key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![trigger, key, value])?;
    Ok(())
}

pub(crate) fn queue(txn: &Transaction<'_>, trigger: &str, logical_ms: i64, missed: u32) -> rusqlite::Result<()> {
    txn.prepare_cached(
        "INSERT INTO cron_queue (trigger, logical_ms, missed) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![trigger, logical_ms, missed])?;
    Ok(())
}

pub(crate) fn dequeue(txn: &Transaction<'_>, trigger: &str, logical_ms: i64) -> rusqlite::Result<()> {
    txn.prepare_cached("DELETE FROM cron_queue WHERE trigger = ?1 AND logical_ms = ?2")?
        .execute(params![trigger, logical_ms])?;
    Ok(())
}

pub(crate) fn clear_queue(txn: &Transaction<'_>, trigger: &str) -> rusqlite::Result<()> {
    txn.prepare_cached("DELETE FROM cron_queue WHERE trigger = ?1")?.execute([trigger])?;
    Ok(())
}

impl Reader {
    /// The decisions of a trigger, newest first; with `subject` only those about it.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn decisions(&self, trigger: &str, subject: Option<&str>, limit: u32) -> Result<Vec<DecisionRow>, StoreError> {
        let row = |row: &rusqlite::Row<'_>| {
            Ok(DecisionRow {
                trigger: row.get(0)?,
                subject: row.get::<_, String>(1)?.into(),
                at_ms: row.get(2)?,
                decision: row.get::<_, String>(3)?.into(),
                detail: row.get(4)?,
            })
        };
        match subject {
            None => self.rows(
                "SELECT trigger, subject, at_ms, decision, detail FROM decisions WHERE trigger = ?1
                 ORDER BY seq DESC LIMIT ?2",
                params![trigger, limit],
                row,
            ),
            Some(subject) => self.rows(
                "SELECT trigger, subject, at_ms, decision, detail FROM decisions INDEXED BY decisions_subject
                 WHERE trigger = ?1 AND subject = ?2 ORDER BY seq DESC LIMIT ?3",
                params![trigger, subject, limit],
                row,
            ),
        }
    }

    /// What a trigger remembers under a key.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn trigger_state(&self, trigger: &str, key: &str) -> Result<Option<String>, StoreError> {
        self.connection
            .prepare_cached("SELECT value FROM trigger_state WHERE trigger = ?1 AND key = ?2")
            .and_then(|mut query| query.query_row([trigger, key], |row| row.get(0)).optional())
            .map_err(StoreError::sqlite("read what a trigger remembers"))
    }

    /// The schedule times of a trigger that wait for a run to end, oldest first, with the number of missed times that
    /// each stands for.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn cron_queue(&self, trigger: &str) -> Result<Vec<(i64, u32)>, StoreError> {
        self.rows(
            "SELECT logical_ms, missed FROM cron_queue WHERE trigger = ?1 ORDER BY logical_ms",
            [trigger],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// The name of this box that nobody gave it: made with the database, the same as long as that lives.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn box_id(&self) -> Result<String, StoreError> {
        let ids = self.rows("SELECT id FROM box", [], |row| row.get(0))?;
        Ok(ids.into_iter().next().unwrap_or_default())
    }

    /// When the newest run was accepted, milliseconds since 1970: a clock that shows much less is wrong.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn newest_start(&self) -> Result<Option<i64>, StoreError> {
        self.connection
            .prepare_cached("SELECT started_ms FROM runs ORDER BY id DESC LIMIT 1")
            .and_then(|mut query| query.query_row([], |row| row.get(0)).optional())
            .map_err(StoreError::sqlite("find the newest run"))
    }
}
