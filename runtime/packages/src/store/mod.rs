//! What is installed: the lock file says which component a name means, the folder holds the components by digest.
//!
//! - `lock`: `workflow.lock`
//! - `installed`: reading components and what is known about them
//! - `installer`: changes; each takes effect with one rename of the lock file, before which nothing refers to anything
//!   new and after which everything that is referred to is on disk
//! - `durable`: files that appear whole or not at all

mod durable;
mod installed;
mod installer;
mod lock;

pub use installed::{Installed, Receipt};
pub use installer::{Installer, NewPlugin};
pub use lock::{LOCK_FILE, Lock, LockError, Locked, Source};
