//! A request through the router, as a wire sends it: the name is resolved, the limits are asked, and the run is counted.

use std::{cell::Cell, collections::BTreeMap, path::Path, sync::Arc};

use tokio::runtime::{Builder, Runtime};
use trackside_codes::Reason;
use trackside_models::{CancelToken, EngineChoice, Engines};
use trackside_serving::{
    Asker, Catalog, Content, Entry, ModelSettings, Request, Serving, ServingSettings, SystemClock, Version,
    VersionState,
};
use trackside_spec::{CHAMPION, Digest, ModelVersion, Tensor};

/// One model in service, and a request for it.
pub struct Router {
    pub serving: Serving,
    runtime: Runtime,
    inputs: Vec<(String, Tensor)>,
    /// Requests so far, where each has an id of its own.
    named: Option<Cell<u64>>,
}

struct One(Entry);

impl Catalog for One {
    fn find(&self, _: &str) -> Result<Option<Entry>, Reason> {
        Ok(Some(self.0.clone()))
    }

    fn names(&self) -> Result<Vec<String>, Reason> {
        Ok(vec!["bench".to_owned()])
    }
}

impl Router {
    /// On ONNX Runtime.
    pub fn new(engines: Arc<Engines>, file: &Path, input: Tensor) -> Self {
        Self::on(engines, EngineChoice::OnnxRuntime, file, vec![("x".to_owned(), input)])
    }

    pub fn on(engines: Arc<Engines>, engine: EngineChoice, file: &Path, inputs: Vec<(String, Tensor)>) -> Self {
        Self::with(engines, engine, file, inputs, ModelSettings::default())
    }

    /// With settings of its own.
    pub fn with(
        engines: Arc<Engines>,
        engine: EngineChoice,
        file: &Path,
        inputs: Vec<(String, Tensor)>,
        settings: ModelSettings,
    ) -> Self {
        let content = Content::Registered(Digest::of(file.as_os_str().as_encoded_bytes()));
        let version = Version { engine, ..Version::of(file.to_owned(), content) };
        let entry = Entry {
            versions: BTreeMap::from([(1, version.clone()), (2, version)]),
            aliases: BTreeMap::from([(CHAMPION.to_owned(), 1)]),
            settings,
        };
        let serving =
            Serving::new(Arc::new(One(entry)), engines, ServingSettings::default(), Arc::new(SystemClock::default()));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        serving.open_here("bench", &ModelVersion::Unsaid, None).expect("a model that is loaded");
        Self { serving, runtime, inputs, named: None }
    }

    /// Each request has an id of its own.
    #[allow(dead_code, reason = "each bench uses its part")]
    pub fn named(self) -> Self {
        Self { named: Some(Cell::new(0)), ..self }
    }

    /// One request and its answer.
    pub fn ask(&self) {
        let id = self.named.as_ref().map(|named| {
            named.set(named.get() + 1);
            format!("request-{}", named.get())
        });
        let request = Request {
            inputs: self.inputs.clone(),
            priority: 100,
            cancel: CancelToken::new(),
            id,
            ..Request::default()
        };
        self.runtime.block_on(async {
            let asker = Asker::default();
            let served = self.serving.open_for("bench", &ModelVersion::Unsaid, None, asker).await.expect("a model");
            std::hint::black_box(served.predict(request).await.expect("an answer"));
        });
    }

    /// How the model stands.
    pub fn state(&self) -> VersionState {
        self.serving.state("bench").expect("a state").remove(0)
    }
}
