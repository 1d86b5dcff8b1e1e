//! The workflow file as it is written. The comments on the fields become the JSON Schema's descriptions and the
//! reference page, so they speak to the person who writes the file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{allow_file::AllowFile, command::CommandFile, trigger_file::TriggerFile};
use crate::{
    limits::Limits,
    ordered::Ordered,
    plan::{Jitter, ParamKind, Retry},
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
    /// The longest that a run may take, `finally` not counted. Without it there is no limit.
    pub(crate) timeout: Option<Duration>,
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
    pub(crate) minimum: Option<f64>,
    /// The largest number allowed.
    pub(crate) maximum: Option<f64>,
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
            /// Runs a model: a name from `[models]` in trackside.toml, or a path that ends in `.onnx`.
            pub(crate) model: Option<String>,
            /// The plugin's input. Strings may hold `${expression}`; a string that is only one keeps its type.
            pub(crate) with: Option<Value>,
            /// How to call the plugin when it is a WASI command: a program with arguments, standard streams and an
            /// exit code.
            pub(crate) command: Option<CommandFile>,
            /// The model's inputs by name: tensors (artifacts) or nested lists of numbers.
            pub(crate) inputs: Option<Value>,
            /// What to do when the step fails with an error that may pass.
            pub(crate) retry: Option<RetryFile>,
            /// The longest from the first attempt's start to the last one's end, waits included.
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
    /// A step: a plugin or a model, with what it is given and what it may do.
    #[serde(deny_unknown_fields, expecting = "a step: a mapping with `plugin` or `model`")]
    #[schemars(rename = "Step")]
    StepFile {
        /// Steps that must have ended well first. Their outputs are `steps.ID` in this step's expressions.
        #[serde(default)]
        pub(crate) needs: Vec<String>,
        /// A condition in CEL, without `${}`; the step is skipped when it is false.
        pub(crate) when: Option<WhenFile>,
    }
}

step_file! {
    /// A handler: a plugin or a model that runs after the steps have ended.
    #[serde(deny_unknown_fields, expecting = "a handler: a mapping with `plugin` or `model`")]
    #[schemars(rename = "Handler")]
    HandlerFile {}
}

/// Handlers that run after the steps have ended. Their expressions see every step (null when it has no output) and
/// `run.state`, `run.error`, `run.failed_step`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with succeeded, failed, cancelled or always")]
#[schemars(rename = "Finally")]
pub(crate) struct FinallyFile {
    /// Runs when every step succeeded or was skipped.
    pub(crate) succeeded: Option<HandlerFile>,
    /// Runs when a step failed or the run's time was over.
    pub(crate) failed: Option<HandlerFile>,
    /// Runs when somebody cancelled the run.
    pub(crate) cancelled: Option<HandlerFile>,
    /// Runs at any end.
    pub(crate) always: Option<HandlerFile>,
}

/// What to do when a step fails with an error that may pass.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `times`")]
#[schemars(rename = "Retry")]
pub(crate) struct RetryFile {
    /// Retries after the first attempt, at most 100.
    #[schemars(range(max = 100))]
    pub(crate) times: u32,
    /// The wait before the first retry.
    #[serde(default = "default_wait")]
    pub(crate) wait: Duration,
    /// The wait grows by this factor with every retry.
    #[serde(default = "default_factor")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) factor: f64,
    /// No wait is longer.
    #[serde(default = "default_max_wait")]
    pub(crate) max: Duration,
    /// How chance enters: evenly between nothing and the computed wait (`full`), or not at all (`none`).
    #[serde(default)]
    pub(crate) jitter: Jitter,
}

fn default_wait() -> Duration {
    Retry::default().wait
}

fn default_factor() -> f64 {
    Retry::default().factor
}

fn default_max_wait() -> Duration {
    Retry::default().max
}
