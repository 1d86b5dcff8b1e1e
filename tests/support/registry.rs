//! A real registry on the loopback: Debian's package `docker-registry`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{optional::not_run, wait::patience};

/// What the registry asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nothing.
    Open,
    /// The user `ops` with the password `secret`.
    Password,
    /// A client that trusts its own certificate authority.
    Tls,
}

/// `ops` with the password `secret`, in bcrypt.
const HTPASSWD: &str = "ops:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A registry. It ends with the test.
pub struct Registry {
    child: Child,
    folder: TempDir,
    /// Host and port, as references name them.
    pub host: String,
    door: Door,
}

impl Registry {
    /// Starts one; says that `what` was not run where there is no such program.
    #[track_caller]
    pub fn start(what: &str, door: Door) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).map(|folder| folder.join("docker-registry")).find(|path| path.is_file());
        let Some(program) = found else {
            not_run("registry", what, "no program docker-registry: apt-get install docker-registry");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("ts-registry-").tempdir().unwrap();
        let config = folder.path().join("config.yml");
        fs::write(&config, config_text(folder.path(), door)).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            // It must be read to the end, or the registry stops at a full pipe.
            for line in log.lines().map_while(Result::ok) {
                let address = line.split_once("listening on ").map(|(_, rest)| rest);
                let address = address.and_then(|rest| rest.split(['"', ',', ' ']).next());
                if let Some(address) = address {
                    let _ = tell.send(address.to_owned());
                }
            }
        });
        let host = told.recv_timeout(patience()).expect("the registry says where it listens");
        Some(Self { child, folder, host, door })
    }

    /// The lines of trackside.toml with which it can be used.
    pub fn config(&self) -> String {
        let table = format!("[registries.\"{}\"]\n", self.host);
        match self.door {
            Door::Open => format!("{table}plain_http = true\n"),
            Door::Password => {
                format!(
                    "{table}plain_http = true\nusername = \"ops\"\npassword_file = \"{}\"\n",
                    self.secret().display()
                )
            }
            Door::Tls => format!("{table}ca = \"{}\"\n", self.folder.path().join("ca.pem").display()),
        }
    }

    /// The file with the password.
    pub fn secret(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// A reference to something in it.
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host)
    }

    /// The file in which it keeps a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.folder.path().join("data/docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config_text(folder: &Path, door: Door) -> String {
    let data = folder.join("data");
    let mut text = format!(
        "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp:\n  addr: \
         \"127.0.0.1:0\"\n",
        data.display()
    );
    match door {
        Door::Open => {}
        Door::Password => {
            let file = folder.join("htpasswd");
            fs::write(&file, HTPASSWD).unwrap();
            private(&folder.join("password"), "secret\n");
            text.push_str(&format!("auth:\n  htpasswd: {{ realm: test, path: {} }}\n", file.display()));
        }
        Door::Tls => {
            certificates(folder);
            let (certificate, key) = (folder.join("leaf.pem"), folder.join("leaf.key"));
            text.push_str(&format!("  tls: {{ certificate: {}, key: {} }}\n", certificate.display(), key.display()));
        }
    }
    text
}

/// Writes a file that only its owner can read.
pub fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A certificate authority, and a certificate of it for 127.0.0.1.
fn certificates(folder: &Path) {
    fs::write(folder.join("extensions"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        folder,
        &[&["req", "-x509"], &new[..], &["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"]].concat(),
    );
    openssl(folder, &[&["req"], &new[..], &["-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf"]].concat());
    let sign = ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(folder, &[&sign[..], &["-out", "leaf.pem", "-extfile", "extensions"]].concat());
}

/// Runs openssl in a folder.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn openssl(folder: &Path, arguments: &[&str]) {
    let ran = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl runs");
    assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

impl Registry {
    /// Pushes files as oras does: each a layer with its name. Gives the reference with the manifest's digest.
    #[track_caller]
    pub fn push_files(&self, to: &str, files: &[(&str, &[u8])]) -> String {
        let layer = |(name, bytes): &(&str, &[u8])| {
            let mut layer = self.put_blob(to, bytes);
            layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar".into();
            layer["annotations"] = serde_json::json!({ "org.opencontainers.image.title": name });
            layer
        };
        let layers: Vec<Value> = files.iter().map(layer).collect();
        let mut config = self.put_blob(to, b"{}");
        config["mediaType"] = "application/vnd.oci.empty.v1+json".into();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": kind, "artifactType": "application/vnd.example.model",
            "config": config, "layers": layers,
        });
        let bytes = manifest.to_string().into_bytes();
        let (repository, tag) = to.rsplit_once(':').unwrap();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let (status, _) = self.send("PUT", &path, &format!("Content-Type: {kind}\r\n"), &bytes);
        assert_eq!(status, 201, "{to}");
        self.reference(&format!("{repository}@{}", digest(&bytes)))
    }

    fn put_blob(&self, to: &str, bytes: &[u8]) -> Value {
        let (repository, digest) = (to.rsplit_once(':').unwrap().0, digest(bytes));
        let (status, head) = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        assert_eq!(status, 202, "{head}");
        let place = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap();
        let place = place.strip_prefix(&format!("http://{}", self.host)).unwrap_or(place);
        let (status, head) = self.send("PUT", &format!("{place}&digest={digest}"), "", bytes);
        assert_eq!(status, 201, "{head}");
        serde_json::json!({ "digest": digest, "size": bytes.len() })
    }

    /// Status and head of the answer to a request.
    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.host,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let head = answer.split("\r\n\r\n").next().unwrap().to_owned();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }
}

/// As registries and manifests write it.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
