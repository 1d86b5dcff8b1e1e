//! What the wires ask of the node: models that answer. Whoever implements it knows nothing of HTTP.

use std::{pin::Pin, sync::Arc, time::Duration};

use serde_json::Value;
use trackside_spec::{ElementType, Tensor};

use super::failure::Failure;

/// An answer that is being made.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Which model is meant, as the client wrote it: `NAME`, `NAME@alias`, `NAME@3`, and perhaps a version or an alias beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The model.
    pub name: String,
    /// A number or an alias.
    pub version: Option<String>,
}

/// A value beside the tensors.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum Parameter {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
}

/// How an output is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedOutput {
    /// Its name.
    pub name: String,
    /// As bytes behind the JSON, or in it; `None` leaves it to the request.
    pub binary: Option<bool>,
    /// The highest so many of its values, as texts `value:index:label`; 0 for the tensor itself.
    pub classification: u32,
}

/// A request for inference, whatever wire it came on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InferRequest {
    /// The client's name for it, which the answer repeats.
    pub id: Option<String>,
    /// What is beside the tensors, those that have a field here left out.
    pub parameters: Vec<(String, Parameter)>,
    /// Names are unique.
    pub inputs: Vec<(String, Tensor)>,
    /// Names are unique; empty for all.
    pub outputs: Vec<WantedOutput>,
    /// Whether outputs go as bytes where they do not say so themselves.
    pub binary_default: bool,
    /// 1 is the highest; 0 the model's default.
    pub priority: u64,
    /// The longest that the answer may take.
    pub timeout: Option<Duration>,
    /// What the header says that [`Backend::subject_header`] names.
    pub subject: Option<String>,
}

/// What a model gave.
#[derive(Debug, Clone, PartialEq)]
pub struct InferAnswer {
    /// The model's name, without an alias.
    pub model: String,
    /// The version that answered.
    pub version: String,
    /// In the order in which they were asked for.
    pub outputs: Vec<(String, Tensor)>,
    /// What is said of the answer beside its tensors.
    pub parameters: Vec<(String, Parameter)>,
    /// The names of the classes of an output, by their index: of those that were asked for classes and have names.
    pub labels: Vec<(String, Vec<String>)>,
}

/// An input or output as a model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: ElementType,
    /// The size of each dimension, -1 where any will do.
    pub shape: Vec<i64>,
    /// Whether an input may be left out.
    pub optional: bool,
}

/// What a model takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMetadata {
    /// Its name, without an alias.
    pub name: String,
    /// The versions that can be asked.
    pub versions: Vec<String>,
    /// `onnx_onnxv1`.
    pub platform: &'static str,
    /// What it takes.
    pub inputs: Vec<TensorInfo>,
    /// What it gives.
    pub outputs: Vec<TensorInfo>,
}

/// How a model is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelConfig {
    /// What it takes and gives.
    pub metadata: ModelMetadata,
    /// The engine's name: `onnxruntime`.
    pub engine: String,
    /// Most rows that are put together; 0 where the model takes what it is given.
    pub max_batch: u32,
    /// Runs at a time.
    pub sessions: u32,
    /// How requests are put together, if they are.
    pub batching: Option<Batching>,
    /// The model's file.
    pub file: String,
    /// Limits and the like.
    pub parameters: Vec<(String, String)>,
}

/// How requests are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// The longest that one waits for others.
    pub max_delay: Duration,
    /// Most requests that wait.
    pub queue: u32,
    /// Levels of priority.
    pub priorities: u64,
    /// The level of who names none.
    pub default_priority: u64,
}

/// How a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelState {
    /// It answers.
    Ready,
    /// It is being loaded.
    Loading,
    /// It is on its way out.
    Unloading,
    /// It does not answer.
    Unavailable,
}

impl ModelState {
    /// As the protocol writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Loading => "LOADING",
            Self::Unloading => "UNLOADING",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// One version of a model in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The model.
    pub name: String,
    /// The version.
    pub version: String,
    /// How it stands.
    pub state: ModelState,
    /// Why, where it does not answer.
    pub reason: String,
}

/// So many times, and what they took together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Took {
    /// How often.
    pub count: u64,
    /// Nanoseconds in all.
    pub ns: u64,
}

/// What batches of one size took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchStatistics {
    /// Rows of a batch.
    pub size: u64,
    /// Bringing inputs together.
    pub input: Took,
    /// The model's own time.
    pub infer: Took,
    /// Taking outputs apart.
    pub output: Took,
}

/// What a version answered, and what that took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// The model.
    pub name: String,
    /// The version.
    pub version: String,
    /// When it was asked last, in milliseconds since 1970; 0 for never.
    pub last_ms: u64,
    /// Rows that were answered.
    pub inferences: u64,
    /// Runs of the model.
    pub executions: u64,
    /// Requests that were answered, whole.
    pub success: Took,
    /// Requests that were not.
    pub fail: Took,
    /// Waiting.
    pub queue: Took,
    /// Preparing inputs.
    pub input: Took,
    /// The model's own time.
    pub infer: Took,
    /// Taking outputs.
    pub output: Took,
    /// By the size of batches.
    pub batches: Vec<BatchStatistics>,
    /// Bytes that it holds, where that is known.
    pub memory: Option<u64>,
}

/// Models that answer. Calls come from several threads.
pub trait Backend: Send + Sync + 'static {
    /// Whether the node answers requests for inference.
    fn ready(&self) -> bool;

    /// The names of all models.
    ///
    /// # Errors
    /// When they can not be read.
    fn models(&self) -> Answering<'_, Vec<String>>;

    /// Whether this model would answer.
    ///
    /// # Errors
    /// When there is no such model, or no such version.
    fn model_ready<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, bool>;

    /// What this model takes and gives.
    ///
    /// # Errors
    /// When there is no such model, or it can not be loaded.
    fn metadata<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, Arc<ModelMetadata>>;

    /// How it is run.
    ///
    /// # Errors
    /// As [`Self::metadata`].
    fn config<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ModelConfig>;

    /// The header, in lower case, that says who asks this model, where that decides about the version that answers.
    fn subject_header(&self, wanted: &Wanted) -> Option<String> {
        let _ = wanted;
        None
    }

    /// Its answer to this request. A future that is dropped gives the request up.
    ///
    /// # Errors
    /// Whatever can go wrong.
    fn infer<'a>(&'a self, wanted: &'a Wanted, request: InferRequest) -> Answering<'a, InferAnswer>;

    /// All versions of all models.
    ///
    /// # Errors
    /// When they can not be read.
    fn index(&self) -> Answering<'_, Vec<IndexEntry>>;

    /// Loads a model, or what its name now means.
    ///
    /// # Errors
    /// When it can not be loaded; what answered before goes on.
    fn load<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ()>;

    /// Lets go of a model until it is loaded again.
    ///
    /// # Errors
    /// When there is no such model.
    fn unload<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ()>;

    /// Takes what would have been right: a document and its answer, as at the node's socket.
    ///
    /// # Errors
    /// When it is not taken.
    fn label(&self, body: Value) -> Answering<'_, Value> {
        drop(body);
        Box::pin(async { Err(Failure::unsupported("labels are not taken here")) })
    }

    /// Of this model, or of all.
    ///
    /// # Errors
    /// When there is no such model.
    fn statistics<'a>(&'a self, wanted: Option<&'a Wanted>) -> Answering<'a, Vec<Statistics>>;
}
