//! Inputs that are kept for a label. Their content lies in files of the same names; a row without its file, or a file without its row, is
//! what a crash left.

use rusqlite::{Transaction, params};

use crate::{error::StoreError, read::Reader};

/// An input that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    /// Its name, and that of its file.
    pub id: String,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: u32,
    /// What the request was called.
    pub request: Option<String>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Why it is kept.
    pub reason: String,
    /// What was said of each row, and what a candidate said, as JSON.
    pub answers: String,
    /// Bytes of its file.
    pub bytes: u64,
    /// Inputs that were left out, as a JSON list.
    pub redacted: String,
    /// What would have been right, as JSON: told of it, or of its request.
    pub label: Option<String>,
    /// Who told it of the sample.
    pub labelled_by: Option<String>,
}

/// Inputs that are kept, and that go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleChange {
    /// Those that are kept.
    pub new: Vec<SampleRow>,
    /// The names of those that go.
    pub gone: Vec<String>,
}

/// What would have been right for an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleLabel {
    /// Its name.
    pub id: String,
    /// The truth, as JSON.
    pub label: String,
    /// Who.
    pub by: String,
}

pub(crate) fn change(txn: &Transaction<'_>, change: &SampleChange) -> rusqlite::Result<()> {
    for row in &change.new {
        txn.prepare_cached(
            "INSERT OR REPLACE INTO hard_samples (id, model, version, request, at_ms, reason, answers, bytes, redacted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            row.id,
            row.model,
            row.version,
            row.request,
            row.at_ms,
            row.reason,
            row.answers,
            i64::try_from(row.bytes).unwrap_or(i64::MAX),
            row.redacted
        ])?;
    }
    for id in &change.gone {
        txn.prepare_cached("DELETE FROM hard_samples WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

pub(crate) fn label(txn: &Transaction<'_>, told: &SampleLabel) -> rusqlite::Result<()> {
    txn.prepare_cached("UPDATE hard_samples SET label = ?2, labelled_by = ?3 WHERE id = ?1")?
        .execute(params![told.id, told.label, told.by])
        .map(drop)
}

impl Reader {
    /// Inputs that are kept, of a model or of all, the oldest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn hard_samples(&self, model: Option<&str>) -> Result<Vec<SampleRow>, StoreError> {
        if !self.has_table("hard_samples")? {
            return Ok(Vec::new());
        }
        self.rows(
            "SELECT s.id, s.model, s.version, s.request, s.at_ms, s.reason, s.answers, s.bytes, s.redacted,
                    coalesce(s.label, (SELECT p.truth FROM predictions p
                                       WHERE p.request = s.request AND p.model = s.model AND p.shadow = 0)),
                    s.labelled_by
             FROM hard_samples s WHERE ?1 IS NULL OR s.model = ?1 ORDER BY s.at_ms, s.id",
            [model],
            |row| {
                Ok(SampleRow {
                    id: row.get(0)?,
                    model: row.get(1)?,
                    version: row.get(2)?,
                    request: row.get(3)?,
                    at_ms: row.get(4)?,
                    reason: row.get(5)?,
                    answers: row.get(6)?,
                    bytes: row.get::<_, i64>(7)?.unsigned_abs(),
                    redacted: row.get(8)?,
                    label: row.get(9)?,
                    labelled_by: row.get(10)?,
                })
            },
        )
    }
}
