//! Why a run gives no case.

use std::io;

use trackside_codes::{Class, Code, Coded, code};
use trackside_engine::RunId;
use trackside_node::PluginProblem;
use trackside_spec::Digest;

use crate::QueryError;

/// Why a run gives no case. Codes TS-0851 and TS-0910, and those of queries and plugins.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The run can not be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The plugin that the step called can not be used here.
    #[error(transparent)]
    Plugin(#[from] PluginProblem),
    /// It has no step that could become one, or one with what no case has a form for.
    #[error("[{code}] run {run} gives no case: {reason}", code = self.code())]
    NoCase {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// An artifact of the run can not be read.
    #[error("[{code}] cannot read artifact {digest} of the run: {error}", code = self.code())]
    Artifact {
        /// Which.
        digest: Digest,
        /// What the system said.
        error: io::Error,
    },
}

impl Coded for RecordError {
    fn code(&self) -> Code {
        match self {
            Self::Query(error) => error.code(),
            Self::Plugin(error) => error.code(),
            Self::NoCase { .. } => code!("TS-0910"),
            Self::Artifact { .. } => code!("TS-0851"),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Query(error) => error.class(),
            Self::Plugin(error) => error.class(),
            _ => self.code().class(),
        }
    }

    fn has_places(&self) -> bool {
        match self {
            Self::Query(error) => error.has_places(),
            Self::Plugin(error) => error.has_places(),
            _ => false,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Query(error) => error.message(),
            Self::Plugin(error) => error.message(),
            _ => self.code().without(&self.to_string()).to_owned(),
        }
    }
}
