//! TLS with the certificates of a configured file, or the system's, or Mozilla's where the system has none.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::files::blocking;

/// Largest file of certificates.
const FILE: u64 = 16 << 20;

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
    let roots = match ca_file {
        Some(file) => configured(file).map_err(|reason| {
            io::Error::other(format!("[http] ca_file {} in trackside.toml: {reason}", file.display()))
        })?,
        None => system(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificates of a PEM file; every one of them must be usable.
fn configured(file: &Path) -> Result<RootCertStore, String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if length > FILE {
        return Err(format!("it has {length} bytes; the limit is {FILE}"));
    }
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    for (index, certificate) in certificates.enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|error| format!("certificate {number}: {error}"))?;
        roots.add(certificate).map_err(|error| format!("certificate {number}: {error}"))?;
    }
    if roots.is_empty() { Err("it holds no certificate (PEM, `BEGIN CERTIFICATE`)".to_owned()) } else { Ok(roots) }
}

fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("a root certificate of the system cannot be read: {error}");
    }
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
