//! What must survive: the SQLite database and the content-addressed artifacts.
//!
//! One writer thread commits what the node submits, many submissions to a commit ([`Store::submit`]); any number of
//! readers see committed snapshots ([`Store::reader`]). The journal is the only truth; the other tables are written in
//! the same transactions so that questions are answered quickly. Only the node writes. This room decides nothing: it
//! never looks into an event.

mod activations;
mod alike;
mod artifact_writer;
mod artifacts;
mod clock;
mod commit;
mod content;
mod contents;
mod cursors;
mod digesting;
mod digests;
mod drift_rows;
mod error;
mod feedback;
mod history;
mod holdings;
mod holds;
mod inbox;
mod lock;
mod models;
mod pauses;
mod prune;
mod read;
mod readers;
mod references;
mod requests;
mod reserve;
mod results;
mod rollout_rows;
mod room;
mod run_rows;
mod samples;
mod schema;
mod sound;
mod subjects;
mod tokens;
mod trigger_rows;
mod usage_rows;
mod write;
mod writer;

pub use activations::{ACTIVATIONS_KEPT, Activation, ActivationRow};
pub use artifact_writer::ArtifactWriter;
pub use artifacts::{ArtifactProblem, Artifacts, LARGEST_SMALL};
pub use clock::{Clock, SystemClock};
pub use commit::Committer;
pub use content::Content;
pub use cursors::CursorRow;
pub use drift_rows::{DriftRow, DriftWindowRow, WINDOWS_KEPT, WatchedRow};
pub use error::StoreError;
pub use feedback::{
    AccuracyRow, AccuracyState, AnswerCount, DrawnVerdicts, EARLY_LABELS_KEPT, KeptPredictions, PredictionBatch,
    PredictionKeep, PredictionRow, SampleChange, SampleLabel, SampleRow, Told, TruthRow, VerdictRow,
};
pub use history::LedgerEntryRow;
pub use holdings::{EndedRun, HeldBeside, Holding, RunOwner, Which};
pub use holds::Hold;
pub use lock::DataLock;
pub use models::{
    AddedModel, AliasAt, ModelAliasRow, ModelAt, ModelRow, ModelVersionRow, MovedAlias, PULL_FOLDER, PullTurn,
    ResolvedModel, TestedModel, TestedRow, Unresolved, clear_pulls, pull_turn,
};
pub use pauses::PausedRow;
pub use prune::{DatabaseSpace, OldLedgerRow, Prune};
pub use read::{About, JournalRow, LedgerRow, LiveRun, LogRow, OutboxRow, Reader, RunFilter, RunRow, StateRow};
pub use readers::Readers;
pub use references::FreeArtifact;
pub use reserve::Reserve;
pub use results::{LARGEST_RESULT, RESULT_BYTES_KEPT, RESULTS_KEPT, ResultRow};
pub use rollout_rows::{ChangedRollout, RolloutRow, StartedRollout};
pub use tokens::TokenRow;
pub use trackside_spec::config::Durability;
pub use trigger_rows::{DECISIONS_KEPT, DecisionRow};
pub use usage_rows::{USAGE_DAYS_KEPT, UsageRow};
pub use write::{Ended, NewRun, Txn, Write};
pub use writer::{CommitReport, Store, TxnNumber};
