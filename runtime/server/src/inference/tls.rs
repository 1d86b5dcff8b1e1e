//! The server's certificate and key, read again when their files change.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use trackside_codes::{Class, Reason};

/// Largest file.
const LARGEST_FILE: u64 = 1 << 20;
/// How often the files are looked at, when somebody connects.
const LOOK: Duration = Duration::from_secs(1);

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to a root, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What connections are served with.
pub(crate) struct Tls {
    files: TlsFiles,
    now: Mutex<Now>,
}

struct Now {
    config: Arc<ServerConfig>,
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Tls {
    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// What is wrong with one, with its path.
    pub(crate) fn read(files: TlsFiles) -> Result<Self, Reason> {
        // Before they are read: a change in between is seen later.
        let changed = files.changed();
        let now = Now { config: files.config()?, changed, looked: Instant::now() };
        Ok(Self { files, now: Mutex::new(now) })
    }

    /// What the next connection is served with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.looked.elapsed() >= LOOK {
            now.looked = Instant::now();
            self.look(&mut now);
        }
        now.config.clone()
    }

    /// Reads the files again if they changed. Ones that do not fit together, as when one of them was exchanged a moment ago, are
    /// told and tried again.
    fn look(&self, now: &mut Now) {
        let changed = self.files.changed();
        if changed == now.changed {
            return;
        }
        match self.files.config() {
            Ok(config) => {
                (now.config, now.changed) = (config, changed);
                tracing::info!(certificate = %self.files.certificate.display(), "the inference server has a new certificate");
            }
            Err(reason) => tracing::error!("the inference server goes on with its last certificate: {reason}"),
        }
    }
}

impl TlsFiles {
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
    }

    fn config(&self) -> Result<Arc<ServerConfig>, Reason> {
        let named = |path: &Path, reason: Reason| reason.told(|reason| format!("{}: {reason}", path.display()));
        let text = bounded(&self.certificate).map_err(|reason| named(&self.certificate, reason))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|error| named(&self.certificate, Reason::by(Class::Setup, error)))?;
        if chain.is_empty() {
            let reason = Reason::new(Class::Setup, "it holds no certificate (PEM, `BEGIN CERTIFICATE`)");
            return Err(named(&self.certificate, reason));
        }
        let text = bounded(&self.key).map_err(|reason| named(&self.key, reason))?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            named(&self.key, Reason::new(Class::Setup, format!("it holds no private key: {error}")))
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Reason::by(Class::Bug, error))?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            named(&self.certificate, Reason::new(Class::Setup, format!("it is of no use with its key: {error}")))
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn bounded(path: &Path) -> Result<Vec<u8>, Reason> {
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut text)).map_err(Reason::disk)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(Reason::new(Class::Setup, format!("it has more than {LARGEST_FILE} bytes")));
    }
    Ok(text)
}
