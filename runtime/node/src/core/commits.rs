//! Transactions, and what waits for them.

use std::collections::VecDeque;

use trackside_engine::RunId;
use trackside_store::{Txn, TxnNumber};

use super::{
    dispatch::Core,
    types::{Action, RunUpdate, StepJob},
};

/// Transactions on their way to the disk, in order, what waits for each, and everything else that the core wants done.
pub(super) struct Commits {
    submitted: TxnNumber,
    committed: TxnNumber,
    /// A transaction that is being put together: what is submitted meanwhile becomes part of it.
    open: Option<Txn>,
    after: VecDeque<(TxnNumber, After)>,
    actions: Vec<Action>,
}

/// What waits for a commit.
pub(super) enum After {
    Publish(RunUpdate),
    Call(Box<dyn FnOnce() + Send>),
    Release(Box<StepJob>),
    FreeState(String),
    FreeIdentity((String, String)),
    Carry,
}

impl Commits {
    pub(super) const fn new() -> Self {
        Self { submitted: 0, committed: 0, open: None, after: VecDeque::new(), actions: Vec::new() }
    }

    /// The number of the last transaction that was handed over.
    pub(super) const fn submitted(&self) -> TxnNumber {
        self.submitted
    }

    /// Everything up to this one is on disk.
    pub(super) fn committed(&mut self, upto: TxnNumber) {
        self.committed = upto;
    }

    /// Hands a transaction over, or makes it part of the one that is being put together.
    pub(super) fn submit(&mut self, txn: Txn) -> TxnNumber {
        if let Some(open) = &mut self.open {
            open.writes.extend(txn.writes);
            open.artifacts.extend(txn.artifacts);
            open.holds.extend(txn.holds);
            return self.submitted;
        }
        self.submitted += 1;
        self.actions.push(Action::Submit(txn));
        self.submitted
    }

    /// Something to do when that transaction is on disk.
    pub(super) fn after(&mut self, number: TxnNumber, after: After) {
        self.after.push_back((number, after));
    }

    /// Something to do when all that was handed over so far is on disk.
    pub(super) fn after_all(&mut self, after: After) {
        self.after(self.submitted, after);
    }

    /// Something to do at once.
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Something to call, outside the core.
    pub(super) fn call(&mut self, call: impl FnOnce() + Send + 'static) {
        self.actions.push(Action::Call(Box::new(call)));
    }

    /// What is to be done, in order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The next thing whose transaction is on disk.
    pub(super) fn next_due(&mut self) -> Option<After> {
        self.after.front().filter(|(number, _)| *number <= self.committed)?;
        self.after.pop_front().map(|(_, after)| after)
    }

    /// Forgets jobs that wait for a commit.
    pub(super) fn forget_jobs(&mut self, is_it: impl Fn(&StepJob) -> bool) {
        self.after.retain(|(_, after)| !matches!(after, After::Release(job) if is_it(job)));
    }

    /// Whether a transaction is being put together.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn open(&mut self) {
        // Its number is taken now: whatever waits for the newest transaction waits for this one.
        self.submitted += 1;
        self.open = Some(Txn::of(Vec::new()));
    }

    fn close(&mut self) {
        // Also when nothing was submitted: the store counts transactions as the core does.
        self.actions.extend(self.open.take().map(Action::Submit));
    }

    /// How much waits.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.after.len(), self.actions.len())
    }
}

impl Core {
    /// The number of the last transaction that was handed over.
    #[cfg(test)]
    pub(super) const fn submitted(&self) -> TxnNumber {
        self.commits.submitted()
    }

    /// Does several things in one transaction: what `work` submits is committed together or not at all.
    pub(super) fn as_one(&mut self, work: impl FnOnce(&mut Self)) {
        if self.commits.is_open() {
            return work(self);
        }
        self.commits.open();
        work(self);
        self.commits.close();
    }

    /// Does what waited for commits that are on disk.
    pub(super) fn go_on(&mut self) {
        while let Some(after) = self.commits.next_due() {
            match after {
                After::Publish(mut update) => {
                    update.settled = self.settle(update.run);
                    self.commits.act(Action::Publish(update));
                }
                After::Call(call) => self.commits.act(Action::Call(call)),
                After::Release(job) => self.attempts.queue(job),
                After::Carry => self.commits.act(Action::Carry),
                After::FreeIdentity(identity) => self.ledger.free(&identity),
                After::FreeState(workflow) => self.attempts.free_state(&workflow),
            }
        }
    }

    fn settle(&mut self, run: RunId) -> bool {
        let settled = self.live.settle(run);
        if settled {
            self.attempts.forget_run(run);
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use trackside_store::Write;

    use super::*;

    fn txn() -> Txn {
        Txn::of(vec![Write::CronCleared { trigger: "t".into() }])
    }

    #[test]
    fn what_waits_for_a_transaction_comes_when_that_is_on_disk_and_in_order() {
        let mut commits = Commits::new();
        let first = commits.submit(txn());
        commits.after(first, After::Carry);
        let second = commits.submit(txn());
        commits.after_all(After::FreeState("w".into()));
        assert!(commits.next_due().is_none(), "nothing is on disk");
        commits.committed(first);
        assert!(matches!(commits.next_due(), Some(After::Carry)));
        assert!(commits.next_due().is_none());
        commits.committed(second);
        assert!(matches!(commits.next_due(), Some(After::FreeState(_))));
    }

    #[test]
    fn what_is_submitted_while_one_is_put_together_is_one_transaction_with_one_number() {
        let mut commits = Commits::new();
        commits.open();
        assert_eq!((commits.submit(txn()), commits.submit(txn())), (1, 1));
        commits.close();
        // Nothing came: it counts all the same, because the store counts it.
        commits.open();
        commits.close();
        assert_eq!(commits.submitted(), 2);
        let sizes: Vec<usize> = commits
            .take_actions()
            .iter()
            .map(|action| match action {
                Action::Submit(txn) => txn.writes.len(),
                _ => panic!("only transactions were handed over"),
            })
            .collect();
        assert_eq!(sizes, [2, 0]);
    }
}
