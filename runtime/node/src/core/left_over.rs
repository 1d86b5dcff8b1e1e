//! What the core has in mind: when all is over it must be nothing, or a node that runs for months grows.

use super::dispatch::Core;

impl Core {
    /// Whether something waits for the ledger.
    pub(crate) fn holds_back(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// The sizes of everything that grows with runs.
    pub(crate) fn left_over(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("live runs", self.runs.len()),
            ("documents of runs", self.held),
            ("ledger identities in flight", self.in_flight.len()),
            ("deadlines", self.deadlines.len()),
            ("jobs that wait for their turn", self.ready.len()),
            ("attempts under way", self.running.len()),
            ("checked inputs", self.passed.len()),
            ("users of state", self.state_users.len()),
            ("concurrency groups and mutexes", usize::from(!self.admission.is_empty())),
            ("runs of before", self.returning.as_ref().map_or(0, Vec::len)),
            ("what waits for the ledger", self.held_back.len()),
            ("letters", self.letters.len()),
            ("children that are not on disk", self.children.len()),
            ("what waits for a commit", self.after_commit.len()),
            ("runs of schedules", self.cron_runs.len()),
            ("open transactions", usize::from(self.open.is_some())),
            ("actions", self.actions.len()),
            ("illegal facts", self.left_out),
        ]
    }
}
