//! Why file triggers cannot be watched at all.

use std::io;

/// Why [`super::FileWatcher::start`] failed. A missing folder is not among the reasons: it is a notice.
#[derive(Debug, thiserror::Error)]
pub enum FileWatchError {
    /// A trigger's pattern is no pattern.
    #[error("TS-0418: the glob {glob:?} of the trigger {trigger_id} is not valid: {reason}")]
    Glob {
        /// The trigger.
        trigger_id: String,
        /// Its pattern.
        glob: String,
        /// The parser's words.
        reason: String,
    },
    /// A folder was not given as an absolute path: a defect of the caller.
    #[error("TS-0419: the folder {folder:?} of the trigger {trigger_id} is not an absolute path")]
    Relative {
        /// The trigger.
        trigger_id: String,
        /// Its folder.
        folder: String,
    },
    /// The thread could not be started.
    #[error("TS-0420: the file watcher cannot start its thread: {0}: raise the limit on tasks")]
    Thread(#[source] io::Error),
}

impl FileWatchError {
    /// The stable code, `TS-0418` to `TS-0420`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Glob { .. } => "TS-0418",
            Self::Relative { .. } => "TS-0419",
            Self::Thread(_) => "TS-0420",
        }
    }
}
