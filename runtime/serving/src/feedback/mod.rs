//! Predictions that wait for their truth.
//!
//! A [`Recorder`] stands on the way of a version's requests and notes what it said, under the request's id, in the [`Book`] that all
//! versions share. Nobody waits for it: it is bounded, and whoever keeps it takes it now and then. What is lost in between is a prediction,
//! never an answer.

mod answers;
mod book;
mod samples;
mod share;
mod truth;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use trackside_facts::{Passed, Predicted};
use trackside_models::Output;
use trackside_spec::Tensor;

pub(crate) use book::Book;
pub use book::{Prediction, PredictionBatch, VersionCount};
pub use samples::{Sample, SampleReason};
pub use truth::{Accuracy, Truth};

use crate::{
    error::ServeError,
    request::{Answer, Request},
    settings::FeedbackSettings,
    watch::{Bell, Watched},
};
use answers::Reading;
use book::Entered;
use samples::{Held, Sampler};
use share::Share;

/// The longest id of a request under which a prediction is kept, bytes.
pub(crate) const LONGEST_ID: usize = 200;

/// Records one version's predictions, and keeps inputs that a label would teach most for.
pub(crate) struct Recorder {
    on: Option<On>,
    sampler: Option<Sampler>,
    reading: Reading,
    tally: Arc<Tally>,
    book: Arc<Book>,
    bell: Arc<Bell>,
}

/// Predictions are recorded.
struct On {
    share: Share,
}

/// What one version answered, and what of that was not recorded.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) model: String,
    pub(crate) version: u32,
    answered: AtomicU64,
    without_id: AtomicU64,
    bad_id: AtomicU64,
    rate: AtomicU64,
    unreadable: AtomicU64,
    full: AtomicU64,
}

impl Tally {
    /// What was counted since this was asked last.
    pub(crate) fn take(&self) -> (u64, Passed) {
        let take = |count: &AtomicU64| count.swap(0, Relaxed);
        let passed = Passed {
            without_id: take(&self.without_id),
            bad_id: take(&self.bad_id),
            rate: take(&self.rate),
            unreadable: take(&self.unreadable),
            full: take(&self.full),
        };
        (take(&self.answered), passed)
    }
}

/// What was seen of a request.
pub(crate) struct Seen {
    record: Record,
    held: Option<(Held, Option<String>)>,
}

/// Whether its prediction is recorded.
enum Record {
    /// Nothing is recorded of this model.
    Off,
    /// Nothing could be told of it later.
    WithoutId,
    /// Its id is none that is kept.
    BadId,
    /// There are too many.
    Passed,
    /// To be recorded under this id.
    Wanted(String),
}

impl Recorder {
    pub(crate) fn of(watched: &Watched<'_>) -> Self {
        let settings = watched.settings;
        let tally = Arc::new(Tally { model: watched.name.to_owned(), version: watched.number, ..Tally::default() });
        let book = watched.learned.book.clone();
        let on = settings.feedback.as_ref().map(|feedback| On { share: Share::of(feedback.rate) });
        if on.is_some() {
            book.counts(&tally);
        }
        let reading = Reading::of(settings.feedback.as_ref().unwrap_or(&FeedbackSettings::default()), watched.labels);
        let sampler = settings.samples.as_ref().map(Sampler::of);
        Self { on, sampler, reading, tally, book, bell: watched.learned.bell.clone() }
    }

    pub(crate) fn asked(&self, request: &Request) -> Seen {
        let held = self.sampler.as_ref().and_then(|sampler| sampler.hold(&self.tally.model, &request.inputs));
        let held = held.map(|held| (held, request.id.clone().filter(|id| is_id(id))));
        Seen { record: self.record(request), held }
    }

    fn record(&self, request: &Request) -> Record {
        let Some(on) = &self.on else { return Record::Off };
        let Some(id) = &request.id else { return Record::WithoutId };
        if !is_id(id) {
            return Record::BadId;
        }
        if !on.share.takes(id) {
            return Record::Passed;
        }
        Record::Wanted(id.clone())
    }

