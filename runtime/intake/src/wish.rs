//! A wish to start a run, and what becomes of it.

use serde_json::{Map, Value};
use trackside_engine::RunId;
use trackside_facts::TriggerDocument;
use trackside_spec::Digest;
use trackside_store::{Hold, Write};

/// A wish to start a run.
#[derive(Debug)]
pub struct Fire {
    /// Which workflow.
    pub workflow: String,
    /// What the list of runs says of it: [`Cause::run_kind`](trackside_facts::Cause::run_kind).
    pub kind: &'static str,
    /// What started it.
    pub trigger: TriggerDocument,
    /// Parameters as given; defaults are filled in when the run is accepted.
    pub params: Map<String, Value>,
    /// The time that the run is about, milliseconds since 1970.
    pub logical_time_ms: i64,
    /// One for each file that starts the run: at most one run for each identity.
    pub ledger: Vec<LedgerEntry>,
    /// Artifacts that the trigger document refers to.
    pub artifacts: Vec<Digest>,
    /// What keeps them until the run is on disk.
    pub hold: Option<Hold>,
    /// What the trigger wants on disk with the run, or not at all.
    pub rows: Vec<Write>,
}

/// The ledger row that a file's run brings with it.
#[derive(Debug, Clone)]
pub struct LedgerEntry {
    /// The trigger's id.
    pub trigger: String,
    /// What makes the file itself; empty where nothing does, and nobody can come with it again.
    pub identity: String,
    /// Its path below the folder.
    pub path: String,
    /// Size, times and inode.
    pub stat: String,
}

impl LedgerEntry {
    /// What has no identity: nobody comes with it again. It is remembered as long as its run.
    #[must_use]
    pub fn once(trigger: &str, path: String) -> Self {
        Self { trigger: trigger.to_owned(), identity: String::new(), path, stat: String::new() }
    }

    /// Whether there is nothing that could have had its run before: the ledger need not be asked.
    #[must_use]
    pub const fn is_once(&self) -> bool {
        self.identity.is_empty()
    }
}

/// What became of a [`Fire`]. `Accepted` and `Duplicate` are answered only when they are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FireAnswer {
    /// The run is on disk.
    Accepted(RunId),
    /// The ledger has it; the path is where the first one lay.
    Duplicate(String),
    /// It can never be accepted as it is: what is wrong, for people.
    Refused(String),
    /// Too much is under way; try again.
    Busy,
    /// Its trigger is paused.
    Paused,
    /// Its concurrency group has no room, and the workflow says that it is not to wait; what is in the way, for people.
    Skipped(String),
}

/// Called once with the answer.
pub type Reply = Box<dyn FnOnce(FireAnswer) + Send>;
