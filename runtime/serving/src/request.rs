//! A request and its answer.

use std::{sync::Arc, time::Instant};

use trackside_models::{Model, ModelInfo, Output};
use trackside_spec::Tensor;
use trackside_sync::CancelToken;

use crate::{lane::Priority, slot::Pass, statistics::Times};

/// What a model is asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Its inputs by name.
    pub inputs: Vec<(String, Tensor)>,
    /// The outputs that are wanted; all when it is empty.
    pub outputs: Vec<String>,
    /// How important it is.
    pub priority: Priority,
    /// When it is no use any more; the model's `timeout` holds besides.
    pub deadline: Option<Instant>,
    /// Raised by a caller that has gone.
    pub cancel: CancelToken,
    /// Whether it must run alone whatever the batching: what is to come out the same again, bit for bit, may not depend on who else
    /// asks.
    pub alone: bool,
    /// What whoever asks calls this request, or the run and step that do: by it the truth is told later.
    pub id: Option<String>,
    /// Whether nobody waits for it: it is run beside another request, and is no part of the model's rate or of what is learned.
    pub beside: bool,
}

/// Who asks, as far as it decides about the version that answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asker<'a> {
    /// Its name, as the rollout's `subject` says where it stands; a step's run.
    pub subject: Option<&'a str>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The outputs in the order in which they were asked for.
    pub outputs: Vec<(String, Output)>,
    /// The version that answered.
    pub version: u32,
    /// What answered: its digest, its engine.
    pub model: Arc<Model>,
    /// Where the time went.
    pub times: Times,
    /// How many requests were run together, this one included.
    pub together: usize,
}

impl Answer {
    /// What is known of the model that answered.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        self.model.info()
    }
}

/// A request on its way.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) model: Arc<Model>,
    pub(crate) pass: Pass,
    pub(crate) came: Instant,
    pub(crate) deadline: Instant,
    /// Rows, where it may be run with others.
    pub(crate) rows: Option<u32>,
}
