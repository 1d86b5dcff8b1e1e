//! Runs the binary and keeps what it said.

use std::{
    ffi::OsStr,
    io::Read,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::wait::PATIENCE;

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
        Self { command, deadline: PATIENCE }
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

/// Runs any command to its end.
///
/// # Panics
/// When it can not be started, or has not ended in time: it is killed then.
#[track_caller]
pub fn run(mut command: Command, deadline: Duration) -> Ran {
    let line = line_of(&command);
    let began = Instant::now();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
    let (tell, told) = mpsc::channel();
    let streams: [(usize, Box<dyn Read + Send>); 2] =
        [(0, Box::new(child.stdout.take().unwrap())), (1, Box::new(child.stderr.take().unwrap()))];
    for (number, mut stream) in streams {
        let tell = tell.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            let _ = tell.send((number, bytes));
        });
    }
    let mut said = [String::new(), String::new()];
    for _ in 0..said.len() {
        match told.recv_timeout(deadline.saturating_sub(began.elapsed())) {
            Ok((number, bytes)) => said[number] = String::from_utf8(bytes).expect("output is UTF-8"),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "{line}: not over after {deadline:?}\n{}",
                    told.iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).collect::<String>()
                );
            }
        }
    }
    let status = child.wait().unwrap();
    let [stdout, stderr] = said;
    Ran { line, status, stdout, stderr, took: began.elapsed() }
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
