//! What turns the world outside into wishes to start a run, for the kinds of triggers that have a life of their own: files,
//! brokers, things that are asked for.
//!
//! Each kind is an [`Intake`] in a folder of its own: it is started, moved from one set of definitions to another, and
//! stopped. What it brings it hands to the dispatcher ([`Dispatch`]) as a [`Fire`], with everything that must be on disk
//! together with the run; only then does it acknowledge, claim or forget. Schedules and followers live in the dispatcher
//! itself, webhooks in the server. Nothing here decides whether a run is accepted, and nothing writes to the store.

mod definitions;
mod dispatch;
mod files;
mod mqtt;
mod poll;
mod printable;
mod tools;
mod wish;

pub use definitions::{Definitions, Intake, NotStarted};
pub use dispatch::{Dispatch, GoingDown, ask, ask_and_wait};
pub use files::{FilesIntake, Pauses};
pub use mqtt::{BrokerStatus, Brokers, MqttIntake, Waiting};
pub use poll::PollIntake;
pub use printable::printable;
pub use tools::{OwnAddress, Tools};
pub use wish::{Fire, FireAnswer, LedgerEntry, Reply};
