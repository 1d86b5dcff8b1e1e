//! The state machine against a reference model that fits on a page: random graphs of steps, items, children, approvals,
//! mutexes; scripted outcomes, any order of completion, pauses, crashes between any two commands.
//!
//! `TRACKSIDE_CASES=1000000` runs more cases than the 10,000 of every build; `TRACKSIDE_SEED=123` runs one case again, the
//! number is printed with the smallest failing case.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::model::{
    case::{Case, Ending, HANDLERS, Kind, case},
    expected::{End, expected},
    node::{Node, fold},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use trackside_engine::{Event, Phase, RunEnd, SkipReason, StepRecord, StepStatus};

#[test]
fn every_run_ends_as_the_model_says() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("TRACKSIDE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRACKSIDE_CASES").unwrap_or(10_000),
    };
    let cases = case();
    let kinds: RefCell<BTreeMap<&str, u64>> = RefCell::default();
    for seed in seeds {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 50_000, ..Config::default() };
        let outcome = TestRunner::new_with_rng(config, rng).run(&cases, |case| {
            *kinds.borrow_mut().entry(check(&case)?).or_default() += 1;
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("TRACKSIDE_SEED={seed}: {error}");
        }
    }
    println!("cases: {:?}", kinds.into_inner());
}

/// Runs the case and compares; says what kind of case it was.
fn check(case: &Case) -> Result<&'static str, TestCaseError> {
    let node = Node::run(case);
    let refolded = fold(&node.plan, &node.journal);
    prop_assert_eq!(refolded.steps(), node.state.steps());
    prop_assert_eq!(refolded.phase(), node.state.phase());
    check_journal(case, &node)?;
    for (step, record) in case.steps.iter().zip(node.state.steps()) {
        let durable = matches!(step.kind, Kind::Child(_) | Kind::Approval(_));
        prop_assert!(!durable || record.interruptions == 0, "a crash does not interrupt what lives elsewhere");
    }
    let Phase::Ended(end, _) = node.state.phase() else { unreachable!() };
    if node.journal.iter().any(|(_, event)| matches!(event, Event::CancelRequested { .. })) {
        prop_assert_eq!(*end, RunEnd::Cancelled);
        return Ok("cancelled");
    }
    if case.is_timed() {
        return Ok("timed");
    }
    let wants = expected(case);
    for (number, want) in wants.iter().enumerate() {
        let record = &node.state.steps()[number];
        let end = end_of(record);
        let fits = end == want.end || (want.end == End::Broken && matches!(end, End::Failed | End::Blocked));
        prop_assert!(fits, "step s{number}: {end:?}, not {:?}", want.end);
        if let Some(attempts) = want.attempts {
            prop_assert_eq!(record.attempts - record.interruptions, attempts, "attempts of s{}", number);
        }
        if let (Some(items), false) = (&record.items, want.items.is_empty()) {
            let found: Vec<(End, u32)> =
                items.records().iter().map(|r| (end_of(r), r.attempts - r.interruptions)).collect();
            prop_assert_eq!(&found, &want.items, "items of s{}", number);
            let output = &node.state.output(trackside_spec::StepIndex(number as u16)).unwrap();
            let given = output["results"].as_array().unwrap().iter().map(|result| !result.is_null());
            let good = want.items.iter().map(|(end, _)| *end == End::Good);
            prop_assert!(given.eq(good), "results of s{number}: {output}");
        }
    }
    let failed = wants.iter().any(|want| matches!(want.end, End::Failed | End::Blocked | End::Broken));
    let first_end = if failed { RunEnd::Failed } else { RunEnd::Succeeded };
    let called = |name: &str| {
        matches!((name, first_end), ("always", _) | ("succeeded", RunEnd::Succeeded) | ("failed", RunEnd::Failed))
    };
    let bad = |ending: Option<Ending>| {
        matches!(ending, Some(Ending::Bad | Ending::BadAgain | Ending::BadNever | Ending::Blocked))
    };
    let handler_failed = HANDLERS.iter().zip(case.handlers).any(|(name, ending)| called(name) && bad(ending));
    prop_assert_eq!(*end, if handler_failed { RunEnd::Failed } else { first_end });
    Ok(if failed { "failed" } else { "succeeded" })
}

