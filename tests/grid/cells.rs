//! All cells of an archive: what each came to, and the count for each operator.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::archive::{self, Cell};

/// What a cell came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The right numbers.
    Right,
    /// Other numbers, and where: what must never be.
    Wrong(String),
    /// Refused when it was loaded, and why.
    Refused(String),
    /// Loaded, and an error when it ran.
    Failed(String),
}

/// Runs every cell of the archive, each thread with a judge of its own, prints the table, and fails when a cell is wrong.
pub fn run<J: Fn(&Cell) -> Verdict>(path: &Path, judge: impl Fn() -> J + Sync) -> Table {
    let cells = archive::read(path);
    let verdicts = judge_all(&cells, judge);
    let table = Table::of(&cells, &verdicts);
    println!("{}\n{table}", path.display());
    if let Some(report) = std::env::var_os("TRACKSIDE_GRID_REPORT") {
        std::fs::write(report, lines(&cells, &verdicts)).unwrap();
    }
    let wrong = cells.iter().zip(&verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::Wrong(_)));
    let mut shown = String::new();
    for (cell, verdict) in wrong {
        writeln!(shown, "{}: {verdict:?}", cell.name).unwrap();
    }
    assert!(shown.is_empty(), "wrong numbers:\n{shown}");
    table
}

/// What each cell came to, each thread with a judge of its own.
pub fn judge_all<J: Fn(&Cell) -> Verdict>(cells: &[Cell], judge: impl Fn() -> J + Sync) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![None; cells.len()]);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let judge = judge();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cell) = cells.get(place) else { break };
                    let verdict = judge(cell);
                    verdicts.lock().unwrap()[place] = Some(verdict);
                }
            });
        }
    });
    verdicts.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}

/// One line for each cell.
pub fn lines(cells: &[Cell], verdicts: &[Verdict]) -> String {
    let line = |(cell, verdict): (&Cell, &Verdict)| {
        let (name, reason) = match verdict {
            Verdict::Right => ("right", ""),
            Verdict::Wrong(reason) => ("wrong", &**reason),
            Verdict::Refused(reason) => ("refused", &**reason),
            Verdict::Failed(reason) => ("failed", &**reason),
        };
        format!("{name}\t{}\t{}\t{}\t{}\n", cell.group, cell.operator, cell.name, reason.replace(['\n', '\t'], " "))
    };
    cells.iter().zip(verdicts).map(line).collect()
}

/// How many cells came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub right: usize,
    pub wrong: usize,
    pub refused: usize,
    pub failed: usize,
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Right => self.right += 1,
            Verdict::Wrong(_) => self.wrong += 1,
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Failed(_) => self.failed += 1,
        }
    }

    /// All of them.
    pub fn all(&self) -> usize {
        self.right + self.wrong + self.refused + self.failed
    }
}

/// Counts by operator, and in all by group.
#[derive(Default)]
pub struct Table {
    operators: BTreeMap<String, Count>,
    groups: BTreeMap<String, Count>,
}

impl Table {
    /// Counts what cells came to.
    pub fn of(cells: &[Cell], verdicts: &[Verdict]) -> Self {
        let mut table = Self::default();
        for (cell, verdict) in cells.iter().zip(verdicts) {
            table.operators.entry(cell.operator.clone()).or_default().add(verdict);
            table.groups.entry(cell.group.clone()).or_default().add(verdict);
        }
        table
    }

    /// The count of all cells.
    pub fn all(&self) -> Count {
        let add = |all: Count, one: &Count| Count {
            right: all.right + one.right,
            wrong: all.wrong + one.wrong,
            refused: all.refused + one.refused,
            failed: all.failed + one.failed,
        };
        self.groups.values().fold(Count::default(), add)
    }

    /// The count of a group of cells.
    pub fn group(&self, name: &str) -> Count {
        self.groups.get(name).copied().unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<44} {:>7} {:>7} {:>7} {:>7}", "operator", "right", "wrong", "refused", "failed")?;
        let groups = self.groups.iter().map(|(name, count)| (format!("all of {name}"), count));
        for (name, count) in self.operators.iter().map(|(name, count)| (name.clone(), count)).chain(groups) {
            let Count { right, wrong, refused, failed } = count;
            writeln!(f, "{name:<44} {right:>7} {wrong:>7} {refused:>7} {failed:>7}")?;
        }
        Ok(())
    }
}
