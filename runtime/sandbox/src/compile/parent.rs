//! The parent: starts a worker, feeds it, bounds it, takes its code.

use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
};

use rustix::process::Signal;
use trackside_codes::{Class, Reason};
use trackside_spec::{ByteSize, Duration};
use trackside_sync::lock;

use super::order::{CompileProgram, CompileWorker, Order};
use crate::{
    cache::{self, CODE_LIMIT, Code},
    error::LoadError,
};

/// What a worker says on standard error is read up to here.
const WORDS: u64 = 8 << 10;

/// Why there is no code.
pub(super) enum Failure {
    /// There is no worker.
    NotStarted(io::Error),
    /// The plugin is not used.
    Load(LoadError),
}

/// How a worker ended that gave no code.
struct Ended {
    status: ExitStatus,
    /// Whether it was killed here because its time was over.
    late: bool,
    words: String,
}

/// Has a worker compile. Blocks for as long as that takes, at most the worker's time.
pub(super) fn compile(worker: &CompileWorker, order: &Order, wasm: &[u8], name: &str) -> Result<Code, Failure> {
    let CompileProgram { program, arguments, environment } = &worker.program;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(order.to_arguments())
        .env_clear()
        .envs(environment.iter().cloned())
        .current_dir("/")
        // Ctrl-C is for the parent; the worker ends with it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().map_err(Failure::NotStarted)?;
    match watch(child, worker, wasm) {
        Ok(Ok(code)) => Ok(code),
        Ok(Err(ended)) => Err(Failure::Load(judge(&ended, worker, name))),
        Err(error) => {
            Err(Failure::Load(LoadError::Worker { name: name.to_owned(), reason: Reason::by(Class::Setup, error) }))
        }
    }
}

/// Talks to the worker while another thread keeps the time.
fn watch(mut child: Child, worker: &CompileWorker, wasm: &[u8]) -> io::Result<Result<Code, Ended>> {
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
        let (time, kill) = (worker.time, &kill);
        let clock = thread::Builder::new().name("compile-clock".to_owned()).spawn_scoped(scope, move || {
            let late = waiting.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if late {
                kill();
            }
            late
        });
        let clock = clock.inspect_err(|_| kill())?;
        // In a thread: a worker that answers before it has read everything would wait for us, and we for it. One that
        // ends early does not read everything; what it then says is the reason.
        let feeder = thread::Builder::new().name("compile-feeder".to_owned());
        let feeder = feeder.spawn_scoped(scope, move || stdin.write_all(wasm)).inspect_err(|_| kill())?;
        let code = take(&mut stdout);
        // Nobody listens any more: a worker that goes on talking ends.
        drop(stdout);
        let mut words = Vec::new();
        if code.is_err() {
            // Its last words; it is silent when it was killed.
            let _ = stderr.take(WORDS).read_to_end(&mut words);
        }
        drop(done);
        let late = clock.join().unwrap_or(false);
        // It has nothing more to do, and whatever holds it up must not hold up this side.
        kill();
        let status = lock(&child).wait()?;
        let fed = feeder.join().unwrap_or_else(|_| Err(io::Error::other("it was not fed")));
        match (code, fed) {
            (Ok(code), Ok(())) => Ok(Ok(code)),
            _ => Ok(Err(Ended { status, late, words: String::from_utf8_lossy(&words).trim().to_owned() })),
        }
    })
}

/// Takes the code: its length, then as many bytes.
fn take(stdout: &mut impl Read) -> io::Result<Code> {
    let mut length = [0; 8];
    stdout.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > CODE_LIMIT {
        return Err(io::Error::other("too much code"));
    }
    cache::trust_worker(stdout, length)
}

/// What it means that a worker gave no code.
fn judge(ended: &Ended, worker: &CompileWorker, name: &str) -> LoadError {
    let name = name.to_owned();
    let costly = |what: String, key| LoadError::TooCostly { name: name.clone(), what, key };
    let signal = ended.status.signal();
    let is = |wanted: Signal| signal == Some(wanted.as_raw());
    let no_memory = ["memory allocation of", "Cannot allocate memory", "out of memory"];
    if ended.late || is(Signal::XCPU) {
        let time = Duration::from_millis(u64::try_from(worker.time.as_millis()).unwrap_or(u64::MAX));
        return costly(time.to_string(), "compile_time");
    }
    // Without a word: the kernel took it where memory was short.
    if no_memory.iter().any(|words| ended.words.contains(words)) || is(Signal::KILL) {
        return costly(format!("{} of memory", ByteSize::from_bytes(worker.memory)), "compile_memory");
    }
    let words = crate::recorder::one_line(&ended.words.chars().take(1000).collect::<String>());
    match (ended.status.code(), signal) {
        (Some(1), _) if !words.is_empty() => LoadError::Compile { name, reason: words.into() },
        (_, Some(signal)) => {
            LoadError::Worker { name, reason: format!("it was ended by signal {signal}: {words}").into() }
        }
        (code, None) => {
            let code = code.map_or_else(|| "?".to_owned(), |code| code.to_string());
            LoadError::Worker { name, reason: format!("it ended with {code}: {words}").into() }
        }
    }
}
