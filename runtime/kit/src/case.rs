//! Case files: what a plugin is given and what must come of it.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::Value;
use trackside_spec::read_yaml;

use crate::error::KitError;

/// Largest case file that is read at all, in bytes; larger inputs go into files of their own.
const SIZE: u64 = 1 << 20;

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, for people.
    #[serde(default)]
    pub description: Option<String>,
    /// The plugin's input, as in a workflow's step, but with values only.
    #[serde(default)]
    pub with: Value,
    /// Artifacts by input port. For a WASI command: `stdin` is its standard input, all others are files below `/in`.
    #[serde(default)]
    pub artifacts: BTreeMap<String, OneOrMany>,
    /// Arguments, environment, output and exit codes of a WASI command, as in a workflow's step.
    #[serde(default)]
    pub command: Option<Value>,
    /// Grants, as in a workflow's step.
    #[serde(default)]
    pub allow: Option<Value>,
    /// Limits, as in a workflow's step.
    #[serde(default)]
    pub limits: Option<Value>,
    /// Which attempt it is, from 1.
    #[serde(default = "one")]
    pub attempt: u32,
    /// The time that the plugin sees, RFC 3339; the beginning of 2026 when it is left out.
    #[serde(default)]
    pub clock: Option<String>,
    /// What randomness is made of; equal seeds give equal numbers. Without it they depend on `context`, as on a node.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The run that the plugin sees itself in.
    #[serde(default)]
    pub context: Surroundings,
    /// The step's own state before the call: JSON values by key.
    #[serde(default)]
    pub state: BTreeMap<String, Value>,
    /// The workflow's state before the call.
    #[serde(default)]
    pub workflow_state: BTreeMap<String, Value>,
    /// Secrets of the box by name. They may be sent to the hosts that `allow` names, and shown where `allow` says `reveal`.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The HTTP requests that are expected, in their order, and their answers. Nothing goes out.
    #[serde(default)]
    pub http: Vec<Exchange>,
    /// Models by name: whatever goes in, this comes out.
    #[serde(default)]
    pub models: BTreeMap<String, FakeModel>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// The run that a plugin sees itself in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Surroundings {
    /// The workflow's name.
    pub workflow: String,
    /// The run's id.
    pub run: String,
    /// The step's id.
    pub step: String,
    /// What started the run: `kind`, and the trigger's own facts.
    pub trigger: BTreeMap<String, Value>,
}

impl Default for Surroundings {
    fn default() -> Self {
        let test = || "test".to_owned();
        Self {
            workflow: test(),
            run: test(),
            step: test(),
            trigger: BTreeMap::from([("kind".to_owned(), test().into())]),
        }
    }
}

/// One artifact, or several for a port that takes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// Several. First, because a list can be read as a structure as well.
    Many(Vec<Content>),
    /// One.
    One(Content),
}

impl OneOrMany {
    /// Them all.
    #[must_use]
    pub fn all(&self) -> &[Content] {
        match self {
            Self::One(content) => std::slice::from_ref(content),
            Self::Many(contents) => contents,
        }
    }
}

/// An artifact's content: exactly one of `text`, `base64` and `file`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// As text.
    #[serde(default)]
    pub text: Option<String>,
    /// As Base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// A file, relative to the case file.
    #[serde(default)]
    pub file: Option<String>,
    /// Its name; `input` when it is left out and it is no file.
    #[serde(default)]
    pub name: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// One request and what comes of it: a `response` or an `error`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What the plugin must send.
    pub request: ExpectRequest,
    /// What it is answered.
    #[serde(default)]
    pub response: Option<Response>,
    /// What it is told of a connection that fails.
    #[serde(default)]
    pub error: Option<String>,
}

