//! What to say where no node answers: that none runs, or that something has the data folder and does not listen.

use std::path::{Path, PathBuf};

use trackside_codes::{Code, Coded, code};
use trackside_store::DataLock;

use crate::socket_path;

/// Why there is no node to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoNode {
    /// A process has the data folder and opens no socket.
    #[error(
        "[{code}] a Trackside process ({holder}) holds {}, and no node answers at {}: it is starting or stopping, it is \
         another command that does the work itself, or the socket's file was removed; try again in a moment, and where that \
         does not help restart the node", data_dir.display(), socket.display(), code = self.code()
    )]
    Silent {
        /// What is known of the process.
        holder: String,
        /// The data folder.
        data_dir: PathBuf,
        /// Where a node would listen.
        socket: PathBuf,
    },
    /// None runs.
    #[error("[{code}] no node is running on this project; `trackside serve` starts one", code = self.code())]
    None,
}

impl Coded for NoNode {
    fn code(&self) -> Code {
        match self {
            Self::Silent { .. } => code!("TS-0836"),
            Self::None => code!("TS-0835"),
        }
    }
}

/// Why nobody answers although a process has the data folder; `None` where no process has it.
#[must_use]
pub fn silent_holder(data_dir: &Path) -> Option<NoNode> {
    let holder = DataLock::held_by(data_dir)?;
    Some(NoNode::Silent { holder: holder.to_string(), data_dir: data_dir.to_owned(), socket: socket_path(data_dir) })
}

/// There is nobody to ask.
#[must_use]
pub fn no_node(data_dir: &Path) -> NoNode {
    silent_holder(data_dir).unwrap_or(NoNode::None)
}
