//! Something remote that is asked every so often and starts a run when it has changed.
//!
//! `intake` holds the thread and the tasks, one for each trigger; `poller` is such a task: when it looks and what becomes of
//! what it saw; `look` is one exchange with redirects, `guard` decides which addresses it may reach, `version` says what
//! makes two answers the same, `wait` how long it is until the next look.
//!
//! What a trigger remembers ([`PollState`](trackside_facts::PollState)) is written in the transaction of the run that a change
//! starts. After a crash between the two the change is seen again, under the same identity in the ledger.

mod guard;
mod intake;
mod look;
mod poller;
mod version;
mod wait;

pub use intake::PollIntake;
