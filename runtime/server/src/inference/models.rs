//! The models of the node behind the wires.

mod described;

use std::{
    collections::HashSet,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use serde_json::Value;
use trackside_codes::{Coded as _, code};
use trackside_control::{TellLabels, tell_labels};
use trackside_models::Output;
use trackside_node::Handle;
use trackside_serving::{Asker, Entry, Request, ServeError, Served, Serving, SlotState, VersionState};
use trackside_spec::{ModelRef, ModelVersion, SubjectKey, Tensor};
use trackside_sync::CancelToken;

use super::{
    backend::{
        Answering, Backend, IndexEntry, InferAnswer, InferRequest, ModelConfig, ModelMetadata, ModelState, Parameter,
        Statistics, Wanted,
    },
    failure::Failure,
    hidden::Hidden,
};
use described::{config, metadata, statistics};

/// Where a request stands that says nothing of its priority: below those of workflows, which are the first, and with room above it.
const USUAL: u32 = 100;

/// Who tells the truth there, for the journal: a token says what its holder may do, not who it is.
const CLIENT: &str = "a client of models";

/// Answers for the models in service.
pub(crate) struct Models {
    handle: Handle,
    serving: Serving,
    hidden: Hidden,
    is_up: AtomicBool,
    /// What clients unloaded, until one loads it again: workflows go on to use it.
    unloaded: RwLock<HashSet<(String, Option<u32>)>>,
}

impl Models {
    /// Over the models of this node. It is ready when those that are to be loaded at the start are.
    pub(crate) fn start(handle: Handle, hidden: Hidden) -> Arc<Self> {
        let serving = handle.workshop().models.serving().clone();
        let models =
            Arc::new(Self { handle, serving, hidden, is_up: AtomicBool::new(false), unloaded: RwLock::default() });
        let loading = models.clone();
        let work = move || {
            for problem in loading.serving.start() {
                tracing::error!(code = %problem.code(), "{problem}");
            }
            loading.is_up.store(true, Ordering::Relaxed);
        };
        if let Err(error) = thread::Builder::new().name("model-loader".to_owned()).spawn(work) {
            tracing::error!("failed to start a thread that loads models: {error}");
            models.is_up.store(true, Ordering::Relaxed);
        }
        models
    }

    fn is_unloaded(&self, name: &str, version: u32) -> bool {
        let unloaded = self.unloaded.read().unwrap_or_else(PoisonError::into_inner);
        !unloaded.is_empty()
            && (unloaded.contains(&(name.to_owned(), None)) || unloaded.contains(&(name.to_owned(), Some(version))))
    }

    /// The version that is meant, loaded.
    async fn open(&self, wanted: &Wanted) -> Result<Served, Failure> {
        let ModelRef { name, version } = meant(wanted)?;
        self.usable(&name, self.serving.open(&name, &version, None).await)
    }

    /// The version that answers whoever asks.
    async fn open_for(&self, wanted: &Wanted, subject: Option<&str>) -> Result<Served, Failure> {
        let ModelRef { name, version } = meant(wanted)?;
        self.usable(&name, self.serving.open_for(&name, &version, None, Asker { subject }).await)
    }

    /// Who asks, as a rollout of the model wants it said.
    fn subject(&self, wanted: &Wanted, asked: &InferRequest) -> Option<String> {
        let name = wanted.name.split('@').next().unwrap_or_default();
        match self.serving.trial(name)?.subject()? {
            SubjectKey::Header(_) => asked.subject.clone(),
            SubjectKey::Parameter(name) => {
                let (_, value) = asked.parameters.iter().find(|(known, _)| known == name)?;
                Some(match value {
                    Parameter::Bool(value) => value.to_string(),
                    Parameter::Int(value) => value.to_string(),
                    Parameter::Uint(value) => value.to_string(),
                    Parameter::Double(value) => value.to_string(),
                    Parameter::Text(value) => value.clone(),
                })
            }
            // Nothing started a client.
            SubjectKey::Trigger(_) => None,
        }
    }

    fn usable(&self, name: &str, opened: Result<Served, ServeError>) -> Result<Served, Failure> {
        let served = opened.map_err(|error| self.refused(error))?;
        if self.is_unloaded(name, served.version()) {
            let text = format!("the model `{name}` (version {}) was unloaded; load it again", served.version());
            return Err(Failure::new(code!("TS-0758"), text));
        }
        Ok(served)
    }

    /// What a refusal says to a client: all but where things lie on the box.
    fn refused(&self, error: ServeError) -> Failure {
        tracing::debug!(code = %error.code(), "a client is refused: {error}");
        let mut failure = Failure::of(&error).told(|text| self.hidden.tell(text));
        if let Some(time) = error.again_in() {
            failure = failure.after(time);
        }
        // A model that is there and can not answer is not ready, whatever the reason.
        if matches!(error, ServeError::Load { .. }) { failure.unavailable() } else { failure }
    }

    async fn ask(&self, wanted: &Wanted, asked: InferRequest) -> Result<InferAnswer, Failure> {
        let subject = self.subject(wanted, &asked);
        let served = self.open_for(wanted, subject.as_deref()).await?;
        let labels = asked.outputs.iter().filter(|output| output.classification > 0);
        let labels = labels.map(|output| (output.name.clone(), served.labels(&output.name).to_vec())).collect();
        let cancel = Gone(CancelToken::new());
        let request = Request {
            inputs: asked.inputs,
            outputs: asked.outputs.into_iter().map(|output| output.name).collect(),
            priority: match asked.priority {
                0 => USUAL,
                level => u32::try_from(level).unwrap_or(u32::MAX),
            },
            deadline: asked.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            cancel: cancel.0.clone(),
            alone: false,
            id: asked.id,
            beside: false,
        };
        let answer = served.predict(request).await.map_err(|error| self.refused(error))?;
        let mut outputs = Vec::with_capacity(answer.outputs.len());
        for (name, output) in answer.outputs {
            let tensor = match output {
                Output::Tensor(tensor) => tensor,
                Output::Json(value) => texts(&name, value)?,
            };
            outputs.push((name, tensor));
        }
        let (model, version) = (served.name().to_owned(), answer.version.to_string());
        Ok(InferAnswer { model, version, outputs, parameters: Vec::new(), labels })
    }

    /// Does something that may wait for the disk on a thread for that.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Serving) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, Failure> {
        let serving = self.serving.clone();
        let done = tokio::task::spawn_blocking(move || work(&serving)).await;
        let done = done.map_err(|error| Failure::new(code!("TS-0578"), format!("the request was lost: {error}")))?;
        done.map_err(|error| self.refused(error))
    }

    /// All models, each with its versions or why they can not be told: one that can not be read hides no other.
    async fn all(&self) -> Result<Vec<(String, Result<Vec<VersionState>, ServeError>)>, Failure> {
        self.beside(|serving| {
            let names = serving.catalog().names();
            let names = names.map_err(|reason| ServeError::Catalog { name: "*".to_owned(), reason })?;
            Ok(names.into_iter().map(|name| (name.clone(), serving.state(&name))).collect())
        })
        .await
    }

    async fn state(&self, wanted: &Wanted) -> Result<(String, VersionState), Failure> {
        let ModelRef { name, version } = meant(wanted)?;
        let told = name.clone();
        let found = self
            .beside(move |serving| {
                let number = serving.number(&name, &version)?;
                Ok(serving.state(&name)?.into_iter().find(|state| state.version == number))
            })
            .await?;
        let state =
            found.ok_or_else(|| Failure::new(code!("TS-0552"), format!("the model `{told}` has no such version")))?;
        Ok((told, state))
    }

    async fn is_model_ready(&self, wanted: &Wanted) -> Result<bool, Failure> {
        let (name, state) = self.state(wanted).await?;
        if self.is_unloaded(&name, state.version) {
            return Ok(false);
        }
        match of_slots(&state) {
            (ModelState::Ready, _) => Ok(true),
            // Nobody has asked for it yet, or it gave way to others: who asks whether it is ready wants it to be.
            (_, Some(SlotState::NotLoaded) | None) => Ok(self.open(wanted).await.is_ok()),
            _ => Ok(false),
        }
    }

    fn entry(&self, name: &str, state: &VersionState) -> IndexEntry {
        let (name, version) = (name.to_owned(), state.version);
        let (state, reason) = if self.is_unloaded(&name, version) {
            (ModelState::Unavailable, "unloaded".to_owned())
        } else {
            match of_slots(state) {
                (state, Some(SlotState::Failed { reason } | SlotState::SetAside { reason })) => (state, reason),
                (state, Some(SlotState::NotLoaded) | None) => (state, "it is loaded when it is asked for".to_owned()),
                (state, _) => (state, String::new()),
            }
        };
        IndexEntry { name, version: version.to_string(), state, reason: self.hidden.tell(reason) }
    }

    async fn model_metadata(&self, wanted: &Wanted) -> Result<(ModelMetadata, Entry, Served), Failure> {
        let served = self.open(wanted).await?;
        let entry = self.serving.entry(served.name()).map_err(|error| self.refused(error))?;
        Ok((metadata(&served, &entry), entry, served))
    }
}

