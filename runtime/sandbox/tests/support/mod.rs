//! A host in memory and a temporary folder, and the guests that the plugins workspace has built.

#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../../tests/support/wait.rs"]
pub mod wait;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use trackside_codes::Reason;

use tempfile::TempDir;
use trackside_sandbox::{
    ArtifactSink, BoxFuture, Completion, HttpRequest, HttpResponse, InferenceFailure, Layout, ModelHandle,
    ModelSignature, Plugin, Sandbox, SandboxSettings, SecretValue, StateEntry, StateScope, StepCall, StepHost,
    StepReport,
};
use trackside_spec::{ArtifactRef, Digest, Tensor};

/// The bytes of a prebuilt guest.
pub fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/prebuilt").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run plugins/build.sh", path.display()))
}

pub struct Bench {
    pub folder: TempDir,
    pub sandbox: Sandbox,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(settings(folder.path())).unwrap();
        Self { folder, sandbox }
    }

    pub fn misbehave(&self) -> Arc<Plugin> {
        self.sandbox.load(&guest("testing/misbehave.wasm"), "misbehave").unwrap()
    }
}

pub fn settings(folder: &Path) -> SandboxSettings {
    SandboxSettings { compile_threads: 2, ..SandboxSettings::new(folder.join("cache"), folder.join("key")) }
}

/// A sandbox whose instances get their memory in the given way.
pub fn bench_with(layout: Layout) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(SandboxSettings { layout, ..settings(folder.path()) }).unwrap();
    Bench { sandbox, folder }
}

/// The misbehave guest, compiled once for all tests of a process.
pub fn misbehave() -> Arc<Plugin> {
    static LOADED: std::sync::OnceLock<(Bench, Arc<Plugin>)> = std::sync::OnceLock::new();
    let (_, plugin) = LOADED.get_or_init(|| {
        let bench = Bench::new();
        let plugin = bench.misbehave();
        (bench, plugin)
    });
    plugin.clone()
}

/// The misbehave guest with its instructions counted.
pub fn counting() -> Arc<Plugin> {
    static LOADED: std::sync::OnceLock<(Bench, Arc<Plugin>)> = std::sync::OnceLock::new();
    let (_, plugin) = LOADED.get_or_init(|| {
        let bench = Bench::new();
        let plugin = bench.sandbox.load_counting(&guest("testing/misbehave.wasm"), "misbehave").unwrap();
        (bench, plugin)
    });
    plugin.clone()
}

/// A call of misbehave with limits that keep tests short.
pub fn call(mode: &str) -> StepCall {
    call_with(serde_json::json!({ "mode": mode }))
}

