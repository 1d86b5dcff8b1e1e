//! The workflow file as it is written. The comments on the fields become the JSON Schema's descriptions and the
//! reference page, so they speak to the person who writes the file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{
    allow_file::AllowFile,
    command::CommandFile,
    contract::ContractFile,
    label::LabelFile,
    needs::NeedFile,
    retry::RetryFile,
    trigger_file::TriggerFile,
    wait::WaitFile,
    waiting::{ApprovalFile, ConcurrencyFile},
};
use crate::{
    config::EngineChoice,
    entries::Short,
    limits::Limits,
    ordered::Ordered,
    plan::{OnFailure, ParamKind},
    retention::Retention,
    reuse::Reuse,
    units::Duration,
};

/// A workflow: what starts it and the steps it takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a workflow: a mapping with version, name, steps")]
#[schemars(title = "Trackside workflow")]
pub(crate) struct WorkflowFile {
    /// The version of this format. Always 1.
    #[schemars(range(min = 1, max = 1))]
    pub(crate) version: u32,
    /// The workflow's name, unique in the project: lower-case letters, digits and `-`, at most 64 characters.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"))]
    pub(crate) name: String,
    /// What the workflow is for, in a line or two.
    pub(crate) description: Option<String>,
    /// Values that a run can be given, by name; `params.NAME` in expressions.
    #[serde(default)]
    pub(crate) params: Ordered<ParamFile>,
    /// What starts a run besides a person. Without triggers only `trackside run` does.
    #[serde(default)]
    pub(crate) triggers: Vec<TriggerFile>,
    /// The longest that a run may take, `finally` and the wait for its concurrency group not counted. Without it there
    /// is no limit.
    pub(crate) timeout: Option<Duration>,
    /// How many runs may be under way at one time. Without it there are as many as the node takes.
    pub(crate) concurrency: Option<ConcurrencyFile>,
    /// The longest that an accepted run may wait for its concurrency group; then it fails with `queue-timeout`.
    pub(crate) queue_timeout: Option<Duration>,
    /// Which run comes first where there is no room for all: the higher number.
    #[serde(default)]
    #[schemars(range(min = -100, max = 100))]
    pub(crate) priority: i64,
    /// How long ended runs are kept, where that is to be another time than the node's.
    pub(crate) retention: Option<Retention>,
    /// What a run gives to the step of another workflow that started it: names to values, evaluated when the steps have
    /// ended well. The expressions see every step (null when it has no output).
    pub(crate) outputs: Option<Value>,
    /// The steps by id (lower-case letters, digits and `_`), at most 256. Steps that do not need each other run at the
    /// same time.
    pub(crate) steps: Ordered<StepFile>,
    /// Handlers that run after the steps have ended, one for each way of ending.
    #[serde(default)]
    pub(crate) finally: FinallyFile,
}

/// A value that a run can be given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a parameter: a mapping with `type`")]
#[schemars(rename = "Param")]
pub(crate) struct ParamFile {
    /// The type that the value must have. An integer is a number too.
    #[serde(rename = "type")]
    pub(crate) kind: ParamKind,
    /// What the parameter is for.
    pub(crate) description: Option<String>,
    /// The value when a run does not give one. Without a default the parameter is required.
    pub(crate) default: Option<Value>,
    /// The smallest number allowed.
    pub(crate) minimum: Option<Number>,
    /// The largest number allowed.
    pub(crate) maximum: Option<Number>,
    /// The only values allowed.
    #[serde(default)]
    pub(crate) choices: Vec<Value>,
}

/// A condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected an expression, or true or false")]
#[schemars(inline)]
pub(crate) enum WhenFile {
    /// Always or never.
    Constant(bool),
    /// A CEL expression without `${}`.
    Expression(String),
}

/// What an ordinary step and a finally handler have in common, written once.
macro_rules! step_file {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        #[derive(Debug, Deserialize, JsonSchema)]
        $(#[$about])*
        pub(crate) struct $name {
            $($own)*
            /// Runs a plugin: an installed one by name or reference (`oci://…`), `plugins/NAME.wasm` or a bundled one by
            /// name, or any component by a path that ends in `.wasm`.
            pub(crate) plugin: Option<String>,
            /// Runs a model: a name of the registry or of `[models]` in trackside.toml, as `NAME`, `NAME@alias` or `NAME@3`, or a path that
            /// ends in `.onnx`.
            pub(crate) model: Option<String>,
            /// The plugin's input. Strings may hold `${expression}`; a string that is only one keeps its type.
            pub(crate) with: Option<Value>,
            /// How to call the plugin when it is a WASI command: a program with arguments, standard streams and an
            /// exit code.
            pub(crate) command: Option<CommandFile>,
            /// The engine that runs the model, whatever `[models]` says of it. Without it that of `[models]` holds.
            pub(crate) engine: Option<EngineChoice>,
            /// The model's inputs by name: tensors (artifacts), nested lists of numbers, or rows of a table; or one table for all of them.
            pub(crate) inputs: Option<Value>,
            /// What to do when the step fails with an error that may pass.
            pub(crate) retry: Option<RetryFile>,
            /// The longest from the first attempt's start to the last one's end, waits and all items included.
            pub(crate) timeout: Option<Duration>,
            /// Bounds of one call of the plugin. The node's own defaults hold for what is not given.
            #[serde(default)]
            pub(crate) limits: Limits,
            /// Keeps the plugin's instance for the next attempts of this step, for languages whose start is slow. What
            /// the plugin leaves in its own memory is there at the next attempt.
            pub(crate) reuse: Option<Reuse>,
            /// What the plugin may do besides computing. Nothing, unless it is listed here.
            #[serde(default)]
            pub(crate) allow: AllowFile,
        }
    };
}

