//! The parent: starts a process, feeds it, bounds its time, takes its answer.

use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use trackside_sync::lock;

use crate::Program;

/// What a process says on standard error is read up to here.
const WORDS: u64 = 8 << 10;
/// How much of it is told.
const TOLD: usize = 1000;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Arguments behind those of the program.
    pub arguments: &'a [String],
    /// What it reads on standard input.
    pub input: &'a [u8],
    /// How long it may take.
    pub time: Duration,
    /// What the threads that watch it are called, in a word.
    pub name: &'a str,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// There is no process.
    NotStarted(io::Error),
    /// It could not be watched.
    Lost(io::Error),
    /// It ended, and gave none.
    Ended(Ended),
}

/// How a process ended that gave no answer.
#[derive(Debug)]
pub struct Ended {
    status: ExitStatus,
    /// Whether it was killed here because its time was over.
    late: bool,
    /// Its last words, in one line.
    pub words: String,
}

impl Ended {
    /// Whether its time was over: the clock's, or the processor's.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        self.late || self.is_by(Signal::XCPU)
    }

    /// Whether it had computed for as long as it may.
    #[must_use]
    pub fn is_out_of_computing_time(&self) -> bool {
        !self.late && self.is_by(Signal::XCPU)
    }

    /// Whether it is as if it had no memory: it says so, or was killed without a word, as the kernel does where memory is short.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        let no_memory = ["memory allocation of", "Cannot allocate memory", "out of memory", "std::bad_alloc"];
        no_memory.iter().any(|words| self.words.contains(words)) || self.is_by(Signal::KILL)
    }

    /// What it says where it ended by itself and with 1.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        (self.status.code() == Some(1) && !self.words.is_empty()).then_some(self.words.as_str())
    }

    /// How it ended, for people.
    #[must_use]
    pub fn told(&self) -> String {
        let words = if self.words.is_empty() { "without a word" } else { &self.words };
        match (self.status.code(), self.status.signal()) {
            (_, Some(signal)) => format!("it was ended by signal {signal}: {words}"),
            (Some(code), None) => format!("it ended with {code}: {words}"),
            (None, None) => format!("it ended: {words}"),
        }
    }

    fn is_by(&self, signal: Signal) -> bool {
        self.status.signal() == Some(signal.as_raw())
    }
}

/// Has a process work. Blocks for as long as that takes, at most the order's time. `take` reads its answer from its standard output,
/// and bounds what it reads.
///
/// # Errors
/// Any [`Failure`].
pub fn ask<T>(
    program: &Program,
    order: &Order<'_>,
    take: impl FnOnce(&mut ChildStdout) -> io::Result<T>,
) -> Result<T, Failure> {
    let mut command = Command::new(&program.program);
    command
        .args(&program.arguments)
        .args(order.arguments)
        .env_clear()
        .envs(program.environment.iter().cloned())
        .current_dir("/")
        // Ctrl-C is for the parent; the worker ends with it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().map_err(Failure::NotStarted)?;
    watch(child, order, take).map_err(Failure::Lost)?.map_err(Failure::Ended)
}

/// Talks to the process while another thread keeps the time.
fn watch<T>(
    mut child: Child,
    order: &Order<'_>,
    take: impl FnOnce(&mut ChildStdout) -> io::Result<T>,
) -> io::Result<Result<T, Ended>> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(mut stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(io::Error::other("the worker has no pipes"));
    };
    let group = rustix::process::Pid::from_child(&child);
    let child = Mutex::new(child);
    let kill = || {
        // One that has ended by itself cannot be killed and keeps its own status. Its group goes with it: whatever it
        // started would hold its pipes open.
        let mut child = lock(&child);
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        let _ = child.kill();
    };
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let (time, kill) = (order.time, &kill);
        let clock = thread::Builder::new().name(format!("{}-clock", order.name)).spawn_scoped(scope, move || {
            let late = waiting.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if late {
                kill();
            }
            late
        });
        let clock = clock.inspect_err(|_| kill())?;
        // In a thread: a worker that answers before it has read everything would wait for us, and we for it. One that
        // ends early does not read everything; what it then says is the reason.
        let feeder = thread::Builder::new().name(format!("{}-feeder", order.name));
        let input = order.input;
        let feeder = feeder.spawn_scoped(scope, move || stdin.write_all(input)).inspect_err(|_| kill())?;
        let answer = take(&mut stdout);
        // Nobody listens any more: a worker that goes on talking ends.
        drop(stdout);
        let mut words = Vec::new();
        if answer.is_err() {
            // Its last words; it is silent when it was killed.
            let _ = stderr.take(WORDS).read_to_end(&mut words);
        }
        drop(done);
        let late = clock.join().unwrap_or(false);
        // It has nothing more to do, and whatever holds it up must not hold up this side.
        kill();
        let status = lock(&child).wait()?;
        let fed = feeder.join().unwrap_or_else(|_| Err(io::Error::other("it was not fed")));
        let told: String = String::from_utf8_lossy(&words).trim().chars().take(TOLD).collect();
        match (answer, fed) {
            (Ok(answer), Ok(())) => Ok(Ok(answer)),
            _ => Ok(Err(Ended { status, late, words: one_line(&told) })),
        }
    })
}

/// A text from outside with control characters written out, so that it is one harmless line.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        // Besides the control characters: line and paragraph separators and the marks that turn text around.
        let hostile = character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hostile {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