pub fn call_with(input: serde_json::Value) -> StepCall {
    let mut call = StepCall::new("flow", "run-1", "alert");
    call.input_json = input.to_string();
    call.limits.memory = 64 << 20;
    call.limits.cpu = Duration::from_secs(20);
    call.limits.wall = Duration::from_secs(60);
    call
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub fn run(call: StepCall) -> StepReport {
    run_on(call, Arc::new(TestHost::new()))
}

pub fn run_on(call: StepCall, host: Arc<TestHost>) -> StepReport {
    runtime().block_on(misbehave().run(call, host))
}

/// The output of a step that ended well.
pub fn output(report: &StepReport) -> serde_json::Value {
    match &report.outcome {
        Ok(Completion::Done(json)) => serde_json::from_str(json).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Code and message of a step that failed, after a look at what must hold for every failure.
pub fn failure(report: &StepReport) -> (&str, &str) {
    assert!(report.artifacts.is_empty() && report.state_writes.is_empty() && report.outbox.is_empty());
    match &report.outcome {
        Err(failure) => {
            assert!(!failure.message.is_empty() && !failure.message.chars().any(char::is_control));
            (&failure.code, &failure.message)
        }
        Ok(outcome) => panic!("it ended well: {outcome:?}"),
    }
}

#[derive(Default)]
pub struct TestHost {
    pub folder: Option<TempDir>,
    pub state: Mutex<BTreeMap<(StateScope, String), StateEntry>>,
    pub model: Option<Arc<dyn ModelHandle>>,
    pub own: Vec<std::net::SocketAddr>,
    pub now_ms: u64,
    pub secrets: BTreeMap<String, SecretValue>,
    /// What every request is answered with, instead of going out.
    pub answer: Option<HttpResponse>,
    /// Requests that were answered so.
    pub requests: Mutex<Vec<HttpRequest>>,
    /// Sinks that exist at this moment.
    pub open_sinks: Arc<AtomicUsize>,
    pub largest_write: Arc<AtomicUsize>,
}

impl TestHost {
    pub fn new() -> Self {
        Self { folder: Some(tempfile::tempdir().unwrap()), ..Self::default() }
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(digest.hex())
    }

    /// Puts an artifact of `size` bytes, all zero, without writing them.
    pub fn sparse(&self, size: u64) -> ArtifactRef {
        let digest = Digest::of(&size.to_le_bytes());
        File::create(self.path(&digest)).unwrap().set_len(size).unwrap();
        ArtifactRef { digest, name: "zeros.bin".into(), media_type: "application/octet-stream".into(), size }
    }
}

struct TestSink {
    file: Option<tempfile::NamedTempFile>,
    folder: PathBuf,
    size: u64,
    open: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
}

impl ArtifactSink for TestSink {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.largest.fetch_max(data.len(), Ordering::Relaxed);
        self.size += data.len() as u64;
        self.file.as_mut().unwrap().write_all(data)
    }

    fn commit(mut self: Box<Self>, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let digest = Digest::of(format!("{name} {}", self.size).as_bytes());
        self.file.take().unwrap().persist(self.folder.join(digest.hex()))?;
        Ok(ArtifactRef { digest, name: name.into(), media_type: media_type.into(), size: self.size })
    }
}

impl Drop for TestSink {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl StepHost for TestHost {
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<File> {
        File::open(self.path(&artifact.digest))
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        let folder = self.folder.as_ref().unwrap().path().to_owned();
        self.open_sinks.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(TestSink {
            file: Some(tempfile::NamedTempFile::new_in(&folder)?),
            folder,
            size: 0,
            open: self.open_sinks.clone(),
            largest: self.largest_write.clone(),
        }))
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        let found =
            self.model.clone().ok_or_else(|| InferenceFailure::NotFound(format!("there is no model `{name}`").into()));
        Box::pin(std::future::ready(found))
    }

    fn state_get<'a>(&'a self, scope: StateScope, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        Box::pin(std::future::ready(Ok(self.state.lock().unwrap().get(&(scope, key.to_owned())).cloned())))
    }

    fn state_list<'a>(
        &'a self,
        scope: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        let state = self.state.lock().unwrap();
        let keys = state
            .keys()
            .filter(|(at, key)| {
                *at == scope && key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
            })
            .map(|(_, key)| key.clone())
            .take(limit)
            .collect();
        Box::pin(std::future::ready(Ok(keys)))
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn secret(&self, name: &str) -> Result<SecretValue, Reason> {
        self.secrets.get(name).cloned().ok_or_else(|| format!("there is no secret `{name}` here").into())
    }

    fn plays_http(&self) -> bool {
        self.answer.is_some()
    }

    fn http(&self, request: HttpRequest) -> Result<HttpResponse, Reason> {
        self.requests.lock().unwrap().push(request);
        Ok(self.answer.clone().unwrap_or_default())
    }

    fn is_own_address(&self, address: std::net::SocketAddr) -> bool {
        self.own.contains(&address)
    }
}

/// A model that returns its input under another name.
pub struct Identity(pub ModelSignature);

impl ModelHandle for Identity {
    fn info(&self) -> &ModelSignature {
        &self.0
    }

    fn run<'a>(
        &'a self,
        inputs: Vec<(String, Arc<Tensor>)>,
        _wanted: Vec<String>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<(String, Tensor)>, InferenceFailure>> {
        assert!(deadline > Instant::now());
        Box::pin(std::future::ready(Ok(inputs.into_iter().map(|(_, t)| ("y".to_owned(), (*t).clone())).collect())))
    }
}
