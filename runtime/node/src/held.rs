//! Transactions that are held back for a moment, so that what follows from them shares their commit.
//!
//! A flush costs the same for one transaction as for sixty-four, and so does waking the thread that makes it. While a brief
//! step is under way its result comes in a moment: the run's beginning and the step's result are then one commit, and a chain of
//! brief steps is a few.

use std::time::{Duration, Instant};

use trackside_store::Txn;

/// So many share a flush well enough.
const ENOUGH: usize = 64;

/// Transactions in their order that the writer thread has not been given.
#[derive(Default)]
pub(crate) struct Held {
    txns: Vec<Txn>,
    since: Option<Instant>,
}

impl Held {
    /// Adds some. Gives all that are to be handed over now: everything, unless one of `brief` steps may bring more within
    /// `patience` from the first.
    pub(crate) fn add(&mut self, txns: Vec<Txn>, brief: usize, patience: Duration, now: Instant) -> Vec<Txn> {
        if self.txns.is_empty() {
            self.txns = txns;
        } else {
            self.txns.extend(txns);
        }
        if self.txns.is_empty() || brief == 0 || self.txns.len() >= ENOUGH {
            return self.take();
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= patience { self.take() } else { Vec::new() }
    }

    /// How long they may wait yet; none when nothing is held.
    pub(crate) fn left(&self, patience: Duration, now: Instant) -> Option<Duration> {
        let since = self.since?;
        Some(patience.saturating_sub(now.saturating_duration_since(since)))
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> Vec<Txn> {
        self.since = None;
        std::mem::take(&mut self.txns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    fn txns(count: usize) -> Vec<Txn> {
        (0..count).map(|_| Txn::default()).collect()
    }

    #[test]
    fn what_a_brief_step_brings_shares_the_commit_of_what_came_before_it() {
        let (mut held, now) = (Held::default(), Instant::now());
        assert!(held.add(txns(1), 1, PATIENCE, now).is_empty(), "its step is under way");
        assert_eq!(held.left(PATIENCE, now + PATIENCE / 4), Some(PATIENCE * 3 / 4));
        assert!(held.add(txns(1), 1, PATIENCE, now + PATIENCE / 2).is_empty(), "the next step is");
        assert_eq!(held.add(txns(1), 0, PATIENCE, now + PATIENCE / 2).len(), 3);
        assert_eq!(held.left(PATIENCE, now), None);
    }

    #[test]
    fn nothing_is_held_longer_than_it_may_or_without_a_reason() {
        let (mut held, now) = (Held::default(), Instant::now());
        assert_eq!(held.add(txns(2), 0, PATIENCE, now).len(), 2);
        assert!(held.add(txns(1), 1, PATIENCE, now).is_empty());
        assert_eq!(held.add(Vec::new(), 1, PATIENCE, now + PATIENCE).len(), 1, "the step takes longer this time");
        assert!(held.add(Vec::new(), 1, PATIENCE, now).is_empty());
        assert_eq!(held.left(PATIENCE, now), None, "nothing is held, nothing is waited for");
        assert_eq!(held.add(txns(ENOUGH), 1, PATIENCE, now).len(), ENOUGH, "more would not make it cheaper");
        assert!(held.add(txns(1), 1, PATIENCE, now).is_empty());
        assert_eq!(held.take().len(), 1);
    }
}
