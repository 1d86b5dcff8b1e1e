//! Runs that are paused and go on, and runs that repeat others.

use crate::support::{Run, started};
use serde_json::{Value, json};
use trackside_engine::{Again, Command, Effect, Event, Phase, RepeatRefused, RunEnd, RunId, RunState, SkipReason};

const CHAIN: &str = "steps:\n  a: { plugin: echo }\n  b: { plugin: echo, needs: [a] }\n  c: { plugin: echo, needs: [b] }\n  \
                     d: { plugin: echo }\n";

fn pause() -> Command {
    Command::Pause { by: "ana".into() }
}

fn resume() -> Command {
    Command::Resume { by: "ana".into() }
}

#[test]
fn in_a_paused_run_what_is_under_way_ends_and_nothing_begins() {
    let (mut run, _) = Run::start(CHAIN, json!({}));
    assert!(run.give(pause()).is_empty());
    assert!(run.succeed("a", None, json!(1)).is_empty());
    assert_eq!((run.status("a"), run.status("b"), run.state.paused_by()), ("succeeded", "pending", Some("ana")));
    assert!(run.crash().is_empty(), "a restart must not end the pause");
    assert_eq!(run.state.next_deadline(), None, "d was interrupted; it waits for the end of the pause");
    // Both the step that was to come and the one that the crash interrupted.
    assert_eq!(started(&run.give(resume())).len(), 2);
    assert_eq!((run.status("b"), run.status("d"), run.state.paused_by()), ("running", "running", None));
}

#[test]
fn a_retry_that_becomes_due_in_a_pause_begins_after_it() {
    let (mut run, _) = Run::start("steps:\n  a: { plugin: echo, retry: { times: 2 } }\n", json!({}));
    run.fail("a", None, "flaky", true);
    assert!(run.state.next_deadline().is_some());
    run.give(pause());
    assert_eq!(run.state.next_deadline(), None);
    run.now += 3_600_000;
    assert!(run.give(Command::Wake).is_empty());
    assert_eq!(started(&run.give(resume())), [None]);
}

#[test]
fn a_pause_holds_back_items_and_the_end_of_the_run() {
    let text = "steps:\n  a: { plugin: echo, foreach: [1, 2], max_parallel: 1 }\n";
    let (mut run, _) = Run::start(text, json!({}));
    run.give(pause());
    assert!(run.succeed("a", Some(0), json!(1)).is_empty());
    assert_eq!(run.state.next_deadline(), None);
    assert_eq!(started(&run.give(resume())), [Some(1)]);
    run.give(pause());
    run.succeed("a", Some(1), json!(2));
    assert_eq!(*run.state.phase(), Phase::Running);
    run.give(resume());
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn a_paused_run_can_be_cancelled() {
    let (mut run, _) = Run::start(CHAIN, json!({}));
    run.give(pause());
    let effects = run.give(Command::Cancel { by: "bo".into() });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Stop { .. })));
    run.fail("a", None, "cancelled", false);
    run.fail("d", None, "cancelled", false);
    assert_eq!(run.end().0, RunEnd::Cancelled);
}

#[test]
fn pausing_twice_and_pausing_what_is_over_change_nothing() {
    let (mut run, _) = Run::start("steps:\n  a: { plugin: echo }\n", json!({}));
    run.give(resume());
    run.give(pause());
    run.give(pause());
    run.give(resume());
    run.succeed("a", None, json!(1));
    run.give(pause());
    let paused = run.names().iter().filter(|name| *name == "paused").count();
    assert_eq!((paused, run.end().0), (1, RunEnd::Succeeded));
}

/// A run of the same definition that was told to repeat `old`.
fn again(old: &Run, which: Again) -> (Run, Vec<Effect>) {
    let repeat = old.state.repeat(which, "ana").unwrap();
    let mut new = Run {
        plan: old.plan.clone(),
        state: RunState::new(old.plan.clone(), RunId::from_i64(7)),
        journal: Vec::new(),
        now: old.now + 1,
    };
    let effects = new.give(Command::StartAgain(Box::new(repeat)));
    (new, effects)
}

