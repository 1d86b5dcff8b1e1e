//! What steps need of the world outside: certificates and secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How steps call out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "an [http] table")]
#[schemars(rename = "Http")]
pub struct HttpConfig {
    /// A PEM file with the certificates of the authorities that servers are trusted by, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// What the node listens on besides its socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "an [http_server] table")]
#[schemars(rename = "HttpServer")]
pub struct HttpServerConfig {
    /// The address and port for webhooks, such as `127.0.0.1:7070`. Nothing listens without this key, nor while no workflow
    /// has a webhook. Port 0 lets the system choose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

/// A secret that workflows can use by name. It has exactly one of `file`, `env` and `credential`, and is read when a
/// step opens it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a secret: a table with `file`, `env` or `credential`, and `hosts`")]
#[schemars(rename = "Secret")]
pub struct SecretConfig {
    /// The file that holds the value. Nobody but its owner may be able to read it. A line end at its end is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The environment variable of the node that holds the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The systemd credential that holds the value (`LoadCredential=` in the unit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The only hosts that the value is sent to: `host`, for the usual port of http or https, or `host:port`.
    pub hosts: Vec<String>,
    /// Whether a step may see the value itself, if its workflow asks for that.
    pub reveal: bool,
    /// Whether the node itself uses the value: to check the signatures of webhooks, or to log in at a broker. Such a secret
    /// needs no `hosts`.
    pub node: bool,
}
