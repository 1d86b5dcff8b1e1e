//! A node that runs one run: keeps the journal and its children, carries effects out, and forgets everything else in a
//! crash.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::json;
use trackside_engine::{
    Admission, AdmissionCommand, Command, Decision, Effect, Event, Gate, Holder, Outcome, Parent, Phase, Request,
    RunEnd, RunId, RunState, StepError, StepStatus,
};
use trackside_facts::AttemptReport;
use trackside_spec::{OnConflict, Plan, StepIndex, load_workflow};

use super::{
    case::{Answer, Case, Ending, HANDLERS, Kind},
    expected::at,
};

type Slot = (StepIndex, Option<u32>);

/// A run that a step waits for. It outlives crashes of the node.
struct Child {
    slot: Slot,
    attempt: u32,
    run: RunId,
    /// How it is meant to end; set once it has.
    ended: Option<RunEnd>,
    cancelled: bool,
}

pub struct Node<'a> {
    case: &'a Case,
    pub plan: Arc<Plan>,
    pub state: RunState,
    pub journal: Vec<(i64, Event)>,
    /// Attempts under way, and whether they were asked to stop.
    under_way: BTreeMap<(Slot, u32), bool>,
    children: BTreeMap<String, Child>,
    /// Starts and ends of children that the run has not been told.
    news: Vec<String>,
    admission: Admission,
    /// The run's wish for its group has not been answered.
    knocking: bool,
    orders: VecDeque<Command>,
    now: i64,
    turn: usize,
}

const RUN: RunId = RunId::from_i64(1);

