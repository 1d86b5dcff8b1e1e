//! A running node.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    command::binary,
    notify::Notify,
    wait::{patience, wait_until},
};

/// A `trackside serve`. It is killed when it is dropped; what it said is printed when the test fails.
pub struct Node {
    child: Child,
    project: PathBuf,
    log: PathBuf,
    /// Where it tells that it is ready.
    pub notify: Notify,
}

impl Node {
    /// Starts a node on a project and waits until it says that it is ready.
    #[track_caller]
    pub fn start(project: &Path) -> Self {
        let node = Self::launch(project, &[]);
        node.ready();
        node
    }

    /// Starts a node and waits for nothing.
    #[track_caller]
    pub fn launch(project: &Path, env: &[(&str, &str)]) -> Self {
        let data = project.join(".trackside-test");
        fs::create_dir_all(&data).unwrap();
        let notify = Notify::new(data.join("notify"));
        let log = data.join("log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = binary();
        command.arg("serve").arg("--project").arg(project).env("NOTIFY_SOCKET", notify.path());
        command.envs(env.iter().copied()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().unwrap();
        Self { child, project: project.to_owned(), log, notify }
    }

    /// Waits until it says that it is ready.
    #[track_caller]
    pub fn ready(&self) {
        if let Err(came) = self.notify.until("READY=1", patience()) {
            panic!("the node did not become ready; it told {came:?} and said\n{}", self.said());
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the nodes of this project have said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn wait_said(&self, text: &str) {
        wait_until(&format!("the node says {text:?}"), || self.said().contains(text).then_some(()));
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> ExitStatus {
        wait_until("the node's end", || self.child.try_wait().unwrap())
    }

    /// SIGTERM; gives how it ended and how long that took.
    #[track_caller]
    pub fn terminate(self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        self.signal(Signal::TERM);
        (self.wait(), began.elapsed())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it over its socket; gives the status and the body.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        ask(&self.project, method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.said()))
    }

    /// Starts a run over its socket.
    #[track_caller]
    pub fn start_run(&self, workflow: &str) -> String {
        let body = serde_json::json!({ "workflow": workflow }).to_string();
        let (status, answer) = self.ask("POST", "/v1/runs", &body);
        assert_eq!(status, 202, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["run"].as_str().unwrap().to_owned()
    }

    /// All events of a run that has ended or will.
    #[track_caller]
    pub fn events(&self, run: &str) -> Vec<Value> {
        let (status, lines) = self.ask("GET", &format!("/v1/runs/{run}/events"), "");
        assert_eq!(status, 200, "{lines}");
        let mut events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.pop(), Some(serde_json::json!({ "settled": true })));
        events
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the nodes of this test said\n{}", self.said());
        }
    }
}

/// One request over a project's socket.
pub fn ask(project: &Path, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = UnixStream::connect(project.join(".trackside/trackside.sock"))?;
    stream.set_read_timeout(Some(patience()))?;
    // HTTP/1.0: the answer ends with the connection.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no HTTP answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| std::io::Error::other("no status"))?, body.to_owned()))
}
