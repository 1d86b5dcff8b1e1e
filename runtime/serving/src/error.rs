//! Why a model does not answer.

use std::{sync::Arc, time::Duration};

use trackside_codes::{Code, Coded, Reason, code};
use trackside_models::ModelError;

/// Why a model does not answer. Each says what, where and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// No such model.
    #[error("there is no model `{name}`{}", did_you_mean(.near))]
    UnknownModel {
        /// As it was asked for.
        name: String,
        /// A name that is nearly the same.
        near: Option<String>,
    },
    /// The model has no such version.
    #[error("the model `{name}` has no version {version}; it has {known}")]
    UnknownVersion {
        /// The model.
        name: String,
        /// The version.
        version: u32,
        /// Those that it has.
        known: String,
    },
    /// The model has no such alias.
    #[error("the model `{name}` has no alias `{alias}`{}; {known}", did_you_mean(.near))]
    UnknownAlias {
        /// The model.
        name: String,
        /// The alias.
        alias: String,
        /// One that is nearly the same.
        near: Option<String>,
        /// Those that it has.
        known: String,
    },
    /// What is said of models can not be read.
    #[error("what is known of the model `{name}` can not be read: {reason}")]
    Catalog {
        /// The model.
        name: String,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// It can not be loaded.
    #[error("{}", .error.message())]
    Load {
        /// Why.
        #[source]
        error: Arc<ModelError>,
        /// How long it is not tried again.
        again_in: Duration,
    },
    /// It was taken out of service.
    #[error(
        "the model `{name}` (version {version}) is set aside: {reason}. Load it again with `trackside model load`, or move the alias to another version"
    )]
    SetAside {
        /// The model.
        name: String,
        /// The version.
        version: u32,
        /// Why.
        reason: Arc<str>,
    },
    /// It is asked too often.
    #[error("the model `{name}` is asked more often than `rate` allows; come again in {} ms", again_in.as_millis().max(1))]
    TooOften {
        /// The model.
        name: String,
        /// When one more is let through.
        again_in: Duration,
    },
    /// Too many wait.
    #[error("{waiting} requests wait for the model `{name}` already, as many as `queue` allows; come again later")]
    QueueFull {
        /// The model.
        name: String,
        /// How many.
        waiting: usize,
    },
    /// A more important request took its place.
    #[error(
        "the queue of the model `{name}` is full, and a more important request took the place of this one; come again later"
    )]
    Shed {
        /// The model.
        name: String,
    },
    /// Its circuit is open.
    #[error("the model `{name}` (version {version}) fails too often and is not asked for {} ms", again_in.as_millis().max(1))]
    CircuitOpen {
        /// The model.
        name: String,
        /// The version.
        version: u32,
        /// When it is tried again.
        again_in: Duration,
    },
    /// The time was over before it began.
    #[error("the request to the model `{name}` waited {} ms for its turn, and its time is over", waited.as_millis())]
    Late {
        /// The model.
        name: String,
        /// How long it waited.
        waited: Duration,
    },
    /// The caller went.
    #[error("the request to the model `{name}` was cancelled")]
    Cancelled {
        /// The model.
        name: String,
    },
    /// The run.
    #[error("{}", .0.message())]
    Run(#[source] Arc<ModelError>),
    /// The engine refuses what came, and does its own test right: the request is at fault.
    #[error("the model `{name}` can not do this: {}; it passes its own test, so shapes or values of the inputs do not go together", .error.message())]
    Unfit {
        /// The model.
        name: String,
        /// The engine's words.
        #[source]
        error: Arc<ModelError>,
    },
    /// A defect.
    #[error("the request to the model `{name}` was lost: {reason}")]
    Lost {
        /// The model.
        name: String,
        /// How.
        reason: Reason,
    },
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
}

impl Coded for ServeError {
    fn code(&self) -> Code {
        match self {
            Self::UnknownModel { .. } => code!("TS-0611"),
            Self::UnknownVersion { .. } => code!("TS-0552"),
            Self::UnknownAlias { .. } => code!("TS-0552"),
            Self::Catalog { .. } => code!("TS-0572"),
            Self::Load { error, .. } | Self::Run(error) => error.code(),
            Self::SetAside { .. } => code!("TS-0573"),
            Self::TooOften { .. } => code!("TS-0574"),
            Self::QueueFull { .. } => code!("TS-0575"),
            Self::Shed { .. } => code!("TS-0576"),
            Self::CircuitOpen { .. } => code!("TS-0577"),
            Self::Late { .. } => code!("TS-0579"),
            Self::Cancelled { .. } => code!("TS-0580"),
            Self::Unfit { .. } => code!("TS-0581"),
            Self::Lost { .. } => code!("TS-0578"),
        }
    }
}

impl ServeError {
    /// When the same request may do, if waiting alone helps.
    #[must_use]
    pub const fn again_in(&self) -> Option<Duration> {
        match self {
            Self::TooOften { again_in, .. } | Self::CircuitOpen { again_in, .. } | Self::Load { again_in, .. } => {
                Some(*again_in)
            }
            Self::QueueFull { .. } | Self::Shed { .. } => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::TooOften { .. } | Self::QueueFull { .. } | Self::Shed { .. } | Self::CircuitOpen { .. } => true,
            Self::Late { .. } => true,
            Self::Run(error) => error.is_retryable(),
            _ => false,
        }
    }
}
