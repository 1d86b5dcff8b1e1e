//! What the sandbox needs of the rest of the node: small traits that the node implements.

use std::{fs::File, io, net::SocketAddr, sync::Arc, time::Instant};
use trackside_codes::{Class, Reason};

pub use trackside_net::{BoxFuture, SecretValue};
use trackside_spec::{ArtifactRef, ElementType, Tensor};

use crate::{command::folder::InputFolder, report::StateScope};

/// The host's side of one step.
///
/// Futures may be dropped at any await when the step's time is over; dropping one must end the work it waits for.
pub trait StepHost: Send + Sync + 'static {
    /// Opens an artifact's bytes for reading. Called where blocking is allowed.
    ///
    /// # Errors
    /// `NotFound` becomes the contract's `not-found`; everything else is an I/O error to the guest.
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<File>;

    /// A folder with these artifacts under these names, for a WASI command to read. Called where blocking is allowed.
    /// A host whose artifacts are files links them instead of copying.
    ///
    /// # Errors
    /// When an artifact is not there, a name is none, or the folder cannot be made.
    fn input_folder(&self, files: &[(String, ArtifactRef)]) -> io::Result<InputFolder> {
        let folder = InputFolder::new(&std::env::temp_dir())?;
        for (name, artifact) in files {
            folder.copy(name, &mut self.open_artifact(artifact)?)?;
        }
        Ok(folder)
    }

    /// Begins a new artifact. Called where blocking is allowed.
    ///
    /// # Errors
    /// When the store cannot take one.
    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>>;

    /// Opens a model that the step is granted; the handle stays on the version that it found.
    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>>;

    /// The committed entry of a key. Writes staged in this call are laid over it by the sandbox.
    fn state_get<'a>(&'a self, scope: StateScope, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>>;

    /// Committed keys that begin with `prefix` and sort bytewise after `after`, in that order, at most `limit`.
    fn state_list<'a>(
        &'a self,
        scope: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>>;

    /// The wall clock in Unix milliseconds, for steps that are granted `clock`.
    fn now_ms(&self) -> u64;

    /// The value of a secret of the box. Called on an executor thread: it may read a small file and nothing more. The
    /// error is a sentence.
    fn secret(&self, name: &str) -> Result<SecretValue, Reason> {
        Err(Reason::new(Class::NotFound, format!("there is no secret `{name}` on this box")))
    }

    /// Whether [`http`](Self::http) answers requests instead of the network.
    fn plays_http(&self) -> bool {
        false
    }

    /// Answers a request that was granted, secrets filled in, instead of the network: for tests of plugins. The error
    /// is what the guest is told of the connection.
    fn http(&self, request: HttpRequest) -> Result<HttpResponse, Reason> {
        Err(Reason::new(Class::Unavailable, format!("nobody answers {} {}", request.method, request.url)))
    }

    /// Whether messages can be published on a channel of this name: whether the node's config has such a broker.
    fn has_channel(&self, _name: &str) -> bool {
        false
    }

    /// Whether an address is the node's own API, which no step may call whatever its grants say.
    fn is_own_address(&self, _address: SocketAddr) -> bool {
        false
    }

    /// The guest told how far it is. Called often: it must not block.
    fn progress(&self, _fraction: f32, _note: &str) {}
}

/// A request that a host answers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// In upper case.
    pub method: String,
    /// As the guest wrote it.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The answer to a [`HttpRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// As in HTTP.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// An artifact being written. Dropping it discards what was written.
pub trait ArtifactSink: Send {
    /// Appends. Called where blocking is allowed.
    ///
    /// # Errors
    /// When the store cannot take it.
    fn write(&mut self, data: &[u8]) -> io::Result<()>;

    /// Makes the artifact durable and names it. Called where blocking is allowed.
    ///
    /// # Errors
    /// When the store cannot make it durable.
    fn commit(self: Box<Self>, name: &str, media_type: &str) -> io::Result<ArtifactRef>;
}

/// A model pinned to one version.
pub trait ModelHandle: Send + Sync {
    /// What the model takes and gives.
    fn info(&self) -> &ModelSignature;

    /// Runs it. Empty `wanted` = all outputs. The work must end at `deadline`, and when the future is dropped.
    fn run<'a>(
        &'a self,
        inputs: Vec<(String, Arc<Tensor>)>,
        wanted: Vec<String>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<(String, Tensor)>, InferenceFailure>>;
}

/// What a model says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSignature {
    /// Digest of the model file, as text.
    pub digest: String,
    /// Inputs in the model's order.
    pub inputs: Vec<ModelPort>,
    /// Outputs in the model's order.
    pub outputs: Vec<ModelPort>,
    /// Names and values from the model file.
    pub metadata: Vec<(String, String)>,
}

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelPort {
    /// Name.
    pub name: String,
    /// Element type.
    pub element: ElementType,
    /// Shape; `None` = any size.
    pub shape: Vec<Option<u32>>,
}

/// Why a model call failed. The texts are shown to the guest.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InferenceFailure {
    /// No such model, or no such version.
    #[error(transparent)]
    NotFound(Reason),
    /// Names, element types or shapes do not fit.
    #[error(transparent)]
    BadTensor(Reason),
    /// Too little memory, or the queue is full.
    #[error(transparent)]
    Exhausted(Reason),
    /// The deadline passed.
    #[error("the model did not end in time")]
    Timeout,
    /// The engine failed.
    #[error(transparent)]
    Runtime(Reason),
}

/// A committed state entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEntry {
    /// The value.
    pub value: Vec<u8>,
    /// Grows by one with every committed write.
    pub version: u64,
}
