//! What a running plugin may ask of the node.

use std::{fs::File, io, io::Write, net::SocketAddr, sync::Arc, time::Instant};
use trackside_codes::{Class, Reason};

use trackside_facts::TriggerDocument;
use trackside_models::{CancelToken, ModelError, ModelInfo, Output, OutputPort};
use trackside_sandbox::{
    ArtifactSink, BoxFuture, InferenceFailure, InputFolder, ModelHandle, ModelPort, ModelSignature, SecretValue,
    StateEntry, StateScope, StepHost,
};
use trackside_serving::{Request, ServeError, Served};
use trackside_spec::{ArtifactRef, Tensor};
use trackside_store::{Artifacts, Content, Hold, Reader, Readers, StoreError};

use crate::workshop::Workshop;

/// The node as one step sees it.
pub struct NodeHost {
    /// The artifact store.
    pub artifacts: Arc<Artifacts>,
    /// What the attempt makes stays.
    pub hold: Hold,
    /// Committed state.
    pub readers: Arc<Readers>,
    /// What the step runs in: models, clock, config.
    pub workshop: Arc<Workshop>,
    /// Whose state.
    pub workflow: String,
    /// Whose own scope.
    pub step: String,
    /// Whose attempt, and what started it.
    pub run: String,
    /// See `run`.
    pub trigger: Arc<TriggerDocument>,
}

impl NodeHost {
    fn scope(&self, scope: StateScope) -> String {
        scope_name(scope, &self.step)
    }

    /// Asks the database where waiting for a slow card holds up no other step: a reader may have to be opened first, and there
    /// is one worker for each core.
    fn asked<T, F>(&self, ask: F) -> impl Future<Output = Result<T, Reason>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let readers = self.readers.clone();
        let asked = tokio::task::spawn_blocking(move || readers.with(ask));
        async move { asked.await.map_err(|error| Reason::by(Class::Bug, error))?.map_err(Reason::of) }
    }
}

/// How the store names a scope.
#[must_use]
pub fn scope_name(scope: StateScope, step: &str) -> String {
    match scope {
        StateScope::Step => step.to_owned(),
        StateScope::Workflow => String::new(),
    }
}

impl StepHost for NodeHost {
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<File> {
        self.artifacts.open_artifact(&artifact.digest)
    }

    fn input_folder(&self, files: &[(String, ArtifactRef)]) -> io::Result<InputFolder> {
        let folder = InputFolder::new(&self.artifacts.temporary())?;
        for (name, artifact) in files {
            match self.artifacts.content(&artifact.digest)? {
                Content::File(_, path) => folder.link(name, &path)?,
                Content::Small(bytes) => folder.copy(name, &mut &*bytes)?,
            }
        }
        Ok(folder)
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Ok(Box::new(Sink { writer: self.hold.create()? }))
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        Box::pin(async move {
            let (models, wanted) = (self.workshop.models.clone(), name.to_owned());
            let (run, trigger) = (self.run.clone(), self.trigger.clone());
            let model = blocking(move || models.get_for(&wanted, None, &run, |path| trigger.text_at(path)))
                .await?
                .map_err(|problem| InferenceFailure::NotFound(Reason::of(problem)))?;
            let info = describe(&model);
            Ok(Arc::new(Handle { model, info }) as Arc<dyn ModelHandle>)
        })
    }

    fn state_get<'a>(&'a self, scope: StateScope, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        let now = self.workshop.clock.now_ms();
        let (workflow, scope, key) = (self.workflow.clone(), self.scope(scope), key.to_owned());
        let found = self.asked(move |reader| reader.state(&workflow, &scope, &key, now));
        Box::pin(async move { Ok(found.await?.map(|row| StateEntry { value: row.value, version: row.version })) })
    }

    fn state_list<'a>(
        &'a self,
        scope: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let now = self.workshop.clock.now_ms();
        let (workflow, scope) = (self.workflow.clone(), self.scope(scope));
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let keys = move |reader: &Reader| reader.state_keys(&workflow, &scope, &prefix, after.as_deref(), limit, now);
        Box::pin(self.asked(keys))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.workshop.clock.now_ms()).unwrap_or(0)
    }

    fn secret(&self, name: &str) -> Result<SecretValue, Reason> {
        trackside_net::read_secret(&self.workshop.config, &self.workshop.project, name).map_err(Reason::of)
    }

    fn has_channel(&self, name: &str) -> bool {
        self.workshop.config.mqtt.contains_key(name)
    }

    fn is_own_address(&self, address: SocketAddr) -> bool {
        self.workshop.own.covers(address)
    }
}

