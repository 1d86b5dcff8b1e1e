//! What waits, in a list; and what the box lets steps tell each other.

use serde_json::{Value, json};

use crate::support::{Project, project::step, wait_until};

/// The steps that wait, by their names, once there are so many.
fn waiting(project: &Project, number: usize) -> Vec<Value> {
    wait_until("the steps that wait", || {
        let listed = project.run(&["runs", "list", "--waiting", "--json"]).ok().json();
        let mut listed = listed.as_array().unwrap().clone();
        listed.sort_by_key(|one| one["step"].to_string());
        (listed.len() == number).then_some(listed)
    })
}

#[test]
fn steps_that_wait_for_a_time_or_an_event_are_listed_with_those_that_wait_for_a_person() {
    let project = Project::new();
    project.workflow(
        "waits",
        "steps:\n  a: { approval: { message: \"Go?\", approvers: [ana] } }\n  \
         b: { wait: { event: batch-done } }\n  \
         c: { wait: { event: batch-gone, timeout: 1h } }\n  \
         d: { wait: { until: \"2999-01-01T00:00:00Z\" } }\n  \
         e: { plugin: echo, needs: [d], with: { value: 1 } }\n",
    );
    let node = project.serve();
    let run = node.start_run("waits");
    let listed = waiting(&project, 4);
    let told: Vec<_> = listed.iter().map(|one| (&one["step"], &one["waits_for"], &one["event"])).collect();
    assert_eq!(
        told,
        [
            (&json!("a"), &json!("decision"), &Value::Null),
            (&json!("b"), &json!("event"), &json!("batch-done")),
            (&json!("c"), &json!("event"), &json!("batch-gone")),
            (&json!("d"), &json!("time"), &Value::Null),
        ]
    );
    assert!(listed.iter().all(|one| one["run"] == *run && one["workflow"] == "waits"), "{listed:#?}");
    assert_eq!((&listed[0]["message"], &listed[0]["approvers"]), (&json!("Go?"), &json!(["ana"])));
    assert_eq!((&listed[1]["until"], &listed[3]["until"]), (&Value::Null, &json!("2999-01-01T00:00:00Z")));
    assert!(listed[2]["until"].is_string(), "{:#}", listed[2]);
    project.run(&["runs", "list", "--waiting"]).ok().prints(&["FOR", "decision", "ana", "batch-gone", "2999-01-01"]);
    // What came is waited for no longer.
    project.run(&["emit", "batch-done"]).ok();
    let steps: Vec<Value> = waiting(&project, 3).iter().map(|one| one["step"].clone()).collect();
    assert_eq!(steps, ["a", "c", "d"]);
    assert_eq!(step(&project.show(&run), "d")["waits"], json!({ "until": "2999-01-01T00:00:00Z" }));
    assert_eq!(step(&project.show(&run), "b").get("waits"), None);
    project.run(&["runs", "cancel", &run]).ok();
    project.wait_end(&run);
    project.run(&["runs", "list", "--waiting"]).ok().says(&["Nothing waits"]);
}

#[test]
fn steps_emit_no_event_that_the_policy_of_the_box_does_not_list() {
    let project = Project::new();
    project.write("trackside.toml", "[policy]\nemit = [\"done\"]\n");
    let emits = |event: &str| {
        format!("steps:\n  a: {{ plugin: emit, with: {{ event: {event} }}, allow: {{ emit: [done, alarm] }} }}\n")
    };
    project.workflow("alarms", &emits("alarm"));
    project.workflow("ends", &emits("done"));
    project.run(&["check"]).exits(1).says(&["TS-0865", "alarm", "[policy] emit"]);
    let node = project.serve();
    let refused = project.wait_end(&node.start_run("alarms"));
    let error = step(&refused, "a")["error"].to_string();
    assert!(refused["state"] == "failed" && error.contains("[policy]"), "{error}");
    assert_eq!(project.wait_end(&node.start_run("ends"))["state"], "succeeded");
    // What a person emits is not a step's.
    project.run(&["emit", "alarm"]).ok().says(&["Nobody waits"]);
}
