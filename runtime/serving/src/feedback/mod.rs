//! Predictions that wait for their truth.
//!
//! A [`Recorder`] stands on the way of a version's requests and notes what it said, under the request's id, in the [`Book`] that all
//! versions share. Nobody waits for it: it is bounded, and whoever keeps it takes it now and then. What is lost in between is a prediction,
//! never an answer.

mod answers;
mod book;
mod share;
mod truth;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use trackside_facts::Passed;

pub(crate) use book::Book;
pub use book::{Prediction, PredictionBatch, VersionCount};
pub use truth::{Accuracy, Truth};

use crate::{
    error::ServeError,
    request::{Answer, Request},
    settings::FeedbackSettings,
    watch::{Bell, Watched},
};
use answers::Reading;
use share::Share;

/// The longest id of a request under which a prediction is kept, bytes.
pub(crate) const LONGEST_ID: usize = 200;

/// Records one version's predictions.
pub(crate) struct Recorder(Option<On>);

struct On {
    reading: Reading,
    share: Share,
    tally: Arc<Tally>,
    book: Arc<Book>,
    bell: Arc<Bell>,
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
pub(crate) enum Seen {
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
        Self(watched.settings.feedback.as_ref().map(|settings: &FeedbackSettings| {
            let tally = Arc::new(Tally { model: watched.name.to_owned(), version: watched.number, ..Tally::default() });
            let book = watched.learned.book.clone();
            book.counts(&tally);
            On {
                reading: Reading::of(settings, watched.labels),
                share: Share::of(settings.rate),
                tally,
                book,
                bell: watched.learned.bell.clone(),
            }
        }))
    }

    pub(crate) fn asked(&self, request: &Request) -> Seen {
        let Some(on) = &self.0 else { return Seen::Off };
        let Some(id) = &request.id else { return Seen::WithoutId };
        if !is_id(id) {
            return Seen::BadId;
        }
        if !on.share.takes(id) {
            return Seen::Passed;
        }
        Seen::Wanted(id.clone())
    }

    pub(crate) fn answered(&self, seen: Seen, answer: &Result<Answer, ServeError>) {
        let (Some(on), Ok(answer)) = (&self.0, answer) else { return };
        let tally = &on.tally;
        tally.answered.fetch_add(1, Relaxed);
        let passed = match seen {
            Seen::Off | Seen::WithoutId => &tally.without_id,
            Seen::BadId => &tally.bad_id,
            Seen::Passed => &tally.rate,
            Seen::Wanted(id) => match on.reading.read(&answer.outputs) {
                None => &tally.unreadable,
                Some(answers) => match on.book.enter(tally, id, false, (answers, on.reading.tolerance)) {
                    book::Entered::Rings => return on.bell.ring(),
                    book::Entered::Waits => return,
                    book::Entered::Full => &tally.full,
                },
            },
        };
        passed.fetch_add(1, Relaxed);
    }

    /// Notes what this version says as a candidate, where the request's own answer is noted: nobody gets it, and so nobody misses it.
    pub(crate) fn beside(&self, id: Option<&str>, answer: &Result<Answer, ServeError>) {
        let (Some(on), Some(id), Ok(answer)) = (&self.0, id, answer) else { return };
        if !is_id(id) || !on.share.takes(id) {
            return;
        }
        if let Some(answers) = on.reading.read(&answer.outputs) {
            let entered = on.book.enter(&on.tally, id.to_owned(), true, (answers, on.reading.tolerance));
            if matches!(entered, book::Entered::Rings) {
                on.bell.ring();
            }
        }
    }
}

/// Whether a request of this name can be found again: no longer than is kept, and of no characters that nobody sees.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && !id.chars().any(char::is_control)
}
