//! Results that stand for another attempt.

use serde_json::{Value, json};

use crate::support::{Project, project::step};

fn run(project: &Project, value: &str) -> Value {
    project.run(&["run", "w", "-p", &format!("v={value}"), "--json"]).ok().json()
}

#[test]
fn the_same_input_is_answered_from_the_store_and_another_is_not() {
    let project = Project::new();
    project.workflow(
        "w",
        "params: { v: { type: string } }\nsteps:\n  a: { plugin: echo, cache: true, with: { value: \"${params.v}\" } }\n  b: { plugin: echo, with: { value: \"${params.v}\" } }\n",
    );
    let first = run(&project, "x");
    assert!(step(&first, "a").get("cached").is_none());
    let second = run(&project, "x");
    let a = step(&second, "a");
    assert_eq!((&a["cached"], &a["report"]["cached_from"]), (&json!(true), &first["run"]));
    assert_eq!(second["outputs"], first["outputs"]);
    assert!(step(&second, "b").get("cached").is_none(), "nobody asked for it there");
    project.run(&["runs", "show", "last"]).ok().prints(&["kept result", "kept from run"]);
    assert!(step(&run(&project, "y"), "a").get("cached").is_none());
}

#[test]
fn a_result_whose_artifact_is_gone_is_made_again() {
    let project = Project::new();
    project.workflow(
        "w",
        "params: { v: { type: string } }\nsteps:\n  a: { plugin: csv-check, cache: true, with: { file: \"${trigger.file}\" } }\n",
    );
    // Large enough to be a file.
    project.write("a.csv", format!("a\n{}", "1\n".repeat(20_000)));
    let run = || project.run(&["run", "w", "-p", "v=x", "--file", "a.csv", "--json"]).ok().json();
    let first = run();
    let outputs = first["outputs"]["a"].as_object().unwrap();
    let made = outputs.values().find_map(|value| value["artifact"].as_str()).expect("an artifact among the outputs");
    assert_eq!(step(&run(), "a")["cached"], true);
    std::fs::remove_file(project.artifact_file(made).expect("a file")).unwrap();
    let again = run();
    assert!(step(&again, "a").get("cached").is_none(), "{again:#}");
    assert_eq!(again["outputs"], first["outputs"]);
}

#[test]
fn other_variables_make_another_result() {
    let project = Project::new();
    project.misbehave("misbehave");
    let look = |site: &str| {
        project.workflow(
            "w",
            &format!(
                "steps:\n  a: {{ plugin: misbehave, cache: true, with: {{ mode: env }}, allow: {{ env: {{ SITE: \"{site}\" }} }} }}\n"
            ),
        );
        let view = project.run(&["run", "w", "--json"]).ok().json();
        (view["outputs"]["a"]["env"]["SITE"].clone(), step(&view, "a")["cached"] == true)
    };
    assert_eq!(look("north"), (json!("north"), false));
    assert_eq!(look("north"), (json!("north"), true));
    assert_eq!(look("south"), (json!("south"), false));
    // What the box does not let through is not there, whatever was kept before.
    project.write("trackside.toml", "[policy]\nenv = []\n");
    assert_eq!(look("south"), (Value::Null, false));
}
