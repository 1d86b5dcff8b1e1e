//! Between the dispatcher and the writer thread: submissions in their order, and a wait that wakes the writer once for
//! many of them. A channel wakes it for each one that comes while it waits for company.

use std::{
    sync::{Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use trackside_sync::{lock, wait};

use crate::write::Txn;

/// Submissions that the writer thread has not taken.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    enough: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Txn>,
    closed: bool,
    /// How many the writer sleeps for; zero while it is awake.
    wanted: usize,
}

impl Inbox {
    /// Puts submissions behind those that wait; false when nobody takes them any more.
    pub(crate) fn put(&self, txns: impl IntoIterator<Item = Txn>) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.waiting.extend(txns);
        let wake = state.wanted > 0 && state.waiting.len() >= state.wanted;
        if wake {
            // Once: until it has slept again it needs no other call.
            state.wanted = 0;
        }
        drop(state);
        if wake {
            self.enough.notify_one();
        }
        true
    }

    /// Nothing comes any more. What waits is still taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.enough.notify_one();
    }

    /// Waits until `wanted` wait, nothing comes any more or `patience` is over (`None`: for ever), and takes `most` at
    /// most.
    pub(crate) fn take(&self, wanted: usize, most: usize, patience: Option<Duration>) -> Vec<Txn> {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.state();
        while state.waiting.len() < wanted && !state.closed {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state.wanted = wanted;
            state = wait(&self.enough, state, left);
        }
        state.wanted = 0;
        if state.waiting.len() <= most {
            return std::mem::take(&mut state.waiting);
        }
        let rest = state.waiting.split_off(most);
        std::mem::replace(&mut state.waiting, rest)
    }

    /// Whether nothing waits and nothing will come.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state();
        state.closed && state.waiting.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn txns(count: usize) -> Vec<Txn> {
        (0..count).map(|_| Txn::default()).collect()
    }

    #[test]
    fn what_waits_is_taken_up_to_the_bound_and_the_rest_stays() {
        let inbox = Inbox::default();
        assert!(inbox.put(txns(5)));
        assert_eq!(inbox.take(1, 3, None).len(), 3);
        assert_eq!(inbox.take(1, 3, None).len(), 2);
        assert!(inbox.take(1, 3, Some(Duration::ZERO)).is_empty());
    }

    #[test]
    fn who_waits_for_several_gets_them_together() {
        let inbox = Arc::new(Inbox::default());
        let taker = inbox.clone();
        let taken = std::thread::spawn(move || taker.take(3, 10, None).len());
        for _ in 0..3 {
            inbox.put(txns(1));
        }
        assert_eq!(taken.join().unwrap(), 3);
    }

    #[test]
    fn a_closed_inbox_takes_nothing_and_gives_what_it_has() {
        let inbox = Inbox::default();
        inbox.put(txns(2));
        inbox.close();
        assert!(!inbox.put(txns(1)));
        assert!(!inbox.is_over());
        assert_eq!(inbox.take(5, 10, None).len(), 2);
        assert!(inbox.is_over());
    }
}
