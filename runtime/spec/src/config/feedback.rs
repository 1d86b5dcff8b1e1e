//! What is kept of a model's predictions, so that they can be held against the truth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// Predictions of a model that wait for their truth. Without this table none is kept. A prediction is known by its request's id, or by
/// the run and step that asked; `trackside label` and `POST /v1/labels` tell what would have been right.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "feedback: a table with `output`, `answer` and the like")]
#[schemars(rename = "Feedback")]
pub struct FeedbackConfig {
    /// The output that is the prediction. Without it, the model's first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What that output is: `class`, scores, of which the greatest names the class; `label`, the answer itself; `value`, a number
    /// that is right within `tolerance`.
    pub answer: AnswerKind,
    /// Of a `class` that has one score alone: class 1 from this score on, class 0 below.
    pub threshold: f64,
    /// Of a `label`: the output with its probabilities, the greatest of which is the confidence. Of a `class` the scores say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// How far from the truth a `value` may be and be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Most predictions that are kept of a second. Of more, a share is kept, chosen by the id; how many were not is told.
    #[schemars(range(min = 1, max = 10_000))]
    pub rate: u32,
    /// Most predictions that are kept in all; the oldest go first.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub keep: u32,
    /// How long a prediction is kept, with or without its truth; a truth that comes later finds it no more.
    pub age: Duration,
}

/// What an output is that is held against the truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// Scores of classes.
    #[default]
    Class,
    /// The answer itself: a whole number or a text.
    Label,
    /// A number.
    Value,
}

impl Default for FeedbackConfig {
    fn default() -> Self {
        Self {
            output: None,
            answer: AnswerKind::default(),
            threshold: 0.5,
            confidence: None,
            tolerance: None,
            rate: 10,
            keep: 100_000,
            age: Duration::from_millis(30 * 86_400_000),
        }
    }
}

impl FeedbackConfig {
    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static [&'static str], String)> {
        let mut problems: Vec<(&'static [&'static str], String)> = Vec::new();
        match (self.answer, self.tolerance) {
            (AnswerKind::Value, None) => {
                let reason = "a `value` is right within its `tolerance`, which is not given";
                problems.push((&["feedback", "answer"], reason.to_owned()));
            }
            (AnswerKind::Value, Some(tolerance)) if !(tolerance.is_finite() && tolerance >= 0.0) => {
                problems.push((&["feedback", "tolerance"], "a number from 0 on".to_owned()));
            }
            (AnswerKind::Class | AnswerKind::Label, Some(_)) => {
                problems.push((&["feedback", "tolerance"], "it belongs to `answer = \"value\"`".to_owned()));
            }
            _ => {}
        }
        if self.confidence.is_some() && self.answer != AnswerKind::Label {
            let reason = match self.answer {
                AnswerKind::Class => "it belongs to `answer = \"label\"`; a `class` has it from its scores",
                _ => "it belongs to `answer = \"label\"`; a `value` has none",
            };
            problems.push((&["feedback", "confidence"], reason.to_owned()));
        }
        if !(1..=10_000).contains(&self.rate) {
            problems.push((&["feedback", "rate"], "between 1 and 10000".to_owned()));
        }
        if !(1..=1_000_000).contains(&self.keep) {
            problems.push((&["feedback", "keep"], "between 1 and 1000000".to_owned()));
        }
        let (shortest, longest) = (Duration::from_millis(60_000), Duration::from_millis(3650 * 86_400_000));
        if !(shortest..=longest).contains(&self.age) {
            problems.push((&["feedback", "age"], format!("between {shortest} and {longest}")));
        }
        problems
    }
}
