//! Why nothing was rolled out, or nothing changed.

use trackside_codes::{Code, Coded, code};
use trackside_models::package::PackageError;
use trackside_node::{NodeError, RolloutProblem};
use trackside_spec::{ModelRefError, SpecError};
use trackside_store::{StoreError, Unresolved};

/// Why a rollout was left as it is, or not begun.
#[derive(Debug, thiserror::Error)]
pub enum RolloutsError {
    /// A plan that is none.
    #[error("[{code}] `{key}` of the rollout: {reason}", code = self.code())]
    Plan {
        /// Which key.
        key: String,
        /// What is allowed.
        reason: String,
    },
    /// There is nothing to roll out.
    #[error("[{code}] {0}", code = self.code())]
    Nothing(String),
    /// Those who ask would notice.
    #[error(
        "[{code}] version {candidate} of the model `{model}` does not take and give what version {stable} does: {differences}. Clients and \
         workflows that name the model would fail; give it a name of its own, or move the alias by hand", code = self.code()
    )]
    Signature {
        /// The model.
        model: String,
        /// The version in service.
        stable: u32,
        /// The one that is tried.
        candidate: u32,
        /// In words.
        differences: String,
    },
    /// A definition that is none.
    #[error("{0}")]
    Definition(SpecError),
    /// Who starts or calls a workflow would notice.
    #[error(
        "[{code}] the new definition of `{workflow}` can not be tried beside the one in use: {differences}. Both must be started and \
         called alike; put it into the workflow's file instead", code = self.code()
    )]
    Outside {
        /// The workflow.
        workflow: String,
        /// In words.
        differences: String,
    },
    /// It was taken back.
    #[error(
        "[{code}] this content ({what}) was taken back by rollout {rollout}, {ago} ago, and cools down for {left} more; mend it, or \
         `--again`", code = self.code()
    )]
    Cooling {
        /// Of what.
        what: String,
        /// Which rollout took it back.
        rollout: i64,
        /// When.
        ago: String,
        /// For how long it is not tried.
        left: String,
    },
    /// One goes on.
    #[error(
        "[{code}] rollout {rollout} of {of} goes on (of {candidate}, {status}); `trackside rollout abort {of}` ends it",
        code = self.code()
    )]
    UnderWay {
        /// Of what.
        of: String,
        /// Which.
        rollout: i64,
        /// Of which version.
        candidate: String,
        /// How it stands.
        status: String,
    },
    /// None of that number, or of that model.
    #[error("[{code}] there is no rollout {0}; `trackside rollout status` shows what there is", code = self.code())]
    Unknown(String),
    /// A plan that can not be tried.
    #[error("[{code}] the plan can not be tried: {0}", code = self.code())]
    Trial(String),
    /// A name that is none.
    #[error(transparent)]
    Reference(#[from] ModelRefError),
    /// There is no such model or version.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// A version's files.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It could not be changed.
    #[error(transparent)]
    Problem(#[from] RolloutProblem),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data folder.
    #[error(transparent)]
    Models(#[from] crate::ModelsError),
}

impl Coded for RolloutsError {
    fn code(&self) -> Code {
        match self {
            Self::Plan { .. } => code!("TS-1001"),
            Self::Nothing(_) => code!("TS-1002"),
            Self::Signature { .. } | Self::Outside { .. } => code!("TS-1003"),
            Self::Definition(error) => error.code(),
            Self::Cooling { .. } => code!("TS-1004"),
            Self::Unknown(_) => code!("TS-1005"),
            Self::UnderWay { .. } => code!("TS-1007"),
            Self::Trial(_) => code!("TS-1009"),
            Self::Reference(error) => error.code(),
            Self::Unresolved(error) => error.code(),
            Self::Package(error) => error.code(),
            Self::Problem(error) => error.code(),
            Self::Node(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Models(error) => error.code(),
        }
    }

    fn has_places(&self) -> bool {
        matches!(self, Self::Definition(_))
    }
}
