//! Waiting for a condition, and how long anything may take.
//!
//! Tests of the runtime's rooms take this file by its path, so that one factor holds for all of them.

#![allow(dead_code, reason = "each suite uses its part")]

use std::{
    env,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// By how much this machine is slower than usual: every deadline grows by it, no limit of the product does.
const SLOW: &str = "TRACKSIDE_TEST_SLOW";
/// Long enough for two cores that have to do twenty things at once; only a failing test waits for so long.
const LONG: Duration = Duration::from_secs(300);
/// Between two looks, at least.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two looks, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The factor that `TRACKSIDE_TEST_SLOW` sets, 1 without it.
///
/// # Panics
/// When it is no number from 1 to 1000.
pub fn slowness() -> f64 {
    static FACTOR: OnceLock<f64> = OnceLock::new();
    *FACTOR.get_or_init(|| {
        let Ok(text) = env::var(SLOW) else { return 1.0 };
        let factor = text.parse().ok().filter(|factor| (1.0..=1000.0).contains(factor));
        factor.unwrap_or_else(|| panic!("{SLOW}={text}: give a number from 1 to 1000"))
    })
}

/// This time on a usual machine, as much longer as this one is slower.
pub fn patient(time: Duration) -> Duration {
    time.mul_f64(slowness())
}

/// How long anything may take that has to happen.
pub fn patience() -> Duration {
    patient(LONG)
}

/// Looks until there is something, and gives it.
///
/// # Panics
/// When there is nothing after [`patience`]; the message names what was waited for.
#[track_caller]
pub fn wait_until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_until_within(patience(), what, look)
}

/// The same with a time of its own.
#[track_caller]
pub fn wait_until_within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + time;
    loop {
        let began = Instant::now();
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {time:?} in vain for this: {what}");
        // Looking must not keep the machine from what is waited for: a look may start a program that lists thousands of
        // runs.
        thread::sleep(began.elapsed().clamp(PAUSE, LONGEST_PAUSE));
    }
}

/// Lets time pass because the passing itself is what a test is about: a random moment, a window in which something is
/// measured. Never a stand-in for an event.
pub fn let_pass(time: Duration) {
    thread::sleep(time);
}
