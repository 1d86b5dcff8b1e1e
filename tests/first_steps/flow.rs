//! What a workflow file says happens: order, conditions, retries, timeouts, handlers.

use serde_json::Value;

use crate::support::{Project, project::step, web::Web};

/// Runs the workflow `flow` with these steps and shows it, however it ended.
#[track_caller]
fn flow(rest: &str) -> (Project, Value) {
    let project = Project::new();
    project.misbehave("misbehave");
    project.workflow("flow", rest);
    let ran = project.run(&["run", "flow", "--json"]);
    assert!(ran.code() <= 1, "{ran}");
    let view = ran.json();
    (project, view)
}

#[track_caller]
fn states(view: &Value) -> Vec<(&str, &str)> {
    let steps = view["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["id"].as_str().unwrap(), step["state"].as_str().unwrap())).collect()
}

#[test]
fn steps_that_do_not_need_each_other_run_at_the_same_time() {
    let (project, web) = (Project::new(), Web::start());
    let origin = web.origin();
    let call = |id: &str| {
        format!(
            "  {id}:\n    plugin: http-request\n    with: {{ url: \"{origin}/{id}\" }}\n    allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
        )
    };
    project.workflow("flow", &format!("steps:\n{}{}", call("one"), call("two")));
    let node = project.serve();
    web.hold("/one");
    web.hold("/two");
    let run = node.start_run("flow");
    web.wait_requests("/one", 1);
    web.wait_requests("/two", 1);
    web.release();
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

#[test]
fn a_condition_that_is_false_skips_the_step_and_what_needs_it() {
    let (_, view) = flow(
        "steps:\n  a: { plugin: echo, with: { value: 2 } }\n  \
         b: { needs: [a], when: \"steps.a.value > 2\", plugin: echo, with: { value: 3 } }\n  \
         c: { needs: [b], plugin: echo, with: { value: 4 } }\n  \
         d: { needs: [a], when: \"steps.a.value == 2\", plugin: echo, with: { value: \"${steps.a.value * 2}\" } }\n",
    );
    assert_eq!(view["state"], "succeeded");
    assert_eq!(states(&view), [("a", "succeeded"), ("b", "skipped"), ("c", "skipped"), ("d", "succeeded")]);
    assert_eq!(view["outputs"]["d"]["value"], 4);
    assert!(view["outputs"].get("b").is_none());
}

#[test]
fn an_error_that_may_pass_is_tried_again_and_others_are_not() {
    let retry = "retry: { times: 3, wait: 10ms, jitter: none }";
    let (_, view) = flow(&format!("steps:\n  a: {{ plugin: misbehave, with: {{ mode: flaky, n: 3 }}, {retry} }}\n"));
    let a = step(&view, "a");
    assert_eq!(
        (&view["state"], &a["attempts"], a["earlier"].as_array().unwrap().len()),
        (&"succeeded".into(), &3.into(), 2)
    );
    assert!(a["earlier"][0]["error"]["code"] == "flaky", "{view:#}");

    let (_, view) = flow(&format!("steps:\n  a: {{ plugin: misbehave, with: {{ mode: flaky, n: 9 }}, {retry} }}\n"));
    assert_eq!((&view["state"], &step(&view, "a")["attempts"]), (&"failed".into(), &4.into()), "{view:#}");

    let (_, view) = flow(&format!("steps:\n  a: {{ plugin: misbehave, with: {{ mode: fail }}, {retry} }}\n"));
    assert_eq!((&view["state"], &step(&view, "a")["attempts"]), (&"failed".into(), &1.into()), "{view:#}");
}

#[test]
fn the_handler_of_an_end_runs_and_knows_how_it_ended() {
    let handlers = "finally:\n  failed:\n    plugin: deliver-file\n    with: { to: \"told/failed.txt\", text: \"${run.failed_step}: ${run.error}\" }\n    \
                    allow: { deliver: [told] }\n  succeeded:\n    plugin: deliver-file\n    with: { to: \"told/succeeded.txt\", text: \"${run.state}\" }\n    \
                    allow: { deliver: [told] }\n";
    let (project, view) = flow(&format!("steps:\n  a: {{ plugin: misbehave, with: {{ mode: fail }} }}\n{handlers}"));
    assert_eq!(view["state"], "failed", "{view:#}");
    assert_eq!(project.names("told"), ["failed.txt"]);
    let told = project.read("told/failed.txt");
    assert!(told.starts_with("a: ") && told.contains("misbehave was asked to fail"), "{told}");

    let (project, view) = flow(&format!("steps:\n  a: {{ plugin: misbehave, with: {{ mode: succeed }} }}\n{handlers}"));
    assert_eq!(view["state"], "succeeded", "{view:#}");
    assert_eq!(project.names("told"), ["succeeded.txt"]);
    assert_eq!(project.read("told/succeeded.txt"), "succeeded");
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_its_handler_runs() {
    let (project, view) = flow(
        "timeout: 300ms\nsteps:\n  a: { plugin: misbehave, with: { mode: sleep } }\nfinally:\n  failed:\n    plugin: deliver-file\n    \
         with: { to: \"told/failed.txt\", text: \"late\" }\n    allow: { deliver: [told] }\n",
    );
    assert_eq!(view["state"], "failed", "{view:#}");
    assert_ne!(step(&view, "a")["state"], "succeeded");
    assert_eq!(project.read("told/failed.txt"), "late");
}

#[test]
fn a_step_that_takes_too_long_fails_with_its_own_timeout() {
    let (_, view) = flow("steps:\n  a: { plugin: misbehave, with: { mode: sleep }, timeout: 300ms }\n");
    assert_eq!((&view["state"], &view["error"]["step"]), (&"failed".into(), &"a".into()), "{view:#}");
    let message = view["error"]["message"].as_str().unwrap();
    assert!(message.contains("300 ms") || message.contains("300ms"), "{message}");
}

#[test]
fn an_expression_that_fails_is_an_error_of_its_step() {
    let (_, view) = flow(
        "steps:\n  a: { plugin: echo, with: { value: {} } }\n  b: { needs: [a], plugin: echo, with: { value: \"${steps.a.value.missing}\" } }\n",
    );
    assert_eq!(
        (&view["state"], &view["error"]["step"], &view["error"]["code"]),
        (&"failed".into(), &"b".into(), &"bad-expression".into())
    );
    assert!(view["error"]["message"].as_str().unwrap().contains("missing"), "{view:#}");
}
