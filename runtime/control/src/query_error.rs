//! Why a question has no answer.

use std::io;
use trackside_codes::{Class, Code, Coded, code};

use trackside_engine::RunId;
use trackside_spec::Digest;
use trackside_store::StoreError;
use trackside_triggers::files::FileWatchError;

use crate::{ClientError, escape};

/// Why a question about the data folder or the project has no answer. Codes TS-0809 to TS-0819, TS-0851, TS-0881 and TS-0882.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Nothing has run yet.
    #[error("[{code}] there is no run yet", code = self.code())]
    NoRunYet,
    /// No run of this id.
    #[error("[{code}] there is no run {0}", code = self.code())]
    NoRun(RunId),
    /// No run whose id begins so.
    #[error("[{code}] there is no run {0}; `trackside runs list` prints the newest", code = self.code())]
    NoRunLike(String),
    /// Nothing that could be a run.
    #[error(
        "[{code}] {:?} is no run: give an id as `trackside runs list` prints it, its beginning, or `last`", escape(.0),
        code = self.code()
    )]
    NotARun(String),
    /// More than one run.
    #[error("[{code}] more than one run begins with {prefix}: {one}, {other}; give more of it", code = self.code())]
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
        "[{code}] {:?} is no artifact: give `sha256:` and its digits, or at least the first {fewest} of them",
        escape(text),
        code = self.code()
    )]
    NotAnArtifact {
        /// As asked for.
        text: String,
        /// Digits that must be given.
        fewest: usize,
    },
    /// No artifact whose digest begins so.
    #[error("[{code}] no artifact begins with {0}", code = self.code())]
    NoArtifact(String),
    /// More than one artifact.
    #[error("[{code}] {count} artifacts begin with {hex}; give more of it", code = self.code())]
    ManyArtifacts {
        /// As asked for.
        hex: String,
        /// How many.
        count: usize,
    },
    /// The file of the workflow can not be used.
    #[error("{}", broken(name, reason))]
    BrokenWorkflow {
        /// Which.
        name: String,
        /// What is wrong with its file.
        reason: String,
        /// What kind of problem that is.
        code: Code,
        /// The reason without the code before it.
        message: String,
        /// Whether the reason tells places in the file.
        has_places: bool,
    },
    /// No such workflow.
    #[error("[{code}] there is no workflow `{}`; {remedy}", escape(name), code = self.code())]
    NoWorkflow {
        /// As asked for.
        name: String,
        /// Which may be meant.
        remedy: String,
    },
    /// Nothing that decisions are about.
    #[error(
        "[{code}] `{}` is no workflow, no trigger, no run, and no file below a watched folder; {remedy}",
        escape(text),
        code = self.code()
    )]
    NoSubject {
        /// As asked for.
        text: String,
        /// What may be meant.
        remedy: String,
    },
    /// No such trigger.
    #[error("[{code}] there is no trigger `{}`; {remedy}", escape(trigger), code = self.code())]
    NoTrigger {
        /// As asked for.
        trigger: String,
        /// Which may be meant.
        remedy: String,
    },
    /// A trigger's patterns of files.
    #[error(transparent)]
    Files(#[from] FileWatchError),
    /// The run has no such step.
    #[error("[{code}] run {run} has no step `{}`; it has {known}", escape(step), code = self.code())]
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
        "[{code}] the node uses a definition of workflow `{workflow}` that cannot be read here ({}); is this binary the \
         node's version?", digest.short(),
        code = self.code()
    )]
    OtherVersion {
        /// Which.
        workflow: String,
        /// The definition.
        digest: Digest,
    },
    /// The folder of artifacts.
    #[error("[{code}] cannot list the artifacts: {0}", code = self.code())]
    Artifacts(io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The running node.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Coded for QueryError {
    fn code(&self) -> Code {
        match self {
            Self::NoRunYet | Self::NoRun(_) | Self::NoRunLike(_) => code!("TS-0811"),
            Self::NotARun(_) => code!("TS-0812"),
            Self::ManyRuns { .. } => code!("TS-0813"),
            Self::NotAnArtifact { .. } => code!("TS-0814"),
            Self::NoArtifact(_) => code!("TS-0815"),
            Self::ManyArtifacts { .. } => code!("TS-0816"),
            Self::BrokenWorkflow { code, .. } => *code,
            Self::NoWorkflow { .. } => code!("TS-0817"),
            Self::NoSubject { .. } => code!("TS-0881"),
            Self::NoTrigger { .. } => code!("TS-0882"),
            Self::Files(error) => error.code(),
            Self::NoStep { .. } => code!("TS-0819"),
            Self::OtherVersion { .. } => code!("TS-0809"),
            Self::Artifacts(_) => code!("TS-0851"),
            Self::Store(error) => error.code(),
            Self::Client(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            // What was asked for is the fault, whatever is wrong with the file.
            Self::BrokenWorkflow { .. } => Class::BadInput,
            Self::Client(error) => error.class(),
            _ => self.code().class(),
        }
    }

    fn has_places(&self) -> bool {
        matches!(self, Self::BrokenWorkflow { has_places: true, .. })
    }

    fn message(&self) -> String {
        match self {
            Self::BrokenWorkflow { name, message, .. } => broken(name, message),
            _ => self.code().without(&self.to_string()).to_owned(),
        }
    }
}

fn broken(name: &str, reason: &str) -> String {
    format!("workflow `{}` can not be run:\n{reason}", escape(name))
}
