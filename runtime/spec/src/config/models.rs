//! Models, and how they are served to steps and to clients outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DriftConfig, EngineChoice, FeedbackConfig, Provider, SamplesConfig};
use crate::units::{ByteSize, Duration};

/// A model that workflows and clients use by name. With `path` the table declares it; without, it says how the model of that name in
/// the registry is served.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a model: a table, with `path` where it is not in the registry")]
#[schemars(rename = "Model")]
pub struct ModelConfig {
    /// The ONNX file. A changed file is loaded, tested, and takes the place of the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The engine that runs it.
    pub engine: EngineChoice,
    /// What computes it on ONNX Runtime besides the processor, whatever `[engine] providers` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<Provider>>,
    /// A safetensors file with inputs `in.NAME` and the outputs `out.NAME` that the model must give for them. Only with `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selftest: Option<String>,
    /// A text file with a label for each class, one a line: for the classification extension of the inference protocol. Only with
    /// `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// When it is loaded: `start`, before the node answers for it, or `lazy`, when somebody first asks, or a workflow names it.
    pub load: LoadTime,
    /// How many of its runs go on at a time; 0 is one for each core.
    #[schemars(range(max = 64))]
    pub sessions: u32,
    /// How many requests may wait for their turn. One more is refused, or takes the place of a less important one.
    #[schemars(range(max = 100_000))]
    pub queue: u32,
    /// The longest that a request may take, waiting included. Without it, that of `[limits] wall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How many requests a second it takes on average. Without it, as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate: Option<u32>,
    /// How many requests it takes at one instant under `rate`; 0 is as many as in a second.
    #[schemars(range(max = 1_000_000))]
    pub burst: u32,
    /// After how many failures of the engine in a row its sessions are made anew. If that fails, the version is set aside. 0 is never.
    pub failures: u32,
    /// Whether requests of clients are run together.
    pub batching: BatchingConfig,
    /// When it is not asked for a while.
    pub breaker: BreakerConfig,
    /// How closely what it is asked and what it answers is watched.
    pub drift: DriftConfig,
    /// Predictions that wait for their truth; without this table none is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<FeedbackConfig>,
    /// Inputs that are kept because a label for them would teach most; without this table none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<SamplesConfig>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            path: None,
            engine: EngineChoice::default(),
            providers: None,
            selftest: None,
            labels: None,
            load: LoadTime::default(),
            sessions: 0,
            queue: 64,
            timeout: None,
            rate: None,
            burst: 0,
            failures: 5,
            batching: BatchingConfig::default(),
            breaker: BreakerConfig::default(),
            drift: DriftConfig::default(),
            feedback: None,
            samples: None,
        }
    }
}

/// When a model is loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadTime {
    /// When somebody first asks, or a workflow names it.
    #[default]
    Lazy,
    /// When the node starts. The inference server is not ready before.
    Start,
}

/// Requests that are run together. Those of steps always run alone, so that they come out the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "batching: a table with `rows` and `delay`")]
#[schemars(rename = "Batching")]
pub struct BatchingConfig {
    /// Most rows of one run; 1 is no batching.
    #[schemars(range(min = 1, max = 65_536))]
    pub rows: u32,
    /// How long the first of a batch waits for others, at most 1s. One that comes alone never waits.
    pub delay: Duration,
}

impl Default for BatchingConfig {
    fn default() -> Self {
        Self { rows: 1, delay: Duration::from_millis(0) }
    }
}

/// The circuit breaker of a model: when too many of its requests fail, it is not asked for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "breaker: a table with `window`, `requests`, `failures` and `open`")]
#[schemars(rename = "Breaker")]
pub struct BreakerConfig {
    /// How long a request counts.
    pub window: Duration,
    /// The fewest requests in that time that say anything. 0 turns the breaker off.
    pub requests: u32,
    /// The share of them that must have failed, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub failures: u32,
    /// How long it is not asked. Then one request is let through to see.
    pub open: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { window: Duration::from_millis(30_000), requests: 20, failures: 50, open: Duration::from_millis(5_000) }
    }
}

