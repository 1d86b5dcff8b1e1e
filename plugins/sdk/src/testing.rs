//! Native tests of a plugin's logic: an in-memory host, no component, plain `cargo test`.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use trackside_sdk::{Step, StepError};
//! # #[derive(Deserialize)] struct Input { name: String }
//! # #[derive(Serialize)] struct Output { greeting: String }
//! # fn run(input: Input, _: &Step) -> Result<Output, StepError> { Ok(Output { greeting: format!("Hello, {}", input.name) }) }
//! # trackside_sdk::plugin! { name: "greet", summary: "Greets", input_schema: "{}", output_schema: "{}", deterministic: true, run: run, }
//! use serde_json::json;
//! use trackside_sdk::testing::TestHost;
//!
//! let done = TestHost::new().run::<Plugin>(json!({"name": "Ada"})).expect("the step succeeds");
//! assert_eq!(done.output(), &json!({"greeting": "Hello, Ada"}));
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use serde_json::{Value, json};

pub use crate::host::fake::{
    http::{Canned as HttpResponse, Request as HttpRequest},
    inference::Content as TensorContent,
    outbox::{Delivered, Published},
    telemetry::Level,
};
use crate::{
    Descriptor, HttpError, InferenceError, Outcome, Plugin, StepError,
    host::fake::{self, World, artifacts::Content, context, state::Table},
};

/// An artifact as a test sees it.
pub type ArtifactContent = Content;

/// A host for one step. State lives on from run to run, as it does in production.
#[derive(Default)]
pub struct TestHost {
    info: context::Info,
    inputs: BTreeMap<String, Vec<Rc<Content>>>,
    state: Option<Table>,
    http: Option<fake::HttpHandler>,
    models: BTreeMap<String, fake::ModelHandler>,
    secrets: BTreeMap<String, Vec<u8>>,
    cancelled: bool,
}

/// What a successful run left behind.
#[derive(Debug)]
pub struct Finished {
    output: Option<Value>,
    skipped: Option<String>,
    artifacts: Vec<(String, Rc<Content>)>,
    /// Files staged for delivery.
    pub delivered: Vec<Delivered>,
    /// Messages staged for publishing.
    pub published: Vec<Published>,
    /// Events staged, with their data as JSON text.
    pub emitted: Vec<(String, String)>,
    /// Log lines.
    pub log: Vec<(Level, String)>,
    /// Metrics in the order they were recorded.
    pub metrics: Vec<(String, f64)>,
    /// HTTP requests and their bodies.
    pub requests: Vec<(HttpRequest, Vec<u8>)>,
}

impl TestHost {
    /// A host that grants nothing: no state, no HTTP, no model.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds an artifact to an input port, after those bound before.
    #[must_use]
    pub fn artifact(mut self, port: &str, name: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let content =
            Content { name: name.into(), media_type: media_type.into(), bytes: bytes.into(), attributes: Vec::new() };
        self.inputs.entry(port.into()).or_default().push(Rc::new(content));
        self
    }

    /// Unbinds every artifact.
    pub fn clear_artifacts(&mut self) {
        self.inputs.clear();
    }

    /// Grants state, empty at first.
    #[must_use]
    pub fn with_state(mut self) -> Self {
        self.state.get_or_insert_default();
        self
    }

    /// Grants HTTP, answered by `handler`.
    #[must_use]
    pub fn with_http(
        mut self,
        handler: impl Fn(&HttpRequest, &[u8]) -> Result<HttpResponse, HttpError> + 'static,
    ) -> Self {
        self.http = Some(Rc::new(handler));
        self
    }

    /// Grants a model, played by `handler`.
    #[must_use]
    pub fn with_model(
        mut self,
        name: &str,
        handler: impl Fn(&[(String, TensorContent)]) -> Result<Vec<(String, TensorContent)>, InferenceError> + 'static,
    ) -> Self {
        self.models.insert(name.into(), Rc::new(handler));
        self
    }

    /// Grants a secret.
    #[must_use]
    pub fn with_secret(mut self, name: &str, value: &[u8]) -> Self {
        self.secrets.insert(name.into(), value.into());
        self
    }

