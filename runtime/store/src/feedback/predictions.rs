//! What models said.

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_facts::{Passed, Predicted};

use super::truths;

/// What a model said to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    /// The model.
    pub model: String,
    /// What the request was called.
    pub request: String,
    /// Whether nobody but us saw the answer.
    pub shadow: bool,
    /// The version that answered.
    pub version: u32,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Of each of its rows.
    pub answers: Vec<Predicted>,
    /// How far from the truth a number may be.
    pub tolerance: f64,
}

/// How many answers a version gave since that was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerCount {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Requests that it answered, whether recorded or not.
    pub answered: u64,
    /// Those that were not recorded.
    pub passed: Passed,
}

/// How many predictions of a model are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionKeep {
    /// The model.
    pub model: String,
    /// So many.
    pub most: u32,
    /// None from before this time, milliseconds since 1970.
    pub from_ms: i64,
}

/// Predictions that are kept together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionBatch {
    /// The predictions, in the order in which they were made.
    pub rows: Vec<PredictionRow>,
    /// What is counted.
    pub counts: Vec<AnswerCount>,
    /// What goes.
    pub keep: Vec<PredictionKeep>,
    /// Truth that nothing was found for goes when it was told before this time; 0 lets all stay.
    pub early_from_ms: i64,
}

pub(crate) fn enter(txn: &Transaction<'_>, batch: &PredictionBatch) -> rusqlite::Result<()> {
    for row in &batch.rows {
        enter_one(txn, row)?;
    }
    for count in &batch.counts {
        let mut passed = known_passed(txn, &count.model, count.version)?;
        passed.add(&count.passed);
        count_answers(txn, (&count.model, count.version), count.answered, 0)?;
        txn.prepare_cached("UPDATE accuracy SET passed = ?3 WHERE model = ?1 AND version = ?2")?.execute(params![
            count.model,
            count.version,
            passed.to_text()
        ])?;
    }
    for keep in &batch.keep {
        trim(txn, keep)?;
    }
    if batch.early_from_ms > 0 {
        txn.prepare_cached("DELETE FROM early_labels WHERE at_ms < ?1")?.execute([batch.early_from_ms])?;
    }
    Ok(())
}

fn known_passed(txn: &Transaction<'_>, model: &str, version: u32) -> rusqlite::Result<Passed> {
    let text: Option<String> = txn
        .prepare_cached("SELECT passed FROM accuracy WHERE model = ?1 AND version = ?2")?
        .query_row(params![model, version], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| Passed::from_text(&text)).unwrap_or_default())
}

fn count_answers(
    txn: &Transaction<'_>,
    (model, version): (&str, u32),
    answered: u64,
    recorded: u64,
) -> rusqlite::Result<()> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    txn.prepare_cached(
        "INSERT INTO accuracy (model, version, answered, recorded, passed, labelled, correct)
         VALUES (?1, ?2, ?3, ?4, '{}', 0, 0)
         ON CONFLICT (model, version) DO UPDATE
         SET answered = answered + excluded.answered, recorded = recorded + excluded.recorded",
    )?
    .execute(params![model, version, whole(answered), whole(recorded)])?;
    Ok(())
}

fn enter_one(txn: &Transaction<'_>, row: &PredictionRow) -> rusqlite::Result<()> {
    let PredictionRow { model, request, shadow, version, at_ms, answers, tolerance } = row;
    let text = serde_json::to_string(answers).unwrap_or_default();
    txn.prepare_cached(
        "INSERT OR REPLACE INTO predictions (request, model, shadow, version, at_ms, answers, tolerance)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![request, model, shadow, version, at_ms, text, tolerance])?;
    count_answers(txn, (model, *version), 0, 1)?;
    truths::meet(txn, row)
}

fn trim(txn: &Transaction<'_>, keep: &PredictionKeep) -> rusqlite::Result<()> {
    let last: Option<i64> = txn
        .prepare_cached("SELECT id FROM predictions WHERE model = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2")?
        .query_row(params![keep.model, keep.most], |row| row.get(0))
        .optional()?;
    if let Some(last) = last {
        txn.prepare_cached("DELETE FROM predictions WHERE model = ?1 AND id <= ?2")?
            .execute(params![keep.model, last])?;
    }
    // By age the first that stays ends the look: a clock that jumped keeps some longer, and loses none.
    let stays: Option<i64> = txn
        .prepare_cached("SELECT id FROM predictions WHERE model = ?1 AND at_ms >= ?2 ORDER BY id LIMIT 1")?
        .query_row(params![keep.model, keep.from_ms], |row| row.get(0))
        .optional()?;
    txn.prepare_cached("DELETE FROM predictions WHERE model = ?1 AND id < ?2")?
        .execute(params![keep.model, stays.unwrap_or(i64::MAX)])?;
    Ok(())
}
