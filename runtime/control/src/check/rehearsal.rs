//! What a bundled plugin says of its own settings: a filter that is none, bounds that contradict each other, a topic that
//! is not granted. Only the plugin itself knows all of that, so it is asked: it runs in the sandbox with the step's
//! constants and grants, on nothing. No file is read for it but those that the workflow names, nothing is kept, and no
//! request leaves.
//!
//! Nothing may be told that would not come true. What the workflow makes while it runs is left out, or something harmless
//! stands in for it; where that could make a complaint of its own, nobody is asked. Of what the plugin says only
//! refusals of settings count.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};
use trackside_codes::Reason;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use trackside_sandbox::{
    ArtifactSink, BoxFuture, CallLimits, InferenceFailure, ModelHandle, Nobody, Plugin, SecretValue, StateEntry,
    StateScope, StepCall, StepHost,
};
use trackside_spec::{ArtifactRef, Digest, NodeConfig, PluginCall, nearest};

/// Codes of errors that speak of settings, whatever the data is.
const OF_SETTINGS: [&str; 5] = ["bad-input", "bad-request", "bad-filter", "bad-contract", "denied"];
/// A longer file of the project is data, not settings: an empty one stands in for it.
const LARGEST_FILE: u64 = 1 << 20;
/// What a plugin may compute to look at its settings.
const CPU: Duration = Duration::from_secs(1);
const WALL: Duration = Duration::from_secs(5);

/// What the plugin refuses.
#[derive(Debug)]
pub struct Refusal {
    /// For want of a grant.
    pub denied: bool,
    /// A sentence.
    pub reason: String,
    /// What would change it, where something would.
    pub remedy: Option<String>,
}

/// Asks the bundled plugin what it says of the settings that the `keys` of a step give it. Nothing when it is content, when
/// too little is known to ask, or when there is no place for a file.
pub fn refusal(
    plugin: &Plugin,
    step: &str,
    call: &PluginCall,
    keys: &[String],
    (root, config): (&Path, &NodeConfig),
) -> Option<Refusal> {
    if let Some(refusal) = no_broker(call, config) {
        return Some(refusal);
    }
    let folder = tempfile::Builder::new().prefix("trackside-check-").tempdir().ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let mut stage = Stage { folder, artifacts: BTreeMap::new() };
    let input = input(plugin, call, keys, root, config, &mut stage)?;
    let limits = CallLimits::from(&config.limits.with(&call.limits));
    let (cpu, wall) = (limits.cpu.min(CPU), limits.wall.min(WALL));
    let inputs = std::mem::take(&mut stage.artifacts);
    let request = StepCall {
        input_json: Value::Object(input).to_string(),
        inputs,
        limits: CallLimits { cpu, wall, ..limits },
        allow: call.allow.clone(),
        policy: config.policy.clone(),
        ..StepCall::new("check", "check", step)
    };
    let host = Props {
        folder: stage.folder,
        channels: config.mqtt.keys().cloned().collect(),
        secrets: config.secrets.iter().map(|(name, secret)| (name.clone(), secret.hosts.clone())).collect(),
    };
    let report = runtime.block_on(plugin.run(request, Arc::new(host)));
    let failure = report.outcome.err()?;
    if !OF_SETTINGS.contains(&failure.code.as_str()) {
        return None;
    }
    if failure.code != "denied" {
        return Some(Refusal { denied: false, reason: failure.message, remedy: None });
    }
    let text = report.denials.into_iter().next().unwrap_or(failure.message);
    let text =
        text.strip_prefix(&format!("step `{step}` may not ")).map_or(text.clone(), |rest| format!("it may not {rest}"));
    Some(match text.split_once(": add to the step:\n  ") {
        Some((reason, line)) => {
            let remedy = Some(format!("{line} would grant it"));
            Refusal { denied: true, reason: reason.to_owned(), remedy }
        }
        None => Refusal { denied: true, reason: text, remedy: None },
    })
}

/// A broker that the box does not have, whatever is published there.
fn no_broker(call: &PluginCall, config: &NodeConfig) -> Option<Refusal> {
    let broker = call.with.constant_at(&["broker"]).and_then(Value::as_str).filter(|_| call.plugin == "publish")?;
    if config.mqtt.contains_key(broker) {
        return None;
    }
    let near = nearest(broker, config.mqtt.keys().map(String::as_str));
    let remedy =
        near.map_or_else(|| format!("add [mqtt.{broker}] to trackside.toml"), |near| format!("did you mean `{near}`?"));
    Some(Refusal { denied: true, reason: format!("this box has no `broker` {broker:?}"), remedy: Some(remedy) })
}

/// Files that the plugin is given.
struct Stage {
    folder: TempDir,
    artifacts: BTreeMap<String, Vec<ArtifactRef>>,
}

impl Stage {
    fn put(&mut self, port: &str, name: &str, bytes: &[u8]) -> Option<Value> {
        let digest = Digest::of(bytes);
        fs::write(self.folder.path().join(digest.hex()), bytes).ok()?;
        let media_type = "application/octet-stream".to_owned();
        let artifact = ArtifactRef { digest, name: name.to_owned(), media_type, size: bytes.len() as u64 };
        let value = artifact.to_json();
        self.artifacts.insert(port.to_owned(), vec![artifact]);
        Some(value)
    }

    /// The file of the project that a port names; nothing in its place where it is long.
    fn file(&mut self, port: &str, root: &Path, path: &str) -> Option<Value> {
        let full = root.join(path);
        let name = full.file_name()?.to_string_lossy().into_owned();
        let size = fs::metadata(&full).ok().filter(fs::Metadata::is_file)?.len();
        let bytes = if size <= LARGEST_FILE { fs::read(&full).ok()? } else { Vec::new() };
        self.put(port, &name, &bytes)
    }
}

