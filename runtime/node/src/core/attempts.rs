//! Attempts: those that wait for their turn, those under way, and what a check of their inputs let through.

use std::collections::{HashMap, VecDeque};

use trackside_engine::RunId;
use trackside_spec::StepIndex;

use super::{
    ready_queue::{Place, ReadyQueue},
    types::{Passed, StepJob},
};

/// A step, or one item of it.
pub(super) type Slot = (StepIndex, Option<u32>);

type Key = (RunId, StepIndex, Option<u32>);

/// Attempts from the engine's wish to their end.
pub(super) struct Attempts {
    ready: ReadyQueue,
    running: HashMap<Key, UnderWay>,
    /// How many of those are brief.
    brief: usize,
    /// Inputs that were checked, while their step may be tried again: the check is made once.
    passed: HashMap<Key, Passed>,
    /// Workflows whose state a step is using; its successors wait until its result is on disk.
    state_users: HashMap<String, VecDeque<Box<StepJob>>>,
}

/// An attempt under way.
struct UnderWay {
    workflow: String,
    place: Place,
    holds_state: bool,
    is_brief: bool,
}

/// An attempt that was under way.
pub(super) struct Ended {
    /// Its workflow.
    pub(super) workflow: String,
    /// Whether it holds the workflow's state: others get it by [`Attempts::free_state`].
    pub(super) holds_state: bool,
}

impl Attempts {
    /// None yet; at most so many at the same time.
    pub(super) fn new(max_steps: usize) -> Self {
        let ready = ReadyQueue::new(max_steps);
        Self { ready, running: HashMap::new(), brief: 0, passed: HashMap::new(), state_users: HashMap::new() }
    }

    /// Attempts under way that will be over in a moment.
    pub(super) const fn brief(&self) -> usize {
        self.brief
    }

    /// Whether one is under way, and is brief.
    pub(super) fn is_one_brief(&self) -> bool {
        self.brief == 1 && self.running.len() == 1
    }

    /// Waits for its turn.
    pub(super) fn queue(&mut self, job: Box<StepJob>) {
        self.ready.push_back(job);
    }

    /// The next job whose turn it is. It is under way from now on.
    pub(super) fn next(&mut self) -> Option<Box<StepJob>> {
        while let Some((job, place)) = self.ready.next() {
            let workflow = job.plan.name.clone();
            let holds_state = job.plan.step(job.step).action.kind().uses_state();
            if holds_state {
                if let Some(waiting) = self.state_users.get_mut(&workflow) {
                    waiting.push_back(job);
                    continue;
                }
                self.state_users.insert(workflow.clone(), VecDeque::new());
            }
            self.ready.began(&workflow, place);
            let is_brief = self.ready.is_brief(&job);
            self.brief += usize::from(is_brief);
            self.running.insert((job.run, job.step, job.item), UnderWay { workflow, place, holds_state, is_brief });
            return Some(job);
        }
        None
    }

    /// Whether an executor has it.
    pub(super) fn is_running(&self, run: RunId, (step, item): Slot) -> bool {
        self.running.contains_key(&(run, step, item))
    }

    /// It is under way no longer; `None` when it was not.
    pub(super) fn end(&mut self, run: RunId, (step, item): Slot) -> Option<Ended> {
        let UnderWay { workflow, place, holds_state, is_brief } = self.running.remove(&(run, step, item))?;
        self.brief -= usize::from(is_brief);
        self.ready.ended(&workflow, place);
        Some(Ended { workflow, holds_state })
    }

    /// An attempt of this step took so long, in microseconds.
    pub(super) fn took(&mut self, workflow: &str, step: StepIndex, micros: u64) {
        self.ready.took(workflow, step, micros);
    }

    /// The workflow's state is free: the results of the step that used it are on disk.
    pub(super) fn free_state(&mut self, workflow: &str) {
        let waiting = self.state_users.remove(workflow).unwrap_or_default();
        // In front of the queue: they have waited longest. The first takes the state, the rest wait again.
        waiting.into_iter().rev().for_each(|job| self.ready.push_front(job));
    }

