//! Triggers: how they stand, and what they would do now.

mod files;
mod list;
mod outlook;

pub use list::{TriggerState, trigger_states};
pub use outlook::{Outlook, TriggerOutlook, trigger_outlook};
