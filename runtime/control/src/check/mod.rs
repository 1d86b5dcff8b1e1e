//! `check`: everything that can be known to be wrong before something runs. Nothing is sent anywhere, nothing is kept.
//!
//! A file is read alone ([`check_project`], [`check_files`]); then [`Checker`] holds it against the plugins and models of the
//! project and the policy of the box.

mod checked;
mod command;
mod grants;
mod keys;
mod outputs;
mod place;
mod rehearsal;
mod schema;
mod triggers;
mod workflow;

pub use checked::{CheckedFile, Findings, check_files, check_project, problem_document};
pub use grants::{GRANT_KINDS, granted, wanted};
pub use keys::check_keys;
pub use triggers::{Next, Schedule, describe_graph, describe_trigger, next_times};
pub use workflow::Checker;
