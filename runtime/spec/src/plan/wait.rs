//! A step that waits: for a time, or for an event.

use serde::{Deserialize, Serialize};

use super::StepKind;
use crate::{
    expr::{Expr, Template},
    units::Duration,
};

/// What a step waits for. It takes no place of those that run while it does.
#[derive(Debug)]
pub enum Wait {
    /// So long: a text such as `10m`, with expressions.
    For(Template),
    /// This time: a text in RFC 3339, or milliseconds since 1970; with expressions.
    Until(Template),
    /// An event.
    Event(Box<AwaitedEvent>),
}

/// An event that a step waits for.
#[derive(Debug)]
pub struct AwaitedEvent {
    /// Its name.
    pub name: String,
    /// Whether it is the one; `event` in it is the event. Any of that name without a condition.
    pub condition: Option<Expr>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// What happens when it does not come in time.
    pub on_timeout: OnMissing,
}

/// What happens when an event does not come in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// The step fails with `wait-timeout`.
    #[default]
    Fail,
    /// The step ends well; its output says `timed_out: true`.
    Continue,
}

impl StepKind for Wait {
    fn input(&self) -> Option<&Template> {
        None
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        match self {
            Self::For(length) => vec![("for", length)],
            Self::Until(time) => vec![("until", time)],
            Self::Event(_) => Vec::new(),
        }
    }

    fn conditions(&self) -> Vec<(&'static str, &Expr)> {
        match self {
            Self::Event(awaited) => awaited.condition.iter().map(|condition| ("where", condition)).collect(),
            Self::For(_) | Self::Until(_) => Vec::new(),
        }
    }

    fn impurity(&self) -> Option<&'static str> {
        Some("it waited for something that does not happen again")
    }
}