/// Raised when the future that waits for the answer is dropped.
struct Gone(CancelToken);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The model that a client means. A name that can be none is one that there is not.
fn meant(wanted: &Wanted) -> Result<ModelRef, Failure> {
    let Wanted { name, version } = wanted;
    let text = match version {
        None => name.clone(),
        Some(_) if name.contains('@') => {
            return Err(Failure::invalid("the version of the model is said twice: behind an @ and on its own"));
        }
        Some(version) => format!("{name}@{version}"),
    };
    text.parse().map_err(|_| {
        let text: String = text.chars().take(120).collect();
        Failure::new(code!("TS-0611"), format!("there is no model `{text}`"))
    })
}

/// The best of its engines.
fn of_slots(state: &VersionState) -> (ModelState, Option<SlotState>) {
    let rank = |slot: &SlotState| match slot {
        SlotState::Ready { .. } => 0,
        SlotState::Loading => 1,
        SlotState::NotLoaded => 2,
        SlotState::SetAside { .. } | SlotState::Failed { .. } => 3,
    };
    let best = state.engines.iter().map(|(_, slot, _)| slot).min_by_key(|slot| rank(slot)).cloned();
    let state = match &best {
        Some(SlotState::Ready { .. }) => ModelState::Ready,
        Some(SlotState::Loading) => ModelState::Loading,
        _ => ModelState::Unavailable,
    };
    (state, best)
}

