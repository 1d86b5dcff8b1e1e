//! Models in service on a node: what is loaded, how it goes, what bounds it; and loading anew.

use serde::{Deserialize, Serialize};
use trackside_codes::{Code, Coded};
use trackside_node::Handle;
use trackside_serving::{ModelSettings, ServeError, Serving, SlotState, VersionState, gcra::Rate};
use trackside_spec::ModelRef;

use super::remote::quoted;
use crate::{Client, ClientError, client::QUICK};

/// `GET /v1/models`: a model in service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedModel {
    /// Its name.
    pub name: String,
    /// Its versions, by number.
    pub versions: Vec<ServedVersion>,
    /// What bounds its use.
    pub limits: ServedLimits,
    /// Why nothing more is known, where what is said of it can not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A version in service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedVersion {
    /// Its number.
    pub version: u32,
    /// The aliases that name it, those in force.
    pub aliases: Vec<String>,
    /// `ready`, `loading`, `not-loaded`, `failed`, `set-aside`.
    pub state: String,
    /// Why it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The engine that it is loaded on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// About so many bytes of memory.
    pub bytes: u64,
    /// How long one run took when it was warmed up, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone_us: Option<u64>,
    /// How many rows would best be run together, where that would pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_rows: Option<u32>,
    /// Requests that run at this moment.
    pub running: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that were answered since it is in service.
    pub answered: u64,
    /// Requests that were not.
    pub failed: u64,
    /// Those of them that were not let in.
    pub rejected: u64,
    /// Answers whose truth was told.
    #[serde(default)]
    pub labelled: u64,
    /// Those of them that were right.
    #[serde(default)]
    pub right: u64,
}

/// What bounds the use of a model: keys of `[models.NAME]`, as they are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedLimits {
    /// Runs at a time; 0 is one for each core.
    pub sessions: usize,
    /// Requests that may wait.
    pub queue: usize,
    /// The longest that a request may take, in milliseconds.
    pub timeout_ms: u64,
    /// Requests a second on average; none where as many are taken as come.
    pub rate: Option<u32>,
    /// Requests at one instant, where there is a rate.
    pub burst: Option<u32>,
    /// Most rows of a run; 1 is no batching.
    pub batching_rows: u32,
    /// How long the first of a batch waits for others, in milliseconds.
    pub batching_delay_ms: u64,
    /// The fewest requests in the breaker's window that say anything; 0 is no breaker.
    pub breaker_requests: u32,
    /// The share of them that must have failed, in percent.
    pub breaker_failures: u32,
    /// That window, in milliseconds.
    pub breaker_window_ms: u64,
    /// How long the model is not asked then, in milliseconds.
    pub breaker_open_ms: u64,
    /// Failures in a row after which its sessions are made anew; 0 is never.
    pub failures: u32,
    /// Whether it is loaded before anybody asks.
    pub at_start: bool,
}

impl From<&ModelSettings> for ServedLimits {
    fn from(settings: &ModelSettings) -> Self {
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            sessions: settings.sessions,
            queue: settings.queue,
            timeout_ms: ms(settings.timeout),
            rate: settings.rate.map(Rate::per_second),
            burst: settings.rate.map(Rate::burst),
            batching_rows: settings.batching.rows,
            batching_delay_ms: ms(settings.batching.delay),
            breaker_requests: settings.breaker.requests,
            breaker_failures: settings.breaker.failures,
            breaker_window_ms: ms(settings.breaker.window),
            breaker_open_ms: ms(settings.breaker.open),
            failures: settings.failures,
            at_start: settings.at_start,
        }
    }
}

