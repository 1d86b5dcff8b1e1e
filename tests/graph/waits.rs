//! Steps that wait for a time or an event, and events that link workflows.

use serde_json::{Value, json};

use crate::support::{Project, project::step, wait_until};

const HEARS: &str = "triggers:\n  - event: { name: batch-done, where: event.data.rows > 0 }\nsteps:\n  \
                     a: { plugin: echo, with: { value: \"${trigger.event}\" } }\n";

/// Waits for the event of the batch that it is given.
const WAITS: &str = "params: { batch: { type: integer, default: 7 } }\nsteps:\n  \
                     hears: { wait: { event: batch-done, where: event.data.batch == params.batch } }\n  \
                     go: { plugin: echo, needs: [hears], with: { value: \"${steps.hears.event.workflow}\" } }\n";

const EMITS: &str = "params: { batch: { type: integer, default: 7 } }\nsteps:\n  \
                     done: { plugin: emit, with: { event: batch-done, data: { batch: \"${params.batch}\", rows: 3 } }, allow: { emit: [batch-done] } }\n";

fn state(project: &Project, run: &str, id: &str) -> Value {
    step(&project.show(run), id)["state"].clone()
}

fn wait_state(project: &Project, run: &str, id: &str, wanted: &str) {
    wait_until(wanted, || (state(project, run, id) == wanted).then_some(()));
}

fn run_of(project: &Project, workflow: &str) -> Option<String> {
    let runs = project.runs();
    let run = runs.iter().find(|run| run["workflow"] == workflow)?;
    run["run"].as_str().map(str::to_owned)
}

#[test]
fn sleeping_runs_take_no_place_and_wake_after_a_power_cut() {
    let project = Project::new();
    project.write("trackside.toml", "[node]\nmax_steps = 1\n");
    project.workflow("sleeps", "steps:\n  nap: { wait: { for: 3s } }\n  a: { plugin: echo, needs: [nap], with: { value: \"${steps.nap.at}\" } }\n");
    project.workflow("other", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    let node = project.serve();
    let sleeping: Vec<String> = (0..5).map(|_| node.start_run("sleeps")).collect();
    let other = node.start_run("other");
    assert_eq!(project.wait_end(&other)["state"], "succeeded");
    wait_state(&project, &sleeping[4], "nap", "sleeping");
    node.kill();
    let _node = project.serve();
    for run in &sleeping {
        let view = project.wait_end(run);
        assert_eq!(view["state"], "succeeded", "{view:#}");
        let nap = step(&view, "nap");
        assert!(nap["duration_ms"].as_i64().unwrap() >= 3_000, "{nap:#}");
        assert_eq!(view["outputs"]["nap"]["timed_out"], false, "{view:#}");
    }
}

#[test]
fn an_event_that_a_step_emits_starts_a_workflow_and_ends_a_wait() {
    let project = Project::new();
    for (name, rest) in [("hears", HEARS), ("waits", WAITS), ("emits", EMITS)] {
        project.workflow(name, rest);
    }
    project.run(&["check"]).ok();
    let node = project.serve();
    let waiting = node.start_run("waits");
    wait_state(&project, &waiting, "hears", "awaiting-event");
    project.run(&["runs", "show", &waiting]).ok().prints(&["waits for the event `batch-done`"]);
    // The wait is over a power cut.
    node.kill();
    let node = project.serve();
    project.run(&["run", "emits", "-p", "batch=8"]).ok();
    let emitted = node.start_run("emits");
    let view = project.wait_end(&waiting);
    assert_eq!((&view["state"], &view["outputs"]["go"]["value"]), (&json!("succeeded"), &json!("emits")), "{view:#}");
    let event = &view["outputs"]["hears"]["event"];
    assert_eq!((&event["run"], &event["data"]), (&json!(emitted), &json!({ "batch": 7, "rows": 3 })), "{view:#}");
    let heard = wait_until("both runs that hear it", || {
        let runs = project.runs();
        let heard = runs.iter().filter(|run| run["workflow"] == "hears" && run["state"] == "succeeded").count();
        (heard == 2).then(|| run_of(&project, "hears").unwrap())
    });
    let view = project.show(&heard);
    assert_eq!(view["trigger"]["kind"], "event", "{view:#}");
    assert_eq!(view["outputs"]["a"]["value"]["name"], "batch-done", "{view:#}");
    project.run(&["runs", "show", &emitted]).ok().prints(&["event batch-done"]);
    project.run(&["explain", &heard]).ok().prints(&["hears/event-0"]);
    let told = project.run(&["explain", "hears/event-0", "--json"]).ok().json();
    let told = told["triggers"][0]["decisions"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!((&told[0]["decision"], &told[0]["about"]), (&json!("started"), &json!("batch-done")), "{told:#?}");
}

#[test]
fn an_event_that_is_emitted_by_hand_says_what_it_set_off() {
    let project = Project::new();
    for (name, rest) in [("hears", HEARS), ("waits", WAITS)] {
        project.workflow(name, rest);
    }
    project.run(&["emit", "batch-done"]).exits(3).says(&["TS-0835", "no node"]);
    let node = project.serve();
    let waiting = node.start_run("waits");
    wait_state(&project, &waiting, "hears", "awaiting-event");
    // Nobody hears this one: its data does not fit the conditions.
    project.run(&["emit", "batch-done"]).ok().says(&["Nobody waits"]);
    assert_eq!(state(&project, &waiting, "hears"), "awaiting-event");
    let told = project.run(&["emit", "batch-done", "--data", "{\"batch\": 7, \"rows\": 1}", "--json"]).ok().json();
    assert_eq!(told["resumed"], json!([waiting]), "{told:#}");
    assert_eq!(told["started"].as_array().unwrap().len(), 1, "{told:#}");
    let view = project.wait_end(&waiting);
    assert_eq!((&view["state"], &view["outputs"]["go"]["value"]), (&json!("succeeded"), &Value::Null), "{view:#}");
    project.run(&["emit", "no such name"]).exits(2).says(&["TS-0741", "letters, digits"]);
    project.run(&["emit", "e", "--data", "{"]).says(&["TS-0741", "no JSON"]);
    let (status, answer) =
        node.ask("POST", "/v1/events", &format!("{{\"name\":\"e\",\"data\":\"{}\"}}", "x".repeat(70_000)));
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains("TS-0741") && answer.contains("the limit is 65536"), "{answer}");
}

#[test]
fn events_that_go_round_in_a_circle_come_to_an_end_and_a_plugin_emits_only_what_it_is_granted() {
    let project = Project::new();
    project.workflow(
        "round",
        "triggers: [{ event: again }]\nsteps:\n  a: { plugin: emit, with: { event: again }, allow: { emit: [again] } }\n",
    );
    project.workflow("denied", "steps:\n  a: { plugin: emit, with: { event: again }, allow: { emit: [other] } }\n");
    let node = project.serve();
    node.start_run("round");
    let told = wait_until("the end of the circle", || {
        let told = project.run(&["explain", "round/event-0", "--json"]).ok().json();
        told["triggers"][0]["decisions"].as_array().unwrap().iter().find(|row| row["decision"] == "blocked").cloned()
    });
    assert!(told["detail"].as_str().unwrap().contains("in a circle"), "{told:#}");
    assert_eq!(project.runs().len(), 17, "the first and 16 that started each other");
    let denied = node.start_run("denied");
    let view = project.wait_end(&denied);
    let error = step(&view, "a")["error"].to_string();
    assert!(error.contains("emit: [\\\"again\\\"]"), "it says what would grant it: {error}");
    assert_eq!(project.runs().len(), 18);
}
