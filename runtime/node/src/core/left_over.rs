//! What the core has in mind: when all is over it must be nothing, or a node that runs for months grows.

use super::dispatch::Core;

impl Core {
    /// Whether something waits for the ledger.
    pub(crate) fn holds_back(&self) -> bool {
        self.ledger.holds_back()
    }

    /// The sizes of everything that grows with runs.
    pub(crate) fn left_over(&self) -> Vec<(&'static str, usize)> {
        let (after, actions) = self.commits.waiting();
        let mut sizes = vec![
            ("live runs", self.live.len()),
            ("documents of runs", self.live.held()),
            ("deadlines", self.live.deadlines()),
            ("letters", self.letters.len()),
            ("who waits for ends", self.waiting.len()),
            ("what waits for a commit", after),
            ("actions", actions),
            ("open transactions", usize::from(self.commits.is_open())),
            ("runs of schedules", self.schedules.left_over()),
            ("illegal facts", self.left_out),
        ];
        sizes.extend(self.attempts.left_over());
        sizes.extend(self.groups.left_over());
        sizes.extend(self.ledger.left_over());
        sizes
    }
}
