//! What is known of predictions whose truth was told.

use std::sync::atomic::Ordering::Relaxed;

use trackside_stats::{
    Level, StatsError,
    sequential::{Band, proportion_band},
};

use crate::{
    rollout::{Arm, Told},
    serving::Serving,
};

use super::{PredictionBatch, Sample};

/// An answer turned out to be right or wrong. Whoever compares versions by labels is told of each once: of a truth that is new, of one
/// that corrects another, and of a candidate's answer that came after the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth<'a> {
    /// The model.
    pub model: &'a str,
    /// The version that had answered.
    pub version: u32,
    /// Whether it was right.
    pub right: bool,
    /// What was found before: the other way round for a truth that corrects another, the same where only `shadow` is new.
    pub was: Option<bool>,
    /// A candidate that had answered in its shadow, and whether that was right.
    pub shadow: Option<(u32, bool)>,
}

/// How often a version was right, of answers whose truth was told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// The version.
    pub version: u32,
    /// Answers that were right.
    pub right: u64,
    /// Answers whose truth was told.
    pub labelled: u64,
    /// The share that is right, with a band that holds at all times together at 95 %.
    pub band: Band,
}

impl Accuracy {
    /// Of these counts.
    ///
    /// # Errors
    /// More right than labelled.
    pub fn of(version: u32, right: u64, labelled: u64) -> Result<Self, StatsError> {
        Ok(Self { version, right, labelled, band: proportion_band(right, labelled, Level::FIVE_PERCENT)? })
    }
}

impl Serving {
    /// How long recorded predictions may still wait to be kept; none where there are none.
    #[must_use]
    pub fn predictions_due(&self) -> Option<std::time::Duration> {
        self.0.learned.book.due_in()
    }

    /// Predictions that were recorded, and what was counted, since this was asked last: whoever takes them keeps them.
    #[must_use]
    pub fn take_predictions(&self) -> PredictionBatch {
        self.0.learned.book.take()
    }

    /// Inputs that are to be kept because a label would teach most for them, since this was asked last: whoever takes them keeps them.
    #[must_use]
    pub fn take_samples(&self) -> Vec<Sample> {
        self.0.learned.book.take_samples()
    }

    /// Says of a model's versions in service whether its drift is in alarm: while it is, inputs are kept, where that is asked for.
    pub fn drifts(&self, model: &str, is: bool) {
        self.0.slots_of(model).iter().for_each(|slot| slot.watch.feedback.drifts(is));
    }

    /// Somebody told what would have been right, or is about to.
    pub fn labelled(&self) {
        self.0.learned.book.told.store(true, Relaxed);
        self.0.learned.bell.ring();
    }

    /// Whether somebody did since this was asked last.
    #[must_use]
    pub fn take_labelled(&self) -> bool {
        self.0.learned.book.told.swap(false, Relaxed)
    }

    /// How often the version was right that a model's name means now; none where nothing was told of it.
    #[must_use]
    pub fn accuracy(&self, model: &str) -> Option<Accuracy> {
        let version = self.number(model, &trackside_spec::ModelVersion::Unsaid).ok()?;
        self.accuracy_of(model, version)
    }

    /// How often this version was right; none where nothing was told of it.
    #[must_use]
    pub fn accuracy_of(&self, model: &str, version: u32) -> Option<Accuracy> {
        self.0.learned.book.accuracy(model, version)
    }

    /// Takes note of what is on disk of a version's accuracy.
    pub fn set_accuracy(&self, model: &str, accuracy: Accuracy) {
        self.0.learned.book.set_accuracy(model, accuracy.version, accuracy);
    }

    /// An answer turned out to be right or wrong; it is on disk. A rollout of the model counts it, the first truth of each answer: a test
    /// that may be looked at at any time can take nothing back.
    pub fn truth(&self, truth: &Truth<'_>) {
        let Some(trial) = self.0.trials.of(truth.model) else { return };
        let told = match truth.shadow {
            _ if truth.was.is_some_and(|was| was != truth.right) => return,
            Some((candidate, right)) if candidate == trial.candidate && truth.version == trial.stable => {
                Told::PairTruth { right: (truth.right, right) }
            }
            _ if truth.was.is_some() => return,
            _ if truth.version == trial.stable => Told::Truth { arm: Arm::Stable, right: truth.right },
            _ if truth.version == trial.candidate => Told::Truth { arm: Arm::Candidate, right: truth.right },
            _ => return,
        };
        trial.tell(&told);
    }
}
