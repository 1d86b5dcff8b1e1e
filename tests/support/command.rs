//! Runs the binary and keeps what it said.

use std::{
    ffi::OsStr,
    io::{ErrorKind, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::wait::patience;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_trackside");

/// What of the tester's environment must not reach the binary.
const NOT_OURS: [&str; 12] = [
    "TRACKSIDE_PROJECT",
    "TRACKSIDE_LOG",
    "ORT_DYLIB_PATH",
    "ORT_DISABLE_TELEMETRY",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "NO_COLOR",
    "RUST_LOG",
    "RUST_BACKTRACE",
];

/// A command line of the binary, in an environment that is the same for everybody.
pub fn binary() -> Command {
    let mut command = Command::new(BINARY);
    for name in NOT_OURS {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// One call of the binary.
pub struct Trackside {
    command: Command,
    deadline: Duration,
}

impl Trackside {
    /// With these arguments.
    pub fn new(arguments: &[&str]) -> Self {
        let mut command = binary();
        command.args(arguments);
        Self { command, deadline: patience() }
    }

    /// In this folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With this variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without any variable but what is set afterwards.
    pub fn bare(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Ran {
        run(self.command, self.deadline)
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    line: String,
    status: ExitStatus,
    /// What it printed as data.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// Runs any command to its end. It and what it starts are a process group of their own.
///
/// # Panics
/// When it can not be started, or has not ended in time: it is killed then, with what it started, and what was printed is
/// in the message.
#[track_caller]
pub fn run(mut command: Command, deadline: Duration) -> Ran {
    let line = line_of(&command);
    let began = Instant::now();
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
    let (over, ends) = mpsc::channel();
    let stdout = Stream::read(child.stdout.take().unwrap(), over.clone());
    let stderr = Stream::read(child.stderr.take().unwrap(), over);
    let left = || deadline.saturating_sub(began.elapsed());
    let closed = (0..2).all(|_| ends.recv_timeout(left()).is_ok());
    let Some(status) = closed.then(|| ended(&mut child, left)).flatten() else {
        end_all(&mut child);
        panic!(
            "{line}: not over after {deadline:?}; it printed so far\n--- stdout\n{}\n--- stderr\n{}",
            String::from_utf8_lossy(&stdout.so_far()),
            String::from_utf8_lossy(&stderr.so_far())
        );
    };
    let text = |stream: Stream| String::from_utf8(stream.so_far()).expect("output is UTF-8");
    Ran { line, status, stdout: text(stdout), stderr: text(stderr), took: began.elapsed() }
}

/// How it ended, as soon as it has: what has closed its output is as good as over.
fn ended(child: &mut Child, left: impl Fn() -> Duration) -> Option<ExitStatus> {
    loop {
        match child.try_wait().unwrap() {
            None if left().is_zero() => return None,
            None => thread::sleep(Duration::from_millis(1)),
            status => return status,
        }
    }
}

/// Kills a command and what it has started.
fn end_all(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// What has been read from a stream: there at any time, also when the stream never ends.
struct Stream(Arc<Mutex<Vec<u8>>>);

impl Stream {
    /// Reads in a thread of its own and tells the end.
    fn read(mut stream: impl Read + Send + 'static, over: Sender<()>) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut part = vec![0; 64 << 10];
            loop {
                match stream.read(&mut part) {
                    Ok(0) => break,
                    Ok(length) => kept.lock().unwrap().extend_from_slice(&part[..length]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            let _ = over.send(());
        });
        Self(bytes)
    }

    fn so_far(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The command as one would type it; of a script only the beginning.
fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    line.chars().take(300).collect()
}

impl Ran {
    /// The exit code.
    ///
    /// # Panics
    /// When a signal ended it.
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{self}: ended by a signal"))
    }

    /// It must have ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        assert!(
            !self.stderr.contains("panicked at runtime") && !self.stderr.contains("RUST_BACKTRACE"),
            "it panicked: {self}"
        );
        self
    }

    /// It must have done what it was asked for.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Its talk must hold all of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} was not said: {self}");
        }
        self
    }

    /// Its data must hold all of these.
    #[track_caller]
    pub fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "{part:?} was not printed: {self}");
        }
        self
    }

    /// Its data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, status, stdout, stderr, took } = self;
        write!(f, "{line} ended with {status} after {took:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
