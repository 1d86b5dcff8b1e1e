//! What threads share: locks that outlive a panic of their holder, and the one way to ask work to stop.
//!
//! - [`lock`], [`read`], [`write`], [`wait`]: one policy for a poisoned lock, for the whole house
//! - [`CancelToken`]: a switch that is thrown once, for those who look, those who wait and those who want to be called
//!
//! Only the standard library stands below. Nothing here knows a run, a file or a runtime of tasks.

mod cancel;
mod locks;

pub use cancel::{CancelHook, CancelToken, Cancelled};
pub use locks::{lock, read, wait, write};
