//! Installed plugins: who may have signed them, what their compilation may cost, and the registries that they come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Duration};

/// Installed plugins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a [plugins] table")]
#[schemars(rename = "Plugins")]
pub struct PluginsConfig {
    /// Public keys (PEM files) whose signatures count.
    pub keys: Vec<String>,
    /// Whether a plugin without a signature by one of the keys is refused. Those in the binary need none.
    pub require_signature: bool,
    /// Memory that the compilation of one plugin may take, in a process of its own.
    pub compile_memory: ByteSize,
    /// Time that the compilation of one plugin may take.
    pub compile_time: Duration,
    /// How many instances of steps with `reuse` wait for their next attempts at one time; the one that waited longest goes
    /// first. 0 keeps none.
    pub warm_instances: u32,
    /// Memory of the instances that wait, together.
    pub warm_memory: ByteSize,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            require_signature: false,
            compile_memory: ByteSize::from_mib(1024),
            compile_time: Duration::from_millis(300_000),
            warm_instances: 8,
            warm_memory: ByteSize::from_mib(256),
        }
    }
}

/// How to talk to a registry. The table's name is its host, with the port if there is one: `[registries."host:5000"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a registry: a table")]
#[schemars(rename = "Registry")]
pub struct RegistryConfig {
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file that holds the password or token and that only its owner can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// The password or token as a credential of the service manager: a file's name in `$CREDENTIALS_DIRECTORY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Whether it is spoken to without TLS. Whoever is on the way can read and change everything but what a digest or a
    /// signature protects.
    pub plain_http: bool,
    /// Root certificates (a PEM file) that count instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}
