//! What was recorded and not kept yet, of all models.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock, atomic::AtomicBool},
    time::{Duration, Instant},
};

use trackside_facts::{Passed, Predicted};
use trackside_sync::{lock, read, write};

use super::{
    Accuracy, Tally,
    samples::{Sample, size},
};

/// Most predictions that wait, and about the most bytes of them: a disk that refuses must not fill the memory.
const MOST: usize = 8192;
const MOST_BYTES: usize = 4 << 20;
/// So many are kept at once, whatever their age.
const MANY: usize = 512;
/// Inputs that wait to be kept, and their bytes.
const MOST_SAMPLES: usize = 256;
const SAMPLE_BYTES: usize = 64 << 20;
/// How long the first of them waits for others: flash wears by the commit.
const WAITS: Duration = Duration::from_secs(10);

/// What was recorded and not kept yet.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    samples: Mutex<(Vec<Sample>, usize)>,
    /// Whether truth was told that nothing was drawn from.
    pub(super) told: AtomicBool,
    pub(super) known: RwLock<HashMap<String, HashMap<u32, Accuracy>>>,
}

#[derive(Debug, Default)]
struct Pages {
    waiting: Vec<Prediction>,
    bytes: usize,
    first: Option<Instant>,
    tallies: Vec<Arc<Tally>>,
}

/// A prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: u32,
    /// What the request is called.
    pub id: String,
    /// Whether nobody got the answer.
    pub shadow: bool,
    /// When.
    pub made: Instant,
    /// Of each row of the request.
    pub answers: Vec<Predicted>,
    /// How far from the truth a number may be.
    pub tolerance: f64,
}

/// What one version answered since that was taken last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCount {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Requests that it answered.
    pub answered: u64,
    /// Those of them that were not recorded.
    pub passed: Passed,
}

/// What is to be kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionBatch {
    /// Predictions, the oldest first.
    pub predictions: Vec<Prediction>,
    /// What was counted.
    pub counts: Vec<VersionCount>,
}

/// What became of a prediction.
pub(super) enum Entered {
    /// Somebody should look.
    Rings,
    /// It waits for others.
    Waits,
    /// There was no room.
    Full,
}

impl Book {
    /// Has what this one counts taken with the rest.
    pub(super) fn counts(&self, tally: &Arc<Tally>) {
        lock(&self.pages).tallies.push(tally.clone());
    }

    pub(super) fn enter(
        &self,
        tally: &Tally,
        id: String,
        shadow: bool,
        (answers, tolerance): (Vec<Predicted>, f64),
    ) -> Entered {
        let bytes = size_of::<Prediction>() + id.len() + answers.iter().map(in_memory).sum::<usize>();
        let made = Instant::now();
        let prediction =
            Prediction { model: tally.model.clone(), version: tally.version, id, shadow, made, answers, tolerance };
        let mut pages = lock(&self.pages);
        if pages.waiting.len() >= MOST || pages.bytes + bytes > MOST_BYTES {
            return Entered::Full;
        }
        pages.bytes += bytes;
        pages.waiting.push(prediction);
        let is_first = pages.first.is_none();
        pages.first.get_or_insert(made);
        if is_first || pages.waiting.len() == MANY { Entered::Rings } else { Entered::Waits }
    }

    /// How long what waits may still wait; none where nothing does.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        let pages = lock(&self.pages);
        let waited = pages.first?.elapsed();
        Some(if pages.waiting.len() >= MANY { Duration::ZERO } else { WAITS.saturating_sub(waited) })
    }

    /// Takes all there is.
    pub(crate) fn take(&self) -> PredictionBatch {
        let pages = &mut *lock(&self.pages);
        (pages.bytes, pages.first) = (0, None);
        let predictions = std::mem::take(&mut pages.waiting);
        let counts = pages.tallies.iter().filter_map(|tally: &Arc<Tally>| {
            let (answered, passed) = tally.take();
            let count = VersionCount { model: tally.model.clone(), version: tally.version, answered, passed };
            (answered > 0).then_some(count)
        });
        let counts: Vec<VersionCount> = counts.collect();
        // Of a version that is out of service nothing more comes.
        pages.tallies.retain(|tally| Arc::strong_count(tally) > 1);
        PredictionBatch { predictions, counts }
    }

    /// Lets an input wait to be kept, where there is room.
    pub(super) fn sample(&self, sample: Sample) -> bool {
        let bytes: usize = sample.inputs.iter().map(|(_, tensor)| size(tensor)).sum();
        let samples = &mut *lock(&self.samples);
        let fits = samples.0.len() < MOST_SAMPLES && samples.1 + bytes <= SAMPLE_BYTES;
        if fits {
            samples.1 += bytes;
            samples.0.push(sample);
        }
        fits
    }

    /// Takes the inputs that wait to be kept.
    pub(crate) fn take_samples(&self) -> Vec<Sample> {
        let samples = &mut *lock(&self.samples);
        samples.1 = 0;
        std::mem::take(&mut samples.0)
    }

    /// What is known of a version.
    pub(crate) fn accuracy(&self, model: &str, version: u32) -> Option<Accuracy> {
        read(&self.known).get(model)?.get(&version).copied()
    }

    /// Takes note of what is known of a version.
    pub(crate) fn set_accuracy(&self, model: &str, version: u32, accuracy: Accuracy) {
        write(&self.known).entry(model.to_owned()).or_default().insert(version, accuracy);
    }
}

fn in_memory(answer: &Predicted) -> usize {
    size_of::<Predicted>() + answer.label.as_ref().map_or(0, String::len)
}
