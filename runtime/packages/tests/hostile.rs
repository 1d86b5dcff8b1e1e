//! Servers that lie, wander and break off. None of it installs anything, leads a password astray or ends the process.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use trackside_packages::{Access, Component, Password, RegistryClient, RegistryError, WasmConfig};
use trackside_spec::{Digest, OciReference};

/// A request as it came in.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    authorization: Option<String>,
}

/// A server that answers every request with what `answer` makes of it, byte for byte.
struct Server {
    host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (asked, answer) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answer));
        let noted = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (noted, answer) = (noted.clone(), answer.clone());
                // A client that goes away is what some of these tests are about.
                thread::spawn(move || serve(stream, &noted, &*answer).ok());
            }
        });
        Self { host, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn client(&self, access: Access) -> RegistryClient {
        RegistryClient::new(&self.host, Access { plain_http: true, ..access }, vec![self.host.clone()]).unwrap()
    }

    fn reference(&self, rest: &str) -> OciReference {
        format!("oci://{}/{rest}", self.host).parse().unwrap()
    }

    fn pull(&self, access: Access, rest: &str) -> Result<Component, RegistryError> {
        block_on(self.client(access).pull(&self.reference(rest)))
    }
}

fn serve(mut stream: TcpStream, noted: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Vec<u8>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut asked = Asked { line: line.trim_end().to_owned(), authorization: None };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    noted.lock().unwrap().push(asked.clone());
    stream.write_all(&answer(&asked))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

const WASM: &[u8] = b"\0asm\r\0\x01\0";

/// A manifest of a component that claims this digest and size.
fn manifest(digest: &str, size: usize) -> Vec<u8> {
    format!(
        "{{\"schemaVersion\":2,\"layers\":[{{\"mediaType\":\"application/wasm\",\"digest\":\"{digest}\",\"size\":{size}}}]}}"
    )
    .into_bytes()
}

fn honest_manifest() -> Vec<u8> {
    manifest(&Digest::of(WASM).to_string(), WASM.len())
}

fn ops() -> Access {
    Access { user: Some(("ops".to_owned(), Password::new("secret".to_owned()))), ..Access::default() }
}

/// `ops:secret`
const BASIC: &str = "Basic b3BzOnNlY3JldA==";

#[test]
fn a_token_is_fetched_with_the_password_and_used_for_the_rest() {
    let tokens = Server::start(|asked| {
        assert!(asked.line.contains("/token?service=reg&scope=repository%3Aa%3Apull"), "{}", asked.line);
        answer("200 OK", &[], br#"{"token":"t0k3n"}"#)
    });
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"reg\",scope=\"repository:a:pull\"", tokens.host);
    let registry = Server::start(move |asked| {
        if asked.authorization.as_deref() != Some("Bearer t0k3n") {
            return answer("401 Unauthorized", &[("WWW-Authenticate", &realm)], b"");
        }
        answer(
            "200 OK",
            &[],
            if asked.line.contains("/manifests/") { honest_manifest() } else { WASM.to_vec() }.as_slice(),
        )
    });
    let access = Access { plain_http: true, ..ops() };
    let client = RegistryClient::new(&registry.host, access, vec![registry.host.clone(), tokens.host.clone()]).unwrap();
    let component = block_on(client.pull(&registry.reference("a:1"))).unwrap();
    assert_eq!(component.bytes, WASM);
    assert_eq!(tokens.asked().len(), 1);
    assert_eq!(tokens.asked()[0].authorization.as_deref(), Some(BASIC));
    assert!(registry.asked().iter().all(|asked| asked.authorization.as_deref() != Some(BASIC)));
    // Where the token server is neither encrypted nor permitted, the password stays here.
    let error = block_on(registry.client(ops()).pull(&registry.reference("a:1"))).unwrap_err();
    assert!(error.to_string().contains("TS-0652"), "{error}");
    assert_eq!(tokens.asked().len(), 1);
}

#[test]
fn a_download_may_wander_and_the_password_does_not_go_with_it() {
    let storage = Server::start(|_| answer("200 OK", &[], WASM));
    let place = format!("http://{}/signed?permission=abc", storage.host);
    let registry = Server::start(move |asked| match asked {
        Asked { authorization: None, .. } => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=x")], b""),
        asked if asked.line.contains("/manifests/") => answer("200 OK", &[], &honest_manifest()),
        _ => answer("307 Temporary Redirect", &[("Location", &place)], b""),
    });
    let access = Access { plain_http: true, ..ops() };
    let client = RegistryClient::new(&registry.host, access, vec![storage.host.clone()]).unwrap();
    assert_eq!(block_on(client.pull(&registry.reference("a:1"))).unwrap().bytes, WASM);
    assert_eq!(storage.asked().iter().map(|asked| asked.authorization.clone()).collect::<Vec<_>>(), [None]);
    // Unencrypted and not permitted: not followed at all.
    let error = registry.pull(ops(), "a:1").unwrap_err().to_string();
    assert!(error.contains("TS-0652") && !error.contains("permission=abc"), "{error}");
    assert_eq!(storage.asked().len(), 1);
}

#[test]
fn only_downloads_wander_and_not_for_ever() {
    let manifests = Server::start(|_| answer("302 Found", &[("Location", "/v2/b/manifests/1")], b""));
    assert!(matches!(manifests.pull(ops(), "a:1"), Err(RegistryError::Status { status: 302, .. })));
    assert_eq!(manifests.asked().len(), 1);
    let round = Server::start(|asked| {
        if asked.line.contains("/manifests/") {
            return answer("200 OK", &[], &honest_manifest());
        }
        answer("302 Found", &[("Location", "/round")], b"")
    });
    assert!(matches!(round.pull(Access::default(), "a:1"), Err(RegistryError::Redirect { .. })));
    assert!(round.asked().len() < 10);
    for location in ["file:///etc/passwd", "//x", "http://user:pw@127.0.0.1/", "", "\u{7f}"] {
        let location = location.to_owned();
        let server = Server::start(move |asked| {
            if asked.line.contains("/manifests/") {
                return answer("200 OK", &[], &honest_manifest());
            }
            answer("302 Found", &[("Location", &location)], b"")
        });
        assert!(server.pull(Access::default(), "a:1").is_err());
    }
}

#[test]
fn an_upload_goes_to_the_registry_and_to_nobody_else() {
    let thief = Server::start(|_| answer("201 Created", &[], b""));
    let place = format!("http://{}/upload", thief.host);
    let registry = Server::start(move |asked| match asked.line.split(' ').next() {
        Some("HEAD") => answer("404 Not Found", &[], b""),
        _ => answer("202 Accepted", &[("Location", &place)], b""),
    });
    let config = WasmConfig::component(Digest::of(WASM), "1970-01-01T00:00:00Z".to_owned());
    let client =
        RegistryClient::new(&registry.host, Access { plain_http: true, ..ops() }, vec![thief.host.clone()]).unwrap();
    let reference = registry.reference("a:1");
    let error = block_on(client.push(&reference, WASM.to_vec(), &config, BTreeMap::new())).unwrap_err();
    assert!(error.to_string().contains("TS-0652"), "{error}");
    assert!(thief.asked().is_empty());
}

#[test]
fn a_models_file_is_what_the_manifest_says_or_it_is_not_taken() {
    const FILE: &[u8] = b"the model";
    let manifest = |size: u64| {
        let layer = format!("{{\"mediaType\":\"a/b\",\"digest\":\"{}\",\"size\":{size}}}", Digest::of(FILE));
        format!("{{\"schemaVersion\":2,\"layers\":[{layer}]}}").into_bytes()
    };
    let folder = tempfile::tempdir().unwrap();
    let take = |name: &str, size: u64, body: &'static [u8]| {
        let server = Server::start(move |asked| {
            let body = if asked.line.contains("/manifests/") { manifest(size) } else { body.to_vec() };
            answer("200 OK", &[], &body)
        });
        let client = server.client(Access::default());
        let model = block_on(client.model(&server.reference("a:1"))).unwrap();
        assert_eq!((model.files[0].path.as_str(), model.files[0].size()), ("model.onnx", size));
        block_on(client.model_file("a", &model.files[0], &folder.path().join(name)))
    };
    take("good", FILE.len() as u64, FILE).unwrap();
    assert_eq!(std::fs::read(folder.path().join("good")).unwrap(), FILE);
    // What is there is never written over.
    assert!(matches!(take("good", FILE.len() as u64, FILE), Err(RegistryError::Keep { .. })));
    assert!(matches!(take("other", FILE.len() as u64, b"The model"), Err(RegistryError::Digest { .. })));
    assert!(matches!(take("long", FILE.len() as u64, b"the model and more"), Err(RegistryError::TooLarge { .. })));
    assert!(matches!(take("short", FILE.len() as u64, b"the"), Err(RegistryError::Digest { .. })));
    // Nothing is reserved for what is only announced.
    take("huge", 1 << 62, FILE).unwrap();
}

