//! The box: the dispatcher and its executors, recovery, the outbox, and the wiring of all rooms below.
//!
//! The server and the CLI call this room. One thread owns the truth ([`core::Core`] under [`Node`]); executors, the
//! writer thread, triggers and the outbox talk to it by messages. It may use everything below it and nothing above.

mod asking;
mod clock_wait;
pub mod core;
mod dispatcher;
mod feedback;
mod held;
mod keeper;
mod known_plans;
mod node;
mod observer;
mod offline;
mod project;
mod pruning;
mod reload;
mod rollouts;
mod rounds;
mod run_history;
#[cfg(test)]
mod simulation;
mod watchers;
mod workshop;

pub use crate::core::known_workflows;
pub use asking::Asked;
pub use dispatcher::Status;
pub use feedback::{ErrorMoved, Lessons, Telling};
pub use keeper::{SAMPLES_FOLDER, sample_file};
pub use node::{Handle, ModelDoors, Node, NodeError, NodeOptions};
pub use offline::{Offline, OfflineError};
pub use project::{Project, ProjectError, WorkflowProblem, WorkflowReason};
pub use pruning::prune as prune_without_node;
pub use reload::{Change, InForce, Reloaded, load_definition};
pub use rollouts::{RolloutDocument, RolloutProblem, Say, rollout_document, say_without_node};
pub use rounds::preview as preview_prune;
pub use run_history::{HistoryEntry, RunHead, RunHistory, UnreadableRun};
pub use trackside_facts::rfc3339;
pub use trackside_intake::{BrokerStatus, printable};
pub use trackside_net::{SecretProblem, read_secret};
pub use trackside_observe::{Removed, day_of, usage_since};
pub use trackside_steps::{
    BUNDLED, FoundPlugin, MODEL_SIGNATURE, ModelProblem, ModelTrust, Models, NotStaged, OwnAddresses, PackageFiles,
    PluginOrigin, PluginProblem, PluginSources, Plugins, Replayed, Verdict, Workshop, beyond_the_files, bundled,
    digests_of, model_settings, project_file, proof_beside, read_bundle, read_signature, replay, signatures_beside,
    signatures_of, signed_model,
};
pub use trackside_steps::{Label, LabelError, LabelRequest, MOST_LABELS, TellLabels, check_label, check_truth};
pub use trackside_store::Readers;
pub use watchers::OnItsWay;
pub use workshop::{compiling, plugin_sources, plugins as project_plugins, project_models, replay_workshop};
