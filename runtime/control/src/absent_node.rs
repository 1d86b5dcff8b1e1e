//! What to say where no node answers: that none runs, or that something has the data folder and does not listen.

use std::path::Path;

use trackside_store::DataLock;

use crate::socket_path;

/// Why nobody answers although a process has the data folder; `None` where no process has it.
#[must_use]
pub fn silent_holder(data_dir: &Path) -> Option<String> {
    let holder = DataLock::held_by(data_dir)?;
    Some(format!(
        "[TS-0836] a Trackside process ({holder}) holds {}, and no node answers at {}: it is starting or stopping, it is \
         another command that does the work itself, or the socket's file was removed; try again in a moment, and where that \
         does not help restart the node",
        data_dir.display(),
        socket_path(data_dir).display()
    ))
}

/// There is nobody to ask.
#[must_use]
pub fn no_node(data_dir: &Path) -> String {
    silent_holder(data_dir)
        .unwrap_or_else(|| "[TS-0835] no node is running on this project; `trackside serve` starts one".to_owned())
}
