//! Whether a trigger would take a file of this name, for people who ask.

use std::path::{Path, PathBuf};

use trackside_spec::FileTrigger;

use super::{
    error::FileWatchError,
    folder::{Folder, Verdict},
    host::WatchedFolder,
};

/// What the patterns of a trigger say of a file's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It may start a run.
    Yes,
    /// `exclude` leaves it out.
    Excluded,
    /// No pattern of `glob` matches it.
    No,
}

/// What the trigger's patterns say of a path below its folder.
///
/// # Errors
/// [`FileWatchError`] for a pattern that cannot work.
pub fn wants(trigger: &FileTrigger, relative: &str) -> Result<Wanted, FileWatchError> {
    let folder = Folder::new(WatchedFolder {
        trigger_id: String::new(),
        workflow: String::new(),
        trigger: trigger.clone(),
        folder: PathBuf::from("/"),
        shared_as: None,
        to: None,
    })?;
    Ok(match folder.verdict(Path::new(relative)) {
        Verdict::Ours | Verdict::Taken => Wanted::Yes,
        Verdict::Excluded => Wanted::Excluded,
        Verdict::Other => Wanted::No,
    })
}
