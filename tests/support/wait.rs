//! Waiting for a condition.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that has to happen. Long enough for a busy machine; only a failing test waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is something, and gives it.
///
/// # Panics
/// When there is nothing after [`PATIENCE`]; the message names what was waited for.
#[track_caller]
pub fn wait_until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_until_within(PATIENCE, what, look)
}

/// The same with a time of its own.
#[track_caller]
pub fn wait_until_within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {time:?} in vain for this: {what}");
        thread::sleep(PAUSE);
    }
}

/// Lets time pass because the passing itself is what a test is about: a random moment, a window in which something is
/// measured. Never a stand-in for an event.
pub fn let_pass(time: Duration) {
    thread::sleep(time);
}
