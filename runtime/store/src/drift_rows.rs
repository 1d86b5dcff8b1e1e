//! What is watched for drift: references, closed windows, alarms.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use trackside_facts::{Subject, SubjectEvent};

use crate::{error::StoreError, read::Reader, subjects};

/// Windows that are kept of one model's version, or of one table.
pub const WINDOWS_KEPT: i64 = 1_000;

/// One that is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftRow {
    /// What it is.
    pub subject: Subject,
    /// Its version; 0 of a table.
    pub version: u32,
    /// What tells its content from another under the same number.
    pub content: String,
    /// Its state, for going on after a restart.
    pub state: Vec<u8>,
    /// Its reference as JSON; none where that is as it was.
    pub reference: Option<String>,
    /// Where it stands: `unknown`, `none`, `warning`, `alarm`.
    pub drift: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Windows that have closed.
    pub windows: Vec<DriftWindowRow>,
    /// What that changed: it is entered in the journal.
    pub events: Vec<(i64, SubjectEvent)>,
}

/// A window that has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftWindowRow {
    /// Its number, from 1.
    pub number: u64,
    /// When it ended, milliseconds since 1970.
    pub to_ms: i64,
    /// What it says: `nothing`, `calm`, `drift`.
    pub says: String,
    /// All of it, as JSON.
    pub document: String,
}

/// One that is watched, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedRow {
    /// Its row.
    pub id: i64,
    /// What it is, as the journal names it: `model/pump`.
    pub subject: String,
    /// Its version; 0 of a table.
    pub version: u32,
    /// Its reference as JSON.
    pub reference: String,
    /// Where it stands.
    pub drift: String,
    /// The alarm that is on: the event as JSON.
    pub alarm: Option<String>,
    /// When it was kept, milliseconds since 1970.
    pub at_ms: i64,
}

