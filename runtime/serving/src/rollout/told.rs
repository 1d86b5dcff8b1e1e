//! What a rollout is told, and what it says.

use trackside_stats::{Missing, Verdict, sequential::Arm};

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    /// A version has answered a request, or failed.
    Answer {
        /// Which.
        arm: Arm,
        /// Who asked, as a number of the rollout's own; none where nobody said.
        subject: Option<u64>,
        /// Whether it failed.
        failed: bool,
        /// How long it took; none where that says nothing of the version.
        seconds: Option<f64>,
        /// What is compared of its answer.
        score: Option<f64>,
    },
    /// Both have, on the same request.
    Pair {
        /// Whether the version in service failed, and whether the candidate did.
        failed: (bool, bool),
        /// How long each took.
        seconds: (f64, f64),
        /// The share of rows in which their answers are the same; none where one failed.
        agreed: Option<f64>,
        /// What is compared of each answer.
        scores: Option<(f64, f64)>,
    },
    /// The truth of an answer is known.
    Truth {
        /// Whose answer.
        arm: Arm,
        /// Whether it was right.
        right: bool,
    },
    /// The truth of a request is known that both have answered.
    PairTruth {
        /// Whether the version in service was right, and whether the candidate was.
        right: (bool, bool),
    },
}

/// How a gate stands, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct GateReport {
    /// As it was written.
    pub gate: String,
    /// What follows so far.
    pub verdict: Verdict,
    /// Evidence that it is broken, as a share of what it takes.
    pub broken: f64,
    /// Evidence that it holds, likewise.
    pub holds: f64,
    /// Observations so far.
    pub observations: u64,
    /// How many more it takes.
    pub missing: Missing,
    /// What is counted.
    pub unit: &'static str,
    /// What was seen, in words.
    pub seen: String,
}

/// What should happen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The candidate gets the next share.
    Advance,
    /// It takes over.
    Promote,
    /// It is taken back, because a gate is broken.
    RollBack {
        /// Which gate, and what was seen.
        why: String,
    },
    /// A person is to decide.
    Ask {
        /// Why.
        why: String,
    },
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// It goes on by itself.
    Running,
    /// Somebody holds it: the share stays, nothing is promoted; a broken gate still takes it back.
    Held {
        /// Who.
        by: String,
    },
    /// A person is asked. Where the evidence completes itself meanwhile, it goes on.
    Asks {
        /// Why.
        why: String,
    },
    /// The candidate gets no request until a person has decided.
    Stopped {
        /// Why.
        why: String,
    },
    /// It took over.
    Promoted,
    /// It was taken back, because a gate is broken.
    RolledBack {
        /// Which gate, and what was seen.
        why: String,
    },
    /// A person ended it.
    Aborted {
        /// Who.
        by: String,
    },
}

impl Status {
    /// One word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Held { .. } => "held",
            Self::Asks { .. } => "asks",
            Self::Stopped { .. } => "stopped",
            Self::Promoted => "promoted",
            Self::RolledBack { .. } => "rolled-back",
            Self::Aborted { .. } => "aborted",
        }
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack { .. } | Self::Aborted { .. })
    }
}
