//! Whose turn it is: jobs that are ready, workflow by workflow, so that one with many jobs does not keep the others
//! waiting.

use std::collections::{BTreeMap, HashMap};

use trackside_spec::StepIndex;
use trackside_steps::share;

use super::types::StepJob;

/// A step that took less the last times is brief: it is handed over before there is a place for it, so that an executor
/// that has done one has the next at once. What comes meanwhile waits for it a moment at most.
const BRIEF_US: u64 = 500;
/// Brief steps that are handed over beyond the places that there are.
const AHEAD: usize = 64;

type Pace = HashMap<String, HashMap<StepIndex, u64>>;

fn is_brief(pace: &Pace, job: &StepJob) -> bool {
    let took = pace.get(&job.plan.name).and_then(|steps| steps.get(&job.step));
    // Nobody knows how long a check of its inputs takes.
    job.contracts.is_none() && took.is_some_and(|took| *took < BRIEF_US)
}

/// Jobs that wait for room, and how many of each workflow are under way.
pub(super) struct ReadyQueue {
    /// By the workflow's name.
    workflows: BTreeMap<String, Waiting>,
    /// What steps took, microseconds: the longest of late, forgotten slowly.
    pace: Pace,
    /// Jobs that may run at the same time.
    room: usize,
    /// Of one workflow.
    share: usize,
    /// Jobs under way that have a place of their own, and those handed over ahead.
    placed: usize,
    ahead: usize,
    /// Numbers of the first and of the last job: those in front count down.
    first: i64,
    last: i64,
}

#[derive(Default)]
struct Waiting {
    /// By their turn: the higher priority first (it is kept negated), then the smaller number.
    jobs: BTreeMap<(i32, i64), Box<StepJob>>,
    placed: usize,
    ahead: usize,
}

/// How a job was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It may begin.
    Own,
    /// It begins when one before it is done.
    Ahead,
}

impl ReadyQueue {
    /// For a box with room for so many steps.
    pub(super) fn new(room: usize) -> Self {
        let share = share(room);
        let (workflows, pace) = (BTreeMap::new(), HashMap::new());
        Self { workflows, pace, room, share, placed: 0, ahead: 0, first: 0, last: 0 }
    }

