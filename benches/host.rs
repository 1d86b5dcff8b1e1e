//! What the benches of the sandbox run in: a store's artifacts, and plugins that are loaded.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::Arc,
};
use trackside_codes::Reason;

use serde_json::{Value, json};
use trackside_sandbox::{
    ArtifactSink, BoxFuture, InferenceFailure, ModelHandle, Plugin, Sandbox, SandboxSettings, StateEntry, StateScope,
    StepCall, StepHost, StepReport,
};
use trackside_spec::ArtifactRef;
use trackside_store::{ArtifactWriter, Artifacts, Committer, Durability, Hold};

/// A sandbox, and a place for its artifacts.
pub struct Place {
    pub sandbox: Sandbox,
    pub runtime: tokio::runtime::Runtime,
    pub host: Arc<Host>,
    /// What was made for the calls stays, also what is too small for a file.
    hold: Hold,
    _committer: Committer,
    _folder: tempfile::TempDir,
}

impl Place {
    /// On the disk of the target folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let settings = SandboxSettings {
            concurrent_calls: 32,
            warm_instances: 32,
            ..SandboxSettings::new(folder.path().join("cache"), folder.path().join("key"))
        };
        let sandbox = Sandbox::new(settings).expect("a sandbox");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let committer = Committer::open(&folder.path().join("data"), Durability::Full).expect("a store");
        let artifacts = committer.artifacts();
        let host = Arc::new(Host { inputs: artifacts.clone(), outputs: artifacts.clone() });
        let hold = Hold::new(artifacts);
        Self { sandbox, runtime, host, hold, _committer: committer, _folder: folder }
    }

    pub fn gauge(&self) -> Arc<Plugin> {
        self.load("../plugins/prebuilt/testing/gauge.wasm")
    }

    pub fn misbehave(&self) -> Arc<Plugin> {
        self.load("../plugins/prebuilt/testing/misbehave.wasm")
    }

    fn load(&self, path: &str) -> Arc<Plugin> {
        let bytes = std::fs::read(repository(path)).expect("plugins/build.sh was run");
        self.sandbox.load(&bytes, "bench").expect("the plugin")
    }

    /// Runs a call, which must end well.
    pub fn run(&self, plugin: &Plugin, call: StepCall) -> StepReport {
        self.run_on(plugin, call, &self.host)
    }

    /// The same with another host.
    pub fn run_on(&self, plugin: &Plugin, call: StepCall, host: &Arc<Host>) -> StepReport {
        let report = self.runtime.block_on(plugin.run(call, host.clone()));
        if let Err(failure) = &report.outcome {
            panic!("{failure:?}");
        }
        report
    }

    /// An artifact of `size` bytes.
    pub fn artifact(&self, size: u64) -> ArtifactRef {
        let mut source = io::Read::take(io::repeat(7), size);
        self.hold.store(&mut source, "bench.bin", "application/octet-stream").expect("space")
    }
}

/// A file of the repository, as seen from this folder.
pub fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches").join(path)
}

/// A call whose limits stand in nobody's way.
pub fn call(input: Value) -> StepCall {
    let mut call = StepCall::new("bench", "bench", "bench");
    call.input_json = input.to_string();
    let limits = &mut call.limits;
    (limits.log_lines, limits.log_rate, limits.log_bytes) = (100_000, 1_000_000, 64 << 20);
    (limits.http_body_bytes, limits.http_total_bytes) = (4 << 30, 8 << 30);
    call
}

/// A call of the plugin `gauge` on an artifact.
pub fn gauge(mode: &str, n: u64, input: Option<&ArtifactRef>) -> StepCall {
    let mut call = call(json!({ "mode": mode, "n": n }));
    call.inputs.extend(input.map(|artifact| ("in".to_owned(), vec![artifact.clone()])));
    call
}

/// Where an artifact lies that is a file.
pub fn file_of(artifacts: &Artifacts, artifact: &ArtifactRef) -> std::path::PathBuf {
    match artifacts.content(&artifact.digest).expect("the artifact") {
        trackside_store::Content::File(_, path) => path,
        trackside_store::Content::Small(_) => panic!("it stands in the database"),
    }
}

/// The artifacts of stores as a step sees them, and nothing else.
pub struct Host {
    /// Where it reads.
    pub inputs: Arc<Artifacts>,
    /// Where it writes.
    outputs: Arc<Artifacts>,
}

/// A store of its own for one write, and room for other files beside it: what a store knows is not written again.
pub struct Scratch {
    pub host: Arc<Host>,
    _committer: Committer,
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Reads what `place` has.
    pub fn new(place: &Place) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let committer = Committer::open(&folder.path().join("data"), Durability::Full).expect("a store");
        let host = Host { inputs: place.host.inputs.clone(), outputs: committer.artifacts().clone() };
        Self { host: Arc::new(host), _committer: committer, folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where an artifact lies that was written here.
    pub fn written(&self, artifact: &ArtifactRef) -> std::path::PathBuf {
        file_of(&self.host.outputs, artifact)
    }
}

impl StepHost for Host {
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<File> {
        self.inputs.open_artifact(&artifact.digest)
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Ok(Box::new(Sink(Hold::new(&self.outputs).create()?)))
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        Box::pin(std::future::ready(Err(InferenceFailure::NotFound(name.into()))))
    }

    fn state_get<'a>(&'a self, _: StateScope, _: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn state_list<'a>(
        &'a self,
        _: StateScope,
        _: &'a str,
        _: Option<&'a str>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn now_ms(&self) -> u64 {
        0
    }
}

struct Sink(ArtifactWriter);

impl ArtifactSink for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.write_all(data)
    }

    fn commit(self: Box<Self>, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        self.0.finish(name, media_type)
    }
}
