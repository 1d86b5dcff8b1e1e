//! The two clocks that a call can have: the real ones, or logical time that only the guest itself moves.
//!
//! In logical time the wall clock stands at the time that the run is about. The monotonic clock moves by one step with
//! every look at it, and to its deadline with every sleep that ends, so that the same guest sees the same readings
//! every time and on every machine, and still no loop waits for ever for a time to come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use wasmtime::component::Resource;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock,
    p2::{
        DynPollable, Pollable,
        bindings::clocks::monotonic_clock::{self, Host},
        subscribe,
    },
};

use crate::{call::StepCall, host_api::StepHost, store_data::CallData};

/// Fine enough for timeouts, too coarse to time the processor.
const REAL_STEP: u64 = 1_000_000;
/// What the monotonic clock shows when a call begins. Not zero, which Go's runtime takes for a broken clock.
const START: u64 = 1_000_000_000;
/// What a look at the logical clock moves it by, in nanoseconds.
const LOGICAL_STEP: u64 = 1_000;

/// The clocks of one call. Clones share the time.
#[derive(Clone)]
pub(crate) struct Clocks {
    wall: Wall,
    monotonic: Monotonic,
}

#[derive(Clone)]
enum Wall {
    /// Granted: the host's.
    Real(Arc<dyn StepHost>),
    /// The run's time in Unix milliseconds.
    Logical(u64),
}

#[derive(Clone)]
enum Monotonic {
    /// Whole milliseconds since the call began.
    Real(Instant),
    /// The reading that the guest's looks and sleeps have made.
    Logical(Arc<AtomicU64>),
}

impl Clocks {
    pub(crate) fn new(granted: bool, call: &StepCall, host: &Arc<dyn StepHost>, begin: Instant) -> Self {
        if granted {
            Self { wall: Wall::Real(host.clone()), monotonic: Monotonic::Real(begin) }
        } else {
            let passed = Arc::new(AtomicU64::new(START));
            Self { wall: Wall::Logical(call.logical_time_ms), monotonic: Monotonic::Logical(passed) }
        }
    }

    /// The clocks of the next call of the same instance, whose monotonic clock must not go back.
    pub(crate) fn renewed(&self, granted: bool, call: &StepCall, host: &Arc<dyn StepHost>, begin: Instant) -> Self {
        Self { monotonic: self.monotonic.clone(), ..Self::new(granted, call, host, begin) }
    }

    /// The clocks of a WASI command. The monotonic one is always real: sleeps of programs go through the library, which
    /// does not move a clock of ours, and a runtime that looks whether its sleep is over would sleep for ever.
    pub(crate) fn of_command(granted: bool, call: &StepCall, host: &Arc<dyn StepHost>, begin: Instant) -> Self {
        Self { monotonic: Monotonic::Real(begin), ..Self::new(granted, call, host, begin) }
    }

    /// The monotonic clock in nanoseconds.
    fn monotonic(&self) -> u64 {
        match &self.monotonic {
            Monotonic::Real(begin) => {
                let passed = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                passed.saturating_mul(REAL_STEP).saturating_add(START)
            }
            // Wraps after 584 years of looking.
            Monotonic::Logical(passed) => passed.fetch_add(LOGICAL_STEP, Ordering::Relaxed),
        }
    }

    fn step(&self) -> u64 {
        match self.monotonic {
            Monotonic::Real(_) => REAL_STEP,
            Monotonic::Logical(_) => LOGICAL_STEP,
        }
    }

    /// A sleep that ends at `at` has ended.
    fn has_slept_until(&self, at: u64) {
        if let Monotonic::Logical(passed) = &self.monotonic {
            passed.fetch_max(at, Ordering::Relaxed);
        }
    }

    fn alarm(&self, at: u64, wait: Duration) -> Alarm {
        let end = tokio::time::Instant::now().checked_add(wait);
        Alarm { clocks: self.clone(), at, end, passed: wait.is_zero(), yielded: false }
    }
}

impl HostWallClock for Clocks {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(match &self.wall {
            Wall::Real(host) => host.now_ms(),
            Wall::Logical(unix_ms) => *unix_ms,
        })
    }
}

impl HostMonotonicClock for Clocks {
    fn resolution(&self) -> u64 {
        self.step()
    }

    fn now(&self) -> u64 {
        self.monotonic()
    }
}

/// A sleep that a guest waits for.
struct Alarm {
    clocks: Clocks,
    /// The reading of the monotonic clock at its end.
    at: u64,
    /// `None` = so late that it never comes.
    end: Option<tokio::time::Instant>,
    passed: bool,
    yielded: bool,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        match self.end {
            None => std::future::pending().await,
            Some(_) if self.passed => {
                // A guest that polls in a loop without waiting must not keep others from their turns.
                if !self.yielded {
                    self.yielded = true;
                    tokio::task::yield_now().await;
                }
            }
            Some(end) => tokio::time::sleep_until(end).await,
        }
        self.clocks.has_slept_until(self.at);
    }
}

/// Takes the place of the library's own, whose sleeps do not move a clock of ours.
impl Host for CallData {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        Ok(self.clocks.monotonic())
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(self.clocks.step())
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = Duration::from_nanos(when.saturating_sub(self.clocks.monotonic()));
        let alarm = self.table.push(self.clocks.alarm(when, wait))?;
        subscribe(&mut self.table, alarm)
    }

    fn subscribe_duration(&mut self, wait: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        let at = self.clocks.monotonic().saturating_add(wait);
        let alarm = self.table.push(self.clocks.alarm(at, Duration::from_nanos(wait)))?;
        subscribe(&mut self.table, alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logical() -> Clocks {
        let call = StepCall { logical_time_ms: 1_700_000_000_000, ..StepCall::new("flow", "run", "step") };
        let host: Arc<dyn StepHost> = Arc::new(crate::nobody::Nobody);
        Clocks::new(false, &call, &host, Instant::now())
    }

    #[test]
    fn logical_time_is_moved_by_looks_and_sleeps_alone() {
        let clocks = logical();
        assert_eq!(HostWallClock::now(&clocks), Duration::from_millis(1_700_000_000_000));
        let looks: Vec<u64> = (0..3).map(|_| clocks.monotonic()).collect();
        assert_eq!(looks, [START, START + LOGICAL_STEP, START + 2 * LOGICAL_STEP]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let at = clocks.monotonic() + 5_000_000;
            clocks.alarm(at, Duration::from_millis(5)).ready().await;
            assert_eq!(clocks.monotonic(), at);
            clocks.alarm(7, Duration::ZERO).ready().await;
            assert!(clocks.monotonic() > at, "time goes on");
        });
    }
}
