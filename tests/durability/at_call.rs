//! A node that is killed at a certain call to SQLite's log, and which calls those are at which a kill shows something new.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Project, command::binary, wait_until};

/// The two calls that a commit is made of, in strace's words.
pub const WRITE: &str = "pwrite64";
pub const FLUSH: &str = "?fsync,?fdatasync";

/// A kind of call and its number in the thread that makes it.
pub type Call = (&'static str, usize);

/// A `serve` below strace.
pub struct Watched {
    strace: Child,
    /// A file with the number of the node's process.
    pid: PathBuf,
}

impl Watched {
    fn start(project: &Project, trace: &str, kill: Option<Call>) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", &format!("trace={trace}"), "-o"]).arg(project.path("trace"));
        command.arg("-P").arg(project.path(".trackside/trackside.db-wal"));
        if let Some((call, number)) = kill {
            command.args(["-e", &format!("inject={call}:signal=KILL:when={number}")]);
        }
        let pid = project.path("pid");
        command.args(["sh", "-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(&pid);
        command.arg(binary().get_program()).args(["serve", "--project"]).arg(project.root());
        let said = File::create(project.path("said")).unwrap();
        let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        Self { strace, pid }
    }

    /// A node that is killed at this call.
    pub fn killed_at(project: &Project, (call, number): Call) -> Self {
        Self::start(project, call, Some((call, number)))
    }

    /// A node whose calls are noted in the file `trace`, and which lives.
    pub fn noted(project: &Project) -> Self {
        Self::start(project, &format!("{WRITE},{FLUSH}"), None)
    }

    /// Waits until it was killed at its call, or until all that is to happen has happened: then it is killed now. Says
    /// whether it lived so long.
    pub fn lived(mut self, mut all_is_done: impl FnMut() -> bool) -> bool {
        let lived = wait_until("a kill, or the end of the scene", || match self.strace.try_wait().unwrap() {
            Some(_) => Some(false),
            None => all_is_done().then_some(true),
        });
        if lived {
            let pid = fs::read_to_string(&self.pid).unwrap().trim().parse().unwrap();
            let killed = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            // strace ends when the node is gone.
            self.strace.wait().unwrap();
            // Its call may have come after the last look.
            if killed == Err(rustix::io::Errno::SRCH) {
                return false;
            }
            killed.unwrap();
        }
        lived
    }
}

/// Of a node's noted calls those at which a kill leaves something else behind: each flush, where a commit is written and nobody
/// has heard of it, and the first write after one, where all have heard and done what follows. In between a commit is on
/// disk in parts, which is none to SQLite.
pub fn telling(project: &Project) -> BTreeSet<Call> {
    let trace = project.read("trace");
    // By thread: how many writes and flushes, and whether the last call was a flush.
    let mut threads: BTreeMap<&str, (usize, usize, bool)> = BTreeMap::new();
    let mut calls = BTreeSet::new();
    for line in trace.lines() {
        // A call during which another thread makes one stands in two lines.
        let Some((thread, call)) = line.split_once(' ').filter(|(_, call)| !call.contains("resumed>")) else {
            continue;
        };
        let (writes, flushes, flushed) = threads.entry(thread).or_insert((0, 0, true));
        match call.trim_start() {
            call if call.starts_with(WRITE) => {
                *writes += 1;
                if *flushed {
                    calls.insert((WRITE, *writes));
                }
                *flushed = false;
            }
            call if call.starts_with("fsync") || call.starts_with("fdatasync") => {
                *flushes += 1;
                calls.insert((FLUSH, *flushes));
                *flushed = true;
            }
            _ => {}
        }
    }
    calls
}

/// Plays `scene` at each of these calls, each time on a stage of its own; as many at a time as there are stages. A scene gives
/// how far it came; gives all of that.
pub fn at_each<Stage: Sync, Level: Ord + Send>(
    stages: &[Stage],
    calls: BTreeSet<Call>,
    scene: impl Fn(&Stage, Call) -> Level + Sync,
) -> BTreeSet<Level> {
    let (left, levels) = (Mutex::new(calls.into_iter()), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for stage in stages {
            let (left, levels, scene) = (&left, &levels, &scene);
            scope.spawn(move || {
                let next = || left.lock().unwrap().next();
                while let Some(call) = next() {
                    let level = scene(stage, call);
                    levels.lock().unwrap().insert(level);
                }
            });
        }
    });
    levels.into_inner().unwrap()
}
