//! Transactions, and what waits for them.

use trackside_engine::{Phase, RunId};
use trackside_store::{Txn, TxnNumber, Write};

use super::{
    dispatch::{After, Core},
    types::Action,
};

/// Runs between two notes of where live runs begin.
const WATERMARK_EVERY: u32 = 256;

impl Core {
    /// The number of the last transaction that was handed over.
    pub(super) const fn submitted(&self) -> TxnNumber {
        self.submitted
    }

    /// Does several things in one transaction: what `work` submits is committed together or not at all.
    pub(super) fn as_one(&mut self, work: impl FnOnce(&mut Self)) {
        if self.open.is_some() {
            return work(self);
        }
        // Its number is taken now: whatever waits for the newest transaction waits for this one.
        self.submitted += 1;
        self.open = Some(Txn::of(Vec::new()));
        work(self);
        // Also when nothing was submitted: the store counts transactions as the core does.
        self.actions.extend(self.open.take().map(Action::Submit));
    }

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

    pub(super) fn after(&mut self, number: TxnNumber, after: After) {
        self.after_commit.push_back((number, after));
    }

    /// Does what waited for commits that are on disk.
    pub(super) fn go_on(&mut self) {
        while self.after_commit.front().is_some_and(|(number, _)| *number <= self.committed) {
            let Some((_, after)) = self.after_commit.pop_front() else { break };
            match after {
                After::Publish(mut update) => {
                    update.settled = self.settle(update.run);
                    self.actions.push(Action::Publish(update));
                }
                After::Call(call) => self.actions.push(Action::Call(call)),
                After::Release(job) => self.ready.push_back(job),
                After::Carry => self.actions.push(Action::Carry),
                After::FreeIdentity(identity) => {
                    self.in_flight.remove(&identity);
                }
                After::FreeChild(key) => {
                    self.children.remove(&key);
                }
                After::FreeState(workflow) => {
                    let waiting = self.state_users.remove(&workflow).unwrap_or_default();
                    // In front of the queue: they have waited longest. The first takes the state, the rest wait again.
                    waiting.into_iter().rev().for_each(|job| self.ready.push_front(job));
                }
            }
        }
    }

    /// One more of the run's transactions is on disk. Forgets the run, and says so, when it has ended, everything about
    /// it is on disk and nothing of it waits in the outbox.
    fn settle(&mut self, run: RunId) -> bool {
        let Some(live) = self.runs.get_mut(&run) else { return false };
        live.uncommitted -= 1;
        let over = matches!(live.state.phase(), Phase::Ended(..));
        if live.uncommitted > 0 || live.outbox_open > 0 || !over {
            return false;
        }
        if let Some(deadline) = live.deadline {
            self.deadlines.remove(&(deadline, run));
        }
        self.held -= live.held;
        self.runs.remove(&run);
        self.passed.retain(|(of, ..), _| *of != run);
        true
    }

    /// Every so often, the place from which the next start has to look for live runs. It costs nothing beside a run's
    /// own rows, and spares the index that would be written with every run.
    pub(super) fn watermark(&mut self) -> Option<Write> {
        self.since_watermark += 1;
        if self.since_watermark < WATERMARK_EVERY {
            return None;
        }
        self.since_watermark = 0;
        let oldest = self.runs.keys().min()?;
        Some(Write::LiveFrom { run: *oldest })
    }
}
