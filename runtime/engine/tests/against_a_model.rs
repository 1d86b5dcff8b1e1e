//! The state machine against a reference model that fits on a page: random graphs, scripted outcomes, any order of
//! completion, crashes between any two commands.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value, json};
use trackside_engine::{
    Command, Decision, Effect, Event, Outcome, Phase, RunEnd, RunId, RunState, SkipReason, StepError, StepStatus,
};
use trackside_spec::{Plan, StepIndex, load_workflow};

#[derive(Clone, Debug)]
struct Step {
    /// Bit n: needs step n, for n below its own number.
    needs: u16,
    when: Option<bool>,
    retries: u32,
    /// One letter per attempt; the last one repeats.
    script: Vec<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Good,
    Nothing,
    Bad,
    BadAgain,
}

#[derive(Clone, Debug)]
struct Case {
    steps: Vec<Step>,
    /// Endings of the handlers for succeeded, failed, cancelled, always; none = no such handler.
    handlers: [Option<Ending>; 4],
    /// Drives every choice: which attempt ends next, whether the node goes down.
    choices: Vec<u8>,
    cancel_after: Option<u8>,
}

const HANDLERS: [&str; 4] = ["succeeded", "failed", "cancelled", "always"];

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![6 => Just(Ending::Good), 1 => Just(Ending::Nothing), 1 => Just(Ending::Bad), 2 => Just(Ending::BadAgain)]
}

