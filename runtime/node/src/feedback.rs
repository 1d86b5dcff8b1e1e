//! Predictions and their truth: on their way to the disk, and what follows from them.

use std::sync::{Arc, Mutex};

use trackside_serving::PredictionBatch;
use trackside_spec::read_outside;
use trackside_stats::{Level, StatsError, drift::Adwin, estimate::Calibration};
use trackside_steps::{Label, LabelError, LabelRequest, TellLabels, check_label, model_settings};
use trackside_store::{self as store, AnswerCount, PredictionKeep, PredictionRow, Told, TruthRow, VerdictRow, Write};
use trackside_sync::lock;

use crate::node::{Handle, NodeError};

/// At each look a change of the error is told in error with about one twenty-fifth of 5 %: 0.002.
const ERROR_MOVED: usize = 25;
/// How long truth is kept that nothing was found for.
const EARLY_MS: i64 = 7 * 86_400_000;

/// Truth on its way to the disk. What became of each stands here once it is there.
#[derive(Debug, Default)]
pub struct Telling(Vec<Arc<Mutex<Option<Told>>>>);

impl Telling {
    /// The rows of these.
    #[must_use]
    pub fn of(labels: Vec<Label>, by: &str, at_ms: i64) -> (Vec<Write>, Self) {
        let rows = labels.into_iter().map(|Label { request, model, truth }| {
            let told = Arc::default();
            (
                Arc::clone(&told),
                Write::Truth(Box::new(TruthRow { request, model, truth, at_ms, by: by.to_owned(), told })),
            )
        });
        let (told, writes) = rows.unzip();
        (writes, Self(told))
    }

    /// What became of each, in their order.
    #[must_use]
    pub fn told(self) -> Vec<Told> {
        // One that was never written has not met anything.
        self.0.iter().map(|told| lock(told).take().unwrap_or(Told::Early)).collect()
    }
}

impl Handle {
    /// Tells what would have been right. It is on disk when this ends. For a thread that may block.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down: what was written is then not known, and may be told again.
    pub fn label(&self, labels: Vec<Label>, by: &str) -> Result<Vec<Told>, NodeError> {
        let (truths, telling) = Telling::of(labels, by, self.workshop().clock.now_ms());
        let doors = self.model_doors();
        let kept = {
            let _first = lock(&doors.predictions);
            let mut writes = self.recorded_predictions();
            writes.extend(truths);
            self.submit(writes)?
        };
        kept.recv().map_err(|_| NodeError::Closed)?;
        self.workshop().models.serving().labelled();
        Ok(telling.told())
    }

    /// Takes labels as a message of a broker brings them. Gives what was refused, in words; the rest is on disk when this ends.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down: the message must not be acknowledged.
    pub(crate) fn label_message(&self, payload: &[u8], by: &str) -> Result<Vec<String>, NodeError> {
        let read = match read_outside::<serde_json::Value>(payload) {
            Ok(body) => TellLabels::of(body).map_err(|error| error.to_string()),
            Err(error) => Err(format!("it is no JSON document that can be taken: {error}")),
        };
        let asked = match read {
            Ok(TellLabels { labels }) => labels,
            Err(words) => return Ok(vec![words]),
        };
        let (mut refused, mut labels) = (Vec::new(), Vec::new());
        for LabelRequest { id, value, model } in asked {
            match check_label(&self.workshop().config, &id, &value, model.as_deref()) {
                Ok(()) => labels.push(Label { request: id, model, truth: value }),
                Err(error) => refused.push(error.to_string()),
            }
        }
        if labels.is_empty() {
            return Ok(refused);
        }
        let ids: Vec<String> = labels.iter().map(|label| label.request.clone()).collect();
        for (id, told) in ids.into_iter().zip(self.label(labels, by)?) {
            let error = match told {
                Told::Several(models) => LabelError::Several { id, models },
                Told::Steps(steps) => LabelError::Steps { id, steps },
                Told::Unfit(reason) => LabelError::Unfit { id, reason },
                Told::Taken { .. } | Told::Repeated { .. } | Told::Early => continue,
            };
            refused.push(error.to_string());
        }
        Ok(refused)
    }

    /// Has predictions written that were recorded; they are on disk when this ends.
    pub(crate) fn keep_predictions(&self) -> Result<(), NodeError> {
        let kept = {
            let _first = lock(&self.model_doors().predictions);
            let writes = self.recorded_predictions();
            if writes.is_empty() {
                return Ok(());
            }
            self.submit(writes)?
        };
        kept.recv().map_err(|_| NodeError::Closed)
    }

    /// Takes what was recorded out of memory. Whoever does holds the door.
    fn recorded_predictions(&self) -> Vec<Write> {
        let PredictionBatch { predictions, counts } = self.workshop().models.serving().take_predictions();
        if predictions.is_empty() && counts.is_empty() {
            return Vec::new();
        }
        let now_ms = self.workshop().clock.now_ms();
        let mut models: Vec<String> = counts.iter().map(|count| count.model.clone()).collect();
        models.sort_unstable();
        models.dedup();
        let rows = predictions.into_iter().map(|made| PredictionRow {
            at_ms: now_ms.saturating_sub(i64::try_from(made.made.elapsed().as_millis()).unwrap_or(i64::MAX)),
            model: made.model,
            request: made.id,
            shadow: made.shadow,
            version: made.version,
            answers: made.answers,
            tolerance: made.tolerance,
        });
        let counts = counts.into_iter().map(|count| AnswerCount {
            model: count.model,
            version: count.version,
            answered: count.answered,
            passed: count.passed,
        });
        let batch = store::PredictionBatch {
            rows: rows.collect(),
            counts: counts.collect(),
            keep: models.iter().map(|model| self.keeps(model, now_ms)).collect(),
            early_from_ms: 0,
        };
        vec![Write::Predictions(Box::new(batch))]
    }

