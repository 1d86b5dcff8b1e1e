//! Rollouts: how each stands, and what became of it in the journal.

use rusqlite::{Row, Transaction, params};
use trackside_facts::{Subject, SubjectEvent};

use crate::{error::StoreError, read::Reader, subjects::enter};

/// Rollouts of a subject that are kept as rows.
const KEPT: u32 = 100;

/// A rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRow {
    /// Its number.
    pub id: i64,
    /// What is rolled out, as in the journal: `model/NAME`.
    pub subject: String,
    /// The version in service.
    pub stable: String,
    /// The one that is tried.
    pub candidate: String,
    /// The candidate's content.
    pub digest: String,
    /// What draws who is answered by which.
    pub key: String,
    /// How it is to go, JSON.
    pub plan: String,
    /// The candidate itself, where it lies nowhere else: a workflow's text.
    pub content: Option<String>,
    /// One word.
    pub status: String,
    /// The evidence, as it was kept last.
    pub state: Vec<u8>,
    /// When it began, milliseconds since 1970.
    pub started_ms: i64,
    /// Who began it.
    pub started_by: String,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

/// A rollout begins.
#[derive(Debug, Clone, PartialEq)]
pub struct StartedRollout {
    /// What is rolled out.
    pub subject: Subject,
    /// Its row; the number is the one after the last, and nobody else may begin one meanwhile.
    pub row: RolloutRow,
    /// The fact.
    pub event: SubjectEvent,
}

/// A rollout stands otherwise from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedRollout {
    /// What is rolled out.
    pub subject: Subject,
    /// Its number.
    pub id: i64,
    /// One word.
    pub status: String,
    /// The evidence.
    pub state: Vec<u8>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it is over.
    pub ends: bool,
    /// The fact; none where it was only counted on.
    pub event: Option<SubjectEvent>,
}

pub(crate) fn start(txn: &Transaction<'_>, started: &StartedRollout) -> rusqlite::Result<()> {
    let StartedRollout { subject, row, event } = started;
    let is_under_way =
        txn.prepare_cached("SELECT 1 FROM rollouts WHERE subject = ?1 AND ended_ms IS NULL")?.exists([&row.subject])?;
    let is_known = txn.prepare_cached("SELECT 1 FROM rollouts WHERE id = ?1")?.exists([row.id])?;
    if is_under_way || is_known {
        tracing::error!(subject = row.subject, "[TS-0208] a bug: a rollout begins while one goes on; it was left out");
        return Ok(());
    }
    txn.prepare_cached(
        "INSERT INTO rollouts (id, subject, stable, candidate, digest, key, plan, content, status, state, started_ms, started_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        row.id,
        row.subject,
        row.stable,
        row.candidate,
        row.digest,
        row.key,
        row.plan,
        row.content,
        row.status,
        row.state,
        row.started_ms,
        row.started_by
    ])?;
    // Nobody looks so far back; the journal keeps what became of them.
    txn.prepare_cached(
        "DELETE FROM rollouts WHERE subject = ?1 AND ended_ms IS NOT NULL
         AND id NOT IN (SELECT id FROM rollouts WHERE subject = ?1 ORDER BY id DESC LIMIT ?2)",
    )?
    .execute(params![row.subject, KEPT])?;
    enter(txn, subject, row.started_ms, event)
}

pub(crate) fn change(txn: &Transaction<'_>, changed: &ChangedRollout) -> rusqlite::Result<()> {
    let ChangedRollout { subject, id, status, state, at_ms, ends, event } = changed;
    let known = txn
        .prepare_cached(
            "UPDATE rollouts SET status = ?2, state = ?3, ended_ms = ?4 WHERE id = ?1 AND ended_ms IS NULL",
        )?
        .execute(params![id, status, state, ends.then_some(*at_ms)])?;
    // Somebody else has ended it a moment ago: what is over stays as it is.
    match event {
        Some(event) if known == 1 => enter(txn, subject, *at_ms, event),
        _ => Ok(()),
    }
}

const COLUMNS: &str =
    "id, subject, stable, candidate, digest, key, plan, content, status, state, started_ms, started_by, ended_ms";

fn row(row: &Row<'_>) -> rusqlite::Result<RolloutRow> {
    Ok(RolloutRow {
        id: row.get(0)?,
        subject: row.get(1)?,
        stable: row.get(2)?,
        candidate: row.get(3)?,
        digest: row.get(4)?,
        key: row.get(5)?,
        plan: row.get(6)?,
        content: row.get(7)?,
        status: row.get(8)?,
        state: row.get(9)?,
        started_ms: row.get(10)?,
        started_by: row.get(11)?,
        ended_ms: row.get(12)?,
    })
}

impl Reader {
    /// Rollouts that go on, the oldest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn rollouts_under_way(&self) -> Result<Vec<RolloutRow>, StoreError> {
        if !self.has_table("rollouts")? {
            return Ok(Vec::new());
        }
        self.rows(&format!("SELECT {COLUMNS} FROM rollouts WHERE ended_ms IS NULL ORDER BY id"), [], row)
    }

    /// The rollouts of a subject, the newest first, so many at most.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn rollouts_of(&self, subject: &str, most: u32) -> Result<Vec<RolloutRow>, StoreError> {
        if !self.has_table("rollouts")? {
            return Ok(Vec::new());
        }
        let query = format!("SELECT {COLUMNS} FROM rollouts WHERE subject = ?1 ORDER BY id DESC LIMIT ?2");
        self.rows(&query, params![subject, most], row)
    }

    /// All rollouts, the newest first, so many at most.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn rollouts(&self, most: u32) -> Result<Vec<RolloutRow>, StoreError> {
        if !self.has_table("rollouts")? {
            return Ok(Vec::new());
        }
        self.rows(&format!("SELECT {COLUMNS} FROM rollouts ORDER BY id DESC LIMIT ?1"), [most], row)
    }

    /// A rollout by its number.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn rollout(&self, id: i64) -> Result<Option<RolloutRow>, StoreError> {
        if !self.has_table("rollouts")? {
            return Ok(None);
        }
        Ok(self.rows(&format!("SELECT {COLUMNS} FROM rollouts WHERE id = ?1"), [id], row)?.into_iter().next())
    }

    /// The number of the last rollout that there was; 0 before the first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn last_rollout(&self) -> Result<i64, StoreError> {
        if !self.has_table("rollouts")? {
            return Ok(0);
        }
        let last = self.rows("SELECT max(id) FROM rollouts", [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(last.into_iter().flatten().next().unwrap_or(0))
    }
}
