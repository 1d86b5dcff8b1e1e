//! How models are served.

use std::time::Duration;

use trackside_spec::config::AnswerKind;

use crate::{breaker::BreakerRules, drift::DriftSettings, gcra::Rate};

/// How one model is served.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSettings {
    /// Runs at a time; 0 is one for each core.
    pub sessions: usize,
    /// Requests that wait when all sessions are in use. One more is refused, or sheds a less important one.
    pub queue: usize,
    /// The longest that a request may take, waiting included.
    pub timeout: Duration,
    /// How often it may be asked; `None` is without a bound.
    pub rate: Option<Rate>,
    /// Whether and how requests are run together.
    pub batching: Batching,
    /// When it is not asked for a while.
    pub breaker: BreakerRules,
    /// Failures of the engine in a row after which its sessions are made anew; so many again, and it is set aside.
    pub failures: u32,
    /// Whether it is loaded before anybody asks.
    pub at_start: bool,
    /// Whether a failure counts only when the model fails its own test then, too: a request whose values or shapes the engine can not do is
    /// its sender's affair, and must not shut the model off for others.
    pub judged: bool,
    /// How closely it is watched for drift.
    pub drift: DriftSettings,
    /// What is kept of its predictions, so that they can be held against the truth.
    pub feedback: Option<FeedbackSettings>,
    /// Which of its inputs are kept.
    pub samples: Option<SampleSettings>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            sessions: 0,
            queue: 64,
            timeout: Duration::from_secs(60),
            rate: None,
            batching: Batching::default(),
            breaker: BreakerRules::default(),
            failures: 5,
            at_start: false,
            judged: true,
            drift: DriftSettings::default(),
            feedback: None,
            samples: None,
        }
    }
}

/// What is kept of a model's predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackSettings {
    /// The output that is the prediction; the first one where it is not said.
    pub output: Option<String>,
    /// What that output is.
    pub answer: AnswerKind,
    /// Of one score alone: class 1 from it on.
    pub threshold: f64,
    /// The output with the probabilities of a label.
    pub confidence: Option<String>,
    /// How far from the truth a value may be.
    pub tolerance: f64,
    /// Most predictions that are kept of a second.
    pub rate: u32,
    /// Most predictions that are kept in all.
    pub keep: u32,
    /// How long they are kept.
    pub age: Duration,
}

impl Default for FeedbackSettings {
    fn default() -> Self {
        Self {
            output: None,
            answer: AnswerKind::default(),
            threshold: 0.5,
            confidence: None,
            tolerance: 0.0,
            rate: 10,
            keep: 100_000,
            age: Duration::from_secs(30 * 86_400),
        }
    }
}

/// Which inputs of a model are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSettings {
    /// Those of answers with less confidence.
    pub confidence: f64,
    /// Those that come while drift is in alarm.
    pub drift: bool,
    /// Those on which a candidate gives another answer.
    pub disagreement: bool,
    /// Most bytes in all.
    pub bytes: u64,
    /// Most bytes of one.
    pub largest: u64,
    /// Most of a minute.
    pub rate: u32,
    /// How long they are kept.
    pub age: Duration,
    /// Inputs that are left out.
    pub redact: Vec<String>,
}

/// Requests that are run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// Most rows of one run; 1 is no batching.
    pub rows: u32,
    /// How long the first of a batch waits for others. One that is alone never waits.
    pub delay: Duration,
}

impl Default for Batching {
    fn default() -> Self {
        Self { rows: 1, delay: Duration::ZERO }
    }
}

/// How the box serves models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServingSettings {
    /// Bytes that loaded models may take together, about; those that were used longest ago leave first, and one in use stays.
    pub memory: u64,
    /// Requests of a model that takes no longer than this run on the thread that brings them when nothing waits: waking another
    /// would take as long.
    pub brief: Duration,
}

impl Default for ServingSettings {
    fn default() -> Self {
        Self { memory: u64::MAX, brief: Duration::from_micros(200) }
    }
}