/// An output that is no tensor: a list as so many texts, all else as one.
fn texts(name: &str, value: Value) -> Result<Tensor, Failure> {
    let texts: Vec<String> = match value {
        Value::Array(items) => items.iter().map(Value::to_string).collect(),
        other => vec![other.to_string()],
    };
    let many = u32::try_from(texts.len()).unwrap_or(u32::MAX);
    Tensor::from_text(vec![many], texts)
        .map_err(|error| Failure::new(code!("TS-0514"), format!("output {name:?}: {error}")))
}

impl Backend for Models {
    fn ready(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    fn models(&self) -> Answering<'_, Vec<String>> {
        Box::pin(async { Ok(self.all().await?.into_iter().map(|(name, _)| name).collect()) })
    }

    fn model_ready<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, bool> {
        Box::pin(self.is_model_ready(wanted))
    }

    fn metadata<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, Arc<ModelMetadata>> {
        Box::pin(async { Ok(Arc::new(self.model_metadata(wanted).await?.0)) })
    }

    fn config<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ModelConfig> {
        Box::pin(async {
            let (metadata, entry, served) = self.model_metadata(wanted).await?;
            Ok(config(metadata, &entry, &served))
        })
    }

    fn subject_header(&self, wanted: &Wanted) -> Option<String> {
        let name = wanted.name.split('@').next().unwrap_or_default();
        match self.serving.trial(name)?.subject()? {
            SubjectKey::Header(name) => Some(name.clone()),
            SubjectKey::Parameter(_) | SubjectKey::Trigger(_) => None,
        }
    }