    /// What goes of all models' predictions by its age.
    pub(crate) fn trim_predictions(&self, models: &[String]) -> Write {
        let now_ms = self.workshop().clock.now_ms();
        let keep = models.iter().map(|model| self.keeps(model, now_ms)).collect();
        let early_from_ms = now_ms.saturating_sub(EARLY_MS);
        Write::Predictions(Box::new(store::PredictionBatch { keep, early_from_ms, ..Default::default() }))
    }

    fn keeps(&self, model: &str, now_ms: i64) -> PredictionKeep {
        let settings = model_settings(&self.workshop().config, model).feedback;
        let usual = trackside_spec::config::FeedbackConfig::default();
        let (most, age) =
            settings.map_or_else(|| (usual.keep, usual.age.to_std()), |settings| (settings.keep, settings.age));
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        PredictionKeep { model: model.to_owned(), most, from_ms: now_ms.saturating_sub(age) }
    }
}

/// What follows from the verdicts on one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Lessons {
    /// Its error of late, in a window that is as long as nothing changes.
    pub error: Adwin,
    /// What its confidence is worth.
    pub calibration: Calibration,
}

/// A version errs more, or less, than it did: labels and errors among them, before and since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorMoved {
    /// Labels before, and errors among them.
    pub before: (u64, u64),
    /// Labels since, and errors among them.
    pub since: (u64, u64),
}

impl Lessons {
    /// Of no verdict.
    #[must_use]
    pub fn none() -> Self {
        Self { error: Adwin::new(Level::FIVE_PERCENT.split(ERROR_MOVED)), calibration: Calibration::default() }
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (error, calibration) = (self.error.to_bytes(), self.calibration.to_bytes());
        let length = u32::try_from(error.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes()[..], &error, &calibration].concat()
    }

    /// What was kept.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatsError> {
        let damaged = StatsError::Corrupt { what: "what labels taught", why: "too short" };
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Err(damaged) };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((error, calibration)) = rest.split_at_checked(length) else { return Err(damaged) };
        Ok(Self { error: Adwin::from_bytes(error)?, calibration: Calibration::from_bytes(calibration)? })
    }

    /// One more verdict. A truth that corrects another one corrects the calibration; the window keeps what it saw.
    pub fn learn(&mut self, verdict: &VerdictRow) -> Option<ErrorMoved> {
        if verdict.was == Some(verdict.correct) {
            return None;
        }
        // A confidence out of its bounds is not counted.
        if let Some(confidence) = verdict.confidence {
            if let Some(was) = verdict.was {
                let _ = self.calibration.retract(confidence, was);
            }
            let _ = self.calibration.observe(confidence, verdict.correct);
        }
        if verdict.was.is_some() {
            return None;
        }
        let (labels, wrong) = self.window();
        let error = f64::from(u8::from(!verdict.correct));
        if !self.error.observe(error).unwrap_or(false) {
            return None;
        }
        let (labels, wrong) = (labels + 1, wrong + u64::from(!verdict.correct));
        let since = self.window();
        let before = (labels.saturating_sub(since.0), wrong.saturating_sub(since.1));
        Some(ErrorMoved { before, since })
    }

    /// Labels of late, and errors among them.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count"
    )]
    pub fn window(&self) -> (u64, u64) {
        let labels = self.error.width();
        let wrong = self.error.mean().map_or(0.0, |mean| (mean * labels as f64).round().max(0.0));
        (labels, (wrong as u64).min(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(correct: bool, was: Option<bool>) -> VerdictRow {
        VerdictRow {
            id: 0,
            model: "m".to_owned(),
            version: 1,
            correct,
            was,
            confidence: Some(0.9),
            shadow: false,
            beside: None,
        }
    }

    #[test]
    fn an_error_that_rises_is_told_once_and_what_was_learned_is_kept() {
        let mut lessons = Lessons::none();
        let mut told = Vec::new();
        for number in 0..1000_u32 {
            let correct = if number < 600 { number % 10 != 0 } else { number % 2 != 0 };
            told.extend(lessons.learn(&verdict(correct, None)));
            lessons = Lessons::from_bytes(&lessons.to_bytes()).unwrap();
        }
        assert!((1..=3).contains(&told.len()), "{told:?}");
        let ErrorMoved { before, since } = told[0];
        assert!(since.1 * before.0 > 2 * before.1 * since.0, "{told:?}");
        assert!(Lessons::from_bytes(&[1, 2]).is_err() && Lessons::from_bytes(&[255; 8]).is_err());
    }

    #[test]
    fn what_is_corrected_is_counted_as_it_is_now() {
        let mut lessons = Lessons::none();
        lessons.learn(&verdict(true, None));
        lessons.learn(&verdict(false, Some(true)));
        let (right, all) = lessons.calibration.counts();
        assert_eq!((right.iter().sum::<u64>(), all.iter().sum::<u64>()), (0, 1));
        lessons.learn(&verdict(false, Some(false)));
        assert_eq!(lessons.calibration.counts().1.iter().sum::<u64>(), 1);
    }
}