struct Sink {
    writer: trackside_store::ArtifactWriter,
}

impl ArtifactSink for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.writer.write_all(data)
    }

    fn commit(self: Box<Self>, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        self.writer.finish(name, media_type)
    }
}

struct Handle {
    model: Served,
    info: ModelSignature,
}

fn describe(model: &Served) -> ModelSignature {
    let info = model.info();
    let port = |port: &trackside_models::Port| ModelPort {
        name: port.name.clone(),
        element: port.element,
        shape: port.shape.clone().unwrap_or_default(),
    };
    ModelSignature {
        digest: info.digest.to_string(),
        // A plugin may give one that has a default; it is not asked to.
        inputs: info.inputs.iter().filter(|port| !port.optional).map(port).collect(),
        // The interface carries tensors: what is none is left out, and asking for it is answered with why.
        outputs: info.outputs.iter().filter_map(OutputPort::tensor).map(port).collect(),
        metadata: info.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

impl ModelHandle for Handle {
    fn info(&self) -> &ModelSignature {
        &self.info
    }

    fn run<'a>(
        &'a self,
        inputs: Vec<(String, Arc<Tensor>)>,
        wanted: Vec<String>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<(String, Tensor)>, InferenceFailure>> {
        let model = self.model.clone();
        Box::pin(async move {
            let stop = StopOnDrop(CancelToken::new());
            let inputs = inputs.into_iter().map(|(name, tensor)| (name, Arc::unwrap_or_clone(tensor))).collect();
            let wanted = tensors_of(model.info(), wanted)?;
            // Alone: a plugin without grants that differ from run to run gives the same when it is done again.
            let request = Request {
                inputs,
                outputs: wanted,
                deadline: Some(deadline),
                cancel: stop.0.clone(),
                alone: true,
                ..Request::default()
            };
            let ran = model.predict(request).await.map_err(failure)?;
            let tensor = |(name, output): (String, Output)| Some((name, output.into_tensor()?));
            Ok(ran.outputs.into_iter().filter_map(tensor).collect())
        })
    }
}

fn failure(error: ServeError) -> InferenceFailure {
    match error {
        ServeError::Late { .. } => InferenceFailure::Timeout,
        ServeError::Run(error) => match &*error {
            ModelError::Timeout { .. } => InferenceFailure::Timeout,
            ModelError::Input { .. } => InferenceFailure::BadTensor(Reason::of(ServeError::Run(error))),
            _ => InferenceFailure::Runtime(Reason::of(ServeError::Run(error))),
        },
        other => InferenceFailure::Runtime(Reason::of(other)),
    }
}

/// Which outputs to ask for: those that are tensors, where the plugin names none.
fn tensors_of(info: &ModelInfo, wanted: Vec<String>) -> Result<Vec<String>, InferenceFailure> {
    let other = |name: &&String| info.outputs.iter().any(|port| port.name() == *name && port.tensor().is_none());
    if let Some(name) = wanted.iter().find(other) {
        let form = info.outputs.iter().find(|port| port.name() == name).map(OutputPort::signature).unwrap_or_default();
        let words = format!(
            "the output {name:?} is a {form}; a plugin is given tensors only. Use a `model:` step, or export the model \
             with a tensor there (scikit-learn: zipmap=False)"
        );
        return Err(InferenceFailure::BadTensor(words.into()));
    }
    if !wanted.is_empty() || info.outputs.iter().all(|port| port.tensor().is_some()) {
        return Ok(wanted);
    }
    let tensors: Vec<_> = info.outputs.iter().filter_map(OutputPort::tensor).map(|port| port.name.clone()).collect();
    if tensors.is_empty() {
        let words = "none of its outputs is a tensor, and a plugin is given nothing else. Use a `model:` step";
        return Err(InferenceFailure::Runtime(words.into()));
    }
    Ok(tensors)
}

/// A step that is stopped drops its futures; the model must stop with them.
struct StopOnDrop(CancelToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, InferenceFailure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let words = format!("the model's thread ended: {error}");
        InferenceFailure::Runtime(Reason::because(Class::Bug, words, error))
    })
}
