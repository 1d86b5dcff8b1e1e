//! What would have been right. A truth and its prediction meet in whichever order they come, in the transaction of the later one: so that
//! none is counted twice, whoever tells it how often, and none is lost between the two.

use std::sync::{Arc, Mutex};

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;
use trackside_engine::RunId;
use trackside_facts::{Misfit, Predicted, Subject, SubjectEvent, truths};
use trackside_sync::lock;

use super::predictions::PredictionRow;
use crate::subjects::enter;

/// How much truth is kept that nothing was found for; the oldest goes first.
pub const EARLY_LABELS_KEPT: u32 = 10_000;

/// Somebody tells what would have been right.
#[derive(Debug, Clone)]
pub struct TruthRow {
    /// What the request was called.
    pub request: String,
    /// The model; none is whichever had such a request.
    pub model: Option<String>,
    /// The truth.
    pub truth: Value,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub by: String,
    /// What became of it, once it is on disk.
    pub told: Arc<Mutex<Option<Told>>>,
}

/// What became of a truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is held against a prediction.
    Taken {
        /// The model.
        model: String,
        /// The version that had answered.
        version: u32,
        /// How many of the answers were right, of how many whose truth is known.
        right: (u32, u32),
        /// What was told before, as JSON, where this corrects it.
        was: Option<String>,
    },
    /// The same was told before.
    Repeated {
        /// The model.
        model: String,
        /// The version that had answered.
        version: u32,
    },
    /// There is no such prediction; it waits for it.
    Early,
    /// Several models had a request of this name: nothing was written.
    Several(Vec<String>),
    /// The run asked models in several steps: nothing was written.
    Steps(Vec<String>),
    /// It does not fit the prediction, in words: nothing was written.
    Unfit(String),
}

/// A prediction as it is kept.
struct Kept {
    id: i64,
    model: String,
    shadow: bool,
    version: u32,
    answers: Vec<Predicted>,
    tolerance: f64,
    truth: Option<String>,
}