/// What the plugin is given; `None` where its answer would say nothing of the step.
fn input(
    plugin: &Plugin,
    call: &PluginCall,
    keys: &[String],
    root: &Path,
    config: &NodeConfig,
    stage: &mut Stage,
) -> Option<Map<String, Value>> {
    let about = plugin.descriptor();
    // What a secret is sent to is known where the box knows the secret.
    if call.allow.secrets.iter().any(|secret| !config.secrets.contains_key(&secret.name)) {
        return None;
    }
    let mut input = Map::new();
    let mut unknown = Vec::new();
    for key in keys {
        match call.with.constant_at(&[key.as_str()]) {
            None => unknown.push(key.as_str()),
            Some(Value::String(path)) if about.input(key).is_some() => {
                input.insert(key.clone(), stage.file(key, root, path)?);
            }
            Some(value) => drop(input.insert(key.clone(), value.clone())),
        }
    }
    let required = about.input_schema["required"].as_array();
    for key in unknown {
        let port = about.input(key);
        let is_required = port.is_some_and(|port| port.required)
            || required.is_some_and(|required| required.iter().any(|name| name == key));
        match stand_in(&call.plugin, key, call, &input, config) {
            Some(StandIn::Nobody) => return None,
            Some(StandIn::Value(name, value)) => drop(input.insert(name.to_owned(), value)),
            None if !is_required => {}
            None if port.is_some() => drop(input.insert(key.to_owned(), stage.put(key, "stand-in", b"")?)),
            None => return None,
        }
    }
    Some(input)
}

/// What to do about a key whose value the workflow makes while it runs.
enum StandIn {
    /// Without it nothing can be told.
    Nobody,
    /// This key with this value.
    Value(&'static str, Value),
}

fn stand_in(
    plugin: &str,
    key: &str,
    call: &PluginCall,
    known: &Map<String, Value>,
    config: &NodeConfig,
) -> Option<StandIn> {
    let value = |name, value: Value| Some(StandIn::Value(name, value));
    match (plugin, key) {
        // Something must be delivered; of several that are made, all but one may turn out to be null.
        ("deliver-file", "file" | "text" | "json")
            if !["file", "text", "json"].iter().any(|key| known.contains_key(*key)) =>
        {
            value("text", "".into())
        }
        // All but one of these may be null.
        ("file-verdict", "scores" | "scores_tensor" | "decided") => Some(StandIn::Nobody),
        ("http-request", "url") => granted_url(call),
        ("http-request", "method") if call.allow.http.iter().any(|grant| !grant.methods.is_empty()) => {
            Some(StandIn::Nobody)
        }
        // Values of variables say nothing of a filter, their names do.
        ("json-transform", "args") => match call.with.keys_under("args") {
            names if names.is_empty() => Some(StandIn::Nobody),
            names => value("args", names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect()),
        },
        // `names` speaks of them, and so does `unmatched` of the index.
        ("join-predictions", "outputs" | "index") => Some(StandIn::Nobody),
        ("publish", "topic") => {
            let topic = call.allow.publish.first()?.replace(['+', '#'], "x");
            if topic.starts_with('$') { Some(StandIn::Nobody) } else { value("topic", topic.into()) }
        }
        ("publish", "broker") => value("broker", config.mqtt.keys().next()?.as_str().into()),
        ("tally", "values") => value("values", json!({ "x": 0 })),
        ("threshold", "values") => value("values", json!(0)),
        ("threshold", "above" | "below" | "clear_above" | "clear_below") => Some(StandIn::Nobody),
        ("window-features", "features") => Some(StandIn::Nobody),
        ("window-features", "time") => value("time", "t".into()),
        _ => None,
    }
}

/// A URL that the step may call with its method, where it has one. Which secrets go where the URL decides.
fn granted_url(call: &PluginCall) -> Option<StandIn> {
    let method = call.with.constant_at(&["method"]).and_then(Value::as_str).unwrap_or("GET").to_ascii_uppercase();
    if !call.allow.secrets.is_empty() {
        return Some(StandIn::Nobody);
    }
    let grants = &call.allow.http;
    let grant = grants.iter().find(|grant| grant.has_method(&method)).or_else(|| grants.first())?;
    Some(StandIn::Value("url", grant.origin.to_string().into()))
}

/// The host of a rehearsal: it has the files that were put there, and keeps nothing.
struct Props {
    folder: TempDir,
    channels: Vec<String>,
    /// Their names and where they may be sent.
    secrets: BTreeMap<String, Vec<String>>,
}

impl StepHost for Props {
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<File> {
        File::open(self.folder.path().join(artifact.digest.hex()))
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Ok(Box::new(Nowhere(0)))
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        Nobody.open_model(name)
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

    fn secret(&self, name: &str) -> Result<SecretValue, Reason> {
        let hosts = self.secrets.get(name).cloned().ok_or("the box has no such secret")?;
        Ok(SecretValue { value: b"a secret's stand-in".to_vec(), hosts, reveal: true })
    }

    /// And nobody answers: no request leaves.
    fn plays_http(&self) -> bool {
        true
    }

    fn has_channel(&self, name: &str) -> bool {
        self.channels.iter().any(|channel| channel == name)
    }
}

/// An artifact that is written and not kept.
struct Nowhere(u64);

impl ArtifactSink for Nowhere {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.0 = self.0.saturating_add(data.len() as u64);
        Ok(())
    }

    fn commit(self: Box<Self>, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        Ok(ArtifactRef { digest: Digest::of(b""), name, media_type, size: self.0 })
    }
}