fn step() -> impl Strategy<Value = Step> {
    let when = prop_oneof![4 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    (any::<u16>(), any::<u16>(), when, 0..3u32, prop::collection::vec(ending(), 1..4))
        .prop_map(|(a, b, when, retries, script)| Step { needs: a & b, when, retries, script })
}

fn case() -> impl Strategy<Value = Case> {
    let handler = || prop::option::weighted(0.3, ending());
    (
        prop::collection::vec(step(), 1..=12),
        [handler(), handler(), handler(), handler()],
        prop::collection::vec(any::<u8>(), 1..64),
        prop::option::weighted(0.2, 0..30u8),
    )
        .prop_map(|(mut steps, handlers, choices, cancel_after)| {
            for (number, step) in steps.iter_mut().enumerate() {
                step.needs &= (1 << number) - 1;
            }
            Case { steps, handlers, choices, cancel_after }
        })
}

fn plan(case: &Case) -> Plan {
    let mut yaml = String::from("version: 1\nname: model\nsteps:\n");
    for (number, step) in case.steps.iter().enumerate() {
        let needs: Vec<String> = (0..number).filter(|n| step.needs & (1 << n) != 0).map(|n| format!("s{n}")).collect();
        writeln!(yaml, "  s{number}:\n    plugin: echo\n    needs: [{}]", needs.join(", ")).unwrap();
        if let Some(when) = step.when {
            writeln!(yaml, "    when: {when}").unwrap();
        }
        writeln!(yaml, "    retry: {{ times: {}, wait: 1s, factor: 2, max: 10s, jitter: none }}", step.retries)
            .unwrap();
    }
    if case.handlers.iter().any(Option::is_some) {
        yaml.push_str("finally:\n");
    }
    for (name, _) in HANDLERS.iter().zip(case.handlers).filter(|(_, ending)| ending.is_some()) {
        writeln!(yaml, "  {name}: {{ plugin: echo }}").unwrap();
    }
    load_workflow("model.yaml", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// What should become of a step when nobody cancels: its end and how often it is tried.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Good,
    Skipped,
    SkippedAfterFailure,
    Failed,
}

fn expected(case: &Case) -> Vec<(Expected, u32)> {
    let mut ends: Vec<(Expected, u32)> = Vec::new();
    for step in &case.steps {
        let needs: Vec<&Expected> =
            ends.iter().enumerate().filter(|(n, _)| step.needs & (1 << n) != 0).map(|(_, (end, _))| end).collect();
        let end = if needs.iter().any(|end| matches!(end, Expected::Failed | Expected::SkippedAfterFailure)) {
            (Expected::SkippedAfterFailure, 0)
        } else if needs.contains(&&Expected::Skipped) || step.when == Some(false) {
            (Expected::Skipped, 0)
        } else {
            let mut attempts = 0;
            loop {
                let ending = at(&step.script, attempts);
                attempts += 1;
                match ending {
                    Ending::Good => break (Expected::Good, attempts),
                    Ending::Nothing => break (Expected::Skipped, attempts),
                    Ending::Bad => break (Expected::Failed, attempts),
                    Ending::BadAgain if attempts > step.retries => break (Expected::Failed, attempts),
                    Ending::BadAgain => {}
                }
            }
        };
        ends.push(end);
    }
    ends
}

fn at(script: &[Ending], failures: u32) -> Ending {
    script.get(failures as usize).or(script.last()).copied().unwrap_or(Ending::Good)
}

fn outcome(ending: Ending) -> Outcome {
    match ending {
        Ending::Good => Outcome::Succeeded(json!({ "ok": true })),
        Ending::Nothing => Outcome::Skipped("nothing to do".into()),
        Ending::Bad => Outcome::Failed(StepError::fatal("bad", "no")),
        Ending::BadAgain => Outcome::Failed(StepError { retryable: true, ..StepError::fatal("busy", "not now") }),
    }
}

/// A node that runs one run: keeps the journal, carries effects out, forgets everything but the journal in a crash.
struct Node {
    plan: Arc<Plan>,
    state: RunState,
    journal: Vec<(i64, Event)>,
    /// Attempts under way, and whether they were asked to stop.
    under_way: BTreeMap<(StepIndex, u32), bool>,
    now: i64,
}

impl Node {
    fn give(&mut self, command: Command) {
        let Decision { events, effects } = self.state.handle(command, self.now);
        self.journal.extend(events.into_iter().map(|event| (self.now, event)));
        for effect in effects {
            match effect {
                Effect::Execute { step, attempt } => {
                    let fresh = self.under_way.insert((step, attempt), false).is_none();
                    assert!(fresh, "attempt {attempt} of step {step:?} started twice");
                }
                Effect::Stop { step } => {
                    for ((running, _), stopped) in &mut self.under_way {
                        *stopped |= *running == step;
                    }
                }
            }
        }
    }

    fn crash(&mut self) {
        self.state = fold(&self.plan, &self.journal);
        self.under_way.clear();
        self.now += 1;
        self.give(Command::Recover);
    }
}

fn fold(plan: &Arc<Plan>, journal: &[(i64, Event)]) -> RunState {
    let mut state = RunState::new(plan.clone(), RunId::from_i64(1));
    for (at, event) in journal {
        state.apply(event, *at).expect("the journal is legal");
    }
    state
}

fn run(case: &Case) -> Node {
    let plan = Arc::new(plan(case));
    let state = RunState::new(plan.clone(), RunId::from_i64(1));
    let mut node = Node { plan, state, journal: Vec::new(), under_way: BTreeMap::new(), now: 1_000 };
    node.give(Command::Start { params: json!({}), trigger: json!({ "kind": "manual" }), logical_time_ms: 1_000 });
    let mut choices = case.choices.iter().cycle().map(|choice| usize::from(*choice));
    for turn in 0..2_000 {
        if matches!(node.state.phase(), Phase::Ended(..)) {
            return node;
        }
        if case.cancel_after.is_some_and(|after| usize::from(after) == turn) {
            node.give(Command::Cancel { by: "somebody".into() });
            continue;
        }
        let choice = choices.next().unwrap();
        // At most this often, so that nothing counts as interrupted too often.
        if choice % 11 == 0 && turn < 40 {
            node.crash();
        } else if node.under_way.is_empty() {
            node.now = node.state.next_deadline().expect("an open run waits for something").max(node.now);
            node.give(Command::Wake);
        } else {
            let nth = choice % node.under_way.len();
            let (&(step, attempt), &stopped) = node.under_way.iter().nth(nth).unwrap();
            node.under_way.remove(&(step, attempt));
            let ending = if step.get() < case.steps.len() {
                at(&case.steps[step.get()].script, node.state.steps()[step.get()].failures)
            } else {
                let name = node.plan.step(step).id.strip_prefix("finally.").unwrap().to_owned();
                case.handlers[HANDLERS.iter().position(|handler| *handler == name).unwrap()].unwrap()
            };
            let outcome = if stopped { outcome(Ending::Bad) } else { outcome(ending) };
            node.give(Command::Finished { step, attempt, outcome, chance: 7, report: Value::Null });
        }
    }
    panic!("the run does not end: {:?}", node.state.steps());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_as_the_model_says(case in case()) {
        let node = run(&case);
        let refolded = fold(&node.plan, &node.journal);
        prop_assert_eq!(refolded.steps(), node.state.steps());
        prop_assert_eq!(refolded.phase(), node.state.phase());
        check_journal(&case, &node)?;
        let Phase::Ended(end, _) = node.state.phase() else { unreachable!() };
        if node.journal.iter().any(|(_, event)| matches!(event, Event::CancelRequested { .. })) {
            prop_assert_eq!(*end, RunEnd::Cancelled);
            return Ok(());
        }
        let expected = expected(&case);
        for (number, (end, attempts)) in expected.iter().enumerate() {
            let record = &node.state.steps()[number];
            let found = match &record.status {
                StepStatus::Succeeded => Expected::Good,
                StepStatus::Skipped(SkipReason::UpstreamFailed(_)) => Expected::SkippedAfterFailure,
                StepStatus::Skipped(_) => Expected::Skipped,
                StepStatus::Failed(_) => Expected::Failed,
                other => panic!("step s{number} is {other:?} after the end"),
            };
            prop_assert_eq!(&found, end, "step s{}", number);
            prop_assert_eq!(record.attempts - record.interruptions, *attempts, "attempts of s{}", number);
        }
        let failed = expected.iter().any(|(end, _)| *end == Expected::Failed);
        let first_end = if failed { RunEnd::Failed } else { RunEnd::Succeeded };
        let called = |name: &str| matches!(
            (name, first_end), ("always", _) | ("succeeded", RunEnd::Succeeded) | ("failed", RunEnd::Failed)
        );
        let handler_failed = HANDLERS.iter().zip(case.handlers)
            .any(|(name, ending)| called(name) && matches!(ending, Some(Ending::Bad | Ending::BadAgain)));
        prop_assert_eq!(*end, if handler_failed { RunEnd::Failed } else { first_end });
    }
}

/// What holds whatever happened: one end for each step and for the run, starts only after what is needed.
fn check_journal(case: &Case, node: &Node) -> Result<(), TestCaseError> {
    let mut ended: BTreeMap<u16, bool> = BTreeMap::new();
    let mut over = false;
    for (_, event) in &node.journal {
        prop_assert!(!over, "{event:?} after the end");
        match event {
            Event::StepStarted { step, .. } if step.get() < case.steps.len() => {
                for need in (0..12).filter(|n| case.steps[step.get()].needs & (1 << n) != 0) {
                    prop_assert_eq!(ended.get(&need), Some(&true), "s{} started before s{} succeeded", step.0, need);
                }
            }
            Event::StepStarted { .. } => prop_assert!((0..case.steps.len()).all(|n| ended.contains_key(&(n as u16)))),
            Event::StepSucceeded { step, .. } => prop_assert_eq!(ended.insert(step.0, true), None),
            Event::StepSkipped { step, .. } | Event::StepFailed { step, .. } | Event::StepCancelled { step } => {
                prop_assert_eq!(ended.insert(step.0, false), None);
            }
            Event::Ended { .. } => over = true,
            _ => {}
        }
    }
    prop_assert!(over);
    Ok(())
}
