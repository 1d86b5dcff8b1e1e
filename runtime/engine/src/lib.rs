//! The state machine of one run: (state, command) -> (events, effects); and of what runs wait for: [`Admission`].
//!
//! Pure: no I/O, no clock, no threads, no randomness; the caller hands in the time and the chance. The node's
//! dispatcher is the only caller. Events are facts: folding a run's events with [`RunState::apply`] gives back its
//! state, which is all that recovery does. Effects are wishes that the dispatcher carries out after the events have
//! been handed to the journal.
//!
//! - `command`, `event`, `about`: what goes in, what comes out, and which step that is about; `entry`: how events stand on disk;
//! - `state`, `legal`, `transition`, `fanout`, `scope`: what is known, what may change it, what expressions see of it;
//! - `decide`: the run as a whole; `attempt`, `items`, `approval`, `wake`: its parts;
//! - `again`: what a run takes over that repeats another one;
//! - `admission`: concurrency groups and mutexes, across runs.

mod about;
mod admission;
mod again;
mod approval;
mod attempt;
mod command;
mod decide;
mod entry;
mod event;
mod fanout;
mod id;
mod items;
mod legal;
mod retry;
mod scope;
mod state;
mod transition;
mod wait;
mod wake;

pub use about::EventAt;
pub use admission::{Admission, AdmissionCommand, AdmissionDecision, Gate, Holder, PLACES_PER_POINT, Request};
pub use again::{Again, Repeat, RepeatRefused, Taken};
pub use approval::DecisionRefused;
pub use command::{Command, Decision, Effect, Outcome};
pub use entry::{from_entry, to_entry};
pub use event::{Event, Parent, RUN_UNREADABLE, RunEnd, RunError, SkipReason, StepError};
pub use fanout::{Fanout, MAX_COLLECTED_BYTES};
pub use id::{BadRunId, RunId};
pub use retry::retry_wait;
pub use scope::{BadGroup, concurrency_group};
pub use state::{Phase, RunState, StepRecord, StepStatus};
pub use transition::IllegalTransition;
pub use wake::MAX_INTERRUPTIONS;