    pub(crate) fn answered(&self, seen: Seen, answer: &Result<Answer, ServeError>) {
        let Ok(answer) = answer else { return };
        let Seen { record, held } = seen;
        let is_read = held.is_some() || matches!(record, Record::Wanted(_));
        let answers = if is_read { self.reading.read(&answer.outputs) } else { None };
        if let Some((held, id)) = held {
            self.sample(held, id, answers.as_deref().unwrap_or_default());
        }
        let tally = &self.tally;
        let passed = match record {
            Record::Off => return,
            Record::WithoutId => &tally.without_id,
            Record::BadId => &tally.bad_id,
            Record::Passed => &tally.rate,
            Record::Wanted(id) => match answers {
                None => &tally.unreadable,
                Some(answers) => match self.book.enter(tally, id, false, (answers, self.reading.tolerance)) {
                    Entered::Full => &tally.full,
                    entered => {
                        tally.answered.fetch_add(1, Relaxed);
                        if matches!(entered, Entered::Rings) {
                            self.bell.ring();
                        }
                        return;
                    }
                },
            },
        };
        tally.answered.fetch_add(1, Relaxed);
        passed.fetch_add(1, Relaxed);
    }

    fn sample(&self, held: Held, id: Option<String>, answers: &[Predicted]) {
        let Some(sampler) = &self.sampler else { return };
        if let Some(reason) = sampler.reason(answers).filter(|_| sampler.takes()) {
            self.keep(sampler, held, id, reason, (answers.to_vec(), Vec::new()));
        }
    }

    fn keep(
        &self,
        sampler: &Sampler,
        held: Held,
        id: Option<String>,
        reason: SampleReason,
        (answers, other): (Vec<Predicted>, Vec<Predicted>),
    ) {
        let sample = Sample {
            model: self.tally.model.clone(),
            version: self.tally.version,
            id,
            made: Instant::now(),
            reason,
            inputs: held.inputs,
            redacted: sampler.settings.redact.clone(),
            answers,
            other,
        };
        if self.book.sample(sample) {
            self.bell.ring();
        }
    }

    /// Whether the model's drift is in alarm: while it is, inputs are kept, where that is asked for.
    pub(crate) fn drifts(&self, is: bool) {
        if let Some(sampler) = &self.sampler {
            sampler.drifts(is);
        }
    }

    /// Inputs that are kept if a candidate gives another answer to them.
    pub(crate) fn hold(&self, inputs: &[(String, Tensor)]) -> Option<Held> {
        let sampler = self.sampler.as_ref().filter(|sampler| sampler.settings.disagreement)?;
        sampler.hold(&self.tally.model, inputs)
    }

    /// A candidate, this version, gave another answer than the version in service.
    pub(crate) fn disagreed(
        &self,
        held: Held,
        id: Option<String>,
        served: &[(String, Output)],
        candidate: &[(String, Output)],
    ) {
        let Some(sampler) = self.sampler.as_ref().filter(|sampler| sampler.takes()) else { return };
        let read = |outputs| self.reading.read(outputs).unwrap_or_default();
        let said = (read(served), read(candidate));
        self.keep(sampler, held, id.filter(|id| is_id(id)), SampleReason::Disagreement, said);
    }

    /// Notes what this version says as a candidate, where the request's own answer is noted: nobody gets it, and so nobody misses it.
    pub(crate) fn beside(&self, id: Option<&str>, answer: &Result<Answer, ServeError>) {
        let (Some(on), Some(id), Ok(answer)) = (&self.on, id, answer) else { return };
        if !is_id(id) || !on.share.takes(id) {
            return;
        }
        if let Some(answers) = self.reading.read(&answer.outputs) {
            let entered = self.book.enter(&self.tally, id.to_owned(), true, (answers, self.reading.tolerance));
            if matches!(entered, Entered::Rings) {
                self.bell.ring();
            }
        }
    }
}

/// Whether a request of this name can be found again: no longer than is kept, and of no characters that nobody sees.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && !id.chars().any(char::is_control)
}