/// A request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectRequest {
    /// The method; `GET` when it is left out.
    #[serde(default = "get")]
    pub method: String,
    /// The whole URL, as the plugin writes it.
    pub url: String,
    /// Headers that must be among those sent, secrets filled in.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text, any when it is left out; at most one of `body`, `json` and `base64`.
    #[serde(default)]
    pub body: Option<String>,
    /// The body as JSON.
    #[serde(default)]
    pub json: Option<Value>,
    /// The body as Base64.
    #[serde(default)]
    pub base64: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The status; 200 when it is left out.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text, empty when it is left out; at most one of `body`, `json` and `base64`.
    #[serde(default)]
    pub body: Option<String>,
    /// The body as JSON.
    #[serde(default)]
    pub json: Option<Value>,
    /// The body as Base64.
    #[serde(default)]
    pub base64: Option<String>,
}

/// A model that always answers the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FakeModel {
    /// Inputs that it says it has: name to shape, `null` for any size. All are `float32`.
    #[serde(default)]
    pub inputs: BTreeMap<String, Vec<Option<u32>>>,
    /// Outputs by name: numbers in nested lists.
    pub outputs: BTreeMap<String, Value>,
}

/// How the call must end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// `done` unless `error` or `skipped` is given.
    #[serde(default)]
    pub outcome: Option<Ending>,
    /// The whole output document.
    #[serde(default)]
    pub output: Option<Value>,
    /// The error.
    #[serde(default)]
    pub error: Option<ExpectError>,
    /// Part of the reason for which nothing was done.
    #[serde(default)]
    pub skipped: Option<String>,
    /// Artifacts by output port; ports that are not listed may hold anything.
    #[serde(default)]
    pub artifacts: BTreeMap<String, OneOrManyMade>,
    /// Values of the step's state after the call; `null` for a key that is not there.
    #[serde(default)]
    pub state: BTreeMap<String, Value>,
    /// The same of the workflow's state.
    #[serde(default)]
    pub workflow_state: BTreeMap<String, Value>,
    /// Lines that must be in the log, in this order, others between them.
    #[serde(default)]
    pub logs: Vec<ExpectLog>,
    /// Memory that the guest may use at most.
    #[serde(default)]
    pub max_memory: Option<trackside_spec::ByteSize>,
    /// Instructions that the guest may execute at most.
    #[serde(default)]
    pub max_fuel: Option<u64>,
}

/// The ways in which a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// With an output.
    Done,
    /// With a reason for doing nothing.
    Skipped,
    /// With an error.
    Error,
}

/// An error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectError {
    /// Its code.
    pub code: String,
    /// Whether it may be tried again.
    #[serde(default)]
    pub retryable: Option<bool>,
    /// Part of its message.
    #[serde(default)]
    pub message: Option<String>,
}

/// One artifact, or several for a port that holds them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrManyMade {
    /// Several, or none. First, because a list can be read as a structure as well.
    Many(Vec<ExpectArtifact>),
    /// One.
    One(ExpectArtifact),
}

impl OneOrManyMade {
    /// Them all.
    #[must_use]
    pub fn all(&self) -> &[ExpectArtifact] {
        match self {
            Self::One(artifact) => std::slice::from_ref(artifact),
            Self::Many(artifacts) => artifacts,
        }
    }
}

/// An artifact that the plugin makes. What is given must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectArtifact {
    /// Its content as text.
    #[serde(default)]
    pub text: Option<String>,
    /// Its content as Base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// Its digest, hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Its length in bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// A line of the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectLog {
    /// `info` and so on.
    #[serde(default)]
    pub level: Option<String>,
    /// Part of the text.
    pub contains: String,
}

impl Case {
    /// Reads a case file.
    ///
    /// # Errors
    /// When it can not be read, or is wrong: with the place of every mistake.
    pub fn read(path: &Path) -> Result<Self, KitError> {
        let size = std::fs::metadata(path).map_err(KitError::io("cannot read", path))?.len();
        if size > SIZE {
            let reason = format!("has {size} bytes; the limit is {SIZE}: put large inputs into files beside it").into();
            return Err(KitError::BadCase { file: path.to_owned(), reason });
        }
        let text = std::fs::read_to_string(path).map_err(KitError::io("cannot read", path))?;
        Ok(read_yaml(&path.display().to_string(), &text)?)
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

fn one() -> u32 {
    1
}
