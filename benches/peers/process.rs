//! Processes that are measured: started as a group, looked at with all that they start, ended as a group.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a group may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// A process and all that it starts; ended with this value.
pub struct Tree(Child);

/// What was used up so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Processor time, user and system, seconds.
    pub cpu: f64,
    /// Bytes sent towards the disk: `write_bytes` of proc(5).
    pub written: f64,
}

/// What proc(5) says of a process in one line.
struct Stat {
    parent: u32,
    ticks: f64,
}

impl Tree {
    /// Starts it. What it says is thrown away unless the caller has set where it goes.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.process_group(0).stderr(Stdio::null()).spawn().map(Self)
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Whether it runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    pub fn used(&self) -> Used {
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        let processes = self.processes();
        Used {
            cpu: processes.values().sum::<f64>() / per_second,
            written: processes.keys().filter_map(|&process| number(process, "io", "write_bytes")).sum(),
        }
    }

    /// Memory that is in RAM, of all.
    pub fn resident_mib(&self) -> f64 {
        self.processes().keys().filter_map(|&process| number(process, "status", "VmRSS")).sum::<f64>() / 1024.0
    }

    /// The living ones, each with its processor time in ticks and that of its children that were waited for.
    fn processes(&self) -> HashMap<u32, f64> {
        let all: HashMap<u32, Stat> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|process| Some((process, stat(process)?)))
            .collect();
        let root = self.0.id();
        let is_below = |mut process: u32| {
            while process != root {
                match all.get(&process) {
                    Some(stat) if stat.parent > 1 => process = stat.parent,
                    _ => return false,
                }
            }
            true
        };
        all.iter().filter(|&(&process, _)| is_below(process)).map(|(&process, stat)| (process, stat.ticks)).collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        let _ = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && self.is_alive() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is in parentheses and may hold spaces.
    let fields: Vec<f64> =
        text.rsplit_once(')')?.1.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // Fields 4 and 14 to 17 of proc(5).
    Some(Stat { parent: *fields.first()? as u32, ticks: fields.get(10..14)?.iter().sum() })
}

fn number(process: u32, file: &str, key: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}
