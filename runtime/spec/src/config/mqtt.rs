//! Brokers that triggers listen to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// A broker that triggers can name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a broker: a table with `host`")]
#[schemars(rename = "Mqtt")]
pub struct MqttConfig {
    /// The broker's host name or address.
    pub host: String,
    /// Its port. Without one it is 1883, or 8883 with TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file with the certificates of the authorities that the broker is trusted by, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The version of the protocol.
    #[serde(default)]
    pub version: MqttVersion,
    /// The name of the session at the broker, which keeps messages for it while the box is off. Without one it is made of
    /// the node's name; two boxes with the same name throw each other out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password: the name of a secret with `node = true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A topic, with `+` and `#` where it may be several: each message there is a label, or `{"labels": [...]}`, as `POST /v1/labels` takes
    /// them. It is acknowledged when what it says is on disk, or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// How long the connection may be silent before both sides make sure of each other.
    #[serde(default = "default_keep_alive")]
    pub keep_alive: Duration,
}

impl MqttConfig {
    /// The port in force.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 8883 } else { 1883 })
    }
}

/// The version of MQTT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum MqttVersion {
    /// MQTT 5.
    #[default]
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

fn default_keep_alive() -> Duration {
    Duration::from_millis(30_000)
}