#[test]
fn other_bytes_than_were_asked_for_are_not_taken() {
    let blob = Server::start(|asked| {
        answer(
            "200 OK",
            &[],
            if asked.line.contains("/manifests/") { honest_manifest() } else { b"\0asm\r\0\x02\0".to_vec() }.as_slice(),
        )
    });
    assert!(matches!(blob.pull(Access::default(), "a:1"), Err(RegistryError::Digest { .. })));
    let wanted = Digest::of(b"something else");
    let manifest = Server::start(|_| answer("200 OK", &[], &honest_manifest()));
    assert!(matches!(manifest.pull(Access::default(), &format!("a@{wanted}")), Err(RegistryError::Digest { .. })));
    let stated = wanted.to_string();
    let lying = Server::start(move |_| answer("200 OK", &[("Docker-Content-Digest", &stated)], &honest_manifest()));
    assert!(matches!(lying.pull(Access::default(), "a:1"), Err(RegistryError::Digest { .. })));
}

#[test]
fn more_bytes_than_are_taken_end_the_download() {
    let digest = Digest::of(WASM).to_string();
    let claims = digest.clone();
    let huge = Server::start(move |_| answer("200 OK", &[], &manifest(&claims, 65 << 20)));
    assert!(matches!(huge.pull(Access::default(), "a:1"), Err(RegistryError::TooLarge { .. })));
    assert_eq!(huge.asked().len(), 1, "nothing is fetched that is known to be too large");
    let claims = digest.clone();
    let longer = Server::start(move |asked| {
        if asked.line.contains("/manifests/") {
            return answer("200 OK", &[], &manifest(&claims, WASM.len()));
        }
        let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000)).repeat(4);
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk.as_bytes(), b"0\r\n\r\n"].concat()
    });
    assert!(matches!(longer.pull(Access::default(), "a:1"), Err(RegistryError::TooLarge { .. })));
    let manifest = Server::start(|_| answer("200 OK", &[], &vec![b' '; 2 << 20]));
    assert!(matches!(manifest.pull(Access::default(), "a:1"), Err(RegistryError::TooLarge { .. })));
}

