//! What happens when a time comes while runs of the same trigger are under way.

use std::collections::VecDeque;

use trackside_spec::Overlap;

/// Times that may wait for a run to end; what comes then is dropped and recorded as overlapped.
pub const QUEUE_CAP: usize = 100;

/// A time of the schedule and how many earlier ones it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Milliseconds since 1970.
    pub logical_ms: i64,
    /// Earlier times that were missed and are made up for by this one.
    pub missed: u32,
}

/// What becomes of a time that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Start { cancel_previous: bool },
    Queued,
    Overlapped,
}

/// A trigger's runs under way and the times that wait for them.
#[derive(Debug)]
pub(super) struct Lane {
    overlap: Overlap,
    pub live: u32,
    pub queue: VecDeque<Tick>,
}

impl Lane {
    pub fn new(overlap: Overlap) -> Self {
        Self { overlap, live: 0, queue: VecDeque::new() }
    }

    /// Decides about `tick`; `last` if no other time has come with it.
    pub fn admit(&mut self, tick: Tick, last: bool) -> Admission {
        let busy = self.live > 0 || !self.queue.is_empty();
        let admission = match self.overlap {
            Overlap::Skip if busy => Admission::Overlapped,
            Overlap::Queue if busy && self.queue.len() >= QUEUE_CAP => Admission::Overlapped,
            Overlap::Queue if busy => Admission::Queued,
            // Started now, it would be cancelled by the next one at once.
            Overlap::CancelPrevious if !last => Admission::Overlapped,
            Overlap::CancelPrevious => Admission::Start { cancel_previous: busy },
            Overlap::Allow | Overlap::Skip | Overlap::Queue => Admission::Start { cancel_previous: false },
        };
        match admission {
            Admission::Start { .. } => self.live += 1,
            Admission::Queued => self.queue.push_back(tick),
            Admission::Overlapped => {}
        }
        admission
    }

    /// The time that waited longest, if nothing is under way; it counts as started.
    pub fn next(&mut self) -> Option<Tick> {
        if self.live > 0 {
            return None;
        }
        let tick = self.queue.pop_front()?;
        self.live = 1;
        Some(tick)
    }
}
