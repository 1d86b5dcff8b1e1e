//! What is known of one run, for people. What is known stands in the control room.

mod show;

pub use show::{dress, failure, is_approval, readable, readable_decision, sinks, step_table, trigger_line};
pub use trackside_control::{DeliveryState, RunView, StepView, skip_reason, suspended};
