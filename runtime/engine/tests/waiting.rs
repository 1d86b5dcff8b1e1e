//! Steps that wait for people, other runs, and each other; runs that wait for their group.

use crate::support::{Run, started};
use serde_json::{Value, json};
use trackside_engine::{
    Command, DecisionRefused, Effect, Outcome, Parent, RunEnd, RunError, RunId, StepError, concurrency_group,
};
use trackside_facts::AttemptReport;
use trackside_spec::StepIndex;

fn decide(by: &str, approve: bool) -> Command {
    Command::Decide { step: StepIndex(0), by: by.into(), approve, comment: "seen".into() }
}

const APPROVAL: &str = "params: { n: { type: integer, default: 3 } }\nsteps:\n  ok:\n    approval: { message: \"Ship ${params.n}?\", \
                        approvers: [ana, bo], deadline: 2h, on_timeout: HOW }\n  go: { plugin: echo, needs: [ok], with: { who: \
                        \"${steps.ok.by}\" } }\n";

#[test]
fn an_approval_waits_through_crashes_and_its_decision_is_the_output() {
    let (mut run, effects) = Run::start(&APPROVAL.replace("HOW", "reject"), json!({ "n": 3 }));
    assert!(effects.is_empty());
    let asked = serde_json::to_value(&run.journal[1].1).unwrap();
    assert_eq!((&asked["event"], &asked["message"]), (&json!("approval-requested"), &json!("Ship 3?")));
    assert_eq!(asked["deadline_ms"], 1_000 + 7_200_000);
    assert!(run.crash().is_empty());
    assert_eq!((run.status("ok"), run.state.next_deadline()), ("awaiting-approval", Some(7_201_000)));
    let refused = run.state.may_decide(StepIndex(0), "eve").unwrap_err();
    assert_eq!(refused.to_string(), "`eve` may not decide about step `ok`; those who may: ana, bo");
    let before = run.journal.len();
    run.give(decide("eve", true));
    assert_eq!(run.journal.len(), before);
    assert_eq!(started(&run.give(decide("bo", true))), [None]);
    assert_eq!(run.output("ok"), &json!({ "approved": true, "by": "bo", "comment": "seen", "at": 1_001 }));
    assert_eq!(run.state.input(run.step("go"), None, &Value::Null), Ok(json!({ "who": "bo" })));
    let late = run.state.may_decide(StepIndex(0), "ana");
    assert_eq!(late, Err(DecisionRefused::NotAsked { step: "ok".into(), status: "succeeded" }));
}

#[test]
fn a_rejection_fails_the_step() {
    let (mut run, _) = Run::start(&APPROVAL.replace("HOW", "approve"), json!({ "n": 3 }));
    run.give(decide("ana", false));
    assert_eq!(run.error("ok"), ("rejected".to_owned(), "rejected by ana: seen".to_owned()));
    assert_eq!((run.status("go"), run.end().0), ("skipped", RunEnd::Failed));
}

#[test]
fn the_deadline_of_an_approval_does_what_the_file_says() {
    for (how, status, code) in
        [("approve", "succeeded", ""), ("reject", "failed", "rejected"), ("fail", "failed", "approval-timeout")]
    {
        let (mut run, _) = Run::start(&APPROVAL.replace("HOW", how), json!({ "n": 3 }));
        run.wake();
        assert_eq!((run.now, run.status("ok")), (7_201_000, status));
        if code.is_empty() {
            assert_eq!(run.output("ok")["by"], Value::Null);
        } else {
            assert_eq!(run.error("ok"), (code.to_owned(), "nobody decided within 2h".to_owned()));
        }
    }
}

#[test]
fn a_cancelled_run_asks_nobody_any_more() {
    let (mut run, _) = Run::start(&APPROVAL.replace("HOW", "approve"), json!({ "n": 3 }));
    run.give(Command::Cancel { by: "me".into() });
    assert_eq!((run.status("ok"), run.end().0), ("cancelled", RunEnd::Cancelled));
}

