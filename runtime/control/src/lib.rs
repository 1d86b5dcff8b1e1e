//! The use cases and the queries of a box: what can be asked of a node and of its data folder, whoever asks.
//!
//! The server and the CLI call this room. [`Control`] has the operations: [`Client`] asks a node of another process over its
//! socket, [`LocalControl`] does them in this one; [`Session`] chooses. Both end in the same functions on a node's
//! [`Handle`](trackside_node::Handle), such as [`start_run`], which the server's pages call, too. Questions about what is on disk
//! ([`RunView`], [`explain`], [`list_runs`], [`check_project`]) are functions on a reader or a project, with and without a node.
//!
//! It may use the node and everything below it. It knows no HTTP server and no command line, prints nothing, and writes
//! nothing that the node itself would not write.

mod absent_node;
mod artifact_check;
mod backfill;
mod check;
mod client;
mod decide;
mod drift;
mod duration;
mod emit;
mod escape;
mod explain;
mod feedback;
mod follow;
mod hook;
mod in_use;
mod lifecycle;
mod local;
mod lookup;
mod models;
mod operation;
mod operation_error;
mod people;
mod prune;
mod query_error;
mod record;
mod refusal;
mod reload;
mod rollouts;
mod run_document;
mod run_events;
mod run_lines;
mod run_list;
mod run_logs;
mod run_view;
mod session;
mod sight;
mod socket_path;
mod start;
mod status;
mod token_book;
mod tokens;
mod triggers;
mod usage;
mod wait;
mod wire;

pub use absent_node::{NoNode, no_node, silent_holder};
pub use artifact_check::{ArtifactCheck, DamagedEntry, check_artifact, check_artifacts};
pub use backfill::{PastTimes, SortedTimes, past_times};
pub use check::{
    CheckedFile, Checker, Findings, GRANT_KINDS, Next, Schedule, check_files, check_keys, check_project,
    describe_graph, describe_trigger, granted, next_times, problem_document, wanted,
};
pub use client::{Client, ClientError, Events};
pub use decide::{DecideError, decide};
pub use drift::{AlarmDocument, DriftDocument, DriftError, DriftReset, drift, drift_of, reset_drift};
pub use duration::duration_ms;
pub use emit::{EmitEvent, Emitted, emit};
pub use escape::escape;
pub use explain::{
    Explained, Explanation, Paused, Record, RunFacts, Sight, TriggerFacts, Version, Watcher, WorkflowFacts, explain,
};
pub use feedback::{
    AccuracyDocument, AccuracyError, AnswerDocument, BandDocument, EstimateDocument, ExportedSamples, LabelOutcome,
    LabelSample, LabelTold, LabelsTold, LatelyDocument, SampleDocument, SampleError, SampleLabelled, VersionAccuracy,
    export_samples, label_sample, label_sample_offline, list_samples, model_accuracy, tell_labels, tell_labels_offline,
};
pub use follow::{FollowError, Followed, RunFollower};
pub use hook::{Hook, HookAnswer, HookError};
pub use in_use::InUse;
pub use lifecycle::{ControlError, cancel_run, pause_run, pause_trigger, retry_run};
pub use local::LocalControl;
pub use lookup::{find_artifact, find_run, find_workflow, no_workflow};
pub use models::{
    AddModel, AliasMoved, Change, ClientBounds, DiffDocument, EngineBounds, EntryDocument, FileBounds, GivenModel,
    GivenVersion, LoadModelError, MadeSignature, ModelAdded, ModelAtDocument, ModelBounds, ModelCheck, ModelDocument,
    ModelFault, ModelPlace, ModelRemoved, ModelsError, MoveAlias, PulledModel, Retested, ServedLimits, ServedModel,
    ServedVersion, StepBounds, VerifiedModel, VerifiedSignature, VersionDocument, add_model, check_models, diff_models,
    export_model, given_archive, given_versions, list_models, load_model, model_at, model_bounds, model_history,
    model_package, move_model_alias, pull_model, remove_model, retest_models, roll_back_model, served_models,
    show_model, sign_model, triton_models, triton_name, verify_model,
};
pub use operation::{Answer, Control};
pub use operation_error::OperationError;
pub use people::user_name;
pub use prune::{PruneDocument, PrunePreview, WouldGo, prune, prune_preview};
pub use query_error::QueryError;
pub use record::{KeepFile, RecordError, RecordedCase, record_case};
pub use refusal::{ErrorDocument, Refusal};
pub use reload::{FileProblem, ReloadDocument, WorkflowChange, reload};
pub use rollouts::{
    GatePlan, PlanRollout, RolloutEntry, RolloutPlanned, RolloutsError, StartRollout, WorkflowCandidate,
    explain_rollout, list_rollouts, plan_rollout, rollout_subject, say_rollout, show_rollout, start_rollout, word_of,
};
pub use run_document::{Asks, Delivery, DeliveryState, EarlierAttempt, ItemsView, RunView, StepView, Waits};
pub use run_events::RunEvents;
pub use run_lines::RunLines;
pub use run_list::{RunSummary, WaitingStep, WaitsFor, list_runs, waiting_steps};
pub use run_logs::{LogLine, run_logs};
pub use run_view::{skip_reason, suspended};
pub use session::Session;
pub use sight::{SightDocument, SightOf, sight};
pub use socket_path::{MAX_SOCKET_PATH, socket_path};
pub use start::{StartError, run_to_end, start_run};
pub use status::{StatusDocument, WorkflowStatus, status};
pub use token_book::TokenBook;
pub use tokens::{
    MakeToken, TOKEN_PREFIX, TokenDocument, TokenError, TokenMade, TokenRevoked, list_tokens, make_token, revoke_token,
    token_digest,
};
pub use trackside_node::{LabelRequest, TellLabels};
pub use trackside_serving::drift::{ReferenceColumn, ReferenceDocument, Says, WindowColumn, WindowDocument};
pub use triggers::{Outlook, TriggerOutlook, TriggerState, trigger_outlook, trigger_states};
pub use usage::{HeldByWorkflow, UsageDay, UsageDocument, usage};
pub use wait::{RunEnded, Waited, wait_for_end};
pub use wire::{
    Accepted, BackfillTime, Cancelled, Decided, Decision, EventLine, PauseTrigger, RetryRun, RunPaused, StartRun,
    StreamLine, TriggerPaused,
};