impl ModelConfig {
    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static [&'static str], String)> {
        let mut problems: Vec<(&'static [&'static str], String)> = Vec::new();
        let mut above = |key: &'static [&'static str], value: u32, most: u32| {
            if value > most {
                problems.push((key, format!("at most {most}")));
            }
        };
        above(&["sessions"], self.sessions, 64);
        above(&["queue"], self.queue, 100_000);
        above(&["burst"], self.burst, 1_000_000);
        above(&["rate"], self.rate.unwrap_or(0), 1_000_000);
        above(&["batching", "rows"], self.batching.rows, 65_536);
        above(&["breaker", "failures"], self.breaker.failures, 100);
        if self.rate == Some(0) {
            problems.push((&["rate"], "at least 1".to_owned()));
        }
        if self.rate.is_none() && self.burst > 0 {
            problems.push((&["burst"], "it belongs to `rate`, which is not given".to_owned()));
        }
        if self.batching.rows == 0 {
            problems.push((&["batching", "rows"], "at least 1, which is no batching".to_owned()));
        }
        if self.batching.delay.as_millis() > 1_000 {
            problems.push((&["batching", "delay"], "at most 1s".to_owned()));
        }
        if self.breaker.failures == 0 {
            problems.push((&["breaker", "failures"], "at least 1 percent".to_owned()));
        }
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_millis(3_600_000));
        if self.timeout.is_some_and(|timeout| !(shortest..=longest).contains(&timeout)) {
            problems.push((&["timeout"], format!("between {shortest} and {longest}")));
        }
        let shortest = Duration::from_millis(100);
        for (key, time) in [(&["breaker", "window"], self.breaker.window), (&["breaker", "open"], self.breaker.open)] {
            if !(shortest..=longest).contains(&time) {
                problems.push((key, format!("between {shortest} and {longest}")));
            }
        }
        if self.path.is_none() {
            for (key, given) in [(&["selftest"], self.selftest.is_some()), (&["labels"], self.labels.is_some())] {
                if given {
                    problems.push((key, "it belongs to `path`; a model in the registry brings its own".to_owned()));
                }
            }
        }
        problems.extend(self.feedback.iter().flat_map(FeedbackConfig::problems));
        problems.extend(self.samples.iter().flat_map(SamplesConfig::problems));
        problems
    }
}

/// The inference server: the Open Inference Protocol (V2), REST and gRPC at one address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "an [inference] table")]
#[schemars(rename = "Inference")]
pub struct InferenceConfig {
    /// The address and port, such as `127.0.0.1:8000`. Nothing listens without this key. An address that others can reach needs
    /// `certificate` and `key`, and clients need a token. Port 0 lets the system choose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// A PEM file with the server's certificate chain; with `key`. A changed file is taken up without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// A PEM file with its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether clients need a token also at a loopback address.
    pub token: bool,
    /// Most bytes of a request, unpacked.
    pub body: ByteSize,
    /// Most connections at a time.
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: u32,
    /// Threads that read requests and run models that take a moment; 0 is one for each core.
    #[schemars(range(max = 256))]
    pub threads: u32,
    /// Whether a thread looks for 150 us for the next request of a client that sends one right after the other before it sleeps. It
    /// is answered sooner, for time of a processor that nobody else wants.
    pub busy_poll: bool,
    /// How long a client may take to send a request, and to take its answer.
    pub patience: Duration,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self {
            listen: None,
            certificate: None,
            key: None,
            token: false,
            body: ByteSize::from_mib(64),
            connections: 256,
            threads: 0,
            busy_poll: true,
            patience: Duration::from_millis(30_000),
        }
    }
}

impl InferenceConfig {
    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let address = self.listen.as_ref().map(|listen| listen.parse::<std::net::SocketAddr>());
        match address {
            Some(Err(_)) => problems.push(("listen", "this is no address with a port".to_owned())),
            Some(Ok(address)) if !address.ip().is_loopback() && self.certificate.is_none() => {
                let reason =
                    "others can reach this address: it needs TLS (`certificate` and `key`), and clients need a token";
                problems.push(("listen", reason.to_owned()));
            }
            _ => {}
        }
        if self.certificate.is_some() != self.key.is_some() {
            problems.push(("certificate", "`certificate` and `key` belong together".to_owned()));
        }
        let (least, most) = (ByteSize::from_bytes(1024), ByteSize::from_mib(2048));
        if !(least..=most).contains(&self.body) {
            problems.push(("body", format!("between {least} and {most}")));
        }
        if !(1..=65_536).contains(&self.connections) {
            problems.push(("connections", "between 1 and 65536".to_owned()));
        }
        if self.threads > 256 {
            problems.push(("threads", "at most 256".to_owned()));
        }
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_millis(3_600_000));
        if !(shortest..=longest).contains(&self.patience) {
            problems.push(("patience", format!("between {shortest} and {longest}")));
        }
        problems
    }

    /// Whether clients need a token: always where others can reach the address.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        let address = self.listen.as_ref().and_then(|listen| listen.parse::<std::net::SocketAddr>().ok());
        self.token || address.is_some_and(|address| !address.ip().is_loopback())
    }
}
