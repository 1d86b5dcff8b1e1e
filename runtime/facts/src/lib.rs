//! The facts that the node keeps and that others read for years: what started a run. Pure: text and numbers, no I/O.
//!
//! A fact is made in one place, from its parts, and read by names that the compiler knows. Its form on disk is JSON with the
//! keys in the order of the alphabet; keys of later versions are kept and passed over.

mod subject;
mod time;
mod trigger;

pub use subject::{Subject, SubjectEvent};
pub use time::rfc3339;
pub use trigger::{Cause, DatasetVersion, EndedRun, MessageContent, RunFile, TriggerDocument};
