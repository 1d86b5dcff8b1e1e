//! A workflow after every check: what the engine and the node work with.
//!
//! A [`Plan`] can only be made by loading a workflow file, so whoever holds one may rely on it: step indices are in
//! range, `needs` has no cycle, every expression compiles and uses only names that exist where it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

mod contract;
mod fanout;
mod kind;
mod label;
mod model;
mod needs;
mod plugin;
mod retry;
mod wait;
mod waiting;

pub use contract::{Column, ColumnKind, Contract, ContractDrift, Rows, Severity, Shape};
pub(crate) use fanout::described;
pub use fanout::{
    DEFAULT_PARALLEL, Foreach, Items, MAX_ITEMS, MAX_MATRIX_KEYS, MAX_PARALLEL, Matrix, NoItems, OnFailure, list_of,
};
pub use kind::StepKind;
pub use label::LabelCall;
pub use model::{ModelCall, ROWS_KEYS};
pub use needs::{Need, NeedOn};
pub use plugin::{Command, CommandStdout, ExitCodes, PluginCall};
pub use retry::{Jitter, Retry};
pub use wait::{AwaitedEvent, OnMissing, Wait};
pub use waiting::{Approval, ChildCall, Concurrency, MAX_CHILD_DEPTH, OnConflict, OnTimeout, PRIORITIES};

use crate::{
    artifact::Digest,
    expr::{Expr, Template},
    retention::Retention,
    triggers::Trigger,
    units::Duration,
};

/// A step's place in [`Plan::steps`]. Finally handlers come after the ordinary steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub u16);

impl StepIndex {
    /// The index for slices.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// A validated workflow.
#[derive(Debug)]
pub struct Plan {
    /// The workflow's name, unique in a project.
    pub name: String,
    /// One line for people.
    pub description: Option<String>,
    /// SHA-256 of the source text: the definition's version.
    pub digest: Digest,
    /// The file as written; kept with every run that started on it.
    pub source: String,
    /// Declared parameters, in the order of the file.
    pub params: Vec<Param>,
    /// What starts the workflow besides a person.
    pub triggers: Vec<Trigger>,
    /// The longest that a run may take, `finally` handlers and the wait for its concurrency group not counted.
    pub timeout: Option<Duration>,
    /// How many runs may be under way at one time; none = as many as the node takes.
    pub concurrency: Option<Concurrency>,
    /// The longest that an accepted run may wait for its concurrency group.
    pub queue_timeout: Option<Duration>,
    /// Which run comes first where there is no room for all, from -100 to 100.
    pub priority: i32,
    /// How long ended runs are kept, as far as the workflow says it.
    pub retention: Retention,
    /// What a run gives to who started it: an object, evaluated when the steps have ended well.
    pub outputs: Option<Template>,
    /// Ordinary steps in the order of the file, then the finally handlers.
    pub steps: Vec<Step>,
    /// The finally handlers and when each runs; their indices follow the ordinary steps'.
    pub finally: Vec<Finally>,
}

impl Plan {
    /// How many of [`Plan::steps`] are ordinary steps.
    #[must_use]
    pub fn ordinary_steps(&self) -> usize {
        self.steps.len() - self.finally.len()
    }

    /// The step with this index.
    #[must_use]
    pub fn step(&self, index: StepIndex) -> &Step {
        &self.steps[index.get()]
    }

    /// Which of two waiting steps comes first: the step's own priority, or the workflow's.
    #[must_use]
    pub fn priority_of(&self, step: StepIndex) -> i32 {
        self.step(step).priority.unwrap_or(self.priority)
    }

    /// The index of the step with this id.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<StepIndex> {
        let position = self.steps.iter().position(|step| step.id == id)?;
        u16::try_from(position).ok().map(StepIndex)
    }
}

/// A handler that runs after the ordinary steps have ended.
#[derive(Debug, Clone, Copy)]
pub struct Finally {
    /// Which end of the run calls it.
    pub on: FinallyOn,
    /// The handler's body; its id in the run is `finally.succeeded` and so on.
    pub step: StepIndex,
}

/// The ends of a run that a finally handler can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinallyOn {
    /// Every step succeeded or was skipped.
    Succeeded,
    /// A step failed, or the run's time was over.
    Failed,
    /// Somebody cancelled the run.
    Cancelled,
    /// Any end.
    Always,
}

/// One parameter of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its name in `params.NAME`.
    pub name: String,
    /// The type its value must have.
    pub kind: ParamKind,
    /// For people.
    pub description: Option<String>,
    /// Used when a run does not give the parameter; without one the parameter is required.
    pub default: Option<Value>,
    /// Smallest number allowed.
    pub minimum: Option<Number>,
    /// Largest number allowed.
    pub maximum: Option<Number>,
    /// The only values allowed; empty when all are.
    pub choices: Vec<Value>,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are JSON Schema's")]
pub enum ParamKind {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its name in the workflow, `steps.ID` in expressions.
    pub id: String,
    /// Steps that must have ended before this one starts, and how.
    pub needs: Vec<Need>,
    /// The step is skipped when this is false. Evaluated once, before `foreach`.
    pub when: Option<Expr>,
    /// Set when the step runs once for each item of a list. Boxed: most steps run once.
    pub foreach: Option<Box<Foreach>>,
    /// What the inputs must be like.
    pub requires: Vec<Contract>,
    /// What the step does.
    pub action: Action,
    /// What to do when it fails with a retryable error.
    pub retry: Retry,
    /// From the first start to the last end, retries, waits and all items included.
    pub timeout: Option<Duration>,
    /// Only one attempt of all steps of the node that name the same one is under way at a time.
    pub mutex: Option<String>,
    /// The longest that an attempt may wait for the mutex.
    pub queue_timeout: Option<Duration>,
    /// As [`Plan::priority`], for this step; none = the workflow's.
    pub priority: Option<i32>,
    /// Whether a result that the node kept of the same plugin, input and configuration may stand for an attempt.
    pub cache: bool,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Runs a sandboxed component.
    Plugin(PluginCall),
    /// Runs an ONNX model.
    Model(ModelCall),
    /// Runs another workflow and waits for its end.
    Workflow(ChildCall),
    /// Waits for a person.
    Approval(Approval),
    /// Waits for a time or an event.
    Wait(Wait),
    /// Tells what would have been right for a prediction.
    Label(LabelCall),
}

impl Action {
    /// What everybody may ask of it without knowing which it is.
    #[must_use]
    pub fn kind(&self) -> &dyn StepKind {
        match self {
            Self::Plugin(call) => call,
            Self::Model(call) => call,
            Self::Workflow(call) => call,
            Self::Approval(approval) => approval,
            Self::Wait(wait) => wait,
            Self::Label(label) => label,
        }
    }
}

/// Names to values, as `params` and `trigger` appear in expressions.
pub type Document = BTreeMap<String, Value>;