/// `a` and `d` ended well, `b` failed.
fn failed() -> Run {
    let (mut run, _) = Run::start(CHAIN, json!({ "p": 1 }));
    run.succeed("a", None, json!({ "rows": 3 }));
    run.succeed("d", None, json!("d"));
    run.fail("b", None, "broken", false);
    assert_eq!(run.end().0, RunEnd::Failed);
    run
}

#[test]
fn a_repeated_run_takes_over_what_ended_well_and_does_the_rest() {
    let old = failed();
    let (mut new, effects) = again(&old, Again::Unfinished);
    assert_eq!(effects, [Effect::Execute { step: new.step("b"), item: None, attempt: 1 }]);
    assert_eq!((new.output("a"), new.output("d")), (&json!({ "rows": 3 }), &json!("d")));
    assert_eq!((new.state.params(), new.state.repeats()), (&json!({ "p": 1 }), Some(old.state.id())));
    new.crash();
    new.succeed("b", None, json!(2));
    new.succeed("c", None, json!(3));
    assert_eq!(new.end().0, RunEnd::Succeeded);
    assert!(
        !new.journal
            .iter()
            .any(|(_, event)| matches!(event, Event::StepStarted { step, .. } if *step == new.step("a")))
    );
}

#[test]
fn from_a_step_it_and_all_after_it_run_again() {
    let (mut old, _) = Run::start(CHAIN, json!({}));
    for id in ["a", "b", "c", "d"] {
        old.succeed(id, None, json!(id));
    }
    assert_eq!(old.state.repeat(Again::Unfinished, "ana"), Err(RepeatRefused::NothingToDo));
    let (new, effects) = again(&old, Again::From(old.step("b")));
    assert_eq!(effects, [Effect::Execute { step: old.step("b"), item: None, attempt: 1 }]);
    assert_eq!((new.status("a"), new.status("c"), new.status("d")), ("succeeded", "pending", "succeeded"));
}

#[test]
fn only_a_step_leaves_those_after_it_out() {
    let (mut old, _) = Run::start(CHAIN, json!({}));
    for id in ["a", "b", "c", "d"] {
        old.succeed(id, None, json!(id));
    }
    let (mut new, effects) = again(&old, Again::Only(old.step("b")));
    assert_eq!(started(&effects).len(), 1);
    let left_out = |run: &Run| {
        run.journal.iter().any(|(_, event)| {
        matches!(event, Event::StepSkipped { step, reason: SkipReason::NotRepeated, .. } if *step == run.step("c"))
    })
    };
    assert!(left_out(&new));
    new.succeed("b", None, json!(9));
    assert_eq!(new.end().0, RunEnd::Succeeded);
    let refused = failed().state.repeat(Again::Only(old.step("c")), "ana").unwrap_err().to_string();
    assert_eq!(refused, "step `c` needs step `b`, which is failed; leave out --only");
}

#[test]
fn a_run_that_is_under_way_is_not_repeated() {
    let (run, _) = Run::start(CHAIN, json!({}));
    assert_eq!(run.state.repeat(Again::Unfinished, "ana"), Err(RepeatRefused::UnderWay));
}

#[test]
fn outputs_are_taken_over_only_by_runs_that_repeat_one() {
    let mut run = Run::new(CHAIN);
    run.begin(Value::Null);
    let taken = Event::StepTaken { step: run.step("c"), output: json!(1) };
    assert!(run.state.apply(&taken, run.now).is_err());
}

#[test]
fn a_repeated_run_waits_for_its_group_also_when_steps_were_taken_over() {
    let text = "concurrency: { group: line }\nsteps:\n  a: { plugin: echo }\n  b: { plugin: echo, needs: [a] }\n";
    let (mut old, _) = Run::start(text, json!({}));
    old.give(Command::Admit);
    old.succeed("a", None, json!(1));
    old.fail("b", None, "broken", false);
    for which in [Again::Unfinished, Again::Only(old.step("a"))] {
        let (mut new, effects) = again(&old, which);
        assert_eq!(effects, [Effect::Enter { group: "line".into(), admitted: false }]);
        assert!(new.state.is_queued(), "{which:?}");
        assert_eq!(started(&new.give(Command::Admit)), [None]);
    }
}
