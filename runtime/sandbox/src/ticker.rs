//! The epoch ticker: one thread that raises the engine's epoch while guest code runs, and sleeps without a timer
//! while none does. Brief calls that follow one another are one time of running to it: waking it costs more than such a call.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::{Engine, EngineWeak};

/// The time between two epochs: how long a guest can hold an executor thread, and how exactly its CPU limit is kept.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// A handle on the ticker thread; dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct State {
    /// Polls of guest code in progress, over all threads.
    active: AtomicUsize,
    /// Whether one has begun since the last tick.
    entered: AtomicBool,
    parked: AtomicBool,
    stop: AtomicBool,
    ticks: AtomicU64,
}

impl Ticker {
    /// Starts the thread, parked.
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let state = Arc::new(State::default());
        let handle = thread::Builder::new()
            .name("trackside-epoch".to_owned())
            // The thread calls nothing deep, and idle memory is counted.
            .stack_size(64 * 1024)
            .spawn({
                let (state, engine) = (state.clone(), engine.weak());
                move || run(&state, &engine)
            })?;
        Ok(Self { state, thread: handle.thread().clone() })
    }

    /// Guest code is about to run on this thread, until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.state.active.fetch_add(1, Ordering::SeqCst);
        if !self.state.entered.load(Ordering::Relaxed) {
            self.state.entered.store(true, Ordering::Relaxed);
        }
        // Sequentially consistent on both sides: either the ticker sees the count or this sees it parked.
        if self.state.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Entered(&self.state)
    }

    /// Ticks since the start.
    pub(crate) fn ticks(&self) -> u64 {
        self.state.ticks.load(Ordering::Relaxed)
    }

    /// Whether the thread waits without a timer.
    #[cfg(test)]
    fn is_parked(&self) -> bool {
        self.state.parked.load(Ordering::SeqCst)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// While this lives, epochs pass.
pub(crate) struct Entered<'a>(&'a State);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(state: &State, engine: &EngineWeak) {
    while !state.stop.load(Ordering::SeqCst) {
        state.parked.store(true, Ordering::SeqCst);
        let nobody = || state.active.load(Ordering::SeqCst) == 0 && !state.entered.load(Ordering::Relaxed);
        while nobody() && !state.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        state.parked.store(false, Ordering::SeqCst);
        while state.entered.swap(false, Ordering::Relaxed) || state.active.load(Ordering::SeqCst) > 0 {
            thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
            state.ticks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
            thread::yield_now();
        }
    }

    #[test]
    fn ticks_pass_only_while_a_guest_runs() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).unwrap();
        wait_until("parked", || ticker.is_parked());
        assert_eq!(ticker.ticks(), 0);
        let entered = ticker.enter();
        wait_until("three ticks", || ticker.ticks() >= 3);
        drop(entered);
        wait_until("parked again", || ticker.is_parked());
        let still = ticker.ticks();
        drop(ticker.enter());
        wait_until("parked after a call that was over before the ticker woke", || ticker.is_parked());
        assert!(ticker.ticks() >= still);
    }
}
