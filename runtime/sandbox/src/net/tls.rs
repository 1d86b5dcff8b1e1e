//! TLS for the requests of steps.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::files::blocking;

/// The TLS settings of a sandbox, made for the first request that needs them: the certificates take memory and time.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    ca_file: Option<PathBuf>,
    made: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(ca_file: Option<PathBuf>) -> Self {
        Self(Arc::new(Settings { ca_file, made: OnceLock::new() }))
    }

    /// Wraps a connection. `host` is a name or an address; the certificate must be for it.
    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = match self.0.made.get() {
            Some(config) => config.clone(),
            None => {
                let file = self.0.ca_file.clone();
                let made = blocking(move || config(file.as_deref())).await?;
                self.0.made.get_or_init(|| made).clone()
            }
        };
        TlsConnector::from(config).connect(name, stream).await
    }
}

/// Reads the certificates. Blocks.
fn config(ca_file: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let refused = |reason| io::Error::other(format!("[http] in trackside.toml: {reason}"));
    trackside_trust::client_config(ca_file, &["http/1.1"]).map_err(refused)
}
