//! Processor time of one call, measured where it is spent: around every poll of the call's future.
//!
//! Counting epoch ticks would charge a guest for time that it spent waiting in host calls, or that its thread spent
//! waiting for a core on a busy box. The thread's own CPU clock charges only what it used.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::ticker::Ticker;

/// The time used so far. A call is polled by one thread at a time, so relaxed order suffices.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    /// Nanoseconds of polls that ended.
    ended: AtomicU64,
    /// The thread's clock when the current poll began.
    began: AtomicU64,
}

impl CpuMeter {
    /// Time of all polls that have ended.
    pub(crate) fn ended(&self) -> Duration {
        Duration::from_nanos(self.ended.load(Ordering::Relaxed))
    }

    /// Time used, the current poll included; to be called on the thread that polls.
    pub(crate) fn now(&self) -> Duration {
        let current = thread_cpu_ns().saturating_sub(self.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.ended.load(Ordering::Relaxed).saturating_add(current))
    }

    /// Runs `future` under the meter, with epochs passing while it is polled.
    pub(crate) async fn run<F: Future>(&self, ticker: &Ticker, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let _entered = ticker.enter();
            let began = thread_cpu_ns();
            self.began.store(began, Ordering::Relaxed);
            let result = future.as_mut().poll(context);
            let spent = thread_cpu_ns().saturating_sub(began);
            self.ended.fetch_add(spent, Ordering::Relaxed);
            result
        })
        .await
    }
}

fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
