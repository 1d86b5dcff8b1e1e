//! What goes into the core and what comes out.

use std::sync::Arc;

use serde_json::Value;
use trackside_engine::{DecisionRefused, Event, Repeat, RunEnd, RunError, RunId, RunState};
use trackside_facts::{BoxEvent, DriftAlarm};
use trackside_spec::{Plan, StepIndex};
pub use trackside_steps::{Checked, GivenReply, KeptResult, OutboxItem, Passed, StateChange, StepJob, StepResult};
use trackside_store::{CommitReport, LedgerRow, StoreError, Txn, Write};

use super::{activate::NewDefinitions, splits::WorkflowSplit, unreadable::unreadable, waiting::Waiter};

pub use trackside_intake::{Fire, FireAnswer, LedgerEntry, Reply};
pub use trackside_outbox::{Carried, CarriedResult};

/// Something that happened.
pub enum Input {
    /// A trigger or a person wants a run.
    Fire(Box<Fire>, Reply),
    /// The same, by somebody who waits for the run's end.
    FireAndWait(Box<Fire>, Reply, Waiter),
    /// Somebody waits for the end of a run.
    Wait(RunId, Waiter),
    /// An executor is done.
    StepDone(Box<StepResult>),
    /// The writer thread reports.
    Store(CommitReport),
    /// An outbox entry was carried out or given up.
    Carried(Carried),
    /// A file left the watched folder.
    Claimed {
        /// The trigger's id.
        trigger: String,
        /// What makes the file itself.
        identity: String,
    },
    /// Rows that a trigger wants kept (files that were there before it, its position).
    Keep(Txn, Box<dyn FnOnce() + Send>),
    /// Somebody wants a run stopped; the answer says whether it was under way.
    Cancel {
        /// Which.
        run: RunId,
        /// Who asks.
        by: String,
        /// Called with whether the run was live.
        reply: Box<dyn FnOnce(bool) + Send>,
    },
    /// The inputs of a step fit its contracts: what is it given now?
    Checked(Box<Checked>),
    /// Somebody pauses or resumes a run.
    PauseRun {
        /// Which.
        run: RunId,
        /// Whether it is to be paused.
        pause: bool,
        /// Who asks.
        by: String,
        /// Called with what became of it, once it is on disk.
        reply: Box<dyn FnOnce(PauseAnswer) + Send>,
    },
    /// Somebody wants a run that has ended repeated, with its own definition.
    Again(Arc<Plan>, Box<Repeat>, Reply),
    /// Somebody pauses or resumes a trigger.
    PauseTrigger {
        /// Its id.
        trigger: String,
        /// Whether it is to be paused.
        pause: bool,
        /// Who asks.
        by: String,
        /// Called with whether that changed anything, once it is on disk.
        reply: Box<dyn FnOnce(bool) + Send>,
    },
    /// Somebody decided about an approval.
    Decide {
        /// Which run.
        run: RunId,
        /// Which step.
        step: StepIndex,
        /// Who.
        by: String,
        /// What.
        approve: bool,
        /// What they said about it.
        comment: String,
        /// Called with whether the decision was taken, once it is on disk.
        reply: DecisionReply,
    },
    /// Somebody emits an event; called once what it sets off is on disk.
    Emit(BoxEvent, EmitReply),
    /// Alarms of drift have begun or ended, each with what makes it itself; called with whether it is on disk with all that it set off.
    Drift(Vec<Write>, Vec<(String, DriftAlarm)>, Box<dyn FnOnce(bool) + Send>),
    /// Other definitions are to be in use; called when that is on disk.
    Activate(Box<NewDefinitions>, Box<dyn FnOnce() + Send>),
    /// A share of a workflow's runs starts on another definition from now on; without one, none does.
    Split(String, Option<Box<WorkflowSplit>>),
    /// A deadline may have passed, or the clock was set.
    Wake,
}

/// What became of a wish to pause or resume a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseAnswer {
    /// It is as wished, now or already.
    Done,
    /// It is ending: there is nothing left to pause.
    Ending,
    /// It is not under way.
    NotLive,
}

/// What an event set off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetOff {
    /// Runs that it started.
    pub started: Vec<RunId>,
    /// Runs with a step that waited for it.
    pub resumed: Vec<RunId>,
}

/// Called once with what an event set off; nothing when the disk is full or refuses, so that it did not happen.
pub type EmitReply = Box<dyn FnOnce(Option<SetOff>) + Send>;

/// Called once with what became of a decision; the run may be over.
pub type DecisionReply = Box<dyn FnOnce(Option<Result<(), DecisionRefused>>) + Send>;

/// What the core wants done, in order.
pub enum Action {
    /// To the writer thread. The core counts these, as the store does.
    Submit(Txn),
    /// To an executor.
    Execute(Box<StepJob>),
    /// To the executor of this step.
    Stop {
        /// Which run.
        run: RunId,
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        item: Option<u32>,
    },
    /// Something to call, outside the core.
    Call(Box<dyn FnOnce() + Send>),
    /// Committed events, for whoever watches.
    Publish(RunUpdate),
    /// The outbox has new rows on disk.
    Carry,
}

/// A run read back from its journal.
#[derive(Debug)]
pub struct Revived {
    /// Where it stands.
    pub state: RunState,
    /// How many entries its journal has.
    pub entries: u32,
}

/// Committed events of one run.
#[derive(Debug, Clone)]
pub struct RunUpdate {
    /// Whose.
    pub run: RunId,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub events: Arc<Vec<Event>>,
    /// How many journal entries the run has with this one: an update that brings no entry repeats the number.
    pub entry: u32,
    /// The run has ended and everything that it staged has been carried out.
    pub settled: bool,
}

/// How a run of the past ended.
#[derive(Debug, Clone)]
pub struct PastEnd {
    /// How.
    pub end: RunEnd,
    /// Why it did not end well.
    pub error: Option<RunError>,
    /// What its `outputs` made.
    pub outputs: Value,
}

/// The questions about the past that the core asks.
pub trait History: Send {
    /// What the committed ledger knows of a file.
    ///
    /// # Errors
    /// When the database refuses.
    fn ledger(&self, trigger: &str, identity: &str) -> Result<Option<LedgerRow>, StoreError>;

    /// How a committed run ended; `None` when it has not. Of one that can not be read: that it failed, and why.
    ///
    /// # Errors
    /// When the database refuses.
    fn end_of(&self, run: RunId) -> Result<Option<PastEnd>, StoreError>;
}

impl History for trackside_store::Reader {
    fn ledger(&self, trigger: &str, identity: &str) -> Result<Option<LedgerRow>, StoreError> {
        Self::ledger(self, trigger, identity)
    }

    fn end_of(&self, run: RunId) -> Result<Option<PastEnd>, StoreError> {
        let rows = match self.journal(run) {
            Err(error) if error.is_damage() => return Ok(Some(unreadable(&error.to_string()))),
            rows => rows?,
        };
        let mut damage = None;
        for row in rows.iter().rev() {
            match row.events() {
                Ok(events) => {
                    for event in events {
                        if let Event::Ended { end, error, outputs } = event {
                            return Ok(Some(PastEnd { end, error, outputs }));
                        }
                    }
                }
                Err(error) => damage = Some(error),
            }
        }
        // What can not be read may have been the end: who waits for it must not wait for ever.
        Ok(damage.map(|error| unreadable(&error.to_string())))
    }
}