fn kept(txn: &Transaction<'_>, request: &str, model: Option<&str>) -> rusqlite::Result<Vec<Kept>> {
    let mut query = txn.prepare_cached(
        "SELECT id, model, shadow, version, answers, tolerance, truth FROM predictions
         WHERE request = ?1 AND (?2 IS NULL OR model = ?2) ORDER BY model, shadow",
    )?;
    let rows = query.query_map(params![request, model], |row| {
        let answers: String = row.get(4)?;
        Ok(Kept {
            id: row.get(0)?,
            model: row.get(1)?,
            shadow: row.get(2)?,
            version: row.get(3)?,
            // Of a damaged row nothing fits, which is told.
            answers: serde_json::from_str(&answers).unwrap_or_default(),
            tolerance: row.get(5)?,
            truth: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// What the requests of a run are called.
fn steps(txn: &Transaction<'_>, run: &str, model: Option<&str>) -> rusqlite::Result<Vec<String>> {
    // `0` follows `/`.
    let mut query = txn.prepare_cached(
        "SELECT DISTINCT request FROM predictions
         WHERE request > ?1 || '/' AND request < ?1 || '0' AND shadow = 0 AND (?2 IS NULL OR model = ?2) LIMIT 12",
    )?;
    query.query_map(params![run, model], |row| row.get(0))?.collect()
}

/// Of each row whether it was right; nothing where its truth is not known.
fn judged(answers: &[Predicted], truth: &Value, tolerance: f64) -> Result<Vec<Option<bool>>, Misfit> {
    let truths = truths(truth, answers.len())?;
    answers.iter().zip(&truths).map(|(answer, truth)| answer.is_right(truth, tolerance)).collect()
}

/// What was found before; a truth that was taken fits.
fn judged_before(kept: &Kept) -> Vec<Option<bool>> {
    let truth = kept.truth.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let judged = truth.and_then(|truth| judged(&kept.answers, &truth, kept.tolerance).ok());
    judged.unwrap_or_else(|| vec![None; kept.answers.len()])
}

pub(crate) fn tell(txn: &Transaction<'_>, row: &TruthRow) -> rusqlite::Result<()> {
    let told = take(txn, row)?;
    *lock(&row.told) = Some(told);
    Ok(())
}

fn take(txn: &Transaction<'_>, row: &TruthRow) -> rusqlite::Result<Told> {
    let mut found = kept(txn, &row.request, row.model.as_deref())?;
    let mut request = row.request.clone();
    if found.is_empty() && row.request.parse::<RunId>().is_ok() {
        let steps = steps(txn, &row.request, row.model.as_deref())?;
        match steps.as_slice() {
            [] => {}
            [step] => {
                request.clone_from(step);
                found = kept(txn, step, row.model.as_deref())?;
            }
            _ => return Ok(Told::Steps(steps)),
        }
    }
    let models: Vec<String> = found.iter().filter(|one| !one.shadow).map(|one| one.model.clone()).collect();
    let model = match models.as_slice() {
        [] => return early(txn, row),
        [model] => model.clone(),
        _ => return Ok(Told::Several(models)),
    };
    found.retain(|one| one.model == model);
    let truth = row.truth.to_string();
    let (Some(served), shadow) = (found.iter().find(|one| !one.shadow), found.iter().find(|one| one.shadow)) else {
        return early(txn, row);
    };
    if served.truth.as_deref() == Some(truth.as_str()) {
        return Ok(Told::Repeated { model, version: served.version });
    }
    let now = match judged(&served.answers, &row.truth, served.tolerance) {
        Ok(now) => now,
        Err(misfit) => return Ok(Told::Unfit(misfit.to_string())),
    };
    // What a candidate said that the truth does not fit says nothing of it.
    let beside = shadow
        .and_then(|shadow| judged(&shadow.answers, &row.truth, shadow.tolerance).ok().map(|judged| (shadow, judged)));
    keep_truth(txn, served, &truth, row.at_ms)?;
    let pairs = beside.as_ref().map(|(shadow, judged)| (shadow.version, judged.as_slice()));
    verdicts(txn, served, &now, &judged_before(served), pairs)?;
    if let Some((shadow, now)) = &beside {
        keep_truth(txn, shadow, &truth, row.at_ms)?;
        verdicts(txn, shadow, now, &judged_before(shadow), None)?;
    }
    let event = SubjectEvent::Labelled {
        request,
        version: served.version,
        truth,
        was: served.truth.clone(),
        by: row.by.clone(),
    };
    enter(txn, &Subject::Labels(model.clone()), row.at_ms, &event)?;
    let known: Vec<bool> = now.iter().flatten().copied().collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let right = (count(known.iter().filter(|right| **right).count()), count(known.len()));
    Ok(Told::Taken { model, version: served.version, right, was: served.truth.clone() })
}

fn keep_truth(txn: &Transaction<'_>, of: &Kept, truth: &str, at_ms: i64) -> rusqlite::Result<()> {
    txn.prepare_cached("UPDATE predictions SET truth = ?2, told_ms = ?3 WHERE id = ?1")?
        .execute(params![of.id, truth, at_ms])
        .map(drop)
}

/// Counts what was found, and takes back what was found before.
fn verdicts(
    txn: &Transaction<'_>,
    of: &Kept,
    now: &[Option<bool>],
    before: &[Option<bool>],
    pairs: Option<(u32, &[Option<bool>])>,
) -> rusqlite::Result<()> {
    let (mut labelled, mut correct) = (0, 0);
    for (at, now) in now.iter().enumerate() {
        let was = before.get(at).copied().flatten();
        let pair = pairs.and_then(|(version, judged)| Some((version, judged.get(at).copied().flatten()?)));
        labelled += i64::from(now.is_some()) - i64::from(was.is_some());
        correct += i64::from(*now == Some(true)) - i64::from(was == Some(true));
        let (Some(now), false) = (now, *now == was) else { continue };
        let confidence = of.answers.get(at).and_then(|answer| answer.confidence);
        txn.prepare_cached(
            "INSERT INTO verdicts (model, version, correct, was, confidence, shadow, shadow_version, shadow_correct)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            of.model,
            of.version,
            now,
            was,
            confidence,
            of.shadow,
            pair.map(|(version, _)| version),
            pair.map(|(_, correct)| correct)
        ])?;
    }
    txn.prepare_cached(
        "INSERT INTO accuracy (model, version, answered, recorded, passed, labelled, correct)
         VALUES (?1, ?2, 0, 0, '{}', max(?3, 0), max(?4, 0))
         ON CONFLICT (model, version) DO UPDATE SET labelled = max(labelled + ?3, 0), correct = max(correct + ?4, 0)",
    )?
    .execute(params![of.model, of.version, labelled, correct])?;
    Ok(())
}

/// A truth that comes before its prediction, or too late for it.
fn early(txn: &Transaction<'_>, row: &TruthRow) -> rusqlite::Result<Told> {
    let model = row.model.as_deref().unwrap_or("");
    txn.prepare_cached(
        "INSERT INTO early_labels (request, model, truth, at_ms, by) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (request, model) DO UPDATE SET truth = excluded.truth, at_ms = excluded.at_ms, by = excluded.by",
    )?
    .execute(params![row.request, model, row.truth.to_string(), row.at_ms, row.by])?;
    let kept = i64::from(EARLY_LABELS_KEPT);
    txn.prepare_cached("DELETE FROM early_labels WHERE id <= (SELECT max(id) FROM early_labels) - ?1")?
        .execute([kept])?;
    Ok(Told::Early)
}

/// A prediction comes: its truth may be there already.
pub(super) fn meet(txn: &Transaction<'_>, new: &PredictionRow) -> rusqlite::Result<()> {
    let told: Option<(Option<i64>, String, i64, String)> = if new.shadow {
        // What the answer that somebody saw was told.
        txn.prepare_cached(
            "SELECT truth, told_ms FROM predictions
             WHERE request = ?1 AND model = ?2 AND shadow = 0 AND truth IS NOT NULL",
        )?
        .query_row(params![new.request, new.model], |row| Ok((None, row.get(0)?, row.get(1)?, String::new())))
        .optional()?
    } else {
        txn.prepare_cached(
            "SELECT id, truth, at_ms, by FROM early_labels WHERE request IN (?1, ?3) AND model IN (?2, '')
             ORDER BY request DESC, model DESC LIMIT 1",
        )?
        .query_row(params![new.request, new.model, run_of(&new.request)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?
    };
    let Some((early, text, at_ms, by)) = told else { return Ok(()) };
    let Ok(truth) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
    let Some(early) = early else { return meet_beside(txn, new, &truth, &text, at_ms) };
    txn.prepare_cached("DELETE FROM early_labels WHERE id = ?1")?.execute([early])?;
    let (request, model) = (new.request.clone(), Some(new.model.clone()));
    let row = TruthRow { request, model, truth, at_ms, by, told: Arc::default() };
    if let Told::Unfit(words) = take(txn, &row)? {
        tracing::warn!(model = new.model, "a truth that came before its prediction does not fit it: {words}");
    }
    Ok(())
}

/// The run of a request that a step made; else the request.
fn run_of(request: &str) -> &str {
    let run = request.split('/').next().unwrap_or_default();
    if run.parse::<RunId>().is_ok() { run } else { request }
}

/// What a candidate said in the shadow of an answer whose truth is known.
fn meet_beside(
    txn: &Transaction<'_>,
    new: &PredictionRow,
    truth: &Value,
    text: &str,
    at_ms: i64,
) -> rusqlite::Result<()> {
    let found = kept(txn, &new.request, Some(&new.model))?;
    let (Some(served), Some(shadow)) = (found.iter().find(|one| !one.shadow), found.iter().find(|one| one.shadow))
    else {
        return Ok(());
    };
    let Ok(now) = judged(&shadow.answers, truth, shadow.tolerance) else { return Ok(()) };
    keep_truth(txn, shadow, text, at_ms)?;
    verdicts(txn, shadow, &now, &judged_before(shadow), None)?;
    // The pair, for whoever compares the two: of the answer itself nothing is new.
    for (at, served_now) in judged_before(served).into_iter().enumerate() {
        let (Some(served_now), Some(shadow_now)) = (served_now, now.get(at).copied().flatten()) else { continue };
        txn.prepare_cached(
            "INSERT INTO verdicts (model, version, correct, was, confidence, shadow, shadow_version, shadow_correct)
             VALUES (?1, ?2, ?3, ?3, NULL, 0, ?4, ?5)",
        )?
        .execute(params![served.model, served.version, served_now, shadow.version, shadow_now])?;
    }
    Ok(())
}

/// What follows from verdicts, of one version.
#[derive(Debug, Clone, PartialEq)]
pub struct AccuracyState {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Whoever draws it knows its form.
    pub state: Vec<u8>,
    /// What is to be told of it.
    pub event: Option<SubjectEvent>,
}

/// Verdicts that what follows was drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnVerdicts {
    /// The last of them.
    pub up_to: i64,
    /// What follows.
    pub states: Vec<AccuracyState>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

pub(crate) fn draw(txn: &Transaction<'_>, drawn: &DrawnVerdicts) -> rusqlite::Result<()> {
    txn.prepare_cached("DELETE FROM verdicts WHERE id <= ?1")?.execute([drawn.up_to])?;
    for AccuracyState { model, version, state, event } in &drawn.states {
        txn.prepare_cached("UPDATE accuracy SET state = ?3 WHERE model = ?1 AND version = ?2")?
            .execute(params![model, version, state])?;
        if let Some(event) = event {
            enter(txn, &Subject::Model(model.clone()), drawn.at_ms, event)?;
        }
    }
    Ok(())
}
