//! What the dispatcher tells a run, and what the run wants done.

use serde_json::Value;
use trackside_facts::{AttemptReport, TriggerDocument};
use trackside_spec::StepIndex;

use crate::{
    again::Repeat,
    event::{Event, Parent, RunEnd, RunError, StepError},
    id::RunId,
};

/// Something that happened outside the run. Where it names a step, `item` is the item of a step with `foreach`.
#[derive(Clone, Debug)]
pub enum Command {
    /// The run is accepted. The first command of every run.
    Start {
        /// Parameters, checked and complete.
        params: Value,
        /// What started it.
        trigger: TriggerDocument,
        /// The time that it is about, milliseconds since 1970.
        logical_time_ms: i64,
        /// The step of another run that wants it.
        parent: Option<Parent>,
    },
    /// The run is accepted, and repeats another one ([`RunState::repeat`](crate::RunState::repeat)). The first command of
    /// such a run.
    StartAgain(Box<Repeat>),
    /// Somebody wants nothing more to begin in this run.
    Pause {
        /// Who.
        by: String,
    },
    /// Somebody wants a paused run to go on.
    Resume {
        /// Who.
        by: String,
    },
    /// The run's concurrency group has room: the answer to [`Effect::Enter`].
    Admit,
    /// A step's mutex is free for it: the answer to [`Effect::Acquire`].
    Acquired {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
    },
    /// An attempt ended.
    Finished {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// Which attempt; an outcome of another than the current one is ignored.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// A uniform random number for the retry's jitter.
        chance: u64,
        /// Usage and versions, for the journal.
        report: Option<Box<AttemptReport>>,
    },
    /// The run that [`Effect::StartChild`] asked for has been accepted.
    ChildStarted {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// Which attempt.
        attempt: u32,
        /// The child.
        run: RunId,
    },
    /// The run that a step waits for is over.
    ChildEnded {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// Which attempt; the end of another than the current one's run is ignored.
        attempt: u32,
        /// The child.
        run: RunId,
        /// How it ended.
        end: RunEnd,
        /// Why it did not end well.
        error: Option<RunError>,
        /// What its `outputs` made.
        outputs: Value,
        /// A uniform random number for the retry's jitter.
        chance: u64,
    },
    /// Somebody decided about an approval. Ask [`RunState::may_decide`](crate::RunState::may_decide) first: what it
    /// refuses changes nothing.
    Decide {
        /// Which step.
        step: StepIndex,
        /// Who.
        by: String,
        /// What.
        approve: bool,
        /// What they said about it.
        comment: String,
    },
    /// An event that a step may wait for: [`RunState::awaiting`](crate::RunState::awaiting) names those.
    Happened {
        /// Which step.
        step: StepIndex,
        /// The event.
        event: Value,
    },
    /// [`RunState::next_deadline`](crate::RunState::next_deadline) may have passed.
    Wake,
    /// Somebody wants the run stopped.
    Cancel {
        /// Who.
        by: String,
    },
    /// The node came up again: attempts under way are lost, children and approvals are not.
    Recover,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Well, with this output.
    Succeeded(Value),
    /// Well, with an output that was kept from an earlier attempt.
    Cached(Value),
    /// There was nothing to do.
    Skipped(String),
    /// It was not made: the step's inputs do not fit its contracts.
    Blocked {
        /// One line for people.
        message: String,
        /// What does not fit, in full.
        report: Option<Box<AttemptReport>>,
    },
    /// Badly.
    Failed(StepError),
}

/// What the dispatcher is to do. Where it names a step, `item` is the item of a step with `foreach`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run this attempt.
    Execute {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// Which attempt.
        attempt: u32,
    },
    /// Ask this step's attempt to stop; its outcome still comes as [`Command::Finished`].
    Stop {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
    },
    /// Start the run that this step waits for, unless there is one with this [`Parent::key`] already; answer with
    /// [`Command::ChildStarted`] and, when it is over, [`Command::ChildEnded`]. Comes again after a crash. A run that can
    /// not be started is a [`Command::Finished`] with an error.
    StartChild {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// Which attempt.
        attempt: u32,
        /// What the child keeps of its parent.
        parent: Parent,
    },
    /// Cancel the run that this step waits for; its end still comes as [`Command::ChildEnded`]. When no run with this
    /// [`Parent::key`] was started, answer with a [`Command::Finished`] that failed.
    StopChild {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// Which attempt.
        attempt: u32,
        /// What the child keeps of its parent.
        parent: Parent,
        /// The child, when its start has been reported.
        child: Option<RunId>,
    },
    /// Get the step's mutex; answer with [`Command::Acquired`] once it is free. Comes again after a crash.
    Acquire {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
        /// After a crash: its attempt goes on (it is another run), and had the mutex before. It needs no answer.
        held: bool,
    },
    /// The step's mutex is not needed any more, whether it was free or not.
    Release {
        /// Which step.
        step: StepIndex,
        /// Which item.
        item: Option<u32>,
    },
    /// Get a place in a concurrency group; answer with [`Command::Admit`] once there is one. Comes again after a crash:
    /// `admitted` says that the run had its place before.
    Enter {
        /// The group's name.
        group: String,
        /// Whether it has been there before.
        admitted: bool,
    },
    /// The run's place in its concurrency group is not needed any more, whether it had one or not.
    Leave {
        /// The group's name.
        group: String,
    },
}

/// New facts, already applied, and the wishes that follow from them.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// For the journal, in order. Empty when nothing changed.
    pub events: Vec<Event>,
    /// To be carried out.
    pub effects: Vec<Effect>,
    /// A fact that the transition table refused and that was left out, in words: a bug of this crate. The journal stays
    /// legal; whoever carries the decision out tells of it.
    pub illegal: Option<String>,
}
