//! What is measured, in which order, and one measurement.

use std::{fs, io, path::Path, time::Duration};

use crate::{
    disk,
    load::Pace,
    process::{Tree, Used},
    work::{Ask, Disk, Ended, Engine, Work},
};

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// What an engine gets after its start before its memory is looked at.
const REST: Duration = Duration::from_secs(1);

/// Cells that an engine does one after the other, from one start.
pub struct Part {
    pub name: &'static str,
    pub disk: Disk,
    pub cells: &'static [Cell],
}

/// One kind of load.
pub struct Cell {
    pub name: &'static str,
    pub work: Work,
    pub in_flight: u32,
    pub pace: Pace,
}

const fn cell(name: &'static str, work: Work, in_flight: u32) -> Cell {
    Cell { name, work, in_flight, pace: Pace::Closed }
}

/// All of it.
pub const PARTS: [Part; 5] = [
    Part {
        name: "one at a time",
        disk: Disk::Plain,
        cells: &[
            cell("one step, 1 in flight", Work::One, 1),
            cell("chain of ten, 1 in flight", Work::Chain, 1),
            cell("1 x 10 x 1, 1 in flight", Work::Fan, 1),
        ],
    },
    Part {
        name: "64 at a time",
        disk: Disk::Plain,
        cells: &[
            cell("one step, 64 in flight", Work::One, 64),
            cell("chain of ten, 64 in flight", Work::Chain, 64),
            cell("1 x 10 x 1, 64 in flight", Work::Fan, 64),
        ],
    },
    Part {
        name: "200 a second",
        disk: Disk::Plain,
        cells: &[Cell { name: "one step, 200 a second", work: Work::One, in_flight: 64, pace: Pace::PerSecond(200) }],
    },
    Part {
        name: "flushes",
        disk: Disk::Counted,
        cells: &[
            cell("one step, 1 in flight, the disk as it is", Work::One, 1),
            cell("one step, 64 in flight, the disk as it is", Work::One, 64),
        ],
    },
    Part {
        name: "each flush 5 ms longer",
        disk: Disk::Slow,
        cells: &[
            cell("one step, 1 in flight, slow disk", Work::One, 1),
            cell("chain of ten, 1 in flight, slow disk", Work::Chain, 1),
            cell("one step, 64 in flight, slow disk", Work::One, 64),
        ],
    },
];

/// What can be seen of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    Rate,
    Median,
    High,
    Cpu,
    Written,
    Flushes,
    MemoryBefore,
    MemoryAfter,
}

impl Figure {
    /// What its line is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "runs/s",
            Self::Median => "p50 ms",
            Self::High => "p99 ms",
            Self::Cpu => "CPU-s/1000",
            Self::Written => "bytes/run",
            Self::Flushes => "flushes/run",
            Self::MemoryBefore => "MiB before",
            Self::MemoryAfter => "MiB after",
        }
    }
}

/// One figure of one cell, seen once.
pub struct Seen {
    pub cell: &'static str,
    pub engine: &'static str,
    pub round: usize,
    pub figure: Figure,
    pub value: f64,
}

/// Starts an engine for a part.
pub type Start<'a> = &'a dyn Fn(&Path, Disk) -> io::Result<Box<dyn Engine>>;

/// One engine through one part. What was seen goes to `keep` as it is seen.
pub fn measure(
    part: &Part,
    start: Start,
    folder: &Path,
    time: Duration,
    keep: &mut dyn FnMut(&'static str, Figure, f64),
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut engine = start(folder, part.disk)?;
    std::thread::sleep(REST);
    let before = resident(&*engine);
    let warm = Ask { work: Work::One, in_flight: part.cells[0].in_flight, pace: Pace::Closed, time: WARM_UP };
    engine.work(&warm)?;
    for cell in part.cells {
        let ask = Ask { work: cell.work, in_flight: cell.in_flight, pace: cell.pace, time };
        if !engine.can(&ask) {
            continue;
        }
        let (used, flushes) = (used(&*engine), disk::flushes(folder)?);
        let Ended { mut samples, seconds } = engine.work(&ask)?;
        let count = samples.len() as f64;
        let after = self::used(&*engine);
        if part.disk == Disk::Plain {
            keep(cell.name, Figure::Cpu, (after.cpu - used.cpu) * 1e3 / count);
            keep(cell.name, Figure::Written, (after.written - used.written) / count);
        } else {
            keep(cell.name, Figure::Flushes, (disk::flushes(folder)? - flushes) as f64 / count);
        }
        // Counting costs a little of what is counted.
        if part.disk != Disk::Counted {
            keep(cell.name, Figure::Rate, count / seconds);
            keep(cell.name, Figure::Median, percentile(&mut samples, 0.5));
            keep(cell.name, Figure::High, percentile(&mut samples, 0.99));
        }
    }
    if part.disk == Disk::Plain {
        keep(part.name, Figure::MemoryBefore, before);
        keep(part.name, Figure::MemoryAfter, resident(&*engine));
    }
    Ok(())
}

fn used(engine: &dyn Engine) -> Used {
    engine
        .trees()
        .into_iter()
        .map(Tree::used)
        .fold(Used::default(), |sum, one| Used { cpu: sum.cpu + one.cpu, written: sum.written + one.written })
}

fn resident(engine: &dyn Engine) -> f64 {
    engine.trees().into_iter().map(Tree::resident_mib).sum()
}

/// The smallest sample that at least `share` of all samples do not exceed.
fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let rank = (samples.len() as f64 * share).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
