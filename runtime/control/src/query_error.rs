//! Why a question has no answer.

use std::io;

use trackside_engine::RunId;
use trackside_spec::Digest;
use trackside_store::StoreError;

use crate::{ClientError, escape};

/// Why a question about the data folder or the project has no answer. Codes TS-0809 to TS-0817, TS-0851 and TS-0881.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Nothing has run yet.
    #[error("[TS-0811] there is no run yet")]
    NoRunYet,
    /// No run of this id.
    #[error("[TS-0811] there is no run {0}")]
    NoRun(RunId),
    /// No run whose id begins so.
    #[error("[TS-0811] there is no run {0}; `trackside runs list` prints the newest")]
    NoRunLike(String),
    /// Nothing that could be a run.
    #[error("[TS-0812] {:?} is no run: give an id as `trackside runs list` prints it, its beginning, or `last`", escape(.0))]
    NotARun(String),
    /// More than one run.
    #[error("[TS-0813] more than one run begins with {prefix}: {one}, {other}; give more of it")]
    ManyRuns {
        /// As asked for.
        prefix: String,
        /// The newest.
        one: RunId,
        /// The next.
        other: RunId,
    },
    /// Nothing that could be an artifact.
    #[error(
        "[TS-0814] {:?} is no artifact: give `sha256:` and its digits, or at least the first {fewest} of them",
        escape(text)
    )]
    NotAnArtifact {
        /// As asked for.
        text: String,
        /// Digits that must be given.
        fewest: usize,
    },
    /// No artifact whose digest begins so.
    #[error("[TS-0815] no artifact begins with {0}")]
    NoArtifact(String),
    /// More than one artifact.
    #[error("[TS-0816] {count} artifacts begin with {hex}; give more of it")]
    ManyArtifacts {
        /// As asked for.
        hex: String,
        /// How many.
        count: usize,
    },
    /// The file of the workflow can not be used.
    #[error("workflow `{}` can not be run:\n{reason}", escape(name))]
    BrokenWorkflow {
        /// Which.
        name: String,
        /// What is wrong with its file.
        reason: String,
    },
    /// No such workflow.
    #[error("{0}")]
    NoWorkflow(String),
    /// Nothing that decisions are about.
    #[error(
        "[TS-0881] `{}` is no workflow, no trigger, no run, and no file below a watched folder; {remedy}",
        escape(text)
    )]
    NoSubject {
        /// As asked for.
        text: String,
        /// What may be meant.
        remedy: String,
    },
    /// The run has no such step.
    #[error("[TS-0819] run {run} has no step `{}`; it has {known}", escape(step))]
    NoStep {
        /// The run.
        run: RunId,
        /// As asked for.
        step: String,
        /// What there is.
        known: String,
    },
    /// The node uses what can not be read here.
    #[error(
        "[TS-0809] the node uses a definition of workflow `{workflow}` that cannot be read here ({}); is this binary the \
         node's version?", digest.short()
    )]
    OtherVersion {
        /// Which.
        workflow: String,
        /// The definition.
        digest: Digest,
    },
    /// The folder of artifacts.
    #[error("[TS-0851] cannot list the artifacts: {0}")]
    Artifacts(io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The running node.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl QueryError {
    /// Whether what was asked for is the fault: a name of something that there is not, or of several things.
    #[must_use]
    pub const fn is_of_asker(&self) -> bool {
        !matches!(self, Self::OtherVersion { .. } | Self::Artifacts(_) | Self::Store(_) | Self::Client(_))
    }
}