    /// Jobs that were handed over ahead and are not done.
    #[cfg(test)]
    pub(super) const fn ahead(&self) -> usize {
        self.ahead
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
    /// the one that has waited longest. A workflow that has its share under way waits, unless the step is brief.
    pub(super) fn next(&mut self) -> Option<(Box<StepJob>, Place)> {
        let Self { workflows, pace, room, share, placed, ahead, .. } = self;
        let place = |waiting: &Waiting| {
            let (turn, job) = waiting.jobs.first_key_value()?;
            let place = if *placed < *room && waiting.placed < *share {
                Place::Own
            } else if *ahead < AHEAD && is_brief(pace, job) {
                Place::Ahead
            } else {
                return None;
            };
            Some(((turn.0, waiting.placed + waiting.ahead, turn.1), place))
        };
        let candidates = workflows.values_mut().filter_map(|waiting| place(waiting).map(|found| (found, waiting)));
        let ((_, place), waiting) = candidates.min_by_key(|((turn, _), _)| *turn)?;
        let (_, job) = waiting.jobs.pop_first()?;
        Some((job, place))
    }

    /// Whether this job took only a moment the last times.
    pub(super) fn is_brief(&self, job: &StepJob) -> bool {
        is_brief(&self.pace, job)
    }

    /// A job of this workflow is under way.
    pub(super) fn began(&mut self, workflow: &str, place: Place) {
        let waiting = self.workflows.entry(workflow.to_owned()).or_default();
        let (all, own) = match place {
            Place::Own => (&mut self.placed, &mut waiting.placed),
            Place::Ahead => (&mut self.ahead, &mut waiting.ahead),
        };
        *all += 1;
        *own += 1;
    }

    /// It is not any more.
    pub(super) fn ended(&mut self, workflow: &str, place: Place) {
        let Some(waiting) = self.workflows.get_mut(workflow) else { return };
        let (all, own) = match place {
            Place::Own => (&mut self.placed, &mut waiting.placed),
            Place::Ahead => (&mut self.ahead, &mut waiting.ahead),
        };
        *all = all.saturating_sub(1);
        *own = own.saturating_sub(1);
        if waiting.placed + waiting.ahead == 0 && waiting.jobs.is_empty() {
            self.workflows.remove(workflow);
        }
    }

    /// A step of this workflow took so long, in microseconds.
    pub(super) fn took(&mut self, workflow: &str, step: StepIndex, micros: u64) {
        if !self.pace.contains_key(workflow) {
            self.pace.insert(workflow.to_owned(), HashMap::new());
        }
        let Some(steps) = self.pace.get_mut(workflow) else { return };
        let pace = steps.entry(step).or_insert(micros);
        *pace = micros.max(*pace - *pace / 4);
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
        self.workflows.values().map(|waiting| waiting.jobs.len() + waiting.placed + waiting.ahead).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use trackside_engine::RunId;
    use trackside_spec::{Plan, load_workflow};

    use super::*;

    fn plan(name: &str) -> Arc<Plan> {
        let text = format!("version: 1\nname: {name}\nsteps:\n  a: {{ plugin: echo, with: {{ value: 1 }} }}\n");
        Arc::new(load_workflow("w.yaml", &text).unwrap())
    }

    fn push(queue: &mut ReadyQueue, plan: &Arc<Plan>, count: i64) {
        for run in 0..count {
            queue.push_back(Box::new(StepJob {
                run: RunId::from_i64(run),
                plan: plan.clone(),
                step: StepIndex(0),
                item: None,
                attempt: 1,
                contracts: None,
                input: Value::Null,
                command: None,
                trigger: Arc::default(),
                logical_time_ms: 0,
            }));
        }
    }

    /// Hands over what can be; gives how.
    fn feed(queue: &mut ReadyQueue) -> Vec<(String, Place)> {
        let mut handed = Vec::new();
        while let Some((job, place)) = queue.next() {
            queue.began(&job.plan.name, place);
            handed.push((job.plan.name.clone(), place));
        }
        handed
    }

    #[test]
    fn a_step_of_unknown_or_long_duration_waits_for_a_place() {
        let (mut queue, plan) = (ReadyQueue::new(4), plan("w"));
        push(&mut queue, &plan, 10);
        assert_eq!(feed(&mut queue), vec![("w".to_owned(), Place::Own); 3]);
        queue.took("w", StepIndex(0), 10_000_000);
        assert_eq!(feed(&mut queue), []);
        queue.ended("w", Place::Own);
        assert_eq!(feed(&mut queue), [("w".to_owned(), Place::Own)]);
    }

    #[test]
    fn brief_steps_are_handed_over_ahead_up_to_a_bound() {
        let (mut queue, plan) = (ReadyQueue::new(4), plan("w"));
        push(&mut queue, &plan, 100);
        queue.took("w", StepIndex(0), 30);
        let handed = feed(&mut queue);
        assert_eq!(handed.iter().filter(|(_, place)| *place == Place::Own).count(), 3);
        assert_eq!((handed.len(), queue.ahead()), (3 + AHEAD, AHEAD));
        // One slow attempt, and nothing more goes ahead until it is forgotten.
        queue.took("w", StepIndex(0), 2_000);
        queue.ended("w", Place::Ahead);
        assert_eq!(feed(&mut queue), []);
        for _ in 0..6 {
            queue.took("w", StepIndex(0), 30);
        }
        assert_eq!(feed(&mut queue), [("w".to_owned(), Place::Ahead)]);
    }

    #[test]
    fn what_was_handed_over_ahead_takes_no_place_from_another_workflow() {
        let (mut queue, brief, other) = (ReadyQueue::new(4), plan("brief"), plan("other"));
        queue.took("brief", StepIndex(0), 30);
        push(&mut queue, &brief, 100);
        feed(&mut queue);
        push(&mut queue, &other, 2);
        assert_eq!(feed(&mut queue), [("other".to_owned(), Place::Own)]);
    }
}
