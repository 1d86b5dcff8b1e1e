//! Deny by default, and the YAML that grants it.

use serde_json::Value;

use crate::support::{Project, project::step, repository, web::Web};

/// A project with one workflow, `ask`, whose only step runs a mode with these `allow` lines.
fn ask(project: &Project, mode: &str, target: &str, allow: &str) {
    project.workflow(
        "ask",
        &format!("steps:\n  bad:\n    plugin: misbehave\n    with: {{ mode: {mode}, target: {target:?} }}\n{allow}"),
    );
}

/// The last line of YAML that a page for people prints, indented as the step's own keys.
#[track_caller]
fn printed_yaml(page: &str) -> String {
    assert!(page.contains("add to the step:"), "nobody says where the YAML belongs: {page}");
    let line = page.lines().map(str::trim).rfind(|line| line.starts_with("allow:"));
    format!("    {}\n", line.unwrap_or_else(|| panic!("no YAML is printed: {page}")))
}

/// Runs `ask`, which must be refused, with the printed YAML until it succeeds; each round must get further. Returns the
/// YAML that was needed.
fn granted_as_printed(project: &Project, mode: &str, target: &str, word: &str) -> String {
    let mut allow = String::new();
    for _ in 0..3 {
        ask(project, mode, target, &allow);
        let ran = project.run(&["run", "ask"]);
        if ran.code() == 0 {
            assert!(!allow.is_empty(), "{mode} works without a grant: {ran}");
            return allow;
        }
        let ran = ran.exits(1).says(&["denied", "may not", word]);
        let view = project.show("last");
        let denials = &step(&view, "bad")["report"]["denials"];
        assert!(denials.as_array().is_some_and(|denials| !denials.is_empty()), "{view:#}");
        let yaml = printed_yaml(&ran.stderr);
        assert_ne!(yaml, allow, "the printed YAML grants nothing new: {ran}");
        allow = yaml;
    }
    panic!("{mode}: the printed YAML does not grant it: {allow}");
}

fn project() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    project
}

#[test]
fn an_ungranted_call_is_denied_and_works_with_the_yaml_that_was_printed() {
    let (project, web) = (project(), Web::start());
    let url = format!("{}/hello", web.origin());
    let allow = granted_as_printed(&project, "http", &url, &web.origin());
    assert_eq!(web.requests("/hello").len(), 1, "{allow}");
    assert_eq!(project.show("last")["outputs"]["bad"]["status"], 200);
    // Another origin is not granted with it.
    let other = Web::start();
    ask(&project, "http", &format!("{}/other", other.origin()), &allow);
    project.run(&["run", "ask"]).exits(1).says(&["denied"]);
    assert!(other.requests("/other").is_empty());
}

#[test]
fn a_public_name_for_a_private_address_does_not_get_there() {
    let (project, web) = (project(), Web::start());
    let origin = web.origin().replace("127.0.0.1", "localhost");
    ask(&project, "http", &format!("{origin}/x"), &format!("    allow: {{ http: [{origin:?}] }}\n"));
    project.run(&["run", "ask"]).exits(1).says(&["private network"]);
    assert!(web.requests("/x").is_empty());
}

#[test]
fn an_ungranted_delivery_is_denied_and_works_with_the_yaml_that_was_printed() {
    let project = project();
    granted_as_printed(&project, "deliver", "reports/2026/a.txt", "reports/2026");
    assert_eq!(project.read("reports/2026/a.txt"), "delivered by misbehave\n");
}

#[test]
fn ungranted_state_is_denied_and_works_with_the_yaml_that_was_printed() {
    granted_as_printed(&project(), "count", "", "state");
}

#[test]
fn an_ungranted_model_is_denied_and_works_with_the_yaml_that_was_printed() {
    let project = project();
    let model = std::fs::read(repository::example("pump-watch").join("models/pump-anomaly.onnx")).unwrap();
    project.write("models/pump.onnx", model);
    project.write("trackside.toml", "[models.pump]\npath = \"models/pump.onnx\"\nengine = \"rten\"\n");
    granted_as_printed(&project, "model", "pump", "pump");
    let view = project.show("last");
    assert!(view["outputs"]["bad"]["digest"].as_str().unwrap().contains("sha256:"), "{view:#}");
}

#[test]
fn an_ungranted_topic_is_denied_and_nothing_is_published_without_a_broker() {
    let project = project();
    ask(&project, "publish", "site/7/alarm", "");
    let ran = project.run(&["run", "ask"]).exits(1).says(&["denied", "may not publish"]);
    ask(&project, "publish", "site/7/alarm", &printed_yaml(&ran.stderr));
    project.run(&["run", "ask"]).exits(1).says(&["denied", "no broker \"mqtt\" is configured"]);
}

#[test]
fn a_plugin_that_never_asked_is_refused_whatever_the_workflow_allows() {
    let project = project();
    project.workflow("env", "steps:\n  a: { plugin: echo, with: { value: 1 }, allow: { env: { TZ: UTC } } }\n");
    project.run(&["run", "env"]).ok();
    let view = project.show("last");
    let denial = step(&view, "a")["report"]["denials"][0].as_str().unwrap_or_default().to_owned();
    assert!(denial.contains("`echo` does not ask for that") && denial.contains("`wants`"), "{view:#}");
    project.run(&["runs", "show", "last"]).ok().prints(&["Refused", "does not ask for that"]);
}

#[test]
fn nothing_is_delivered_outside_of_the_granted_folder() {
    let project = project();
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path("out")).unwrap();
    std::os::unix::fs::symlink(outside.path(), project.path("out/link")).unwrap();
    let allow = "    allow: { deliver: [out] }\n";
    for target in
        ["out/../../escaped.txt", "out/../escaped.txt", "/tmp/escaped.txt", "../escaped.txt", "outer/escaped.txt"]
    {
        ask(&project, "deliver-outside", target, allow);
        project.run(&["run", "ask"]).exits(1);
    }
    // A link in the folder is refused when the file is delivered, after the step.
    ask(&project, "deliver", "out/link/escaped.txt", allow);
    let view: Value = project.run(&["run", "ask", "--json"]).json();
    let delivery = &project.wait_end(view["run"].as_str().unwrap())["deliveries"][0];
    assert_eq!(delivery["state"], "refused", "{delivery:#}");
    assert!(delivery["reason"].as_str().unwrap().contains("link"), "{delivery:#}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    let up = project.root().parent().unwrap().join("escaped.txt");
    assert!(!up.exists() && !project.path("escaped.txt").exists() && !project.path("outer").exists());
}

#[test]
fn the_policy_of_the_box_bounds_what_a_workflow_may_grant_itself() {
    let (project, web) = (project(), Web::start());
    let origin = web.origin();
    project.write("trackside.toml", "[policy]\nhttp = []\n");
    let allow = format!("    allow: {{ http: [{{ origin: {origin:?}, private: true }}] }}\n");
    ask(&project, "http", &format!("{origin}/x"), &allow);
    project.run(&["check"]).exits(1).says(&["TS-0865", "[policy]", "workflows/ask.yaml:7:"]);
    project.run(&["run", "ask"]).exits(1).says(&["denied"]);
    assert!(web.requests("/x").is_empty());
}
