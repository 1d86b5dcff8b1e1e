//! The dispatcher without its thread: inputs in, actions out.
//!
//! One [`Core`] linearises everything that happens on the box and owns the truth about live runs. It reads no clock and
//! does no I/O but for two questions about what is committed, so the same code runs under the real threads and in the
//! deterministic simulation.

mod accept;
mod activate;
mod checked;
mod commits;
mod dispatch;
mod follow;
mod jobs;
mod ledger;
#[cfg(test)]
mod left_over;
mod outcome;
mod pausing;
mod room;
mod schedules;
#[cfg(test)]
mod tests;
mod together;
mod turns;
mod types;
mod unreadable;

pub use accept::known_workflows;
pub use activate::NewDefinitions;
pub(crate) use dispatch::journal;
pub use dispatch::{Core, CoreSettings};
pub(crate) use pausing::{answer as pause_answer, pause_row};
pub use types::{
    Action, Carried, CarriedResult, Checked, DecisionReply, Fire, FireAnswer, GivenReply, History, Input, KeptResult,
    LedgerEntry, OutboxItem, Passed, PastEnd, PauseAnswer, Reply, Revived, RunUpdate, StateChange, StepJob, StepResult,
};
