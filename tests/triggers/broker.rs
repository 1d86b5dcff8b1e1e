//! A real broker: mosquitto, with its own clients at the other end.

use std::{
    fs::{self, File},
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{Project, optional::not_run, wait_until};

/// A broker on a port of its own. What it knows outlives it.
pub struct Broker {
    child: Option<Child>,
    /// Where it listens.
    pub port: u16,
    folder: TempDir,
    /// What its clients need besides host and port.
    client: Vec<String>,
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs a program to its end; it must succeed.
#[track_caller]
fn must(name: &str, folder: &Path, arguments: &[&str]) {
    let program = program(name).unwrap_or_else(|| panic!("no {name}"));
    let done = Command::new(program).current_dir(folder).args(arguments).output().unwrap();
    assert!(done.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Broker {
    /// One that anybody may use. None, said in one line, where there is no mosquitto.
    #[track_caller]
    pub fn start(what: &str) -> Option<Self> {
        let broker = Self::prepare(what)?;
        Some(broker.configured("allow_anonymous true\n"))
    }

    /// One that wants a user `box` with the password `right`.
    #[track_caller]
    pub fn with_password(what: &str) -> Option<Self> {
        let mut broker = Self::prepare(what)?;
        must("mosquitto_passwd", broker.folder.path(), &["-b", "-c", "users", "box", "right"]);
        broker.client = ["-u", "box", "-P", "right"].map(str::to_owned).to_vec();
        let users = broker.folder.path().join("users").display().to_string();
        Some(broker.configured(&format!("allow_anonymous false\npassword_file {users}\n")))
    }

    /// One that speaks TLS, with a certificate of its own authority: see [`Broker::authority`].
    #[track_caller]
    pub fn with_tls(what: &str) -> Option<Self> {
        let mut broker = Self::prepare(what)?;
        let folder = broker.folder.path().to_owned();
        authority(&folder, "ca");
        authority(&folder, "other");
        fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
        must(
            "openssl",
            &folder,
            &[
                "req",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "key.pem",
                "-out",
                "csr.pem",
                "-subj",
                "/CN=localhost",
            ],
        );
        let sign =
            ["x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        must("openssl", &folder, &[&sign[..], &["-extfile", "names", "-out", "cert.pem"]].concat());
        broker.client = vec!["--cafile".to_owned(), folder.join("ca.pem").display().to_string()];
        let at = folder.display();
        Some(broker.configured(&format!("allow_anonymous true\ncertfile {at}/cert.pem\nkeyfile {at}/key.pem\n")))
    }

    /// The certificate of an authority: `ca` has signed the broker's, `other` has not.
    pub fn authority(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("{name}.pem"))).unwrap()
    }

    #[track_caller]
    fn prepare(what: &str) -> Option<Self> {
        let needed = ["mosquitto", "mosquitto_pub", "mosquitto_sub", "mosquitto_passwd", "openssl"];
        if needed.iter().any(|name| program(name).is_none()) {
            not_run(
                "mosquitto",
                what,
                "no mosquitto with its clients: apt install mosquitto mosquitto-clients openssl",
            );
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        Some(Self { child: None, port, folder, client: Vec::new() })
    }

    #[track_caller]
    fn configured(mut self, more: &str) -> Self {
        let (port, data) = (self.port, self.folder.path().display());
        let config = format!(
            "listener {port} 127.0.0.1\n{more}persistence true\npersistence_location {data}/\n\
             autosave_interval 1\nautosave_on_changes true\nuser root\n"
        );
        fs::write(self.folder.path().join("mosquitto.conf"), config).unwrap();
        self.up();
        self
    }

    /// Starts it.
    #[track_caller]
    pub fn up(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(program("mosquitto").unwrap());
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let port = self.port;
        wait_until("the broker listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    /// SIGTERM: its state is written when it ends in peace.
    pub fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
            child.wait().unwrap();
        }
    }

    /// kill -9.
    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// One of its own clients.
    pub fn client(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(name).unwrap());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(&self.client).args(arguments);
        command
    }

    /// Sends one message with QoS 1 and waits until the broker has it.
    #[track_caller]
    pub fn send(&self, topic: &str, message: &[u8]) {
        self.send_as(&["-q", "1"], topic, message);
    }

    /// The same with other options of `mosquitto_pub`.
    #[track_caller]
    pub fn send_as(&self, options: &[&str], topic: &str, message: &[u8]) {
        let mut command = self.client("mosquitto_pub", options);
        let mut child = command.args(["-s", "-t", topic]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        assert!(child.wait().unwrap().success(), "mosquitto_pub failed");
    }

    /// Begins a session that hears what is published to `topic`, also while nobody listens. [`Broker::hear`] gives it.
    #[track_caller]
    pub fn spy(&self, topic: &str) {
        let mut subscribe = self.client("mosquitto_sub", &["-q", "1", "-c", "-i", "spy", "-t", topic, "-E"]);
        assert!(subscribe.status().unwrap().success());
    }

    /// What comes to `topic` in the name of the session that [`Broker::spy`] has begun: so many messages, a line each.
    #[track_caller]
    pub fn hear(&self, topic: &str, number: usize, format: &str) -> Vec<String> {
        let count = number.to_string();
        let arguments = ["-V", "5", "-q", "1", "-c", "-i", "spy", "-t", topic, "-C", &count, "-W", "60", "-F", format];
        let heard = self.client("mosquitto_sub", &arguments).output().unwrap();
        String::from_utf8_lossy(&heard.stdout).lines().map(str::to_owned).collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.down();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- the broker said\n{log}");
        }
    }
}

fn authority(folder: &Path, name: &str) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", &key, "-out", &certificate];
    must("openssl", folder, &[&make[..], &["-subj", &format!("/CN=authority {name}")]].concat());
}

/// The config of a project that knows the broker as `plant`.
pub fn configure(project: &Project, broker: &Broker, version: &str, more: &str) {
    let mqtt = format!("[mqtt.plant]\nhost = \"127.0.0.1\"\nport = {}\nversion = \"{version}\"\n", broker.port);
    project.write("trackside.toml", format!("[node]\nname = \"test\"\n{mqtt}{more}\n"));
}

/// Starts a run for each message with a number.
pub const READING: &str = "params:\n  value: { type: number }\ntriggers:\n  - mqtt: { broker: plant, topic: \"site/+/reading\" }\n\
                       steps:\n  look: { plugin: echo, with: { value: { n: \"${params.value}\", topic: \"${trigger.topic}\" } } }\n";

/// What the messages of the runs of [`READING`] said, oldest first, when there are so many runs.
#[track_caller]
pub fn values(project: &Project, number: usize) -> Vec<f64> {
    let value = |run: &serde_json::Value| {
        let view = project.wait_end(run["run"].as_str().unwrap());
        view["outputs"]["look"]["value"]["n"].as_f64().unwrap_or_else(|| panic!("{view:#}"))
    };
    project.wait_runs(number).iter().map(value).collect()
}
