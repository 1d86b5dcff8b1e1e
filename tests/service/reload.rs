//! Workflow files that change while the node runs.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Node, Project, wait_until, web::Web};

fn value(number: u32) -> String {
    format!("steps:\n  a: {{ plugin: echo, with: {{ value: {number} }} }}\n")
}

fn project() -> Project {
    let project = Project::new();
    project.workflow("count", &value(1));
    project
}

/// What a run of `count` that starts now gives.
#[track_caller]
fn gives(project: &Project, node: &Node) -> Value {
    project.wait_end(&node.start_run("count"))["outputs"]["a"]["value"].clone()
}

fn status(node: &Node) -> Value {
    serde_json::from_str(&node.ask("GET", "/v1/status", "").1).unwrap()
}

fn names(node: &Node) -> Vec<String> {
    let status = status(node);
    status["workflows"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn wait_names(node: &Node, wanted: &[&str]) {
    wait_until(&format!("the workflows {wanted:?}"), || (names(node) == wanted).then_some(()));
}

const BROKEN: &str = "version: 1\nname: count\nstpes: {}\n";

#[test]
fn a_changed_step_takes_effect_for_new_runs_and_not_for_runs_under_way_or_in_the_queue() {
    let web = Web::start();
    let origin = web.origin();
    let project = Project::new();
    let call = |after: u32| {
        format!(
            "concurrency: {{ group: one, limit: 1 }}\nsteps:\n  ask:\n    plugin: http-request\n    with: {{ url: \"{origin}/x\" }}\n    \
             allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n  a: {{ needs: [ask], plugin: echo, with: {{ value: {after} }} }}\n"
        )
    };
    project.workflow("call", &call(1));
    web.hold("/x");
    let node = project.serve();
    let (running, queued) = (node.start_run("call"), node.start_run("call"));
    web.wait_requests("/x", 1);
    project.workflow("call", &call(2));
    project.run(&["reload"]).ok().says(&["call is in use"]);
    let new = node.start_run("call");
    web.release();
    for (run, wanted) in [(&running, 1), (&queued, 1), (&new, 2)] {
        let view = project.wait_end(run);
        assert_eq!(view["outputs"]["a"]["value"], wanted, "{view:#}");
    }
}

#[test]
fn files_that_are_saved_renamed_in_added_and_removed_are_taken_up_without_asking() {
    let project = project();
    let node = project.serve();
    assert_eq!(gives(&project, &node), 1);
    project.workflow("count", &value(2));
    wait_until("the saved file", || (gives(&project, &node) == 2).then_some(()));
    // As editors do it.
    project.write("workflows/.count.yaml.new", format!("version: 1\nname: count\n{}", value(3)));
    fs::rename(project.path("workflows/.count.yaml.new"), project.path("workflows/count.yaml")).unwrap();
    wait_until("the renamed file", || (gives(&project, &node) == 3).then_some(()));
    project.workflow("another", &value(1));
    wait_names(&node, &["another", "count"]);
    fs::remove_file(project.path("workflows/another.yaml")).unwrap();
    wait_names(&node, &["count"]);
    // The whole folder, exchanged at once.
    project.write("release/fresh.yaml", format!("version: 1\nname: fresh\n{}", value(1)));
    fs::rename(project.path("workflows"), project.path("old")).unwrap();
    fs::rename(project.path("release"), project.path("workflows")).unwrap();
    wait_names(&node, &["fresh"]);
    // In the new folder, too, changes are heard of.
    project.workflow("later", &value(1));
    wait_names(&node, &["fresh", "later"]);
}

#[test]
fn a_half_written_file_is_not_taken_up() {
    use std::io::Write;
    let project = project();
    let node = project.serve();
    let whole = format!("version: 1\nname: count\n{}  b: {{ plugin: echo, with: {{ value: 2 }} }}\n", value(2));
    let (first, rest) = whole.split_at(whole.find("  b:").unwrap());
    let mut file = fs::File::create(project.path("workflows/count.yaml")).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    // The beginning is a workflow of its own; who writes is not done. Another file, closed, is waited for with it.
    project.workflow("other", &value(1));
    crate::support::wait::let_pass(std::time::Duration::from_millis(800));
    assert_eq!((names(&node), gives(&project, &node)), (vec!["count".to_owned()], 1.into()));
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    wait_names(&node, &["count", "other"]);
    assert_eq!(project.wait_end(&node.start_run("count"))["outputs"]["b"]["value"], 2);
}

#[test]
fn an_invalid_file_keeps_the_last_good_version_and_is_told_until_it_is_mended() {
    let project = project();
    let node = project.serve();
    assert_eq!(gives(&project, &node), 1);
    let good = status(&node)["workflows"][0]["digest"].clone();
    project.write("workflows/count.yaml", BROKEN);
    node.wait_said("TS-0625");
    // The words of `check`, place and all.
    let checked = project.run(&["check"]).exits(1);
    let place = "workflows/count.yaml:3:1: error[TS-0102]";
    assert!(checked.stdout.contains(place) || checked.stderr.contains(place), "{checked:?}");
    assert!(node.said().contains(place), "{}", node.said());
    assert_eq!(gives(&project, &node), 1);
    let told = status(&node);
    assert_eq!(
        (&told["problems"][0]["in_use"], &told["broken"][0]),
        (&good, &"workflows/count.yaml".into()),
        "{told:#}"
    );
    project.run(&["status"]).exits(1).says(&["TS-0102", "goes on with its last good version"]);
    // It is told once, however often it is looked at.
    project.run(&["reload"]).exits(1).says(&["TS-0102", "TS-0625"]);
    assert_eq!(node.said().matches("TS-0625").count(), 1, "{}", node.said());
    project.workflow("count", &value(5));
    node.wait_said("nothing is wrong with workflows/count.yaml any more");
    assert_eq!(gives(&project, &node), 5);
    project.run(&["status", "--json"]).ok();
    assert_eq!(status(&node)["problems"], Value::Array(vec![]));
}

#[test]
fn a_restart_goes_on_with_the_last_good_version_of_a_file_that_has_become_invalid() {
    let project = project();
    let node = project.serve();
    gives(&project, &node);
    project.write("workflows/count.yaml", BROKEN);
    node.wait_said("TS-0625");
    node.kill();
    // Also when nobody was there to see it break.
    let node = project.serve();
    assert_eq!(gives(&project, &node), 1);
    assert_eq!(node.said().matches("TS-0625").count(), 2, "{}", node.said());
    node.kill();
    project.workflow("count", &value(2));
    let node = project.serve();
    assert_eq!(gives(&project, &node), 2);
    assert_eq!(status(&node)["problems"], Value::Array(vec![]));
    // What was removed while nothing ran is gone.
    node.kill();
    fs::remove_file(project.path("workflows/count.yaml")).unwrap();
    project.workflow("other", &value(1));
    let node = project.serve();
    assert_eq!(names(&node), ["other"]);
}

#[test]
fn a_change_that_would_break_another_workflow_is_not_used() {
    let project = project();
    project.workflow("caller", "steps:\n  call: { workflow: count }\n");
    let node = project.serve();
    project.workflow("count", &format!("params:\n  n: {{ type: integer }}\n{}", value(2)));
    node.wait_said("TS-0624");
    let run = node.start_run("caller");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
    assert_eq!(gives(&project, &node), 1);
    // With the other half it goes.
    project.workflow("caller", "steps:\n  call: { workflow: count, params: { n: 1 } }\n");
    wait_until("both", || (status(&node)["problems"] == Value::Array(vec![])).then_some(()));
    let run = node.start_run("caller");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

#[test]
fn a_changed_workflow_waits_for_the_plugin_that_it_names() {
    let project = project();
    let node = project.serve();
    project.workflow("count", "steps:\n  a: { plugin: misbehave, with: { mode: succeed } }\n");
    node.wait_said("TS-0601");
    assert_eq!(gives(&project, &node), 1);
    project.misbehave("misbehave");
    node.wait_said("nothing is wrong with workflows/count.yaml any more");
    let view = project.wait_end(&node.start_run("count"));
    assert_eq!((&view["state"], &view["steps"][0]["attempts"]), (&"succeeded".into(), &1.into()), "{view:#}");
}

#[test]
fn a_plugin_whose_name_is_nearly_right_is_told_with_the_right_one() {
    let project = project();
    project.misbehave("scale-reader");
    let node = project.serve();
    for (name, near) in [("ecko", "echo"), ("scale-raeder", "scale-reader")] {
        project.workflow("count", &format!("steps:\n  a: {{ plugin: {name} }}\n"));
        for command in ["reload", "status"] {
            project.run(&[command]).exits(1).says(&["TS-0601", &format!("did you mean `{near}`?")]);
        }
    }
    project.workflow("count", "steps:\n  a: { plugin: thermometer }\n");
    let told = project.run(&["reload"]).exits(1).says(&["TS-0601"]);
    assert!(!told.stderr.contains("did you mean"), "{told}");
    drop(node);
}

#[test]
fn the_config_is_not_taken_up_and_that_is_told() {
    let project = project();
    let node = project.serve();
    let config = project.read("trackside.toml");
    project.write("trackside.toml", format!("{config}max_steps = 3\n"));
    node.wait_said("TS-0626");
    project.run(&["reload"]).ok().says(&["TS-0626", "next start"]);
    project.write("trackside.toml", "[nod]\n");
    wait_until("the broken config", || {
        status(&node)["config_note"].as_str()?.contains("will not start again").then_some(())
    });
    project.run(&["status"]).ok().says(&["TS-0102"]);
    project.write("trackside.toml", config);
    wait_until("the old config", || status(&node)["config_note"].is_null().then_some(()));
}

#[test]
fn sighup_and_the_command_reload_and_who_did_it_is_on_disk() {
    let project = project();
    let node = project.serve();
    wait_until("the record of the start", || (status(&node)["workflows"][0]["by"] == "the start").then_some(()));
    // On a file system that tells nothing only these two would do; here they come first or second, and say the same.
    node.signal(Signal::HUP);
    node.wait_said("reloaded: 0 changes, 0 problems");
    project.workflow("count", &value(2));
    let told = project.run(&["reload", "--json"]).ok().json();
    assert_eq!(told["problems"], Value::Array(vec![]));
    assert_eq!(gives(&project, &node), 2);
    let by = status(&node)["workflows"][0]["by"].as_str().unwrap().to_owned();
    let me = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    assert!(by == me || by == "the folder", "{by}");
    let since = status(&node)["workflows"][0]["since_ms"].clone();
    node.kill();
    let node = project.serve();
    // A start that changes nothing writes nothing.
    assert_eq!(
        (&status(&node)["workflows"][0]["by"], &status(&node)["workflows"][0]["since_ms"]),
        (&by.into(), &since)
    );
    drop(node);
    project.run(&["reload"]).exits(3).says(&["TS-0835"]);
}

#[test]
fn a_node_that_is_killed_at_a_reload_has_the_old_definition_or_the_new_one_and_all_its_runs() {
    let project = project();
    let mut accepted = Vec::new();
    for round in 0..12 {
        let node = project.serve();
        project.workflow("count", &value(round + 2));
        accepted.push(node.start_run("count"));
        // Somewhere in the middle of it, or before, or after.
        let reload = std::thread::spawn({
            let root = project.root().to_owned();
            move || drop(crate::support::node::ask(&root, "POST", "/v1/reload", ""))
        });
        crate::support::wait::let_pass(std::time::Duration::from_millis(u64::from(round) * 3));
        node.kill();
        reload.join().unwrap();
    }
    let node = project.serve();
    assert_eq!(gives(&project, &node), 13);
    for (round, run) in accepted.iter().enumerate() {
        let view = project.wait_end(run);
        let value = view["outputs"]["a"]["value"].as_u64().unwrap();
        assert!(value <= round as u64 + 2 && value >= 1, "{view:#}");
    }
    assert_eq!(project.runs().len(), 13);
    assert_eq!(status(&node)["problems"], Value::Array(vec![]));
}

#[test]
fn a_workflow_tells_which_version_of_it_was_in_use_when() {
    let project = project();
    let node = project.serve();
    project.workflow("count", &format!("triggers:\n  - cron: {{ schedule: \"0 0 1 1 *\" }}\n{}", value(2)));
    project.run(&["reload"]).ok();
    fs::remove_file(project.path("workflows/count.yaml")).unwrap();
    project.run(&["reload"]).ok();
    drop(node);
    let told = project.run(&["explain", "count", "--json"]).ok().json();
    assert_eq!(told["subject"], "workflow");
    let versions = told["workflow"]["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 3, "{versions:#?}");
    assert!(versions[0]["digest"].is_null() && versions[1]["digest"] != versions[2]["digest"], "{versions:#?}");
    assert!(versions.iter().all(|version| version["file"] == "workflows/count.yaml"), "{versions:#?}");
    // Its file is gone; its triggers are known from the version that was in use last.
    assert_eq!(told["triggers"][0]["trigger"], "count/cron-0");
    project.run(&["explain", "count"]).ok().prints(&["taken out", "by the start", "count/cron-0"]);
    project.run(&["explain", "cuont"]).exits(2).says(&["TS-0881"]);
}