impl<'a> Node<'a> {
    /// Runs the case to its end.
    ///
    /// # Panics
    /// When a run does something that no run may do, or does not end.
    pub fn run(case: &'a Case) -> Self {
        let yaml = case.yaml();
        let plan = Arc::new(load_workflow("model.yaml", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}")));
        let mut node = Self {
            case,
            state: RunState::new(plan.clone(), RUN),
            plan,
            journal: Vec::new(),
            under_way: BTreeMap::new(),
            children: BTreeMap::new(),
            news: Vec::new(),
            admission: Admission::new(),
            knocking: false,
            orders: VecDeque::new(),
            now: 1_000,
            turn: 0,
        };
        let (params, trigger) = (json!({}), trackside_facts::TriggerDocument::from_json(json!({ "kind": "manual" })));
        node.give(Command::Start { params, trigger, logical_time_ms: 1_000, parent: None });
        while !matches!(node.state.phase(), Phase::Ended(..)) {
            assert!(node.turn < 5_000, "the run does not end: {:?}", node.state.steps());
            node.step();
            node.turn += 1;
        }
        assert!(node.under_way.is_empty(), "attempts outlive their run");
        assert!(node.admission.is_empty(), "something is still held");
        node
    }

    fn choice(&self, offset: usize) -> usize {
        let choices = &self.case.choices;
        usize::from(choices[(self.turn + offset) % choices.len()])
    }

    /// One thing happens.
    fn step(&mut self) {
        let choice = self.choice(0);
        if self.case.cancel_after.is_some_and(|after| usize::from(after) == self.turn) {
            return self.give(Command::Cancel { by: "somebody".into() });
        }
        if self.turn_of_pause() {
            return;
        }
        // At most this often, so that nothing counts as interrupted too often.
        if choice.is_multiple_of(11) && self.turn < 40 {
            return self.crash();
        }
        if self.case.is_timed() && choice.is_multiple_of(5) && self.pass_time() {
            return;
        }
        let asking = self.asking();
        let living: Vec<String> =
            self.children.iter().filter(|(_, child)| child.ended.is_none()).map(|(key, _)| key.clone()).collect();
        let counts = [usize::from(self.knocking), self.news.len(), asking.len(), living.len(), self.under_way.len()];
        let all: usize = counts.iter().sum();
        if all == 0 {
            if self.state.paused_by().is_some() {
                return self.give(Command::Resume { by: "ana".into() });
            }
            assert!(self.pass_time(), "an open run waits for something: {:?}", self.state.steps());
            return;
        }
        let mut nth = self.choice(7) % all;
        if nth < counts[0] {
            self.knocking = false;
            return self.give(Command::Admit);
        }
        nth -= counts[0];
        if nth < counts[1] {
            let key = self.news.remove(nth);
            return self.tell(&key);
        }
        nth -= counts[1];
        if nth < counts[2] {
            let (step, approve) = asking[nth];
            return self.give(Command::Decide { step, by: "ana".into(), approve, comment: String::new() });
        }
        nth -= counts[2];
        if nth < counts[3] {
            return self.end_child(&living[nth]);
        }
        self.end_attempt(nth - counts[3]);
    }

    /// Somebody pauses the run, or lets it go on. Time is what a pause does not stop: in cases that it decides, it passes.
    fn turn_of_pause(&mut self) -> bool {
        let paused = self.state.paused_by().is_some();
        let turn = self.case.pauses.iter().any(|turn| usize::from(*turn) == self.turn);
        if turn && !paused {
            self.give(Command::Pause { by: "ana".into() });
        } else if paused && self.choice(5).is_multiple_of(4) {
            self.give(Command::Resume { by: "ana".into() });
        } else {
            return false;
        }
        true
    }

    fn pass_time(&mut self) -> bool {
        let Some(next) = self.state.next_deadline() else { return false };
        self.now = next.max(self.now);
        self.give(Command::Wake);
        true
    }

    /// Approvals that somebody answers.
    fn asking(&self) -> Vec<(StepIndex, bool)> {
        let steps = self.case.steps.iter().zip(0u16..).zip(self.state.steps());
        steps
            .filter_map(|((step, number), record)| match (&step.kind, &record.status) {
                (Kind::Approval(answer @ (Answer::Yes | Answer::No)), StepStatus::Asking { .. }) => {
                    Some((StepIndex(number), *answer == Answer::Yes))
                }
                _ => None,
            })
            .collect()
    }

    fn give(&mut self, command: Command) {
        self.orders.push_back(command);
        while let Some(command) = self.orders.pop_front() {
            let Decision { events, mut effects, illegal } = self.state.handle(command, self.now);
            assert_eq!(illegal, None);
            self.journal.extend(events.into_iter().map(|event| (self.now, event)));
            // As the node does after a crash: those come first that had their mutex before.
            effects.sort_by_key(|effect| !matches!(effect, Effect::Acquire { held: true, .. }));
            for effect in effects {
                self.perform(effect);
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Execute { step, item, attempt } => {
                let fresh = self.under_way.insert(((step, item), attempt), false).is_none();
                assert!(fresh, "attempt {attempt} of step {step:?} started twice");
                let parallel = self.under_way.keys().filter(|((other, _), _)| *other == step).count();
                let most = self.plan.step(step).foreach.as_ref().map_or(1, |foreach| usize::from(foreach.max_parallel));
                assert!(parallel <= most, "{parallel} attempts of {step:?} at once");
                self.check_mutex(step);
            }
            Effect::Stop { step, item } => {
                for ((slot, _), stopped) in &mut self.under_way {
                    *stopped |= *slot == (step, item);
                }
            }
            Effect::StartChild { step, item, attempt, parent } => self.start_child((step, item), attempt, &parent),
            Effect::StopChild { step, item, attempt, parent, .. } => match self.children.get_mut(&parent.key()) {
                Some(child) => {
                    child.cancelled = true;
                    self.news.push(parent.key());
                }
                None => {
                    let outcome = Outcome::Failed(StepError::fatal("cancelled", "never started"));
                    let report = None;
                    self.orders.push_back(Command::Finished { step, item, attempt, outcome, chance: 7, report });
                }
            },
            Effect::Acquire { step, item, held: true } => {
                let (gate, holder) = self.gate(step, item);
                self.admit(AdmissionCommand::Rejoin { gate, holder });
            }
            Effect::Acquire { step, item, held: false } => {
                let (gate, holder) = self.gate(step, item);
                let on_conflict = OnConflict::Queue;
                let request = Request { gate, holder, limit: 1, priority: 0, on_conflict };
                self.admit(AdmissionCommand::Enter(request));
            }
            Effect::Release { step, item } => {
                let (gate, holder) = self.gate(step, item);
                self.admit(AdmissionCommand::Leave { gate, holder });
            }
            Effect::Enter { group, admitted } => {
                assert_eq!(group, "all");
                self.knocking = !admitted;
            }
            Effect::Leave { .. } => self.knocking = false,
        }
    }

    fn gate(&self, step: StepIndex, item: Option<u32>) -> (Gate, Holder) {
        let mutex = self.plan.step(step).mutex.clone().expect("only steps with a mutex ask for it");
        (Gate::Mutex(mutex), Holder { run: RUN, step: Some((step, item)) })
    }

    fn admit(&mut self, command: AdmissionCommand) {
        for (_, holder) in self.admission.handle(command).admitted {
            let (step, item) = holder.step.expect("a step");
            self.orders.push_back(Command::Acquired { step, item });
        }
    }

    fn check_mutex(&self, step: StepIndex) {
        let Some(mutex) = &self.plan.step(step).mutex else { return };
        let shares = |step: StepIndex| self.plan.step(step).mutex.as_ref() == Some(mutex);
        let attempts = self.under_way.keys().filter(|((other, _), _)| shares(*other)).count();
        // What a child does goes on while the node is down.
        let children = self.children.values().filter(|child| child.ended.is_none() && shares(child.slot.0)).count();
        assert!(attempts + children <= 1, "{attempts} attempts and {children} children hold `{mutex}`");
    }

    fn start_child(&mut self, slot: Slot, attempt: u32, parent: &Parent) {
        let next = RunId::from_i64(100 + self.children.len() as i64);
        let again = || Child { slot, attempt, run: next, ended: None, cancelled: false };
        let alive = self.children.iter().filter(|(key, child)| **key != parent.key() && child.ended.is_none());
        assert!(alive.into_iter().all(|(_, child)| child.slot != slot), "a second child while the first one lives");
        let child = self.children.entry(parent.key()).or_insert_with(again);
        assert_eq!((child.slot, child.attempt), (slot, attempt), "two children share a key");
        self.check_mutex(slot.0);
        self.news.push(parent.key());
    }

    /// Tells the run of a child's start, or of its end.
    fn tell(&mut self, key: &str) {
        let child = &self.children[key];
        let ((step, item), attempt, run) = (child.slot, child.attempt, child.run);
        match child.ended {
            None => self.give(Command::ChildStarted { step, item, attempt, run }),
            Some(end) => {
                let (error, outputs) = (None, json!({ "n": 1 }));
                self.give(Command::ChildEnded { step, item, attempt, run, end, error, outputs, chance: 7 });
            }
        }
    }

    fn end_child(&mut self, key: &str) {
        let failures =
            self.state.record(self.children[key].slot.0, self.children[key].slot.1).map_or(0, |r| r.failures);
        let child = self.children.get_mut(key).expect("it lives");
        let Kind::Child(script) = &self.case.steps[child.slot.0.get()].kind else { panic!("no child") };
        let end = match at(script, failures) {
            Ending::Good | Ending::Kept if !child.cancelled => RunEnd::Succeeded,
            _ if child.cancelled => RunEnd::Cancelled,
            _ => RunEnd::Failed,
        };
        child.ended = Some(end);
        self.news.push(key.to_owned());
    }

    fn end_attempt(&mut self, nth: usize) {
        let (&((step, item), attempt), &stopped) = self.under_way.iter().nth(nth).expect("one of them");
        self.under_way.remove(&((step, item), attempt));
        let failures = self.state.record(step, item).expect("it started").failures;
        let ending = match self.case.steps.get(step.get()).map(|step| &step.kind) {
            Some(Kind::Plugin(script)) => at(script, failures),
            Some(Kind::Each { items, .. }) => {
                at(items[item.expect("an item") as usize].as_ref().expect("not skipped"), failures)
            }
            Some(_) => panic!("nothing to execute"),
            None => {
                let name = self.plan.step(step).id.strip_prefix("finally.").expect("a handler").to_owned();
                let handler = HANDLERS.iter().position(|handler| *handler == name).expect("a handler");
                self.case.handlers[handler].expect("it is there")
            }
        };
        // Some results come in spite of the request to stop.
        let ending = if stopped && !self.choice(3).is_multiple_of(4) { Ending::Bad } else { ending };
        let (outcome, report) = (outcome(ending), None);
        self.give(Command::Finished { step, item, attempt, outcome, chance: 7, report });
    }

    fn crash(&mut self) {
        self.state = fold(&self.plan, &self.journal);
        self.under_way.clear();
        self.news.clear();
        self.knocking = false;
        self.admission = Admission::new();
        self.now += 1;
        self.give(Command::Recover);
    }
}

pub fn fold(plan: &Arc<Plan>, journal: &[(i64, Event)]) -> RunState {
    let mut state = RunState::new(plan.clone(), RUN);
    for (at, event) in journal {
        state.apply(event, *at).expect("the journal is legal");
    }
    state
}

fn outcome(ending: Ending) -> Outcome {
    let again = |code: &str| Outcome::Failed(StepError { retryable: true, ..StepError::fatal(code, "not now") });
    match ending {
        Ending::Good => Outcome::Succeeded(json!({ "ok": true })),
        Ending::Kept => Outcome::Cached(json!({ "ok": true })),
        Ending::Nothing => Outcome::Skipped("nothing to do".into()),
        Ending::Bad => Outcome::Failed(StepError::fatal("bad", "no")),
        Ending::BadAgain => again("busy"),
        Ending::BadNever => again("never"),
        Ending::Blocked => Outcome::Blocked { message: "no rows".into(), report: AttemptReport::default().into() },
    }
}