    /// Sets the attempt's number.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.info.attempt = attempt;
        self
    }

    /// Sets the logical time, in milliseconds since 1970.
    #[must_use]
    pub fn logical_time_ms(mut self, time: u64) -> Self {
        self.info.logical_time_unix_ms = time;
        self
    }

    /// Asks the step to stop.
    #[must_use]
    pub fn cancelled(mut self) -> Self {
        self.cancelled = true;
        self
    }

    /// Runs one attempt with this input. Bound artifacts appear in it as reference objects, as in production.
    ///
    /// # Errors
    /// The step's own error; `test-host` when a required port is unbound or the output is no JSON. After an error
    /// nothing the attempt staged remains.
    pub fn run<P: Plugin>(&mut self, input: Value) -> Result<Finished, StepError> {
        let descriptor = P::describe();
        let missing = |port: &&crate::Port| port.required && !self.inputs.contains_key(&port.name);
        if let Some(port) = descriptor.inputs.iter().find(missing) {
            return Err(StepError::fatal("test-host", format!("required port `{}` is unbound", port.name)));
        }
        fake::with(|world| *world = self.world(&descriptor, input));
        let outcome = P::run();
        let world = fake::with(std::mem::take);
        let (output, skipped) = match outcome? {
            Outcome::Done(json) => (Some(serde_json::from_str(&json)?), None),
            Outcome::Skipped(reason) => (None, Some(reason)),
        };
        self.state = world.state;
        Ok(Finished {
            output,
            skipped,
            artifacts: world.committed,
            delivered: world.delivered,
            published: world.published,
            emitted: world.emitted,
            log: world.log,
            metrics: world.metrics,
            requests: world.requests,
        })
    }

    fn world(&self, descriptor: &Descriptor, mut input: Value) -> World {
        if let Some(document) = input.as_object_mut() {
            for (port, contents) in &self.inputs {
                let many = descriptor.inputs.iter().any(|declared| declared.name == *port && declared.many);
                let mut references: Vec<Value> = contents.iter().map(|content| reference(content)).collect();
                let value = if many { Value::Array(references) } else { references.pop().unwrap_or_default() };
                document.entry(port.clone()).or_insert(value);
            }
        }
        World {
            info: self.info.clone(),
            input_json: input.to_string(),
            cancelled: self.cancelled,
            inputs: self.inputs.clone(),
            output_ports: descriptor.outputs.iter().map(|port| port.name.clone()).collect(),
            state: self.state.clone(),
            http: self.http.clone(),
            models: self.models.clone(),
            secrets: self.secrets.clone(),
            ..World::default()
        }
    }
}

fn reference(content: &Content) -> Value {
    json!({
        "artifact": format!("sha256:{}", "0".repeat(64)),
        "name": content.name,
        "media_type": content.media_type,
        "size": content.bytes.len(),
    })
}

impl Finished {
    /// The output document; null when the step was skipped.
    #[must_use]
    pub fn output(&self) -> &Value {
        self.output.as_ref().unwrap_or(&Value::Null)
    }

    /// Why it was skipped, if it was.
    #[must_use]
    pub fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    /// The first artifact that was committed on this port.
    #[must_use]
    pub fn artifact(&self, port: &str) -> Option<&ArtifactContent> {
        self.artifacts.iter().find(|(name, _)| name == port).map(|(_, content)| &**content)
    }

    /// All artifacts that were committed on this port, in their order.
    #[must_use]
    pub fn artifacts(&self, port: &str) -> Vec<&ArtifactContent> {
        self.artifacts.iter().filter(|(name, _)| name == port).map(|(_, content)| &**content).collect()
    }

    /// The text of the first artifact on this port; empty when there is none or it is no UTF-8.
    #[must_use]
    pub fn text(&self, port: &str) -> &str {
        self.artifact(port).and_then(|content| std::str::from_utf8(&content.bytes).ok()).unwrap_or_default()
    }
}

impl ArtifactContent {
    /// Tensor data of a safetensors artifact that holds one float32 tensor: its shape and elements.
    #[must_use]
    pub fn f32_tensor(&self) -> Option<(Vec<u64>, Vec<f32>)> {
        let length = usize::try_from(u64::from_le_bytes(*self.bytes.first_chunk()?)).ok()?;
        let header: Value = serde_json::from_slice(self.bytes.get(8..8 + length)?).ok()?;
        let entry = header.as_object()?.values().next()?;
        let shape = entry["shape"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
        let data = self.bytes.get(8 + length..)?;
        (entry["dtype"] == "F32" && data.len() as u64 == entry["data_offsets"][1].as_u64()?)
            .then(|| (shape, data.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()))
    }
}

/// What is wrong with a plugin's description, one line each; empty when the host will take it.
#[must_use]
pub fn description_problems<P: Plugin>() -> Vec<String> {
    let descriptor = P::describe();
    let mut problems = Vec::new();
    if !is_slug(&descriptor.name) {
        problems.push(format!("name {:?}: use lower-case letters, digits and `-`", descriptor.name));
    }
    if descriptor.summary.is_empty() || descriptor.summary.contains('\n') {
        problems.push("summary: one line, please".into());
    }
    for (what, text) in [("input_schema", &descriptor.input_schema), ("output_schema", &descriptor.output_schema)] {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(_)) => {}
            Ok(_) => problems.push(format!("{what}: not a JSON object")),
            Err(error) => problems.push(format!("{what}: {error}")),
        }
    }
    for ports in [&descriptor.inputs, &descriptor.outputs] {
        let mut seen = BTreeSet::new();
        for port in ports {
            if !is_slug(&port.name) || !seen.insert(&port.name) {
                problems.push(format!("port {:?}: names are slugs, each once", port.name));
            }
        }
    }
    for want in &descriptor.wants {
        if !["http", "secrets", "models", "state", "env", "deliver", "publish", "emit", "clock", "random"]
            .contains(&want.kind.as_str())
        {
            problems.push(format!("want {:?}: no such grant", want.kind));
        }
    }
    problems
}

fn is_slug(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64 && name.chars().all(allowed)
}