#[test]
fn what_breaks_off_is_an_error_and_says_so() {
    let cut = Server::start(|asked| {
        if asked.line.contains("/manifests/") {
            return answer("200 OK", &[], &honest_manifest());
        }
        let mut bytes = answer("200 OK", &[], WASM);
        bytes.truncate(bytes.len() - 2);
        bytes
    });
    let error = cut.pull(Access::default(), "a:1").unwrap_err().to_string();
    assert!(error.contains("TS-0642") && error.contains("after 6 bytes"), "{error}");
}

#[test]
fn errors_are_told_in_the_registrys_words_on_one_line() {
    let body = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\\u001b[31m way\\nTS-0000\"}]}";
    let server = Server::start(move |_| answer("403 Forbidden", &[], body.as_bytes()));
    let error = server.pull(Access::default(), "a:1").unwrap_err().to_string();
    assert!(error.contains("TS-0643") && error.contains("no") && error.contains("way"), "{error}");
    assert!(!error.contains('\u{1b}') && !error.contains('\n'), "{error:?}");
    let busy = Server::start(|_| answer("503 Service Unavailable", &[], b"<html>"));
    assert!(matches!(busy.pull(Access::default(), "a:1"), Err(RegistryError::Status { status: 503, .. })));
}

#[test]
fn nonsense_is_an_error_and_never_a_panic() {
    let mut pieces: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\0".to_vec(),
        b"HTTP/1.1 200".to_vec(),
        b"HTTP/9.9 999 ?\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n".to_vec(),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(1000)).into_bytes(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1 << 20)).into_bytes(),
        answer("401 Unauthorized", &[], b""),
        answer("401 Unauthorized", &[("WWW-Authenticate", "Bearer realm=\"http://[::\",x=\"\\")], b""),
        answer("401 Unauthorized", &[("WWW-Authenticate", "Negotiate")], b""),
        answer("204 No Content", &[], b""),
        answer(
            "200 OK",
            &[],
            b"{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"a\",\"digest\":\"sha256:x\",\"size\":1}]}",
        ),
        answer("200 OK", &[], b"{\"schemaVersion\":2,\"layers\":{}}"),
        answer("200 OK", &[], b"null"),
        answer("200 OK", &[("Docker-Content-Digest", "md5:0")], b"[]"),
    ];
    // Pieces of good answers with one byte changed.
    let good =
        answer("200 OK", &[("Docker-Content-Digest", &Digest::of(&honest_manifest()).to_string())], &honest_manifest());
    pieces.extend((0..good.len()).step_by(7).map(|place| {
        let mut bad = good.clone();
        bad[place] ^= 0x15;
        bad
    }));
    for piece in pieces {
        let shown = String::from_utf8_lossy(&piece[..piece.len().min(80)]).into_owned();
        let server = Server::start(move |_| piece.clone());
        // Whether a changed byte in a header matters is the protocol's affair; a component it never is.
        assert!(server.pull(ops(), "a:1").is_err(), "{shown}");
    }
}
