//! TLS, and a certificate that changes.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use trackside_server::inference::{InferenceSettings, TlsFiles};

use super::client::Server;

/// Certificates that sign themselves, each of its own key.
const ONE: [&str; 2] = [include_str!("one.pem"), include_str!("one.key")];
const TWO: [&str; 2] = [include_str!("two.pem"), include_str!("two.key")];

/// Puts a certificate and its key into the folder, each at once.
fn put(folder: &Path, [certificate, key]: [&str; 2]) -> TlsFiles {
    let one = |name: &str, text: &str| {
        let (path, beside) = (folder.join(name), folder.join(format!("{name}.new")));
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &path).unwrap();
        path
    };
    TlsFiles { certificate: one("chain.pem", certificate), key: one("key.pem", key) }
}

/// A connection to a server that has this certificate; the protocols are offered.
async fn connect(
    server: &Server,
    [certificate, _]: [&str; 2],
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(server.address()).await?;
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
}

async fn live(stream: TlsStream<TcpStream>) -> String {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/v2/health/live").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    String::from_utf8(answer.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_certificate_is_shown_and_a_new_one_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(InferenceSettings { tls: Some(put(folder.path(), ONE)), ..Default::default() });
    let stream = connect(&server, ONE, &[]).await.unwrap();
    assert_eq!(live(stream).await, "{\"live\":true}");
    for (offered, agreed) in [(&[&b"h2"[..], b"http/1.1"][..], &b"h2"[..]), (&[b"http/1.1"], b"http/1.1")] {
        let stream = connect(&server, ONE, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed));
    }
    assert!(connect(&server, TWO, &[]).await.is_err());

    // Half of an exchange changes nothing, the whole does.
    fs::write(folder.path().join("key.pem"), TWO[1]).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        connect(&server, ONE, &[]).await.unwrap();
    }
    put(folder.path(), TWO);
    let deadline = Instant::now() + Duration::from_secs(60);
    let stream = loop {
        match connect(&server, TWO, &[]).await {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(live(stream).await, "{\"live\":true}");
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let start = |files: TlsFiles| {
        let models = Arc::new(super::backend::Models::default());
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let settings = InferenceSettings { listen, tls: Some(files), ..Default::default() };
        let refused = trackside_server::inference::InferenceServer::start(&settings, models);
        refused.err().unwrap().to_string()
    };
    for (files, part) in [
        (["", ONE[1]], "chain.pem: it holds no certificate"),
        ([ONE[0], "nothing"], "key.pem: it holds no private key"),
        ([ONE[0], TWO[1]], "chain.pem: it is of no use with its key"),
    ] {
        let text = start(put(folder.path(), files));
        assert!(text.starts_with("[TS-0707]") && text.contains(part), "{text}");
    }
    let text = start(TlsFiles { certificate: folder.path().join("none.pem"), key: folder.path().join("key.pem") });
    assert!(text.contains("none.pem"), "{text}");
}
