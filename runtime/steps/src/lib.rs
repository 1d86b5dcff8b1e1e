//! Attempts of steps: everything that makes one, and nothing that decides about one.
//!
//! An [`Executor`] is handed a [`StepJob`] and tells by a [`Report`] what came of it; a [`StepResult`] carries what the attempt
//! staged. On the way the inputs are held against the step's contracts, a kept result may stand for the attempt, files are
//! staged, and the sandbox or an engine runs it. What steps need is in one [`Workshop`]; what each kind of step does with
//! it is a file in `kinds`. [`replay`] makes attempts of a finished run once more, beside the store.
//!
//! The node calls this room, and `check`, which looks at plugins and models without running a step. Nothing here decides
//! whether or when an attempt is made, writes to the database, or carries out an effect: state, artifacts and the outbox
//! of an attempt are rows in its result, the node's to commit. No kind knows of another one, or of the executor.

mod attempt_permits;
mod contracts;
mod executor;
mod give_back_memory;
mod host;
mod job;
mod kinds;
mod labels;
mod models;
mod own_addresses;
mod plugins;
mod replay;
mod result_cache;
mod staging;
mod workshop;

pub use attempt_permits::share;
pub use executor::Executor;
pub use give_back_memory::give_back;
pub use job::{
    AttemptKey, Checked, GivenReply, KeptResult, OutboxItem, Passed, Report, StateChange, StepJob, StepResult,
};
pub use labels::{Label, LabelError, LabelRequest, MOST_LABELS, TellLabels, check_label, check_truth};
pub use models::{
    MODEL_SIGNATURE, ModelProblem, ModelTrust, Models, PackageFiles, beyond_the_files, digests_of, model_settings,
    read_bundle, read_signature, signatures_beside, signatures_of, signed_model,
};
pub use own_addresses::OwnAddresses;
pub use plugins::{
    BUNDLED, FoundPlugin, PluginOrigin, PluginProblem, PluginSources, Plugins, Stamp, bundled, compiling, proof_beside,
};
pub use replay::{Replayed, Verdict, replay};
pub use staging::{NotStaged, project_file};
pub use workshop::Workshop;
