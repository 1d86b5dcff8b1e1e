//! Steps that wait for a time or an event.

use crate::support::{Run, started};
use serde_json::{Value, json};
use trackside_engine::{Command, RunEnd};
use trackside_spec::StepIndex;

const MINUTE: i64 = 60_000;

fn wait(text: &str) -> String {
    format!(
        "params: {{ at: {{ type: string, default: 10m }} }}\nsteps:\n  w: {{ wait: {{ {text} }} }}\n  go: {{ plugin: echo, needs: \
         [w], with: {{ got: \"${{steps.w}}\" }} }}\n"
    )
}

fn event(data: Value) -> Command {
    let event = json!({ "name": "done", "data": data, "at": 5, "run": "0r", "workflow": "w", "step": "s" });
    Command::Happened { step: StepIndex(0), event }
}

#[test]
fn a_step_sleeps_through_crashes_and_takes_no_place() {
    let (mut run, effects) = Run::start(&wait("for: \"${params.at}\""), json!({ "at": "10m" }));
    assert!(effects.is_empty(), "nobody executes anything: {effects:?}");
    assert_eq!((run.status("w"), run.state.next_deadline()), ("sleeping", Some(1_000 + 10 * MINUTE)));
    assert!(run.crash().is_empty());
    assert_eq!((run.status("w"), run.state.next_deadline()), ("sleeping", Some(1_000 + 10 * MINUTE)));
    run.wake();
    assert_eq!(run.output("w"), &json!({ "event": null, "timed_out": false, "at": 1_000 + 10 * MINUTE }));
    assert_eq!(run.status("go"), "running");
}

#[test]
fn a_time_is_a_text_or_a_number_and_one_that_has_passed_is_not_waited_for() {
    for until in ["\"1970-01-01T01:00:00+01:00\"", "\"${params.at}\"", "500"] {
        let (mut run, _) = Run::start(&wait(&format!("until: {until}")), json!({ "at": "1970-01-01T00:00:00Z" }));
        run.give(Command::Wake);
        assert_eq!((run.status("w"), run.status("go")), ("succeeded", "running"), "{until}");
    }
    let (run, _) = Run::start(&wait("until: \"${params.at}\""), json!({ "at": "1970-01-01T00:01:00Z" }));
    assert_eq!(run.state.next_deadline(), Some(MINUTE));
}

#[test]
fn what_is_no_time_fails_the_step_and_says_what_would_be_one() {
    for (text, words) in
        [("for: \"${params.at}\"", "`wait` of step `w`"), ("until: \"${params.at}\"", "2026-12-24T18:00:00Z")]
    {
        let (run, _) = Run::start(&wait(text), json!({ "at": "soon" }));
        let (code, message) = run.error("w");
        assert_eq!(code, "bad-expression");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn the_event_that_the_condition_is_true_for_ends_the_wait_and_no_other() {
    let (mut run, _) = Run::start(
        &wait("event: done, where: \"event.data.batch == 7 && params.at == '10m'\""),
        json!({ "at": "10m" }),
    );
    assert_eq!((run.status("w"), run.state.next_deadline()), ("awaiting-event", None));
    assert!(run.crash().is_empty());
    assert_eq!(run.state.awaiting("done").collect::<Vec<_>>(), [StepIndex(0)]);
    assert_eq!(run.state.awaiting("other").count(), 0);
    // Another batch, and data on which the condition can not be evaluated.
    for data in [json!({ "batch": 8 }), json!("text"), Value::Null] {
        assert!(run.give(event(data)).is_empty());
        assert_eq!(run.status("w"), "awaiting-event");
    }
    assert_eq!(started(&run.give(event(json!({ "batch": 7 })))), [None]);
    assert_eq!(run.output("w")["event"]["data"], json!({ "batch": 7 }));
    let before = run.journal.len();
    run.give(event(json!({ "batch": 7 })));
    assert_eq!(run.journal.len(), before, "it waits no longer");
}

#[test]
fn an_event_that_does_not_come_in_time_fails_the_step_or_is_missed() {
    let (mut run, _) = Run::start(&wait("event: done, timeout: 1m"), json!({ "at": "" }));
    run.wake();
    assert_eq!(run.error("w"), ("wait-timeout".to_owned(), "no event `done` came within 1m".to_owned()));
    assert_eq!(run.end().0, RunEnd::Failed);
    let (mut run, _) = Run::start(&wait("event: done, timeout: 1m, on_timeout: continue"), json!({ "at": "" }));
    run.wake();
    assert_eq!(run.output("w"), &json!({ "event": null, "timed_out": true, "at": 1_000 + MINUTE }));
}

#[test]
fn a_run_that_is_cancelled_waits_no_longer_and_one_that_is_paused_begins_nothing_after_it() {
    let (mut run, _) = Run::start(&wait("for: 1m"), json!({ "at": "" }));
    run.give(Command::Cancel { by: "me".into() });
    assert_eq!((run.status("w"), run.end().0), ("cancelled", RunEnd::Cancelled));
    let (mut run, _) = Run::start(&wait("event: done"), json!({ "at": "" }));
    run.give(Command::Pause { by: "me".into() });
    assert!(run.give(event(Value::Null)).is_empty());
    assert_eq!((run.status("w"), run.status("go")), ("succeeded", "pending"));
    assert_eq!(started(&run.give(Command::Resume { by: "me".into() })), [None]);
}
