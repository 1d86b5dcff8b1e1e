//! One run by hand: commands in, the journal kept, effects looked at, a crash at any point.

#![allow(dead_code, reason = "no test uses all of it")]

use std::sync::Arc;

use serde_json::{Value, json};
use trackside_engine::{
    Command, Effect, Event, Outcome, Phase, RunEnd, RunError, RunId, RunState, StepError, StepRecord, StepStatus,
};
use trackside_spec::{Plan, StepIndex, load_workflow};

/// A run and its journal.
pub struct Run {
    pub plan: Arc<Plan>,
    pub state: RunState,
    pub journal: Vec<(i64, Event)>,
    pub now: i64,
}

impl Run {
    /// A run of `version: 1`, `name: w` and this text, with these parameters, not started.
    pub fn new(text: &str) -> Self {
        let text = format!("version: 1\nname: w\n{text}");
        let plan = load_workflow("w.yaml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let plan = Arc::new(plan);
        let state = RunState::new(plan.clone(), RunId::from_i64(7));
        Self { plan, state, journal: Vec::new(), now: 1_000 }
    }

    /// A started run.
    pub fn start(text: &str, params: Value) -> (Self, Vec<Effect>) {
        let mut run = Self::new(text);
        let effects = run.begin(params);
        (run, effects)
    }

    pub fn begin(&mut self, params: Value) -> Vec<Effect> {
        let trigger = trackside_facts::TriggerDocument::from_json(json!({ "kind": "manual" }));
        self.give(Command::Start { params, trigger, logical_time_ms: self.now, parent: None })
    }

    pub fn give(&mut self, command: Command) -> Vec<Effect> {
        let decision = self.state.handle(command, self.now);
        assert_eq!(decision.illegal, None);
        // What is stored must read back as it was.
        for event in &decision.events {
            let text = serde_json::to_string(event).unwrap();
            assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        }
        self.journal.extend(decision.events.into_iter().map(|event| (self.now, event)));
        decision.effects
    }

    /// Forgets everything but the journal, and comes up again.
    pub fn crash(&mut self) -> Vec<Effect> {
        self.state = fold(&self.plan, &self.journal);
        self.now += 1;
        self.give(Command::Recover)
    }

    pub fn finish(&mut self, id: &str, item: Option<u32>, outcome: Outcome) -> Vec<Effect> {
        let step = self.step(id);
        let attempt = self.record(id, item).attempts;
        self.give(Command::Finished { step, item, attempt, outcome, chance: 0, report: None })
    }

    pub fn succeed(&mut self, id: &str, item: Option<u32>, output: Value) -> Vec<Effect> {
        self.finish(id, item, Outcome::Succeeded(output))
    }

    pub fn fail(&mut self, id: &str, item: Option<u32>, code: &str, retryable: bool) -> Vec<Effect> {
        let error = StepError { retryable, ..StepError::fatal(code, format!("{code} it is")) };
        self.finish(id, item, Outcome::Failed(error))
    }

    /// Lets the next deadline pass.
    pub fn wake(&mut self) -> Vec<Effect> {
        self.now = self.state.next_deadline().expect("something is due").max(self.now);
        self.give(Command::Wake)
    }

    pub fn step(&self, id: &str) -> StepIndex {
        self.plan.index_of(id).unwrap()
    }

    pub fn record(&self, id: &str, item: Option<u32>) -> &StepRecord {
        self.state.record(self.step(id), item).unwrap()
    }

    pub fn status(&self, id: &str) -> &'static str {
        self.record(id, None).status.name()
    }

    pub fn error(&self, id: &str) -> (String, String) {
        match &self.record(id, None).status {
            StepStatus::Failed(error) | StepStatus::Blocked(error) => (error.code.clone(), error.message.clone()),
            other => panic!("step {id} is {}", other.name()),
        }
    }

    pub fn output(&self, id: &str) -> &Value {
        self.state.output(self.step(id)).unwrap()
    }

    /// How the run ended; that folding the journal gives the same state is checked on the way.
    pub fn end(&self) -> (RunEnd, Option<RunError>) {
        let again = fold(&self.plan, &self.journal);
        assert_eq!(again.steps(), self.state.steps());
        assert_eq!(again.outputs(), self.state.outputs());
        match self.state.phase() {
            Phase::Ended(end, error) => (*end, error.clone()),
            other => panic!("the run is {other:?}"),
        }
    }

    pub fn names(&self) -> Vec<String> {
        let name = |event: &Event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        self.journal.iter().map(|(_, event)| name(event)).collect()
    }
}

pub fn fold(plan: &Arc<Plan>, journal: &[(i64, Event)]) -> RunState {
    let mut state = RunState::new(plan.clone(), RunId::from_i64(7));
    for (at, event) in journal {
        state.apply(event, *at).unwrap_or_else(|error| panic!("{error}: {event:?}"));
    }
    state
}

/// The items that the effects start.
pub fn started(effects: &[Effect]) -> Vec<Option<u32>> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Execute { item, .. } => Some(*item),
            _ => None,
        })
        .collect()
}

/// The items that the effects stop.
pub fn stopped(effects: &[Effect]) -> Vec<Option<u32>> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Stop { item, .. } => Some(*item),
            _ => None,
        })
        .collect()
}
