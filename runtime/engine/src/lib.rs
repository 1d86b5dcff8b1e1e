//! The state machine of one run: (state, command) -> (events, effects).
//!
//! Pure: no I/O, no clock, no threads, no randomness; the caller hands in the time and the chance. The node's
//! dispatcher is the only caller. Events are facts: folding a run's events with [`RunState::apply`] gives back its
//! state, which is all that recovery does. Effects are wishes that the dispatcher carries out after the events have
//! been handed to the journal.

mod decide;
mod event;
mod id;
mod retry;
mod state;

pub use decide::{Command, Decision, Effect, MAX_INTERRUPTIONS, Outcome};
pub use event::{Event, RunEnd, RunError, SkipReason, StepError};
pub use id::{BadRunId, RunId};
pub use retry::retry_wait;
pub use state::{IllegalTransition, Phase, RunState, StepRecord, StepStatus};
