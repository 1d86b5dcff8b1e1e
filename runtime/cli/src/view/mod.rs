//! What is known of one run, for people. What is known stands in the control room.

mod show;

pub use show::{dress, failure, readable, sinks, step_table, trigger_line, waits_for_something, with_time_in_words};
pub use trackside_control::{DeliveryState, RunView, StepView, skip_reason, suspended};
