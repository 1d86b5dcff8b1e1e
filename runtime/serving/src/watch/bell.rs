//! Wakes whoever keeps what was learned.

use std::{
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use trackside_sync::{lock, wait};

/// Rung when something is to be kept, or decided: by requests, so it may cost nothing where nobody sleeps.
#[derive(Debug, Default)]
pub struct Bell {
    state: Mutex<Rung>,
    rings: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    rung: bool,
    closed: bool,
}

impl Bell {
    /// Something is to be kept.
    pub fn ring(&self) {
        let mut state = lock(&self.state);
        if !std::mem::replace(&mut state.rung, true) {
            self.rings.notify_one();
        }
    }

    /// Nobody is to wait any more.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.rings.notify_all();
    }

    /// Sleeps until it is rung, at most so long; false at the end.
    pub fn wait(&self, at_most: Option<Duration>) -> bool {
        let until = at_most.and_then(|most| Instant::now().checked_add(most));
        let mut state = lock(&self.state);
        while !state.rung && !state.closed {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state = wait(&self.rings, state, left);
        }
        state.rung = false;
        !state.closed
    }
}