step_file! {
    /// A step: a plugin, a model, another workflow, an approval, a wait or a label, with what it is given and what it may do.
    #[serde(deny_unknown_fields, expecting = "a step: a mapping with `plugin` or `model`")]
    #[schemars(rename = "Step")]
    StepFile {
        /// Steps that must have ended first: names of steps that must have ended well, or mappings that say more. Their
        /// outputs are `steps.ID` in this step's expressions.
        #[serde(default)]
        pub(crate) needs: Vec<Short<NeedFile>>,
        /// A condition in CEL, without `${}`; the step is skipped when it is false. Evaluated once, before `foreach`.
        pub(crate) when: Option<WhenFile>,
        /// A list, or an expression that makes one: the step runs once for each item. `item` and `index` (from 0) in its
        /// expressions. At most 10,000 items.
        pub(crate) foreach: Option<Value>,
        /// Names to lists: the step runs once for each combination of their values, the last name varying fastest. `item`
        /// is the combination, an object; `matrix.NAME` is one of its values.
        pub(crate) matrix: Option<Ordered<Value>>,
        /// Combinations of `matrix` that are left out: those that have all the values of one of these mappings.
        #[serde(default)]
        pub(crate) exclude: Vec<Ordered<Value>>,
        /// A condition for each item, in CEL without `${}`; the item is skipped when it is false.
        pub(crate) when_item: Option<WhenFile>,
        /// Items under way at one time, 4 when the file says nothing. An item that waits for its next attempt is under way.
        #[schemars(range(min = 1, max = 256))]
        pub(crate) max_parallel: Option<u64>,
        /// What the failure of an item means: no more items start and the step fails with the first error (`fail-fast`,
        /// when the file says nothing), or all items run, the step succeeds and its output names the errors (`collect`).
        pub(crate) on_failure: Option<OnFailure>,
        /// What the inputs must be like before the step starts.
        #[serde(default)]
        pub(crate) requires: Vec<ContractFile>,
        /// Runs another workflow of the project and waits for its end. The output is `run` (its id), `state` and `outputs`.
        pub(crate) workflow: Option<String>,
        /// The parameters of `workflow`. The values may hold `${expression}`.
        pub(crate) params: Option<Value>,
        /// Waits until a person has approved or rejected something. The output is `approved`, `by`, `comment` and `at`.
        pub(crate) approval: Option<ApprovalFile>,
        /// Waits for a time or an event, over restarts, without taking a place of those that run. The output is `event` (what
        /// came, or null), `timed_out` and `at`.
        pub(crate) wait: Option<WaitFile>,
        /// Tells what would have been right for a prediction of a model. It is on disk with the step's result; the output is `request`,
        /// `value` and `model` (or null).
        pub(crate) label: Option<LabelFile>,
        /// A name: of all steps on the node with the same one, only one attempt is under way at a time.
        pub(crate) mutex: Option<String>,
        /// The longest that an attempt may wait for `mutex`; then the step fails with `queue-timeout`.
        pub(crate) queue_timeout: Option<Duration>,
        /// Which step comes first where there is no room for all: the higher number. The workflow's when not given.
        #[schemars(range(min = -100, max = 100))]
        pub(crate) priority: Option<i64>,
        /// Whether the kept result of the same plugin, input and configuration may stand for running the step again. Only
        /// for plugins whose grants make them a pure function of their input.
        #[serde(default)]
        pub(crate) cache: bool,
    }
}

step_file! {
    /// A handler: a plugin or a model that runs after the steps have ended.
    #[serde(deny_unknown_fields, expecting = "a handler: a mapping with `plugin` or `model`")]
    #[schemars(rename = "Handler")]
    HandlerFile {}
}

/// Handlers that run after the steps have ended. Their expressions see every step (null when it has no output) and
/// `run.state`, `run.error`, `run.error_code`, `run.failed_step`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with succeeded, failed, cancelled or always")]
#[schemars(rename = "Finally")]
pub(crate) struct FinallyFile {
    /// Runs when every step succeeded or was skipped.
    pub(crate) succeeded: Option<HandlerFile>,
    /// Runs when a step failed or was blocked, or the run's time was over.
    pub(crate) failed: Option<HandlerFile>,
    /// Runs when somebody cancelled the run.
    pub(crate) cancelled: Option<HandlerFile>,
    /// Runs at any end.
    pub(crate) always: Option<HandlerFile>,
}
