//! Whom a TLS connection of the box trusts: the certificates of a configured file, or the system's, or Mozilla's where the
//! system has none.

use std::{fs::File, io::Read, path::Path, sync::Arc};
use trackside_codes::{Class, Reason};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Largest file of certificates.
const LARGEST_FILE: u64 = 16 << 20;

/// The settings of a client that trusts the certificates in `ca_file` (PEM) and no others, or those of the system. `alpn`
/// are the protocols to speak, the preferred first. Blocks.
///
/// # Errors
/// What is wrong with the file, with its path: unreadable, too large, not PEM, a certificate that is none, or no
/// certificate at all.
pub fn client_config(ca_file: Option<&Path>, alpn: &[&str]) -> Result<Arc<ClientConfig>, Reason> {
    let roots = match ca_file {
        Some(file) => {
            configured(file).map_err(|reason| reason.told(|reason| format!("ca_file {}: {reason}", file.display())))?
        }
        None => system(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config =
        builder.map_err(|error| Reason::by(Class::Bug, error))?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

/// The certificates of a PEM file; every one of them must be usable.
fn configured(file: &Path) -> Result<RootCertStore, Reason> {
    let mut text = Vec::new();
    File::open(file).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut text)).map_err(Reason::disk)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(Reason::new(Class::Setup, format!("it has more than {LARGEST_FILE} bytes")));
    }
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
        let unusable = |reason: Reason| reason.told(|text| format!("certificate {}: {text}", index + 1));
        let certificate = certificate.map_err(|error| unusable(Reason::by(Class::Setup, error)))?;
        roots.add(certificate).map_err(|error| unusable(Reason::by(Class::Setup, error)))?;
    }
    if roots.is_empty() {
        return Err(Reason::new(Class::Setup, "it holds no certificate (PEM, `BEGIN CERTIFICATE`)"));
    }
    Ok(roots)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_gives_no_certificate_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let refused = |text: &[u8]| {
            fs::write(&file, text).unwrap();
            client_config(Some(&file), &[]).unwrap_err().to_string()
        };
        let path = file.display().to_string();
        assert!(refused(b"").contains("no certificate") && refused(b"").contains(&path));
        let broken = refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert!(broken.contains("certificate 1"), "{broken}");
        assert!(client_config(Some(&folder.path().join("missing")), &[]).is_err());
        fs::write(&file, vec![b'\n'; (LARGEST_FILE + 1) as usize]).unwrap();
        assert!(client_config(Some(&file), &[]).unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn without_a_file_somebody_is_trusted() {
        assert_eq!(client_config(None, &["http/1.1"]).unwrap().alpn_protocols, [b"http/1.1".to_vec()]);
    }
}