pub(crate) fn keep(txn: &Transaction<'_>, row: &DriftRow) -> rusqlite::Result<()> {
    let DriftRow { subject, version, content, state, reference, drift, at_ms, windows, events } = row;
    let name = subject.to_string();
    let known: Option<(i64, String)> = txn
        .prepare_cached("SELECT id, content FROM drift WHERE subject = ?1 AND version = ?2")?
        .query_row(params![name, version], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let id = match known {
        Some((id, known)) => {
            if known != *content {
                txn.prepare_cached("DELETE FROM drift_windows WHERE drift = ?1")?.execute([id])?;
                txn.prepare_cached("UPDATE drift SET alarm = NULL WHERE id = ?1")?.execute([id])?;
            }
            txn.prepare_cached(
                "UPDATE drift SET content = ?2, state = ?3, reference = coalesce(?4, reference), drift = ?5, at_ms = ?6
                 WHERE id = ?1",
            )?
            .execute(params![id, content, state, reference, drift, at_ms])?;
            id
        }
        None => {
            txn.prepare_cached(
                "INSERT INTO drift (subject, version, content, state, reference, drift, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                name,
                version,
                content,
                state,
                reference.as_deref().unwrap_or("{}"),
                drift,
                at_ms
            ])?;
            txn.last_insert_rowid()
        }
    };
    for window in windows {
        let DriftWindowRow { number, to_ms, says, document } = window;
        // A window that was lost in a crash comes again under its number.
        txn.prepare_cached(
            "INSERT OR REPLACE INTO drift_windows (drift, number, to_ms, says, document) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![id, i64::try_from(*number).unwrap_or(i64::MAX), to_ms, says, document])?;
    }
    if !windows.is_empty() {
        // Windows that close within a minute are one row: numbers have gaps, so rows are counted.
        txn.prepare_cached(
            "DELETE FROM drift_windows WHERE drift = ?1 AND number <=
             (SELECT number FROM drift_windows WHERE drift = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![id, WINDOWS_KEPT])?;
    }
    for (at_ms, event) in events {
        subjects::enter(txn, subject, *at_ms, event)?;
        let alarm = match event {
            SubjectEvent::DriftAlarm { .. } => Some(event.to_entry()),
            _ => None,
        };
        if matches!(event, SubjectEvent::DriftAlarm { .. } | SubjectEvent::DriftCleared { .. }) {
            txn.prepare_cached("UPDATE drift SET alarm = ?2 WHERE id = ?1")?.execute(params![id, alarm])?;
        }
    }
    Ok(())
}

/// Removes what was kept of all versions; who watches goes on from nothing.
pub(crate) fn reset(txn: &Transaction<'_>, subject: &Subject, at_ms: i64, by: &str) -> rusqlite::Result<()> {
    let name = subject.to_string();
    let removed = remove(txn, &name, None)?;
    if removed > 0 {
        subjects::enter(txn, subject, at_ms, &SubjectEvent::DriftReset { by: by.to_owned() })?;
    }
    Ok(())
}

/// Removes what was kept of a version, or of all.
pub(crate) fn remove(txn: &Transaction<'_>, subject: &str, version: Option<u32>) -> rusqlite::Result<usize> {
    txn.prepare_cached(
        "DELETE FROM drift_windows
         WHERE drift IN (SELECT id FROM drift WHERE subject = ?1 AND (?2 IS NULL OR version = ?2))",
    )?
    .execute(params![subject, version])?;
    txn.prepare_cached("DELETE FROM drift WHERE subject = ?1 AND (?2 IS NULL OR version = ?2)")?
        .execute(params![subject, version])
}

fn watched(row: &Row<'_>) -> rusqlite::Result<WatchedRow> {
    Ok(WatchedRow {
        id: row.get(0)?,
        subject: row.get(1)?,
        version: row.get(2)?,
        reference: row.get(3)?,
        drift: row.get(4)?,
        alarm: row.get(5)?,
        at_ms: row.get(6)?,
    })
}

fn window(row: &Row<'_>) -> rusqlite::Result<DriftWindowRow> {
    let number: i64 = row.get(0)?;
    Ok(DriftWindowRow {
        number: u64::try_from(number).unwrap_or(0),
        to_ms: row.get(1)?,
        says: row.get(2)?,
        document: row.get(3)?,
    })
}

impl Reader {
    /// All that is watched, by subject and version; of one subject where it is named.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn drift(&self, subject: Option<&str>) -> Result<Vec<WatchedRow>, StoreError> {
        if !self.has_table("drift")? {
            return Ok(Vec::new());
        }
        self.rows(
            "SELECT id, subject, version, reference, drift, alarm, at_ms FROM drift
             WHERE ?1 IS NULL OR subject = ?1 ORDER BY subject, version",
            [subject],
            watched,
        )
    }

    /// What goes on after a restart: content, state, and where it stood.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn drift_state(
        &self,
        subject: &Subject,
        version: u32,
    ) -> Result<Option<(String, Vec<u8>, String)>, StoreError> {
        let found = self.rows(
            "SELECT content, state, drift FROM drift WHERE subject = ?1 AND version = ?2",
            params![subject.to_string(), version],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        Ok(found.into_iter().next())
    }

    /// What the newest windows of one that is watched said, newest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn drift_says(&self, id: i64, limit: u32) -> Result<Vec<String>, StoreError> {
        let query = "SELECT says FROM drift_windows WHERE drift = ?1 ORDER BY number DESC LIMIT ?2";
        self.rows(query, params![id, limit], |row| row.get(0))
    }

    /// The newest windows of one that is watched, newest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn drift_windows(&self, id: i64, limit: u32) -> Result<Vec<DriftWindowRow>, StoreError> {
        self.rows(
            "SELECT number, to_ms, says, document FROM drift_windows WHERE drift = ?1 ORDER BY number DESC LIMIT ?2",
            params![id, limit],
            window,
        )
    }
}
