//! From the config of a broker to the settings of a connection.

use std::{fs, time::Duration};

use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use trackside_codes::Reason;
use trackside_spec::{NodeConfig, config::MqttConfig};

use crate::tools::Tools;

/// Messages that the broker may send before the first of them is acknowledged, where the protocol lets us say so.
pub(super) const RECEIVE: u16 = 256;
/// Publications that wait for their acknowledgement at one time.
pub(super) const IN_FLIGHT: u16 = 64;
/// A longer packet ends the connection: the longest payload that a trigger may take, and room for its topic.
pub(super) const LARGEST_PACKET: u32 = (64 << 20) + (128 << 10);
/// How long the broker keeps a session of MQTT 5 while the box is away: for ever, as MQTT 3.1.1 does.
pub(super) const SESSION: u32 = u32::MAX;
/// Seconds for a connection, handshakes included.
pub(super) const CONNECT_SECONDS: u64 = 10;

/// A connection, in the terms of neither version.
pub(super) struct Options {
    pub(super) client_id: String,
    pub(super) clean: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    pub(super) login: Option<(String, String)>,
    pub(super) keep_alive: Duration,
}

/// Reads what a connection needs: the password and the certificates are read anew for each, so that they can be replaced.
/// Blocks. `clean`: nothing is kept at the broker.
///
/// # Errors
/// When one of them cannot be had.
pub(super) fn read(tools: &Tools, broker: &MqttConfig, clean: bool) -> Result<Options, Reason> {
    let login = match (&broker.username, &broker.password) {
        (Some(user), Some(secret)) => {
            let password = String::from_utf8(tools.secret(secret).map_err(Reason::of)?)
                .map_err(|_| format!("the secret `{secret}` is no UTF-8 text"))?;
            Some((user.clone(), password))
        }
        _ => None,
    };
    let transport = if broker.tls {
        let ca_file = broker.ca_file.as_ref().map(|file| tools.project.join(file));
        let config = trackside_net::client_config(ca_file.as_deref(), &[])?;
        Transport::tls_with_config(TlsConfiguration::Rustls(config))
    } else {
        Transport::tcp()
    };
    Ok(Options {
        client_id: client_id(&tools.config, broker, clean),
        clean,
        host: broker.host.clone(),
        port: broker.port(),
        transport,
        login,
        // The client library takes nothing shorter for MQTT 5.
        keep_alive: broker.keep_alive.to_std().max(Duration::from_secs(5)),
    })
}

/// The name that the broker knows us by.
pub(super) fn client_id(config: &NodeConfig, broker: &MqttConfig, clean: bool) -> String {
    let id = broker.client_id.clone().unwrap_or_else(|| format!("trackside-{}", node_name(config)));
    if clean { format!("{id}-{}", std::process::id()) } else { id }
}

pub(super) fn network() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_SECONDS);
    network
}

/// The node's name, or the machine's.
fn node_name(config: &NodeConfig) -> String {
    let machine = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let name = config.node.name.clone().unwrap_or_else(machine);
    if name.is_empty() { "node".to_owned() } else { name }
}
