//! What is known of one run: its journal folded for people and for JSON.

mod fold;
mod show;

pub use fold::skip_reason;
pub use fold::{Asks, DeliveryState, RunView, StepView};
pub use show::{dress, failure, is_approval, readable, readable_decision, sinks, step_table, trigger_line};
