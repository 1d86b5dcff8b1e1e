//! `explain`: decisions out of the store, in one document, whatever it is that is asked about.

mod explanation;
mod records;
mod sight;
mod subject;

pub use explanation::{Explained, Explanation, Paused, RunFacts, TriggerFacts, Version, WorkflowFacts, explain};
pub use records::Record;
pub use sight::{Sight, Watcher};
