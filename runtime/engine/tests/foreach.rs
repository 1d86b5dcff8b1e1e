//! Steps that run for each item of a list.

use crate::support::{Run, started, stopped};
use serde_json::{Value, json};
use trackside_engine::{Command, Event, Outcome, RunEnd, StepStatus};
use trackside_facts::AttemptReport;

const LIST: &str = "params: { list: { type: array } }\nsteps:\n  each:\n    plugin: echo\n    foreach: \"${params.list}\"\n    \
                    with: { x: \"${item}\", n: \"${index}\" }\n";

#[test]
fn results_keep_the_order_of_the_items_and_only_so_many_run_at_once() {
    let text = format!(
        "{LIST}    max_parallel: 2\n  after:\n    plugin: echo\n    needs: [each]\n    with: {{ all: \"${{steps.each.results}}\" }}\n"
    );
    let (mut run, effects) = Run::start(&text, json!({ "list": ["a", "b", "c"] }));
    assert_eq!(started(&effects), [Some(0), Some(1)]);
    let step = run.step("each");
    assert_eq!(run.state.input(step, Some(1), &Value::Null), Ok(json!({ "x": "b", "n": 1 })));
    assert_eq!(started(&run.succeed("each", Some(1), json!("B"))), [Some(2)]);
    assert_eq!(started(&run.succeed("each", Some(2), json!("C"))), []);
    assert_eq!(started(&run.succeed("each", Some(0), json!("A"))), [None]);
    assert_eq!(run.output("each"), &json!({ "results": ["A", "B", "C"], "failed": [], "count": 3 }));
    assert_eq!(run.state.input(run.step("after"), None, &Value::Null), Ok(json!({ "all": ["A", "B", "C"] })));
    run.succeed("after", None, json!({}));
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn an_empty_list_succeeds_at_once() {
    let (run, effects) = Run::start(LIST, json!({ "list": [] }));
    assert!(effects.is_empty());
    assert_eq!(run.output("each"), &json!({ "results": [], "failed": [], "count": 0 }));
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn what_is_no_list_and_a_list_that_is_too_long_fail_the_step() {
    for (list, code, part) in [
        (json!({ "a": 1 }), "not-a-list", "`each`: foreach needs a list, and this is an object"),
        (json!(vec![0; 10_001]), "too-many-items", "10001 items; the limit is 10000"),
    ] {
        let (run, _) = Run::start(LIST, json!({ "list": list }));
        let (found, message) = run.error("each");
        assert_eq!(found, code);
        assert!(message.contains(part), "{message}");
        assert_eq!(run.end().0, RunEnd::Failed);
    }
}

#[test]
fn the_first_failure_stops_the_others_and_fails_the_step() {
    let (mut run, effects) = Run::start(LIST, json!({ "list": [1, 2, 3, 4, 5, 6] }));
    assert_eq!(started(&effects).len(), 4);
    let effects = run.fail("each", Some(2), "bad", false);
    assert_eq!((started(&effects).len(), stopped(&effects)), (0, vec![Some(0), Some(1), Some(3)]));
    // A result that comes all the same is one; the others are cancelled; nothing new starts.
    assert!(run.succeed("each", Some(0), json!("late")).is_empty());
    assert!(run.fail("each", Some(1), "stopped", false).is_empty());
    assert_eq!(run.status("each"), "running");
    run.fail("each", Some(3), "worse", true);
    assert_eq!(run.error("each"), ("bad".to_owned(), "item 2: bad it is".to_owned()));
    let items = run.record("each", None).items.as_ref().unwrap();
    let statuses: Vec<&str> = items.records().iter().map(|record| record.status.name()).collect();
    assert_eq!(statuses, ["succeeded", "cancelled", "failed", "cancelled"]);
    let (end, error) = run.end();
    assert_eq!((end, error.unwrap().step.as_deref()), (RunEnd::Failed, Some("each")));
}

#[test]
fn a_crash_while_the_others_stop_starts_none_of_them_again() {
    let (mut run, _) = Run::start(LIST, json!({ "list": [1, 2, 3, 4, 5, 6] }));
    run.fail("each", Some(0), "bad", false);
    assert!(run.crash().is_empty());
    assert_eq!(run.error("each").0, "bad");
    assert_eq!(run.end().0, RunEnd::Failed);
}

#[test]
fn collect_runs_all_items_and_names_the_errors() {
    let text = format!("{LIST}    on_failure: collect\n    max_parallel: 1\n    when_item: item != 3\n");
    let (mut run, _) = Run::start(&text, json!({ "list": [1, 2, 3, 4] }));
    run.fail("each", Some(0), "bad", false);
    run.finish(
        "each",
        Some(1),
        Outcome::Blocked { message: "no rows".into(), report: AttemptReport::default().into() },
    );
    run.succeed("each", Some(3), json!({ "ok": true }));
    assert_eq!(
        run.output("each"),
        &json!({
            "results": [null, null, null, { "ok": true }],
            "failed": [
                { "index": 0, "code": "bad", "message": "bad it is" },
                { "index": 1, "code": "blocked", "message": "no rows" },
            ],
            "count": 4,
        })
    );
    let counts = json!({ "event": "step-collected", "step": 0, "succeeded": 1, "skipped": 1, "failed": 2 });
    let collected = run.journal.iter().find(|(_, event)| matches!(event, Event::StepCollected { .. }));
    assert_eq!(serde_json::to_value(&collected.unwrap().1).unwrap(), counts);
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

#[test]
fn items_have_their_own_retries_and_hold_their_place_while_they_wait() {
    let text = format!("{LIST}    max_parallel: 1\n    retry: {{ times: 1, wait: 5s, jitter: none }}\n");
    let (mut run, _) = Run::start(&text, json!({ "list": [1, 2] }));
    assert!(run.fail("each", Some(0), "busy", true).is_empty());
    assert_eq!(run.state.next_deadline(), Some(6_000));
    assert_eq!(started(&run.wake()), [Some(0)]);
    assert_eq!(started(&run.succeed("each", Some(0), json!(1))), [Some(1)]);
    run.fail("each", Some(1), "busy", true);
    run.wake();
    run.fail("each", Some(1), "busy", true);
    assert_eq!(run.error("each").0, "busy");
    assert_eq!((run.record("each", Some(0)).attempts, run.record("each", Some(1)).attempts), (2, 2));
}

#[test]
fn items_under_way_in_a_crash_are_made_again_and_those_that_ended_are_not() {
    let (mut run, _) = Run::start(LIST, json!({ "list": [1, 2, 3] }));
    run.succeed("each", Some(1), json!("B"));
    let effects = run.crash();
    assert_eq!(started(&effects), [Some(0), Some(2)]);
    assert_eq!((run.record("each", Some(0)).attempts, run.record("each", Some(1)).attempts), (2, 1));
    run.succeed("each", Some(0), json!("A"));
    run.succeed("each", Some(2), json!("C"));
    assert_eq!(run.output("each")["results"], json!(["A", "B", "C"]));
}

#[test]
fn a_cancel_and_a_timeout_stop_the_items() {
    let text = format!("{LIST}    timeout: 10s\n");
    let (mut run, _) = Run::start(&text, json!({ "list": [1, 2] }));
    assert_eq!(stopped(&run.give(Command::Cancel { by: "me".into() })).len(), 2);
    run.fail("each", Some(0), "stopped", false);
    run.fail("each", Some(1), "stopped", false);
    assert_eq!((run.status("each"), run.end().0), ("cancelled", RunEnd::Cancelled));
    let (mut run, _) = Run::start(&text, json!({ "list": [1, 2] }));
    assert_eq!(run.state.next_deadline(), Some(11_000));
    assert_eq!(stopped(&run.wake()).len(), 2);
    run.fail("each", Some(1), "stopped", false);
    run.fail("each", Some(0), "stopped", false);
    assert_eq!(run.error("each").0, "step-timeout");
}

#[test]
fn the_condition_of_the_step_is_asked_once_and_that_of_the_items_for_each() {
    let text = "steps:\n  a: { plugin: echo, when: false, foreach: [1, 2] }\n  b: { plugin: echo, foreach: [1, 2], when_item: \
                index > 0 }\n  c: { plugin: echo, foreach: [1, 2], when_item: item.x }\n";
    let (mut run, effects) = Run::start(text, json!({}));
    assert_eq!(run.status("a"), "skipped");
    assert_eq!(started(&effects), [Some(1)]);
    let (code, message) = run.error("c");
    assert_eq!(code, "bad-condition");
    assert!(message.contains("item 0"), "{message}");
    run.succeed("b", Some(1), json!(2));
    assert_eq!(run.output("b")["results"], json!([null, 2]));
}

#[test]
fn a_matrix_runs_every_combination_that_is_not_excluded() {
    let text = "params: { b: { type: array } }\nsteps:\n  m:\n    plugin: echo\n    matrix: { z: [1, 2], a: \"${params.b}\" }\n    \
                exclude: [{ z: 2, a: y }]\n    with: { v: \"${matrix.z}${item.a}${index}\" }\n";
    let (run, effects) = Run::start(text, json!({ "b": ["x", "y"] }));
    assert_eq!(started(&effects).len(), 3);
    let inputs = (0..3).map(|item| run.state.input(run.step("m"), Some(item), &Value::Null).unwrap()["v"].clone());
    assert_eq!(inputs.collect::<Vec<_>>(), ["1x0", "1y1", "2x2"]);
}

#[test]
fn outputs_that_are_too_large_together_fail_the_step() {
    let text = format!("{LIST}    on_failure: collect\n");
    let (mut run, _) = Run::start(&text, json!({ "list": [1, 2, 3, 4, 5] }));
    let large = json!("x".repeat(9 << 20));
    run.succeed("each", Some(0), large.clone());
    assert!(stopped(&run.succeed("each", Some(1), large)).len() == 3);
    for item in [2, 3, 4] {
        run.fail("each", Some(item), "stopped", false);
    }
    assert_eq!(run.error("each").0, "results-too-large");
    run.end();
}

#[test]
fn conditions_of_many_items_are_evaluated_in_parts() {
    let text = format!("{LIST}    when_item: \"false\"\n");
    let (mut run, _) = Run::start(&text, json!({ "list": vec![0; 10_000] }));
    let mut commands = 1;
    while run.status("each") == "running" {
        let before = run.journal.len();
        run.wake();
        assert!(run.journal.len() > before && run.journal.len() - before < 2_000);
        commands += 1;
    }
    assert!(commands > 5, "{commands}");
    assert_eq!(run.record("each", None).items.as_ref().unwrap().counts(), (0, 10_000, 0));
    assert_eq!(run.end().0, RunEnd::Succeeded);
}

/// Prints how long an event takes, for people who compare: `cargo test --release -p trackside-engine -- --nocapture`.
#[test]
fn ten_thousand_items_end_and_each_is_as_cheap_as_the_first() {
    for count in [100_u32, 1_000, 10_000] {
        let text = format!("{LIST}    max_parallel: 256\n");
        let (mut run, _) = Run::start(&text, json!({ "list": vec![0; count as usize] }));
        let began = std::time::Instant::now();
        for item in 0..count {
            let _ = run.state.next_deadline();
            let attempt = 1;
            let outcome = Outcome::Succeeded(json!({ "n": item }));
            let step = run.step("each");
            run.give(Command::Finished { step, item: Some(item), attempt, outcome, chance: 0, report: None });
        }
        println!("{count} items: {:?} each", began.elapsed() / count);
        assert!(matches!(run.record("each", None).status, StepStatus::Succeeded));
        assert_eq!(run.output("each")["results"].as_array().map(Vec::len), Some(count as usize));
        assert_eq!(run.journal.len(), 2 * count as usize + 4);
    }
}
