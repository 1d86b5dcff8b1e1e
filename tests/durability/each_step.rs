//! kill -9 while a given step is under way.

use std::fs;

use crate::{
    journal::{only_this_step_was_repeated, times},
    support::{Project, command::binary, project::step, repository, wait_until, web::Web},
};

/// Steps of every kind: three that call out and can be held there, one that keeps state, one that delivers a file.
fn chain(web: &Web) -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    let origin = web.origin();
    let call = |id: &str, needs: &str| {
        format!(
            "  {id}:\n    needs: [{needs}]\n    plugin: http-request\n    with: {{ url: \"{origin}/{id}\", method: POST, body: {{ n: 1 }} }}\n    \
             allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
        )
    };
    project.workflow(
        "chain",
        &format!(
            "steps:\n{}  count: {{ needs: [fetch], plugin: misbehave, with: {{ mode: count }}, allow: {{ state: true }} }}\n{}  \
             keep:\n    needs: [push]\n    plugin: deliver-file\n    with: {{ json: \"${{steps.count}}\", to: \"out/${{run.id}}.json\" }}\n    \
             allow: {{ deliver: [out] }}\n{}",
            call("fetch", ""),
            call("push", "count"),
            call("report", "keep"),
        ),
    );
    project
}

#[test]
fn a_run_killed_at_any_of_its_calls_goes_on_there_and_repeats_nothing_else() {
    let web = Web::start();
    let project = chain(&web);
    for (number, held) in (1..).zip(["fetch", "push", "report"]) {
        let path = format!("/{held}");
        let before = |id: &str| web.requests(&format!("/{id}")).len();
        let asked = ["fetch", "push", "report"].map(before);
        // Before the run starts: its request may come before the next line is reached.
        let wanted = before(held) + 1;
        web.hold(&path);
        let node = project.serve();
        let run = node.start_run("chain");
        web.wait_requests(&path, wanted);
        node.kill();
        web.release();
        let node = project.serve();
        only_this_step_was_repeated(&project, &node, &run, held);
        for (id, asked) in ["fetch", "push", "report"].into_iter().zip(asked) {
            let calls = if id == held { 2 } else { 1 };
            assert_eq!(before(id) - asked, calls, "calls of {id} when {held} was interrupted");
        }
        // Effects carry the same key in every attempt.
        let requests = web.requests(&path);
        let [.., first, second] = requests.as_slice() else { panic!("{requests:?}") };
        assert!(first.key.is_some() && first.key == second.key, "{requests:?}");
        // What the step kept and what it delivered are there once.
        let view = project.show(&run);
        assert_eq!(view["outputs"]["count"]["count"], number, "state was lost or kept twice: {view:#}");
        assert_eq!(view["deliveries"].as_array().unwrap().len(), 1, "{view:#}");
        assert_eq!(project.names("out").len(), number);
    }
}

#[test]
fn a_pure_step_is_run_again_and_what_was_finished_before_it_is_not() {
    let project = Project::new();
    project.misbehave("slow");
    project.workflow(
        "chain",
        "steps:\n  first: { plugin: echo, with: { value: 1 } }\n  \
         slow:\n    needs: [first]\n    plugin: slow\n    with: { mode: sleep, value: 2 }\n    limits: { wall: 1h }\n  \
         last: { needs: [slow], plugin: echo, with: { value: \"${steps.slow.value}\" } }\n",
    );
    let node = project.serve();
    let run = node.start_run("chain");
    wait_until("the journal shows that the slow step was started", || {
        let view = project.show(&run);
        (step(&view, "slow")["state"] == "running").then_some(())
    });
    node.kill();
    assert_eq!(project.show(&run)["state"], "running", "nobody said so, but the run is over");
    // Meanwhile somebody mends the plugin: `slow` now answers.
    fs::copy(repository::component("echo.wasm"), project.path("plugins/slow.wasm")).unwrap();
    let node = project.serve();
    only_this_step_was_repeated(&project, &node, &run, "slow");
    assert_eq!(project.show(&run)["outputs"]["last"]["value"], 2);
}

#[test]
fn a_run_killed_while_its_model_computes_starts_the_model_again_and_nothing_else() {
    let project = Project::new();
    fs::create_dir_all(project.path("models")).unwrap();
    fs::write(project.path("models/slow.onnx"), include_bytes!("slow.onnx")).unwrap();
    let row = serde_json::json!(vec![0.01; 64]);
    let x = serde_json::json!(vec![row; 64]);
    project.workflow(
        "chain",
        &format!(
            "steps:\n  first: {{ plugin: echo, with: {{ value: 1 }} }}\n  \
             score:\n    needs: [first]\n    model: models/slow.onnx\n    inputs: {{ rounds: 40000, x: {x} }}\n  \
             last: {{ needs: [score], plugin: echo, with: {{ value: \"${{steps.score.engine}}\" }} }}\n",
        ),
    );
    let node = project.serve();
    let run = node.start_run("chain");
    wait_until("the journal shows that the model was started", || {
        let view = project.show(&run);
        (step(&view, "score")["state"] == "running").then_some(())
    });
    node.kill();
    let node = project.serve();
    only_this_step_was_repeated(&project, &node, &run, "score");
}

#[test]
fn a_step_interrupted_many_times_still_has_one_result() {
    let web = Web::start();
    let project = chain(&web);
    web.hold("/push");
    let mut run = None;
    for kill in 1..=5 {
        let node = project.serve();
        run.get_or_insert_with(|| node.start_run("chain"));
        web.wait_requests("/push", kill);
        node.kill();
    }
    web.release();
    let (run, node) = (run.unwrap(), project.serve());
    let view = project.wait_end(&run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    let events = node.events(&run);
    let of_push = ["step-started", "step-interrupted", "step-succeeded"].map(|event| times(&events, "push", event));
    assert_eq!(of_push, [6, 5, 1], "{events:#?}");
    assert_eq!(times(&events, "fetch", "step-started"), 1);
    let mut keys: Vec<_> = web.requests("/push").into_iter().map(|request| request.key).collect();
    keys.dedup();
    assert_eq!(keys.len(), 1, "one step, one key: {keys:?}");
}

#[test]
fn a_run_in_a_process_of_its_own_that_was_killed_is_finished_by_the_next_node() {
    let web = Web::start();
    let project = chain(&web);
    web.hold("/push");
    let mut command = binary();
    command.args(["run", "chain", "--quiet", "--project"]).arg(project.root());
    let mut child = command.spawn().unwrap();
    web.wait_requests("/push", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    web.release();
    let run = project.show("last")["run"].as_str().unwrap().to_owned();
    let node = project.serve();
    only_this_step_was_repeated(&project, &node, &run, "push");
}

#[test]
fn a_wait_before_a_retry_goes_on_after_a_restart() {
    let project = Project::new();
    project.misbehave("misbehave");
    project.workflow(
        "flaky",
        "steps:\n  ask:\n    plugin: misbehave\n    with: { mode: flaky, n: 4 }\n    retry: { times: 5, wait: 50ms, factor: 1, jitter: none }\n",
    );
    let node = project.serve();
    let run = node.start_run("flaky");
    wait_until("the first attempt has failed", || {
        (!step(&project.show(&run), "ask")["earlier"].is_null()).then_some(())
    });
    node.kill();
    let node = project.serve();
    let view = project.wait_end(&run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    let events = node.events(&run);
    assert_eq!(times(&events, "ask", "step-succeeded"), 1, "{events:#?}");
    assert!(times(&events, "ask", "step-retried") + times(&events, "ask", "step-interrupted") >= 3, "{events:#?}");
}
