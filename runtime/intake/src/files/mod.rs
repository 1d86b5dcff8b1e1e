//! Files that arrive: the watcher's thread, and what it needs of the node.

mod host;
mod pauses;
mod watch;

pub use pauses::Pauses;
pub use watch::FilesIntake;
