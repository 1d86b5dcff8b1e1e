//! Between the dispatcher and the writer thread: submissions in their order, and a wait that wakes the writer once for
//! many of them. A channel wakes it for each one that comes while it waits for company.

use std::{
    sync::{Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use trackside_sync::{lock, wait};

use crate::write::Txn;

/// What is to be expected, as far as who submits can say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Company {
    /// Runs under way: each will submit something, nobody knows when.
    pub runs: usize,
    /// Brief steps under way: the result of each is submitted in a moment.
    pub soon: usize,
}

/// While something is expected in a moment, a commit is worth waiting for until so many share it.
const WORTH_A_FLUSH: usize = 64;

impl Company {
    /// How many submissions a commit waits for, if it waits.
    fn enough(self) -> usize {
        self.runs.max(if self.soon > 0 { WORTH_A_FLUSH } else { 0 })
    }
}

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
    company: Company,
    /// Set while the writer sleeps.
    sleeps: Option<Sleep>,
}

/// What the writer sleeps for.
#[derive(Debug, Clone, Copy)]
enum Sleep {
    /// Anything.
    Idle,
    /// Company for a batch that has so many.
    Company(usize),
}

impl State {
    fn is_over(&self, sleep: Sleep) -> bool {
        self.closed
            || match sleep {
                Sleep::Idle => !self.waiting.is_empty(),
                Sleep::Company(batch) => batch + self.waiting.len() >= self.company.enough(),
            }
    }
}

impl Inbox {
    /// Puts submissions behind those that wait, and says what is to be expected now; false when nobody takes them any more.
    pub(crate) fn put(&self, txns: impl IntoIterator<Item = Txn>, company: Company) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.waiting.extend(txns);
        state.company = company;
        let wake = state.sleeps.is_some_and(|sleep| state.is_over(sleep));
        if wake {
            // Once: until it has slept again it needs no other call.
            state.sleeps = None;
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

    /// Waits until something waits, nothing comes any more or `patience` is over (`None`: for ever), and takes `most` at most.
    pub(crate) fn take(&self, most: usize, patience: Option<Duration>) -> Vec<Txn> {
        self.taken(Sleep::Idle, most, patience)
    }

    /// Waits until a batch that has so many has company enough, nothing comes any more or `patience` is over, and takes `most`
    /// at most.
    pub(crate) fn company(&self, batch: usize, most: usize, patience: Duration) -> Vec<Txn> {
        self.taken(Sleep::Company(batch), most, Some(patience))
    }

    fn taken(&self, sleep: Sleep, most: usize, patience: Option<Duration>) -> Vec<Txn> {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.state();
        while !state.is_over(sleep) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state.sleeps = Some(sleep);
            state = wait(&self.enough, state, left);
        }
        state.sleeps = None;
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

    const NOBODY: Company = Company { runs: 0, soon: 0 };
    const LONG: Duration = Duration::from_secs(60);

    fn txns(count: usize) -> Vec<Txn> {
        (0..count).map(|_| Txn::default()).collect()
    }

    #[test]
    fn what_waits_is_taken_up_to_the_bound_and_the_rest_stays() {
        let inbox = Inbox::default();
        assert!(inbox.put(txns(5), NOBODY));
        assert_eq!(inbox.take(3, None).len(), 3);
        assert_eq!(inbox.take(3, None).len(), 2);
        assert!(inbox.take(3, Some(Duration::ZERO)).is_empty());
    }

    #[test]
    fn a_batch_waits_for_the_runs_under_way() {
        let inbox = Arc::new(Inbox::default());
        let runs = Company { runs: 4, soon: 0 };
        inbox.put(txns(0), runs);
        let taker = inbox.clone();
        let taken = std::thread::spawn(move || taker.company(1, 10, LONG).len());
        for _ in 0..3 {
            inbox.put(txns(1), runs);
        }
        assert_eq!(taken.join().unwrap(), 3);
        assert!(inbox.company(4, 10, LONG).is_empty(), "it has company enough");
    }

    #[test]
    fn a_batch_waits_for_what_comes_in_a_moment_and_no_longer() {
        let inbox = Arc::new(Inbox::default());
        let one = |soon| Company { runs: 1, soon };
        inbox.put(txns(0), one(1));
        let taker = inbox.clone();
        let taken = std::thread::spawn(move || taker.company(1, 100, LONG).len());
        // A chain of three brief steps: the last result begins nothing.
        inbox.put(txns(1), one(1));
        inbox.put(txns(1), one(1));
        inbox.put(txns(1), one(0));
        assert_eq!(taken.join().unwrap(), 3);
        inbox.put(txns(WORTH_A_FLUSH), one(1));
        assert_eq!(inbox.company(1, 100, LONG).len(), WORTH_A_FLUSH, "more would not make it cheaper");
        inbox.put(txns(1), one(1));
        assert_eq!(inbox.company(1, 100, Duration::ZERO).len(), 1, "nobody waits longer than it may");
    }

    #[test]
    fn a_closed_inbox_takes_nothing_and_gives_what_it_has() {
        let inbox = Inbox::default();
        inbox.put(txns(2), NOBODY);
        inbox.close();
        assert!(!inbox.put(txns(1), NOBODY));
        assert!(!inbox.is_over());
        assert_eq!(inbox.take(10, None).len(), 2);
        assert!(inbox.is_over());
    }
}
