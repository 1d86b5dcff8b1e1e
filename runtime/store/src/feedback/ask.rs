//! What is known of a model's accuracy.

use rusqlite::params;
use trackside_facts::{Passed, Predicted};

use crate::{error::StoreError, read::Reader};

/// What is counted of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccuracyRow {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Requests that it answered.
    pub answered: u64,
    /// Those that were recorded.
    pub recorded: u64,
    /// Those that were not, and why.
    pub passed: Passed,
    /// Answers whose truth was told: a request has as many as it has rows.
    pub labelled: u64,
    /// Those of them that were right.
    pub correct: u64,
    /// What follows from verdicts.
    pub state: Option<Vec<u8>>,
}

/// An answer that was found right or wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictRow {
    /// The row's id: the order in which they were found.
    pub id: i64,
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Whether it was right.
    pub correct: bool,
    /// What was found before, where the truth was corrected.
    pub was: Option<bool>,
    /// How sure it was.
    pub confidence: Option<f64>,
    /// Whether nobody but us saw the answer.
    pub shadow: bool,
    /// A candidate that answered in its shadow, and whether that was right.
    pub beside: Option<(u32, bool)>,
}

/// Predictions of a model that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptPredictions {
    /// All of them, in requests.
    pub all: u64,
    /// Answers whose truth was told: a request has as many as it has rows.
    pub labelled: u64,
}

impl Reader {
    /// What is counted of a model's versions, or of all models', by name and number.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn accuracy(&self, model: Option<&str>) -> Result<Vec<AccuracyRow>, StoreError> {
        if !self.has_table("accuracy")? {
            return Ok(Vec::new());
        }
        self.rows(
            "SELECT model, version, answered, recorded, passed, labelled, correct, state FROM accuracy
             WHERE ?1 IS NULL OR model = ?1 ORDER BY model, version",
            [model],
            |row| {
                let whole = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok(AccuracyRow {
                    model: row.get(0)?,
                    version: row.get(1)?,
                    answered: whole(2)?,
                    recorded: whole(3)?,
                    passed: Passed::from_text(&row.get::<_, String>(4)?),
                    labelled: whole(5)?,
                    correct: whole(6)?,
                    state: row.get(7)?,
                })
            },
        )
    }

    /// The first verdicts that nothing was drawn from yet.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn verdicts(&self, limit: u32) -> Result<Vec<VerdictRow>, StoreError> {
        self.rows(
            "SELECT id, model, version, correct, was, confidence, shadow, shadow_version, shadow_correct
             FROM verdicts ORDER BY id LIMIT ?1",
            [limit],
            |row| {
                let (version, correct): (Option<u32>, Option<bool>) = (row.get(7)?, row.get(8)?);
                Ok(VerdictRow {
                    id: row.get(0)?,
                    model: row.get(1)?,
                    version: row.get(2)?,
                    correct: row.get(3)?,
                    was: row.get(4)?,
                    confidence: row.get(5)?,
                    shadow: row.get(6)?,
                    beside: version.zip(correct),
                })
            },
        )
    }

    /// How much truth is kept that nothing was found for yet.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn early_labels(&self) -> Result<u64, StoreError> {
        if !self.has_table("early_labels")? {
            return Ok(0);
        }
        let counts = self.rows("SELECT count(*) FROM early_labels", [], |row| row.get::<_, i64>(0))?;
        Ok(counts.first().copied().unwrap_or_default().unsigned_abs())
    }

    /// How many predictions of a model are kept.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn kept_predictions(&self, model: &str) -> Result<KeptPredictions, StoreError> {
        if !self.has_table("predictions")? {
            return Ok(KeptPredictions::default());
        }
        let counts = self.rows(
            "SELECT count(*), count(truth) FROM predictions WHERE model = ?1 AND shadow = 0",
            [model],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?;
        let (all, labelled) = counts.first().copied().unwrap_or_default();
        Ok(KeptPredictions { all: all.unsigned_abs(), labelled: labelled.unsigned_abs() })
    }

    /// The answers of a version whose truth nobody has told, the newest requests first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn unlabelled(&self, model: &str, version: u32, limit: u32) -> Result<Vec<Predicted>, StoreError> {
        if !self.has_table("predictions")? {
            return Ok(Vec::new());
        }
        let rows = self.rows(
            "SELECT answers FROM predictions WHERE model = ?1 AND version = ?2 AND truth IS NULL ORDER BY id DESC LIMIT ?3",
            params![model, version, limit],
            |row| row.get::<_, String>(0),
        )?;
        Ok(rows.iter().filter_map(|text| serde_json::from_str::<Vec<Predicted>>(text).ok()).flatten().collect())
    }
}
