//! What became of an entry.

use trackside_engine::RunId;
use trackside_facts::BoxEvent;
use trackside_spec::StepIndex;

/// What the carrier did with an outbox row.
#[derive(Debug)]
pub struct Carried {
    /// The row's id.
    pub row: i64,
    /// Whose.
    pub run: RunId,
    /// The step that staged it.
    pub step: StepIndex,
    /// The item, where the step runs for several.
    pub item: Option<u32>,
    /// Its place in the step's outbox.
    pub entry: u32,
    /// Where it went or should have gone.
    pub target: String,
    /// How it ended.
    pub result: CarriedResult,
}

/// How an outbox entry ended.
#[derive(Debug, PartialEq, Eq)]
pub enum CarriedResult {
    /// It is where it should be.
    Done,
    /// It is an event: whoever has the runs tells them of it, in the transaction that takes the entry out of the outbox.
    Emitted(BoxEvent),
    /// It can never be, and why.
    Refused(String),
}
