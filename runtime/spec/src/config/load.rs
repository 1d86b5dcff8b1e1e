//! Reads `trackside.toml`.

use super::{NodeConfig, SecretConfig};
use crate::{
    ByteSize, Duration,
    entries::Short,
    oci::is_registry,
    origin::host_and_port,
    spec_error::{Report, SpecError},
    topic::filter_problem,
    tree::{self, Node},
    workflow::{
        EVENT_NAME,
        allow_file::{SECRET_NAME, env_problem},
        folder_problem, is_event_name, words,
    },
};

const MAX_MODELS: usize = 1000;
const MAX_STEPS: u32 = 4096;
const MAX_BROKERS: usize = 100;
const MAX_KEYS: usize = 100;
/// Each takes address space, whether it is used or not.
const MAX_WARM: u32 = 128;
const MAX_REGISTRIES: usize = 100;
const MAX_SECRETS: usize = 1000;

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
    checks.outside(&config);
    checks.brokers(&config);
    checks.models(&config);
    checks.inference(&config);
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
        for (key, reason) in config.limits.problems() {
            self.at("TS-0103", &["limits", key], reason, None);
        }
        for (key, reason) in config.model_limits.problems() {
            self.at("TS-0103", &["model_limits", key], reason, None);
        }
        for (key, reason) in config.retention.problems() {
            self.at("TS-0103", &["retention", key], reason, None);
        }
    }

    fn outside(&mut self, config: &NodeConfig) {
        if let Some(reason) = config.http.ca_file.as_deref().and_then(words::path_problem) {
            self.at("TS-0103", &["http", "ca_file"], format!("this is no file: {reason}"), None);
        }
        if config.http_server.listen.as_ref().is_some_and(|listen| listen.parse::<std::net::SocketAddr>().is_err()) {
            let help = Some("listen = \"127.0.0.1:7070\"".to_owned());
            self.at("TS-0103", &["http_server", "listen"], "this is no address with a port", help);
        }
        if config.secrets.len() > MAX_SECRETS {
            let message = format!("{} secrets; the limit is {MAX_SECRETS}", config.secrets.len());
            self.at("TS-0108", &["secrets"], message, None);
        }
        for (name, secret) in &config.secrets {
            if !words::is_model_name(name) {
                self.report.add("TS-0103", self.root.key_place(&["secrets", name]), SECRET_NAME, None);
            }
            self.secret(name, secret);
        }
    }

    fn secret(&mut self, name: &str, secret: &SecretConfig) {
        let sources = [("file", &secret.file), ("env", &secret.env), ("credential", &secret.credential)];
        let given: Vec<&str> = sources.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect();
        if given.len() != 1 {
            let message = match given.as_slice() {
                [] => "a secret needs one of `file`, `env` and `credential`".to_owned(),
                several => format!("a secret has one of {}, not all", several.join(", ")),
            };
            self.report.add("TS-0110", self.root.key_place(&["secrets", name]), message, None);
        }
        if let Some(reason) = secret.file.as_deref().and_then(words::path_problem) {
            self.at("TS-0103", &["secrets", name, "file"], format!("this is no file: {reason}"), None);
        }
        if let Some(reason) = secret.env.as_deref().and_then(|variable| env_problem(variable, "")) {
            self.at("TS-0103", &["secrets", name, "env"], reason, None);
        }
        if secret.credential.as_ref().is_some_and(|credential| !words::is_model_name(credential)) {
            let message = "a credential's name is made of letters, digits, `.`, `_` and `-`, at most 64";
            self.at("TS-0103", &["secrets", name, "credential"], message, None);
        }
        if secret.hosts.is_empty() && !secret.reveal && !secret.node {
            let help = Some("hosts = [\"hooks.example.org\"]".to_owned());
            let place = self.root.key_place(&["secrets", name]);
            self.report.add("TS-0102", place, "a secret needs `hosts`: where may it be sent?", help);
        }
        for (index, host) in secret.hosts.iter().enumerate() {
            if let Err(reason) = host_and_port(host) {
                let path = ["secrets", name, "hosts", &index.to_string()];
                self.at("TS-0103", &path, format!("write host or host:port: {reason}"), None);
            }
        }
    }

    fn brokers(&mut self, config: &NodeConfig) {
        if config.mqtt.len() > MAX_BROKERS {
            let message = format!("{} brokers; the limit is {MAX_BROKERS}", config.mqtt.len());
            self.at("TS-0108", &["mqtt"], message, None);
        }
        for (name, broker) in &config.mqtt {
            if !words::is_model_name(name) {
                let place = self.root.key_place(&["mqtt", name]);
                let message = "a broker's name is made of letters, digits, `.`, `_` and `-`, at most 64";
                self.report.add("TS-0103", place, message, None);
            }
            if let Err(reason) = host_and_port(&broker.host) {
                self.at("TS-0103", &["mqtt", name, "host"], format!("this is no host: {reason}"), None);
            } else if broker.host.contains(':') && !broker.host.starts_with('[') {
                self.at("TS-0103", &["mqtt", name, "host"], "the port has a key of its own: `port`", None);
            }
            if let Some(reason) = broker.ca_file.as_deref().and_then(words::path_problem) {
                self.at("TS-0103", &["mqtt", name, "ca_file"], format!("this is no file: {reason}"), None);
            }
            if broker.ca_file.is_some() && !broker.tls {
                self.at("TS-0110", &["mqtt", name, "ca_file"], "without TLS there are no certificates", None);
            }
            if let Some(reason) = broker.labels.as_deref().and_then(filter_problem) {
                self.at("TS-0103", &["mqtt", name, "labels"], format!("this is no topic filter: {reason}"), None);
            }
            if broker.username.is_some() != broker.password.is_some() {
                self.at("TS-0110", &["mqtt", name], "`username` and `password` belong together", None);
            }
            if let Some(secret) = &broker.password
                && !config.secrets.get(secret).is_some_and(|secret| secret.node)
            {
                let help = Some(format!("[secrets.{secret}] with node = true"));
                self.at("TS-0104", &["mqtt", name, "password"], "this is no secret that the node may use", help);
            }
            if !(1_000..=3_600_000).contains(&broker.keep_alive.as_millis()) {
                self.at("TS-0103", &["mqtt", name, "keep_alive"], "between 1s and 1h", None);
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
            let paths = [("path", &model.path), ("selftest", &model.selftest), ("labels", &model.labels)];
            for (key, path) in paths {
                if let Some(reason) = path.as_deref().and_then(words::path_problem) {
                    self.at("TS-0103", &["models", name, key], format!("this is no file: {reason}"), None);
                }
            }
            for (key, reason) in model.problems() {
                let path: Vec<&str> = ["models", name].iter().chain(key).copied().collect();
                self.at("TS-0103", &path, reason, None);
            }
            for (key, reason) in model.drift.problems() {
                self.at("TS-0103", &["models", name, "drift", key], reason, None);
            }
        }
    }

    fn inference(&mut self, config: &NodeConfig) {
        let inference = &config.inference;
        for (key, path) in [("certificate", &inference.certificate), ("key", &inference.key)] {
            if let Some(reason) = path.as_deref().and_then(words::path_problem) {
                self.at("TS-0103", &["inference", key], format!("this is no file: {reason}"), None);
            }
        }
        for (key, reason) in inference.problems() {
            let help = (key == "listen").then(|| "listen = \"127.0.0.1:8000\"".to_owned());
            self.at("TS-0103", &["inference", key], reason, help);
        }
        if config.engine.memory.is_some_and(|memory| memory < ByteSize::from_mib(1)) {
            self.at("TS-0103", &["engine", "memory"], "at least 1MiB", None);
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
        if plugins.warm_instances > MAX_WARM {
            self.at("TS-0103", &["plugins", "warm_instances"], format!("at most {MAX_WARM}"), None);
        }
        let (least, most) = (ByteSize::from_mib(1), ByteSize::from_mib(1 << 16));
        if !(least..=most).contains(&plugins.warm_memory) {
            self.at("TS-0103", &["plugins", "warm_memory"], format!("between {least} and {most}"), None);
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
        let policy = &config.policy;
        for (index, Short(entry)) in policy.http.iter().flatten().enumerate() {
            if let Err((key, reason)) = entry.grant() {
                let index = index.to_string();
                let full = ["policy", "http", &index, key];
                let path = if self.root.at(full).is_some() { &full[..] } else { &full[..3] };
                self.at("TS-0103", path, reason.to_string(), None);
            }
        }
        if policy.model_keys.len() > MAX_KEYS {
            let message = format!("{} keys; the limit is {MAX_KEYS}", policy.model_keys.len());
            self.at("TS-0108", &["policy", "model_keys"], message, None);
        }
        for (index, key) in policy.model_keys.iter().enumerate() {
            if let Some(reason) = words::path_problem(key) {
                let path = ["policy", "model_keys", &index.to_string()];
                self.at("TS-0103", &path, format!("this is no file: {reason}"), None);
            }
        }
        if policy.signed_models && policy.model_keys.is_empty() {
            let message = "models must be signed, but no key is given that a signature could be checked with";
            let help = Some("model_keys = [\"keys/models.pub\"]".to_owned());
            self.at("TS-0110", &["policy", "signed_models"], message, help);
        }
        for (index, folder) in policy.deliver.iter().flatten().enumerate() {
            if let Some(reason) = folder_problem(folder) {
                self.at("TS-0103", &["policy", "deliver", &index.to_string()], reason, None);
            }
        }
        for (index, filter) in policy.publish.iter().flatten().enumerate() {
            if let Some(reason) = filter_problem(filter) {
                let path = ["policy", "publish", &index.to_string()];
                self.at("TS-0103", &path, format!("this is no topic: {reason}"), None);
            }
        }
        for (index, event) in policy.emit.iter().flatten().enumerate() {
            if !is_event_name(event) {
                self.at("TS-0103", &["policy", "emit", &index.to_string()], EVENT_NAME, None);
            }
        }
    }
}
