//! Reads `trackside.toml`.

use super::NodeConfig;
use crate::{
    oci::is_registry,
    origin::Origin,
    spec_error::{Report, SpecError},
    tree::{self, Node},
    units::{ByteSize, Duration},
    workflow::{folder_problem, words},
};

const MAX_MODELS: usize = 1000;
const MAX_STEPS: u32 = 4096;
const MAX_COUNT: u32 = 1_000_000;
const MAX_KEYS: usize = 100;
const MAX_REGISTRIES: usize = 100;

/// Reads and checks the node config in `text`. `file_name` is only used in messages.
///
/// # Errors
/// Every problem that can be seen in one go; see [`Problem`](crate::Problem) for the codes.
pub fn load_node_config(file_name: &str, text: &str) -> Result<NodeConfig, SpecError> {
    let mut report = Report::new(file_name, text);
    let config = read(text, &mut report);
    match (config, report.finish()) {
        (_, Err(error)) => Err(error),
        (Some(config), Ok(())) => Ok(config),
        (None, Ok(())) => Err(SpecError::unexplained(file_name)),
    }
}

fn read(text: &str, report: &mut Report<'_>) -> Option<NodeConfig> {
    let root = tree::parse_toml(text, report)?;
    let config: NodeConfig = tree::read(&root, report)?;
    let mut checks = Checks { root: &root, report };
    checks.node(&config);
    checks.limits(&config);
    checks.models(&config);
    checks.plugins(&config);
    checks.registries(&config);
    checks.policy(&config);
    Some(config)
}

struct Checks<'a, 'f> {
    root: &'a Node,
    report: &'a mut Report<'f>,
}

impl Checks<'_, '_> {
    fn at(&mut self, code: &'static str, path: &[&str], message: impl Into<String>, help: Option<String>) {
        let place = self.root.place_at(path.iter().copied());
        self.report.add(code, place, message, help);
    }

    fn node(&mut self, config: &NodeConfig) {
        let node = &config.node;
        if node.name.as_ref().is_some_and(|name| !words::is_model_name(name)) {
            let message = "a node's name is made of letters, digits, `.`, `_` and `-`, at most 64";
            self.at("TS-0103", &["node", "name"], message, None);
        }
        for (key, path) in [("data", &node.data), ("workflows", &node.workflows), ("plugins", &node.plugins)] {
            if let Some(reason) = words::path_problem(path) {
                self.at("TS-0103", &["node", key], format!("this is no folder: {reason}"), None);
            }
        }
        if node.workflows == node.data || node.plugins == node.data {
            let message = "the node's data needs a folder of its own";
            self.at("TS-0110", &["node", "data"], message, Some("data = \".trackside\"".to_owned()));
        }
        if node.max_steps > MAX_STEPS {
            self.at("TS-0103", &["node", "max_steps"], format!("at most {MAX_STEPS}"), None);
        }
        if let Some(reason) = config.engine.onnxruntime.as_deref().and_then(words::path_problem) {
            self.at("TS-0103", &["engine", "onnxruntime"], format!("this is no library: {reason}"), None);
        }
    }

    fn limits(&mut self, config: &NodeConfig) {
        let limits = &config.limits;
        let kib = |kib: u64| ByteSize::from_bytes(kib << 10);
        let sizes = [
            ("memory", limits.memory, kib(64), ByteSize::from_mib(4096)),
            ("input", limits.input, kib(1), ByteSize::from_mib(64)),
            ("output", limits.output, kib(1), ByteSize::from_mib(64)),
            ("log", limits.log, kib(1), ByteSize::from_mib(64)),
            ("artifact", limits.artifact, kib(1), ByteSize::from_mib(1 << 24)),
            ("state_value", limits.state_value, kib(1), ByteSize::from_mib(64)),
            ("tensor", limits.tensor, kib(1), ByteSize::from_mib(1 << 16)),
            ("http_body", limits.http_body, kib(1), ByteSize::from_mib(1024)),
        ];
        for (key, value, smallest, largest) in sizes {
            if value < smallest || value > largest {
                self.at("TS-0103", &["limits", key], format!("between {smallest} and {largest}"), None);
            }
        }
        for (key, value) in [("cpu", limits.cpu), ("wall", limits.wall)] {
            let (shortest, longest) = (Duration::from_millis(10), Duration::from_millis(7 * 86_400_000));
            if value < shortest || value > longest {
                self.at("TS-0103", &["limits", key], format!("between {shortest} and {longest}"), None);
            }
        }
        for (key, value) in [("artifacts", limits.artifacts), ("http_requests", limits.http_requests)] {
            if !(1..=MAX_COUNT).contains(&value) {
                self.at("TS-0103", &["limits", key], format!("between 1 and {MAX_COUNT}"), None);
            }
        }
    }