fn end_of(record: &StepRecord) -> End {
    match &record.status {
        StepStatus::Succeeded => End::Good,
        StepStatus::Skipped(SkipReason::UpstreamFailed(_)) => End::AfterFailure,
        StepStatus::Skipped(_) => End::Skipped,
        StepStatus::Failed(_) => End::Failed,
        StepStatus::Blocked(_) => End::Blocked,
        other => panic!("{other:?} after the end"),
    }
}

/// What holds whatever happened: one end for each step, each item and the run; starts only after what is needed; no
/// attempt number twice; nothing before the run was let in.
fn check_journal(case: &Case, node: &Node<'_>) -> Result<(), TestCaseError> {
    let mut ended: BTreeMap<u16, &'static str> = BTreeMap::new();
    let mut items_ended: BTreeSet<(u16, u32)> = BTreeSet::new();
    let mut attempts: BTreeSet<(u16, Option<u32>, u32)> = BTreeSet::new();
    let (mut over, mut outside, mut paused) = (false, case.group, false);
    let mut queued: BTreeSet<(u16, Option<u32>)> = BTreeSet::new();
    for (_, event) in &node.journal {
        prop_assert!(!over, "{event:?} after the end");
        let start = match event {
            Event::StepStarted { step, item, attempt } => {
                prop_assert!(attempts.insert((step.0, *item, *attempt)), "{event:?} twice");
                // What waits for its mutex is under way already.
                prop_assert!(queued.remove(&(step.0, *item)) || !paused, "{event:?} in a pause");
                Some(*step)
            }
            Event::StepQueued { step, item, .. } => {
                prop_assert!(!paused, "{event:?} in a pause");
                queued.insert((step.0, *item));
                None
            }
            Event::StepExpanded { step, .. } | Event::ApprovalRequested { step, .. } => {
                prop_assert!(!paused, "{event:?} in a pause");
                Some(*step)
            }
            _ => None,
        };
        if let Some(step) = start {
            prop_assert!(!ended.contains_key(&step.0), "{event:?} after its end");
            match case.steps.get(step.get()) {
                Some(definition) => {
                    prop_assert!(!outside, "{event:?} before the run was let in");
                    for need in &definition.needs {
                        let end = ended.get(&(need.step as u16)).copied();
                        let lets = match end {
                            Some("good") => need.succeeded,
                            Some("skipped") => need.skipped,
                            Some("failed") => need.failed,
                            _ => false,
                        };
                        prop_assert!(lets, "s{} started when s{} was {end:?}", step.0, need.step);
                    }
                }
                None => prop_assert!((0..case.steps.len()).all(|n| ended.contains_key(&(n as u16)))),
            }
        }
        let end = match event {
            Event::StepSucceeded { step, item, .. } => Some((step, item, "good")),
            Event::StepCollected { step, .. } => Some((step, &None, "good")),
            Event::StepSkipped { step, item, reason: SkipReason::UpstreamFailed(_) } => Some((step, item, "failed")),
            Event::StepSkipped { step, item, .. } => Some((step, item, "skipped")),
            Event::StepFailed { step, item, .. } | Event::StepBlocked { step, item, .. } => {
                Some((step, item, "failed"))
            }
            Event::StepCancelled { step, item } => Some((step, item, "cancelled")),
            _ => None,
        };
        match (end, event) {
            (Some((step, None, end)), _) => prop_assert_eq!(ended.insert(step.0, end), None, "{:?} ends twice", step),
            (Some((step, Some(item), _)), _) => {
                prop_assert!(items_ended.insert((step.0, *item)), "item {item} of {step:?} ends twice");
                prop_assert!(!ended.contains_key(&step.0), "item {item} ends after {step:?}");
                let has_items = matches!(case.steps[step.get()].kind, Kind::Each { .. });
                prop_assert!(has_items, "{step:?} has no items");
            }
            (None, Event::Admitted) => outside = false,
            (None, Event::Paused { .. }) => paused = true,
            // A stop goes before a pause.
            (
                None,
                Event::Resumed { .. } | Event::CancelRequested { .. } | Event::TimedOut | Event::RunFailed { .. },
            ) => {
                paused = false;
            }
            (None, Event::Ended { .. }) => over = true,
            _ => {}
        }
    }
    prop_assert!(over);
    Ok(())
}
