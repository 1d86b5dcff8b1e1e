//! One thread that acts at deadlines. It starts with the first deadline and sleeps until the earliest one: no ticking.

use std::collections::BTreeMap;

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use trackside_sync::{lock, wait};

use crate::stop::left;

type Action = Arc<dyn Fn() + Send + Sync>;

/// The process's deadlines.
pub(crate) struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    started: bool,
    next: u64,
    /// When the thread will look again by itself; `None` = only when told.
    wakes_at: Option<Instant>,
    due: BTreeMap<(Instant, u64), Action>,
}

static WATCHDOG: Watchdog = Watchdog {
    state: Mutex::new(State { started: false, next: 0, wakes_at: None, due: BTreeMap::new() }),
    changed: Condvar::new(),
};

/// Has `action` called at `at`, unless the guard is dropped before.
///
/// # Errors
/// When the operating system refuses the one thread that this needs.
pub(crate) fn at(at: Instant, action: impl Fn() + Send + Sync + 'static) -> io::Result<Guard> {
    let mut state = lock(&WATCHDOG.state);
    if !state.started {
        thread::Builder::new().name("model-watchdog".into()).stack_size(64 * 1024).spawn(serve)?;
        state.started = true;
    }
    let key = (at, state.next);
    state.next += 1;
    state.due.insert(key, Arc::new(action));
    // A thread that wakes earlier anyway need not be told: steady traffic with one timeout wakes it once a timeout.
    if state.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
        // Noted here as well, so that the next caller does not tell it again before it has woken.
        state.wakes_at = Some(at);
        WATCHDOG.changed.notify_one();
    }
    Ok(Guard { key })
}

fn serve() {
    let mut state = lock(&WATCHDOG.state);
    loop {
        let now = Instant::now();
        let later = state.due.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.due, later);
        if !due.is_empty() {
            drop(state);
            for action in due.into_values() {
                action();
            }
            state = lock(&WATCHDOG.state);
            continue;
        }
        state.wakes_at = state.due.first_key_value().map(|((at, _), _)| *at);
        let until = left(state.wakes_at);
        state = wait(&WATCHDOG.changed, state, until);
    }
}

/// Takes its deadline back when dropped.
pub(crate) struct Guard {
    key: (Instant, u64),
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&WATCHDOG.state).due.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_fire_in_order_and_dropped_ones_never() {
        let (tell, told) = mpsc::channel();
        let now = Instant::now();
        let say = |what: &'static str| {
            let tell = tell.clone();
            move || tell.send(what).unwrap()
        };
        let _late = at(now + Duration::from_millis(60), say("late")).unwrap();
        let _early = at(now + Duration::from_millis(20), say("early")).unwrap();
        drop(at(now + Duration::from_millis(30), say("dropped")).unwrap());
        let heard: Vec<_> = (0..2).map(|_| told.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        assert_eq!(heard, ["early", "late"]);
        assert!(now.elapsed() >= Duration::from_millis(60));
    }
}