    /// Takes a job that has not begun out of wherever it waits here.
    pub(super) fn forget(&mut self, is_it: impl Fn(&StepJob) -> bool) {
        self.ready.forget(&is_it);
        self.state_users.values_mut().for_each(|waiting| waiting.retain(|job| !is_it(job)));
    }

    /// What the check of a step's inputs let through.
    pub(super) fn passed(&self, run: RunId, (step, item): Slot) -> Option<&Passed> {
        self.passed.get(&(run, step, item))
    }

    /// The same, to take from it.
    pub(super) fn passed_mut(&mut self, run: RunId, (step, item): Slot) -> Option<&mut Passed> {
        self.passed.get_mut(&(run, step, item))
    }

    /// Keeps what the check let through, for as long as the step may be tried again.
    pub(super) fn pass(&mut self, run: RunId, (step, item): Slot, passed: Passed) {
        self.passed.insert((run, step, item), passed);
    }

    /// Forgets what a check let through.
    pub(super) fn forget_passed(&mut self, run: RunId, (step, item): Slot) {
        self.passed.remove(&(run, step, item));
    }

    /// Nothing of this run comes any more.
    pub(super) fn forget_run(&mut self, run: RunId) {
        self.passed.retain(|(of, ..), _| *of != run);
    }

    /// The sizes of what grows.
    #[cfg(test)]
    pub(super) fn left_over(&self) -> [(&'static str, usize); 4] {
        [
            ("jobs that wait for their turn", self.ready.len()),
            ("attempts under way", self.running.len()),
            ("checked inputs", self.passed.len()),
            ("users of state", self.state_users.len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use trackside_spec::load_workflow;

    use super::*;

    fn job(run: i64, text: &str) -> Box<StepJob> {
        let plan = Arc::new(load_workflow("w.yaml", &format!("version: 1\n{text}")).unwrap());
        Box::new(StepJob {
            run: RunId::from_i64(run),
            plan,
            step: StepIndex(0),
            item: None,
            attempt: 1,
            contracts: None,
            input: Value::Null,
            command: None,
            trigger: Arc::default(),
            logical_time_ms: 0,
        })
    }

    const COUNTS: &str = "name: counts\nsteps: { s: { plugin: counter, allow: { state: true } } }";
    const SLOT: Slot = (StepIndex(0), None);

    fn next(attempts: &mut Attempts) -> Option<i64> {
        attempts.next().map(|job| job.run.as_i64())
    }

    #[test]
    fn one_step_at_a_time_uses_a_workflows_state_and_the_others_go_on_in_their_order() {
        let mut attempts = Attempts::new(8);
        (1..=3).for_each(|run| attempts.queue(job(run, COUNTS)));
        attempts.queue(job(4, "name: other\nsteps: { s: { plugin: echo } }"));
        assert_eq!((next(&mut attempts), next(&mut attempts), next(&mut attempts)), (Some(1), Some(4), None));
        let ended = attempts.end(RunId::from_i64(1), SLOT).unwrap();
        assert!(ended.holds_state);
        assert_eq!(next(&mut attempts), None, "its result is not on disk");
        attempts.queue(job(5, COUNTS));
        attempts.free_state(&ended.workflow);
        assert_eq!((next(&mut attempts), next(&mut attempts)), (Some(2), None));
    }

    #[test]
    fn a_job_that_is_forgotten_is_found_wherever_it_waits() {
        let mut attempts = Attempts::new(8);
        (1..=3).for_each(|run| attempts.queue(job(run, COUNTS)));
        assert_eq!((next(&mut attempts), next(&mut attempts)), (Some(1), None));
        attempts.queue(job(4, COUNTS));
        // One waits for the state, the other one for its turn.
        attempts.forget(|job| [2, 4].contains(&job.run.as_i64()));
        attempts.end(RunId::from_i64(1), SLOT);
        attempts.free_state("counts");
        assert_eq!((next(&mut attempts), next(&mut attempts)), (Some(3), None));
        attempts.end(RunId::from_i64(3), SLOT);
        attempts.free_state("counts");
        assert!(attempts.left_over().iter().all(|(_, size)| *size == 0), "{:?}", attempts.left_over());
    }
}
