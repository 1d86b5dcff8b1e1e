//! One number of the catalogue: what it did is held against the line that docs/hostile.md has for it.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::support::{repository, wait::patient};

/// How much later than its limit a guest may end.
const GRACE: Duration = Duration::from_millis(250);

/// The page that lists the catalogue.
pub fn page() -> String {
    fs::read_to_string(repository::root().join("docs/hostile.md")).unwrap()
}

/// A line of the page's table.
pub struct Row {
    /// Name of the test.
    pub test: String,
    /// What is in backticks under "How it ends".
    pub ends: BTreeSet<String>,
}

/// The lines of the page's table.
pub fn rows(page: &str) -> Vec<Row> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `h"));
    cells
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [test, _, ends, _] = cells[..] else { panic!("not four cells: {line}") };
            let ends = ends.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Row { test: format!("h{}", test.trim_end_matches('`')), ends }
        })
        .collect()
}

/// How long something took, and how long it may have taken.
#[derive(Clone, Copy)]
pub struct Timed {
    /// The time that it took.
    pub took: Duration,
    /// Its limit.
    pub limit: Duration,
}

impl Timed {
    /// Of something that has no limit.
    pub const fn none() -> Self {
        Self { took: Duration::ZERO, limit: Duration::ZERO }
    }

    /// The one that came closer to its limit.
    pub fn later(self, other: Self) -> Self {
        let left = |timed: &Self| timed.limit.saturating_sub(timed.took);
        if left(&other) < left(&self) { other } else { self }
    }

    /// Whether it ended too late.
    pub fn is_late(self) -> bool {
        self.took > self.limit + patient(GRACE)
    }
}

/// One number of the catalogue while it runs. Only one runs at a time: they measure time and memory.
pub struct Case {
    number: u8,
    expected: BTreeSet<String>,
    seen: BTreeSet<String>,
    took: Duration,
    grown: u64,
    _turn: MutexGuard<'static, ()>,
}

impl Case {
    /// Waits for its turn.
    #[track_caller]
    pub fn new(number: u8) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("h{number:02}_");
        let row = rows(&page()).into_iter().find(|row| row.test.starts_with(&name));
        let expected = row.unwrap_or_else(|| panic!("docs/hostile.md has no line for {name}")).ends;
        let (seen, took, grown) = (BTreeSet::new(), Duration::ZERO, 0);
        Self { number, expected, seen, took, grown, _turn: turn }
    }

    /// It ended like this, in time.
    #[track_caller]
    pub fn ended(&mut self, verdict: &str, timed: Timed) {
        let Timed { took, limit } = timed;
        assert!(!timed.is_late(), "H{:02}: {verdict} after {took:?}; its limit is {limit:?}", self.number);
        assert!(self.expected.contains(verdict), "H{:02}: {verdict} is not in docs/hostile.md", self.number);
        self.seen.insert(verdict.to_owned());
        self.took = self.took.max(took);
    }

    /// The host took so many bytes more memory at some time, of so many MiB that it may.
    #[track_caller]
    pub fn grew(&mut self, bytes: u64, bound: u64) {
        self.grown = self.grown.max(bytes);
        assert!(bytes <= bound << 20, "H{:02}: {} MiB of memory; the bound is {bound} MiB", self.number, bytes >> 20);
    }

    /// Every end that the page tells was seen. Prints the line of the case.
    #[track_caller]
    pub fn finish(self) {
        let Self { number, expected, seen, took, grown, .. } = self;
        assert_eq!(seen, expected, "H{number:02}: what docs/hostile.md tells is not what happens");
        let verdict = seen.into_iter().collect::<Vec<_>>().join(", ");
        println!("H{number:02}  {verdict:<44}  {:>6} ms  {:>+7.1} MiB", took.as_millis(), grown as f64 / 1048576.0);
    }
}

/// A field of a process's status in bytes: `VmRSS`, what it has in memory now, or `VmHWM`, the most so far.
pub fn memory(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let line = line.unwrap_or_else(|| panic!("no {field}: {status}"));
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

/// Bytes of a process's own program that are in memory.
pub fn own_code(pid: u32) -> u64 {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let mut is_own = false;
    let mut kib = 0;
    for line in fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap().lines() {
        // `START-END rwxp … PATH` begins a mapping, `Rss: N kB` tells of it.
        if let Some(resident) = line.strip_prefix("Rss:").filter(|_| is_own) {
            kib += resident.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap();
        } else if line.split(' ').next().is_some_and(|range| range.contains('-')) {
            is_own = line.ends_with(program.to_str().unwrap());
        }
    }
    kib << 10
}
