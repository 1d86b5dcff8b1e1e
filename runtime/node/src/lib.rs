//! The box: the dispatcher and its executors, recovery, the outbox, and the wiring of all rooms below.
//!
//! The server and the CLI call this room. One thread owns the truth ([`core::Core`] under [`Node`]); executors, the
//! writer thread, triggers and the outbox talk to it by messages. It may use everything below it and nothing above.

mod attempt_permits;
mod bundled;
mod clock_wait;
mod command_step;
mod contracts;
pub mod core;
mod dispatcher;
mod executor;
mod give_back_memory;
mod host;
mod kept;
mod model_step;
mod models;
mod node;
mod observer;
mod offline;
mod own_addresses;
mod plugin_look;
mod plugin_slot;
mod plugin_source;
mod plugin_step;
mod plugins;
mod project;
mod pruning;
mod reload;
mod replay;
mod rounds;
mod run_history;
mod secrets;
#[cfg(test)]
mod simulation;
mod staging;

pub use crate::core::known_workflows;
pub use bundled::{BUNDLED, bundled};
pub use dispatcher::Status;
pub use executor::Workshop;
pub use models::{ModelProblem, Models};
pub use node::{Handle, Node, NodeError, NodeOptions, plugins as project_plugins};
pub use offline::{Offline, OfflineError};
pub use own_addresses::OwnAddresses;
pub use plugin_source::{FoundPlugin, PluginOrigin, PluginSources, proof_beside};
pub use plugins::{PluginProblem, Plugins, compiling};
pub use project::{Project, ProjectError, WorkflowProblem, WorkflowReason};
pub use pruning::prune as prune_without_node;
pub use reload::{Change, InForce, Reloaded, load_definition};
pub use replay::{Replayed, Verdict, replay, replay_workshop};
pub use rounds::preview as preview_prune;
pub use run_history::{HistoryEntry, RunHead, RunHistory};
pub use secrets::{SecretProblem, read as read_secret};
pub use staging::project_file;
pub use trackside_facts::rfc3339;
pub use trackside_intake::{BrokerStatus, printable};
pub use trackside_observe::{Removed, day_of, usage_since};
pub use trackside_store::Readers;
