//! Whose turn it is: jobs that are ready, workflow by workflow, so that one with many jobs does not keep the others
//! waiting.

use std::collections::BTreeMap;

use super::types::StepJob;

/// Jobs that wait for room, and how many of each workflow are under way.
pub(super) struct Turns {
    /// By the workflow's name.
    workflows: BTreeMap<String, Waiting>,
    /// Jobs of one workflow under way at the same time.
    share: usize,
    /// Numbers of the first and of the last job: those in front count down.
    first: i64,
    last: i64,
}

#[derive(Default)]
struct Waiting {
    /// By their turn: the higher priority first (it is kept negated), then the smaller number.
    jobs: BTreeMap<(i32, i64), Box<StepJob>>,
    under_way: usize,
}

impl Turns {
    /// For a box with room for so many steps. A quarter of it no workflow gets alone.
    pub(super) fn new(room: usize) -> Self {
        Self { workflows: BTreeMap::new(), share: (room - room / 4).max(1), first: 0, last: 0 }
    }

    /// Waits behind all others of its workflow and its priority.
    pub(super) fn push_back(&mut self, job: Box<StepJob>) {
        self.last += 1;
        self.push(self.last, job);
    }

    /// Waits before all others of its workflow and its priority.
    pub(super) fn push_front(&mut self, job: Box<StepJob>) {
        self.first -= 1;
        self.push(self.first, job);
    }

    fn push(&mut self, number: i64, job: Box<StepJob>) {
        let turn = (-job.plan.priority_of(job.step), number);
        self.workflows.entry(job.plan.name.clone()).or_default().jobs.insert(turn, job);
    }

    /// The next job: of the highest priority, among those of the workflow with the fewest steps under way, and among those
    /// the one that has waited longest. A workflow that has its share under way waits.
    pub(super) fn next(&mut self) -> Option<Box<StepJob>> {
        let may = |waiting: &&mut Waiting| waiting.under_way < self.share && !waiting.jobs.is_empty();
        let turn = |waiting: &&mut Waiting| {
            let first = waiting.jobs.first_key_value().map(|(turn, _)| *turn);
            first.map(|(priority, number)| (priority, waiting.under_way, number))
        };
        let (_, job) = self.workflows.values_mut().filter(may).min_by_key(turn)?.jobs.pop_first()?;
        Some(job)
    }

    /// A job of this workflow is under way.
    pub(super) fn began(&mut self, workflow: &str) {
        self.workflows.entry(workflow.to_owned()).or_default().under_way += 1;
    }

    /// It is not any more.
    pub(super) fn ended(&mut self, workflow: &str) {
        if let Some(waiting) = self.workflows.get_mut(workflow) {
            waiting.under_way = waiting.under_way.saturating_sub(1);
            if waiting.under_way == 0 && waiting.jobs.is_empty() {
                self.workflows.remove(workflow);
            }
        }
    }

    /// Forgets jobs.
    pub(super) fn forget(&mut self, is_it: impl Fn(&StepJob) -> bool) {
        for waiting in self.workflows.values_mut() {
            waiting.jobs.retain(|_, job| !is_it(job));
        }
    }

    /// Jobs that wait, and jobs that are under way.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.workflows.values().map(|waiting| waiting.jobs.len() + waiting.under_way).sum()
    }
}