impl From<VersionState> for ServedVersion {
    fn from(state: VersionState) -> Self {
        // Asked for on several engines, the one that answers counts.
        let slot = state.engines.iter().find(|(_, slot, _)| matches!(slot, SlotState::Ready { .. }));
        let slot = slot.or(state.engines.first()).map(|(_, slot, _)| slot.clone());
        let (name, reason, engine, bytes) = match slot {
            None | Some(SlotState::NotLoaded) => ("not-loaded", None, None, 0),
            Some(SlotState::Loading) => ("loading", None, None, 0),
            Some(SlotState::Ready { bytes, engine }) => ("ready", None, Some(engine), bytes),
            Some(SlotState::Failed { reason }) => ("failed", Some(reason), None, 0),
            Some(SlotState::SetAside { reason }) => ("set-aside", Some(reason), None, 0),
        };
        let sum = |of: fn(&trackside_serving::Statistics) -> u64| state.engines.iter().map(|(.., read)| of(read)).sum();
        let alone = state.measured.as_ref().map(|measured| measured.alone.as_micros());
        Self {
            version: state.version,
            state: name.to_owned(),
            reason,
            engine,
            bytes,
            alone_us: alone.map(|us| u64::try_from(us).unwrap_or(u64::MAX)),
            batch_rows: state.measured.as_ref().and_then(trackside_serving::Measured::pays_at),
            running: state.under_way.0,
            waiting: state.under_way.1,
            answered: sum(|read| read.success.count),
            failed: sum(|read| read.fail.count),
            rejected: sum(|read| read.rejected),
            aliases: state.aliases,
            labelled: 0,
            right: 0,
        }
    }
}

/// A version as it stands, with how often it was right.
fn version(serving: &Serving, model: &str, state: VersionState) -> ServedVersion {
    let known = serving.accuracy_of(model, state.version);
    let (labelled, right) = known.map_or((0, 0), |known| (known.labelled, known.right));
    ServedVersion { labelled, right, ..ServedVersion::from(state) }
}

/// Why a model was not loaded.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LoadModelError(#[from] ServeError);

impl Coded for LoadModelError {
    fn code(&self) -> Code {
        self.0.code()
    }
}

/// The models in service on a node, those of the project and those of the registry. Blocks: what is said of them is read.
///
/// # Errors
/// When their names can not be read. One model that can not be read says so itself.
pub fn served_models(handle: &Handle) -> Result<Vec<ServedModel>, LoadModelError> {
    let serving = handle.workshop().models.serving();
    let names = serving.catalog().names();
    let names = names.map_err(|reason| ServeError::Catalog { name: "*".to_owned(), reason })?;
    let model = |name: String| {
        let known = serving.state(&name).and_then(|states| Ok((states, serving.entry(&name)?)));
        match known {
            Ok((states, entry)) => ServedModel {
                versions: states.into_iter().map(|state| version(serving, &name, state)).collect(),
                name,
                limits: ServedLimits::from(&entry.settings),
                problem: None,
            },
            Err(error) => {
                ServedModel { name, versions: Vec::new(), limits: ServedLimits::default(), problem: Some(error.told()) }
            }
        }
    };
    Ok(names.into_iter().map(model).collect())
}

/// Loads a version anew, whatever was the matter with it before: one that could not be loaded, or was set aside. Blocks until it is
/// tested and warm.
///
/// # Errors
/// Why it can not be loaded.
pub fn load_model(handle: &Handle, model: &ModelRef) -> Result<ServedVersion, LoadModelError> {
    let serving = handle.workshop().models.serving();
    let served = serving.load(&model.name, &model.version)?;
    let states = serving.state(&model.name)?;
    let state = states.into_iter().find(|state| state.version == served.version());
    let known =
        || ServeError::UnknownVersion { name: model.name.clone(), version: served.version(), known: String::new() };
    Ok(state.ok_or_else(known)?.into())
}

impl Client {
    /// The models in service on the node.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn served_models(&self) -> Result<Vec<ServedModel>, ClientError> {
        let asked = self.ask(hyper::Method::GET, "/v1/models", hyper::body::Bytes::new());
        tokio::time::timeout(QUICK, asked).await.unwrap_or_else(|_| Err(self.lost("it does not answer")))
    }

    /// Has the node load a version anew.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn load_model(&self, model: &ModelRef) -> Result<ServedVersion, ClientError> {
        let path = format!("/v1/models/{}/load", quoted(&model.to_string()));
        // No time limit: a large model takes its time.
        self.ask(hyper::Method::POST, &path, hyper::body::Bytes::new()).await
    }
}
