//! What is learned from the requests that a version answers: each is seen before it runs, and again with its answer.
//!
//! All of it is on the way of every request: nothing here may wait, and nothing may fail a request.

mod bell;

pub use bell::Bell;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use trackside_models::Model;

use crate::{
    clock::Clock,
    drift::{self, Board},
    error::ServeError,
    feedback,
    request::{Answer, Request},
    settings::ModelSettings,
};

/// The version that is watched.
pub(crate) struct Watched<'a> {
    /// The model's name.
    pub(crate) name: &'a str,
    /// The version's number.
    pub(crate) number: u32,
    /// How the model is served.
    pub(crate) settings: &'a ModelSettings,
    /// Names of the places of its outputs.
    pub(crate) labels: &'a BTreeMap<String, Vec<String>>,
    /// What all share that is learned.
    pub(crate) learned: &'a Learned,
}

/// What is learned from requests, of all models, until somebody keeps it.
#[derive(Clone)]
pub(crate) struct Learned {
    /// Rung when something is to be kept.
    pub(crate) bell: Arc<Bell>,
    /// Predictions, and what is known of accuracies.
    pub(crate) book: Arc<feedback::Book>,
    /// All that is watched for drift.
    pub(crate) board: Arc<Board>,
}

impl Learned {
    /// Nothing.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let bell = Arc::<Bell>::default();
        Self { board: Arc::new(Board::new(clock, bell.clone())), bell, book: Arc::default() }
    }
}

/// What watches one version.
pub(crate) struct Watch {
    pub(crate) drift: drift::Watcher,
    pub(crate) feedback: feedback::Recorder,
}

/// A request that was seen, until its answer is.
pub(crate) struct Seen {
    came: Instant,
    drift: drift::Seen,
    feedback: feedback::Seen,
}

impl Watch {
    pub(crate) fn of(watched: &Watched<'_>) -> Self {
        Self { drift: drift::Watcher::of(watched), feedback: feedback::Recorder::of(watched) }
    }

    /// Looks at a request before it runs, which takes its tensors away.
    pub(crate) fn asked(&self, model: &Model, request: &Request) -> Seen {
        Seen { came: Instant::now(), drift: self.drift.asked(model, request), feedback: self.feedback.asked(request) }
    }

    /// Looks at what came of it.
    pub(crate) fn answered(&self, seen: Seen, answer: &Result<Answer, ServeError>) -> Duration {
        let took = seen.came.elapsed();
        self.drift.answered(seen.drift, answer);
        self.feedback.answered(seen.feedback, answer);
        took
    }
}