    fn infer<'a>(&'a self, wanted: &'a Wanted, request: InferRequest) -> Answering<'a, InferAnswer> {
        Box::pin(self.ask(wanted, request))
    }

    fn label(&self, body: Value) -> Answering<'_, Value> {
        let handle = self.handle.clone();
        Box::pin(async move {
            let is_one = body.get("labels").is_none();
            let asked = TellLabels::of(body).map_err(|error| Failure::of(&error))?;
            // Waits for the disk.
            let told = tokio::task::spawn_blocking(move || tell_labels(&handle, asked, CLIENT)).await;
            let told =
                told.map_err(|error| Failure::new(code!("TS-0578"), format!("the request was lost: {error}")))?;
            let told = told.map_err(|error| Failure::of(&error).unavailable())?;
            match told.refusal().filter(|_| is_one) {
                Some(refusal) => Err(Failure::of(refusal)),
                None => serde_json::to_value(told).map_err(|error| Failure::new(code!("TS-0720"), error.to_string())),
            }
        })
    }

    fn index(&self) -> Answering<'_, Vec<IndexEntry>> {
        Box::pin(async {
            let mut entries = Vec::new();
            for (name, states) in self.all().await? {
                match states {
                    Ok(states) => entries.extend(states.iter().map(|state| self.entry(&name, state))),
                    Err(error) => entries.push(IndexEntry {
                        name,
                        version: String::new(),
                        state: ModelState::Unavailable,
                        reason: self.hidden.tell(error.to_string()),
                    }),
                }
            }
            Ok(entries)
        })
    }

    fn load<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ()> {
        Box::pin(async {
            let ModelRef { name, version } = meant(wanted)?;
            let loaded = name.clone();
            let served = self
                .beside(move |serving| {
                    // What changed is looked at, and what names it now.
                    let served = serving.load(&name, &version)?;
                    serving.refresh(Some(&name))?;
                    Ok(served)
                })
                .await
                .map_err(Failure::not_loaded)?;
            let mut unloaded = self.unloaded.write().unwrap_or_else(PoisonError::into_inner);
            unloaded.remove(&(loaded.clone(), None));
            unloaded.remove(&(loaded, Some(served.version())));
            Ok(())
        })
    }

    fn unload<'a>(&'a self, wanted: &'a Wanted) -> Answering<'a, ()> {
        Box::pin(async {
            let ModelRef { name, version } = meant(wanted)?;
            let unloaded = name.clone();
            let number = self
                .beside(move |serving| {
                    let number = serving.number(&name, &version)?;
                    let number = (version != ModelVersion::Unsaid).then_some(number);
                    serving.unload(&name, number);
                    Ok(number)
                })
                .await?;
            self.unloaded.write().unwrap_or_else(PoisonError::into_inner).insert((unloaded, number));
            Ok(())
        })
    }

    fn statistics<'a>(&'a self, wanted: Option<&'a Wanted>) -> Answering<'a, Vec<Statistics>> {
        Box::pin(async move {
            let Some(wanted) = wanted else {
                let all = self.all().await?;
                let known = all.iter().filter_map(|(name, states)| Some((name, states.as_ref().ok()?)));
                return Ok(known
                    .flat_map(|(name, states)| states.iter().map(|state| statistics(name, state)))
                    .collect());
            };
            let ModelRef { name, version } = meant(wanted)?;
            if version != ModelVersion::Unsaid {
                let (name, state) = self.state(wanted).await?;
                return Ok(vec![statistics(&name, &state)]);
            }
            let asked = name.clone();
            let states = self.beside(move |serving| serving.state(&asked)).await?;
            Ok(states.iter().map(|state| statistics(&name, state)).collect())
        })
    }
}