    fn models(&mut self, config: &NodeConfig) {
        if config.models.len() > MAX_MODELS {
            let message = format!("{} models; the limit is {MAX_MODELS}", config.models.len());
            self.at("TS-0108", &["models"], message, None);
        }
        for (name, model) in &config.models {
            if !words::is_model_name(name) || name.ends_with(".onnx") {
                let place = self.root.key_place(&["models", name]);
                let message = "a model's name is made of letters, digits, `.`, `_` and `-`, and does not end in .onnx";
                self.report.add("TS-0103", place, message, None);
            }
            let paths = [("path", Some(model.path.as_str())), ("selftest", model.selftest.as_deref())];
            for (key, path) in paths {
                if let Some(reason) = path.and_then(words::path_problem) {
                    self.at("TS-0103", &["models", name, key], format!("this is no file: {reason}"), None);
                }
            }
        }
    }

    fn plugins(&mut self, config: &NodeConfig) {
        let plugins = &config.plugins;
        if plugins.keys.len() > MAX_KEYS {
            let message = format!("{} keys; the limit is {MAX_KEYS}", plugins.keys.len());
            self.at("TS-0108", &["plugins", "keys"], message, None);
        }
        for (index, key) in plugins.keys.iter().enumerate() {
            if let Some(reason) = words::path_problem(key) {
                self.at(
                    "TS-0103",
                    &["plugins", "keys", &index.to_string()],
                    format!("this is no file: {reason}"),
                    None,
                );
            }
        }
        if plugins.require_signature && plugins.keys.is_empty() {
            let message = "a signature is required, but no key is given that it could be checked with";
            let help = Some("keys = [\"keys/ops.pub\"]".to_owned());
            self.at("TS-0110", &["plugins", "require_signature"], message, help);
        }
        let (least, most) = (ByteSize::from_mib(64), ByteSize::from_mib(1 << 16));
        if !(least..=most).contains(&plugins.compile_memory) {
            self.at("TS-0103", &["plugins", "compile_memory"], format!("between {least} and {most}"), None);
        }
        let (shortest, longest) = (Duration::from_millis(1_000), Duration::from_millis(3_600_000));
        if !(shortest..=longest).contains(&plugins.compile_time) {
            self.at("TS-0103", &["plugins", "compile_time"], format!("between {shortest} and {longest}"), None);
        }
    }

    fn registries(&mut self, config: &NodeConfig) {
        if config.registries.len() > MAX_REGISTRIES {
            let message = format!("{} registries; the limit is {MAX_REGISTRIES}", config.registries.len());
            self.at("TS-0108", &["registries"], message, None);
        }
        for (host, registry) in &config.registries {
            if !is_registry(host) {
                let place = self.root.key_place(&["registries", host]);
                let help = Some("[registries.\"registry.example:5000\"]".to_owned());
                self.report.add("TS-0103", place, "a registry's name is its host, with the port if there is one", help);
            }
            for (key, path) in [("password_file", &registry.password_file), ("ca", &registry.ca)] {
                if let Some(reason) = path.as_deref().and_then(words::path_problem) {
                    self.at("TS-0103", &["registries", host, key], format!("this is no file: {reason}"), None);
                }
            }
            if registry.credential.as_deref().is_some_and(|name| !words::is_model_name(name)) {
                let message = "a credential's name is made of letters, digits, `.`, `_` and `-`, at most 64";
                self.at("TS-0103", &["registries", host, "credential"], message, None);
            }
            if registry.username.as_deref().is_some_and(|name| name.contains(':') || name.chars().any(char::is_control))
            {
                let message = "a user's name has no `:` and no control characters";
                self.at("TS-0103", &["registries", host, "username"], message, None);
            }
            if registry.password_file.is_some() && registry.credential.is_some() {
                let message = "one place for the password is enough: `password_file` or `credential`";
                self.at("TS-0110", &["registries", host, "credential"], message, None);
            }
            if registry.username.is_some() != (registry.password_file.is_some() || registry.credential.is_some()) {
                let message = "`username` and a password (`password_file` or `credential`) belong together";
                self.at("TS-0110", &["registries", host], message, None);
            }
            if registry.plain_http && registry.ca.is_some() {
                self.at("TS-0110", &["registries", host, "ca"], "without TLS there are no certificates", None);
            }
        }
    }

    fn policy(&mut self, config: &NodeConfig) {
        for (index, origin) in config.policy.http.iter().flatten().enumerate() {
            if let Err(reason) = Origin::parse(origin) {
                let message = format!("this is no origin: {reason}");
                self.at("TS-0103", &["policy", "http", &index.to_string()], message, None);
            }
        }
        for (index, folder) in config.policy.deliver.iter().flatten().enumerate() {
            if let Some(reason) = folder_problem(folder) {
                self.at("TS-0103", &["policy", "deliver", &index.to_string()], reason, None);
            }
        }
    }
}
