//! From an address to a stream, and TLS over it.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::spawn_blocking, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{failure::Failure, trust::client_config};

/// Connects to the first of `addresses` that answers; each is waited for `patience` long.
///
/// # Errors
/// [`Failure::Connect`] or [`Failure::Timeout`], for the last address.
pub async fn connect(addresses: &[SocketAddr], patience: Duration) -> Result<TcpStream, Failure> {
    let mut last = Failure::Connect { source: io::Error::other("no address to connect to") };
    for address in addresses {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|source| Failure::Connect { source })?;
                return Ok(stream);
            }
            Ok(Err(source)) => last = Failure::Connect { source },
            Err(_) => last = Failure::Timeout { doing: "connect", after: patience },
        }
    }
    Err(last)
}

/// TLS for HTTP/1.1, with its certificates read for the first connection that needs them: they take memory and time.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    ca_file: Option<PathBuf>,
    made: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    /// That trusts the certificates of `ca_file` and no others, or those of the system.
    #[must_use]
    pub fn new(ca_file: Option<PathBuf>) -> Self {
        Self(Arc::new(Settings { ca_file, made: OnceLock::new() }))
    }

    /// The same, with the certificates read now, for whoever must tell at once what is wrong with them. Blocks.
    ///
    /// # Errors
    /// [`Failure::Certificates`].
    pub fn loaded(ca_file: Option<PathBuf>) -> Result<Self, Failure> {
        let tls = Self::new(ca_file);
        tls.0.load()?;
        Ok(tls)
    }

    /// Wraps a connection. `host` is a name or an address; the certificate must be for it.
    ///
    /// # Errors
    /// [`Failure::Certificates`] or [`Failure::Tls`].
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let failed = |source| Failure::Tls { source };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(io::Error::other(error)))?;
        let config = match self.0.made.get() {
            Some(config) => config.clone(),
            None => {
                let settings = self.0.clone();
                let read = spawn_blocking(move || settings.load()).await;
                read.unwrap_or_else(|join| Err(failed(io::Error::other(join))))?
            }
        };
        TlsConnector::from(config).connect(name, stream).await.map_err(failed)
    }
}

impl Settings {
    fn load(&self) -> Result<Arc<ClientConfig>, Failure> {
        let made = client_config(self.ca_file.as_deref(), &["http/1.1"]);
        let made = made.map_err(|reason| Failure::Certificates { reason })?;
        Ok(self.made.get_or_init(|| made).clone())
    }
}