const CHILD: &str =
    "steps:\n  sub: { workflow: other, params: { x: 1 }, retry: { times: 1, wait: 1s, jitter: none } }\n";

fn child_ended(end: RunEnd, attempt: u32) -> Command {
    let step = Some("s".into());
    let error = (end != RunEnd::Succeeded).then(|| RunError { step, code: "bad".into(), message: "no".into() });
    let outputs = json!({ "y": 2 });
    Command::ChildEnded {
        step: StepIndex(0),
        item: None,
        attempt,
        run: RunId::from_i64(9),
        end,
        error,
        outputs,
        chance: 0,
    }
}

fn child_started(attempt: u32) -> Command {
    Command::ChildStarted { step: StepIndex(0), item: None, attempt, run: RunId::from_i64(9) }
}

fn parent(attempt: u32) -> Parent {
    Parent { run: RunId::from_i64(7), step: StepIndex(0), item: None, attempt, depth: 1 }
}

#[test]
fn a_child_is_started_under_a_key_that_a_crash_does_not_change() {
    let (mut run, effects) = Run::start(CHILD, json!({}));
    let wanted = Effect::StartChild { step: StepIndex(0), item: None, attempt: 1, parent: parent(1) };
    assert_eq!(effects, std::slice::from_ref(&wanted));
    assert_eq!(parent(1).key(), "0000000000007/0/-/1");
    assert_eq!(run.state.input(StepIndex(0), None, &Value::Null), Ok(json!({ "x": 1 })));
    assert_eq!(run.crash(), std::slice::from_ref(&wanted));
    run.give(child_started(1));
    assert_eq!(run.record("sub", None).child, Some(RunId::from_i64(9)));
    // Told twice, it is written down once.
    let before = run.journal.len();
    run.give(child_started(1));
    assert_eq!(run.journal.len(), before);
    assert_eq!(run.crash(), [wanted]);
    assert_eq!(run.record("sub", None).interruptions, 0);
    run.give(child_ended(RunEnd::Succeeded, 1));
    assert_eq!(run.output("sub"), &json!({ "run": "0000000000009", "state": "succeeded", "outputs": { "y": 2 } }));
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn a_failed_child_fails_the_step_unless_its_code_is_to_be_retried() {
    let (mut run, _) = Run::start(CHILD, json!({}));
    run.give(child_started(1));
    run.give(child_ended(RunEnd::Failed, 1));
    let message = "run 0000000000009 of `other` failed: step `s`: no";
    assert_eq!(run.error("sub"), ("child-failed".to_owned(), message.to_owned()));
    let (mut run, _) = Run::start(&CHILD.replace("times: 1", "times: 1, only: [child-failed]"), json!({}));
    run.give(child_started(1));
    run.give(child_ended(RunEnd::Failed, 1));
    let effects = run.wake();
    assert_eq!(effects, [Effect::StartChild { step: StepIndex(0), item: None, attempt: 2, parent: parent(2) }]);
    // The end of the first child comes once more: it is not the second one's.
    run.give(child_ended(RunEnd::Succeeded, 1));
    assert_eq!(run.status("sub"), "running");
    run.give(child_ended(RunEnd::Cancelled, 2));
    assert_eq!(run.error("sub").0, "child-cancelled");
}

#[test]
fn a_cancel_reaches_the_child_also_after_a_crash() {
    let (mut run, _) = Run::start(CHILD, json!({}));
    run.give(child_started(1));
    let child = Some(RunId::from_i64(9));
    let wanted = Effect::StopChild { step: StepIndex(0), item: None, attempt: 1, parent: parent(1), child };
    assert_eq!(run.give(Command::Cancel { by: "me".into() }), std::slice::from_ref(&wanted));
    assert_eq!(run.crash(), [wanted]);
    run.give(child_ended(RunEnd::Cancelled, 1));
    assert_eq!((run.status("sub"), run.end().0), ("cancelled", RunEnd::Cancelled));
}

#[test]
fn a_run_eight_deep_starts_no_other() {
    let mut run = Run::new(CHILD);
    let parent = Some(Parent { depth: 8, ..parent(1) });
    let (params, trigger) = (json!({}), trackside_facts::TriggerDocument::from_json(json!({ "kind": "workflow" })));
    let effects = run.give(Command::Start { params, trigger, logical_time_ms: 0, parent });
    assert!(effects.is_empty());
    assert_eq!(run.error("sub").0, "too-deep");
}

#[test]
fn outputs_are_made_at_a_good_end_and_a_mistake_in_them_is_a_bad_one() {
    let text = "outputs: { rows: \"${steps.a.rows + 1}\", none: \"${steps.b}\" }\nsteps:\n  a: { plugin: echo }\n  b: { plugin: echo, \
                when: false }\nfinally:\n  failed: { plugin: echo, with: { code: \"${run.error_code}\" } }\n";
    let (mut run, _) = Run::start(text, json!({}));
    run.succeed("a", None, json!({ "rows": 2 }));
    assert_eq!(run.state.outputs(), &json!({ "rows": 3, "none": null }));
    assert_eq!(run.end().0, RunEnd::Succeeded);
    let (mut run, _) = Run::start(text, json!({}));
    assert_eq!(started(&run.succeed("a", None, json!({}))), [None]);
    assert_eq!(run.state.input(run.step("finally.failed"), None, &Value::Null), Ok(json!({ "code": "bad-outputs" })));
    run.succeed("finally.failed", None, json!({}));
    assert_eq!(run.end().1.unwrap().code, "bad-outputs");
}

#[test]
fn blocked_inputs_fail_the_run_and_call_its_handler() {
    let text = "steps:\n  a: { plugin: echo, requires: [{ of: \"${run.id}\", name: id, rows: { minimum: 1 } }], with: { x: \
                \"${requires.id}\" } }\n  b: { plugin: echo, needs: [a] }\n  c: { plugin: echo, needs: [{ step: a, on: [failed] \
                }] }\nfinally:\n  failed: { plugin: echo }\n";
    let (mut run, _) = Run::start(text, json!({}));
    assert_eq!(run.state.contract_inputs(run.step("a"), None), Ok(vec![json!("0000000000007")]));
    assert_eq!(run.state.input(run.step("a"), None, &json!({ "id": 5 })), Ok(json!({ "x": 5 })));
    let effects =
        run.finish("a", None, Outcome::Blocked { message: "no rows".into(), report: AttemptReport::default().into() });
    assert_eq!(started(&effects), [None]);
    assert_eq!((run.status("a"), run.status("b"), run.status("c")), ("blocked", "skipped", "running"));
    run.succeed("c", None, json!({}));
    run.succeed("finally.failed", None, json!({}));
    let (end, error) = run.end();
    let error = error.unwrap();
    assert_eq!((end, error.code.as_str(), error.step.as_deref()), (RunEnd::Failed, "blocked", Some("a")));
}

#[test]
fn a_kept_result_is_marked_in_the_journal() {
    let (mut run, _) = Run::start("steps:\n  a: { plugin: echo, cache: true }\n", json!({}));
    run.finish("a", None, Outcome::Cached(json!({ "x": 1 })));
    let event = serde_json::to_value(&run.journal[2].1).unwrap();
    assert_eq!((&event["event"], &event["cached"]), (&json!("step-succeeded"), &json!(true)));
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn codes_decide_what_is_retried() {
    let attempts = |retry: &str, code: &str, retryable: bool| {
        let text = format!("steps:\n  a: {{ plugin: echo, retry: {{ times: 2, wait: 1s, jitter: none, {retry} }} }}\n");
        let (mut run, _) = Run::start(&text, json!({}));
        while run.status("a") != "failed" {
            run.fail("a", None, code, retryable);
            if run.status("a") == "waiting" {
                run.wake();
            }
        }
        run.record("a", None).attempts
    };
    assert_eq!(attempts("never: [quota]", "busy", true), 3);
    assert_eq!(attempts("never: [quota]", "quota", true), 1);
    assert_eq!(attempts("only: [quota]", "busy", true), 1);
    assert_eq!(attempts("only: [quota]", "quota", false), 3);
    assert_eq!(attempts("give_up_after: 2s", "busy", true), 2);
    assert_eq!(attempts("give_up_after: 3s", "busy", true), 3);
}

#[test]
fn a_wish_to_be_tried_later_is_kept_and_gives_up_when_it_comes_too_late() {
    let error = || StepError { retryable: true, retry_after_ms: Some(600_000), ..StepError::fatal("busy", "later") };
    let (mut run, _) = Run::start("steps:\n  a: { plugin: echo, retry: { times: 2, max: 5s } }\n", json!({}));
    run.finish("a", None, Outcome::Failed(error()));
    assert_eq!(run.state.next_deadline(), Some(601_000));
    let late = "steps:\n  a: { plugin: echo, retry: { times: 2, max: 5s, give_up_after: 1m } }\n";
    let (mut run, _) = Run::start(late, json!({}));
    run.finish("a", None, Outcome::Failed(error()));
    assert_eq!(run.error("a").0, "busy");
}

const MUTEX: &str =
    "steps:\n  a: { plugin: echo, mutex: press, queue_timeout: 5s, retry: { times: 1, wait: 1s, jitter: none } }\n";

#[test]
fn a_step_starts_when_it_has_its_mutex_and_gives_it_back_whatever_happens() {
    let (step, item) = (StepIndex(0), None);
    let (mut run, effects) = Run::start(MUTEX, json!({}));
    assert_eq!(effects, [Effect::Acquire { step, item, held: false }]);
    assert_eq!((run.status("a"), run.state.next_deadline()), ("queued", Some(6_000)));
    assert_eq!(run.crash(), [Effect::Acquire { step, item, held: false }]);
    let effects = run.give(Command::Acquired { step, item });
    assert_eq!(effects, [Effect::Execute { step, item, attempt: 1 }]);
    // A retry waits without it.
    assert_eq!(run.fail("a", None, "busy", true), [Effect::Release { step, item }]);
    assert_eq!(run.wake(), [Effect::Acquire { step, item, held: false }]);
    run.give(Command::Acquired { step, item });
    assert_eq!(run.succeed("a", None, json!({})), [Effect::Release { step, item }]);
    let (mut run, _) = Run::start(MUTEX, json!({}));
    assert_eq!(run.wake(), [Effect::Release { step, item }]);
    assert_eq!(run.error("a").0, "queue-timeout");
    let (mut run, _) = Run::start(MUTEX, json!({}));
    assert_eq!(run.give(Command::Cancel { by: "me".into() }), [Effect::Release { step, item }]);
    assert!(run.give(Command::Acquired { step, item }).is_empty());
    assert_eq!(run.end().0, RunEnd::Cancelled);
}

const GROUP: &str = "params: { site: { type: string } }\nconcurrency: { group: \"line ${params.site}\", limit: 2 }\nqueue_timeout: \
                     10s\ntimeout: 30s\nsteps:\n  a: { plugin: echo }\nfinally:\n  failed: { plugin: echo }\n";

#[test]
fn a_run_begins_when_its_group_has_room_and_leaves_it_at_the_end() {
    let group = || "line x".to_owned();
    let (mut run, effects) = Run::start(GROUP, json!({ "site": "x" }));
    assert_eq!(effects, [Effect::Enter { group: group(), admitted: false }]);
    assert_eq!(
        concurrency_group(&run.plan, run.state.params(), &trackside_facts::TriggerDocument::default()),
        Ok(Some(group()))
    );
    assert!(run.state.is_queued());
    assert_eq!(run.crash(), [Effect::Enter { group: group(), admitted: false }]);
    run.now = 8_000;
    assert_eq!(started(&run.give(Command::Admit)), [None]);
    // The time of the run counts from here.
    assert_eq!(run.state.next_deadline(), Some(38_000));
    assert_eq!(run.crash()[0], Effect::Enter { group: group(), admitted: true });
    assert_eq!(run.succeed("a", None, json!({})), [Effect::Leave { group: group() }]);
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn a_run_that_waits_too_long_for_its_group_fails_and_says_so() {
    let (mut run, _) = Run::start(GROUP, json!({ "site": "x" }));
    assert_eq!(started(&run.wake()), [None]);
    assert_eq!((run.now, run.status("a")), (11_000, "cancelled"));
    let effects = run.succeed("finally.failed", None, json!({}));
    assert_eq!(effects, [Effect::Leave { group: "line x".to_owned() }]);
    assert_eq!(run.end().1.unwrap().code, "queue-timeout");
    assert!(run.give(Command::Admit).is_empty());
}

#[test]
fn a_group_without_a_name_fails_the_run() {
    let (mut run, effects) = Run::start(GROUP, json!({}));
    // The text before an expression that has no value would be a name for all of them.
    assert_eq!(effects.len(), 1);
    run.give(Command::Cancel { by: "me".into() });
    let empty = GROUP.replace("line ${params.site}", "${params.site}");
    let (mut run, effects) = Run::start(&empty, json!({ "site": "" }));
    assert_eq!(started(&effects), [None]);
    run.succeed("finally.failed", None, json!({}));
    assert_eq!(run.end().1.unwrap().code, "bad-group");
}

#[test]
fn needs_say_which_ends_let_a_step_start() {
    let text = "steps:\n  a: { plugin: echo, when: false }\n  b: { plugin: echo, needs: [a] }\n  c: { plugin: echo, needs: [{ step: b, \
                on: [succeeded, skipped] }], with: { x: \"${steps.b}\" } }\n  bad: { plugin: echo }\n  d: { plugin: echo, needs: \
                [bad] }\n  e: { plugin: echo, needs: [{ step: d, on: [succeeded, skipped] }] }\n  f: { plugin: echo, needs: [{ \
                step: d, on: [failed] }, { step: a, on: [skipped] }] }\n  g: { plugin: echo, needs: [{ step: c, on: [failed] }] }\n";
    let (mut run, effects) = Run::start(text, json!({}));
    assert_eq!(started(&effects).len(), 2);
    assert_eq!((run.status("b"), run.status("c")), ("skipped", "running"));
    assert_eq!(run.state.input(run.step("c"), None, &Value::Null), Ok(json!({ "x": null })));
    run.succeed("c", None, json!({}));
    run.fail("bad", None, "bad", false);
    run.succeed("f", None, json!({}));
    assert_eq!((run.status("e"), run.status("f"), run.status("g")), ("skipped", "succeeded", "skipped"));
    assert_eq!(run.end().0, RunEnd::Failed);
}

#[test]
fn a_step_that_is_another_run_keeps_its_mutex_in_a_crash_and_another_attempt_does_not() {
    let text = "steps:\n  child: { workflow: other, mutex: arm }\n  own: { plugin: echo, mutex: arm2 }\n";
    let (mut run, _) = Run::start(text, json!({}));
    let (child, own) = (run.step("child"), run.step("own"));
    for step in [child, own] {
        run.give(Command::Acquired { step, item: None });
    }
    let effects = run.crash();
    let acquired: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Acquire { step, held, .. } => Some((*step, *held)),
            _ => None,
        })
        .collect();
    assert_eq!(acquired, [(child, true), (own, false)], "{effects:?}");
}
