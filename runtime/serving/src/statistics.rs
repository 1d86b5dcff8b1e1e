//! What was asked of a version and how long it took, in the terms of Triton's statistics extension.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use trackside_sync::lock;

/// Most batch sizes that are told apart; the largest stands for those above it.
const SIZES: usize = 64;

/// How often, and how long in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// How often.
    pub count: u64,
    /// Nanoseconds in all.
    pub ns: u64,
}

#[derive(Debug, Default)]
struct Sum {
    count: AtomicU64,
    ns: AtomicU64,
}

impl Sum {
    fn add(&self, time: Duration) {
        self.count.fetch_add(1, Relaxed);
        self.ns.fetch_add(ns(time), Relaxed);
    }

    fn total(&self) -> Total {
        Total { count: self.count.load(Relaxed), ns: self.ns.load(Relaxed) }
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One version's counts. Many threads write, nobody waits.
#[derive(Debug, Default)]
pub struct Counts {
    last_ms: AtomicU64,
    rows: AtomicU64,
    runs: AtomicU64,
    success: Sum,
    fail: Sum,
    rejected: AtomicU64,
    queue: Sum,
    input: Sum,
    infer: Sum,
    output: Sum,
    batches: Mutex<BTreeMap<u32, Batch>>,
}

/// The runs of one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Batch {
    /// Preparing inputs.
    pub input: Total,
    /// The engine.
    pub infer: Total,
    /// Taking outputs.
    pub output: Total,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Waiting for its turn.
    pub queue: Duration,
    /// Preparing its inputs.
    pub input: Duration,
    /// In the engine.
    pub infer: Duration,
    /// Taking its outputs.
    pub output: Duration,
}

impl Counts {
    /// A request of so many rows that was answered after `took`, all that it waited and was worked on.
    pub fn answered(&self, times: Times, took: Duration, rows: u32, now_ms: u64) {
        self.last_ms.fetch_max(now_ms, Relaxed);
        self.rows.fetch_add(u64::from(rows), Relaxed);
        self.success.add(took);
        self.queue.add(times.queue);
        self.input.add(times.input);
        self.infer.add(times.infer);
        self.output.add(times.output);
    }

    /// A run of the engine, of so many rows of one or several requests.
    pub fn ran(&self, times: Times, rows: u32) {
        self.runs.fetch_add(1, Relaxed);
        let mut batches = lock(&self.batches);
        let known = batches.contains_key(&rows) || batches.len() < SIZES;
        let rows = if known { rows } else { batches.last_key_value().map_or(rows, |(largest, _)| *largest) };
        let batch = batches.entry(rows).or_default();
        for (total, time) in
            [(&mut batch.input, times.input), (&mut batch.infer, times.infer), (&mut batch.output, times.output)]
        {
            total.count += 1;
            total.ns = total.ns.saturating_add(ns(time));
        }
    }

    /// A request that failed after so long.
    pub fn failed(&self, after: Duration) {
        self.fail.add(after);
    }

    /// A request that was not let in; it counts as a failed one, too.
    pub fn rejected(&self, after: Duration) {
        self.rejected.fetch_add(1, Relaxed);
        self.fail.add(after);
    }

    /// All of it, now.
    #[must_use]
    pub fn read(&self) -> Statistics {
        Statistics {
            last_inference_ms: self.last_ms.load(Relaxed),
            inferences: self.rows.load(Relaxed),
            executions: self.runs.load(Relaxed),
            success: self.success.total(),
            fail: self.fail.total(),
            rejected: self.rejected.load(Relaxed),
            queue: self.queue.total(),
            compute_input: self.input.total(),
            compute_infer: self.infer.total(),
            compute_output: self.output.total(),
            batches: lock(&self.batches).clone(),
        }
    }
}

/// One version's counts since it is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When it last answered, in milliseconds since 1970; 0 for never.
    pub last_inference_ms: u64,
    /// Rows that it answered for; a request whose inputs have no rows counts as one.
    pub inferences: u64,
    /// Runs of the engine: fewer than that where requests were run together.
    pub executions: u64,
    /// Requests that were answered.
    pub success: Total,
    /// Requests that were not.
    pub fail: Total,
    /// Those of them that were not let in: rate, queue, circuit, time.
    pub rejected: u64,
    /// Waiting.
    pub queue: Total,
    /// Preparing inputs.
    pub compute_input: Total,
    /// The engine.
    pub compute_infer: Total,
    /// Taking outputs.
    pub compute_output: Total,
    /// By rows of a run.
    pub batches: BTreeMap<u32, Batch>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_runs_are_counted_apart() {
        let counts = Counts::default();
        let times = Times { infer: Duration::from_micros(10), queue: Duration::from_micros(5), ..Times::default() };
        counts.ran(times, 3);
        let took = Duration::from_micros(15);
        counts.answered(times, took, 1, 7);
        counts.answered(times, took, 2, 6);
        counts.rejected(Duration::from_micros(1));
        let read = counts.read();
        assert_eq!((read.inferences, read.executions, read.last_inference_ms, read.rejected), (3, 1, 7, 1));
        assert_eq!((read.success, read.fail.count), (Total { count: 2, ns: 30_000 }, 1));
        assert_eq!(read.batches[&3].infer, Total { count: 1, ns: 10_000 });
    }

    #[test]
    fn sizes_are_bounded() {
        let counts = Counts::default();
        (0..1_000).for_each(|rows| counts.ran(Times::default(), rows));
        let batches = counts.read().batches;
        assert_eq!(batches.len(), SIZES);
        assert_eq!(batches.values().map(|batch| batch.infer.count).sum::<u64>(), 1_000);
    }
}
