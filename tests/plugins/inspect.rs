//! `plugin inspect`: what a plugin imports and asks for against what the project and the box grant.

use std::fs;

use serde_json::{Value, json};

use crate::support::{project::Project, repository};

fn project() -> Project {
    let project = Project::new();
    project.write(
        "trackside.toml",
        "[policy]\nhttp = [\"https://api.example\"]\n\n[secrets.token]\nenv = \"TOKEN\"\nhosts = [\"api.example\"]\n",
    );
    let step = |origin: &str| {
        format!(
            "steps:\n  ask:\n    plugin: http-request\n    with: {{ url: \"{origin}/x\" }}\n    \
             allow: {{ http: [\"{origin}\"], secrets: [token] }}\n"
        )
    };
    project.workflow("inside", &step("https://api.example"));
    project.workflow("outside", &step("https://other.example"));
    project
}

fn row<'v>(grants: &'v Value, kind: &str) -> &'v Value {
    grants.as_array().unwrap().iter().find(|row| row["kind"] == kind).unwrap_or(&Value::Null)
}

#[test]
fn imports_wants_grants_and_policy_stand_side_by_side() {
    let project = project();
    let grants = project.run(&["plugin", "inspect", "http-request", "--json"]).ok().json()["grants"].clone();
    let http = row(&grants, "http");
    assert_eq!((&http["imported"], http["asked_for"].as_array().unwrap().len()), (&json!(true), 1), "{grants:#}");
    let steps: Vec<(&str, bool)> = http["allowed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["refused"].as_array().unwrap().is_empty()))
        .collect();
    assert_eq!(steps, [("inside/ask", true), ("outside/ask", false)], "{http:#}");
    assert_eq!(row(&grants, "secrets")["allowed"][0]["allow"], json!(["token"]));
    assert_eq!(row(&grants, "publish"), &Value::Null, "nobody speaks of it: {grants:#}");

    // Another name for the same bytes is the same plugin.
    project.write("copy.wasm", fs::read(repository::component("http-request.wasm")).unwrap());
    let copied = project.run(&["plugin", "inspect", "copy.wasm", "--json"]).ok().json()["grants"].clone();
    assert_eq!(row(&copied, "http")["allowed"], http["allowed"]);

    let page = project.run(&["plugin", "inspect", "http-request"]).ok().stdout;
    for part in [
        "Grants",
        "imported",
        "asked for",
        "inside/ask allows \"https://api.example\"",
        "[policy] http does not list it",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_grant_that_no_plugin_asks_for_is_told_by_check_and_by_inspect() {
    let project = Project::new();
    project.workflow("w", "steps:\n  a: { plugin: echo, with: { value: 1 }, allow: { state: true } }\n");
    let checked = project.run(&["check"]).ok();
    assert!(checked.stderr.contains("TS-0869") && checked.stderr.contains("`state`"), "{}", checked.stderr);
    let page = project.run(&["plugin", "inspect", "echo"]).ok().stdout;
    assert!(page.contains("allowed and refused all the same: w/a allows true"), "{page}");
}
