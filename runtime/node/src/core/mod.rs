//! The dispatcher without its thread: inputs in, actions out.
//!
//! One [`Core`] linearises everything that happens on the box and owns the truth about live runs. It reads no clock and
//! does no I/O but for two questions about what is committed, so the same code runs under the real threads and in the
//! deterministic simulation.

mod accept;
mod activate;
mod attempts;
mod checked;
mod children;
mod commits;
mod definitions;
mod dispatch;
mod events;
mod follow;
mod groups;
mod jobs;
mod ledger;
#[cfg(test)]
mod left_over;
mod live_runs;
mod outcome;
mod pausing;
mod ready_queue;
mod schedules;
mod splits;
#[cfg(test)]
mod tests;
mod types;
mod unreadable;
mod waiting;

pub use activate::NewDefinitions;
pub use definitions::known_workflows;
pub(crate) use dispatch::journal;
pub use dispatch::{Core, CoreSettings};
pub(crate) use live_runs::weight_of;
pub(crate) use pausing::{answer as pause_answer, pause_row};
pub use splits::WorkflowSplit;
pub use types::{
    Action, Carried, CarriedResult, Checked, DecisionReply, EmitReply, Fire, FireAnswer, GivenReply, History, Input,
    KeptResult, LedgerEntry, OutboxItem, Passed, PastEnd, PauseAnswer, Reply, Revived, RunUpdate, SetOff, StateChange,
    StepJob, StepResult,
};
pub use waiting::Waiter;
