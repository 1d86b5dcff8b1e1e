//! Why file triggers cannot be watched at all.

use std::io;
use trackside_codes::{Code, Coded, code};

/// Why [`super::FileWatcher::start`] failed. A missing folder is not among the reasons: it is a notice.
#[derive(Debug, thiserror::Error)]
pub enum FileWatchError {
    /// A trigger's pattern is no pattern.
    #[error("{code}: the glob {glob:?} of the trigger {trigger_id} is not valid: {}", reason.kind(), code = self.code())]
    Glob {
        /// The trigger.
        trigger_id: String,
        /// Its pattern.
        glob: String,
        /// The parser's words.
        #[source]
        reason: globset::Error,
    },
    /// A folder was not given as an absolute path: a defect of the caller.
    #[error("{code}: the folder {folder:?} of the trigger {trigger_id} is not an absolute path", code = self.code())]
    Relative {
        /// The trigger.
        trigger_id: String,
        /// Its folder.
        folder: String,
    },
    /// The thread could not be started.
    #[error("{code}: the file watcher cannot start its thread: {0}: raise the limit on tasks", code = self.code())]
    Thread(#[source] io::Error),
}

impl Coded for FileWatchError {
    fn code(&self) -> Code {
        match self {
            Self::Glob { .. } => code!("TS-0418"),
            Self::Relative { .. } => code!("TS-0419"),
            Self::Thread(_) => code!("TS-0420"),
        }
    }
}
