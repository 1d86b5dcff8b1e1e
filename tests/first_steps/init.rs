//! `trackside init`

use std::fs;

use crate::support::{Project, Trackside};

#[test]
fn a_new_project_is_right_and_runs_at_once() {
    let temp = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
    Trackside::new(&["init", "press"]).within(temp.path()).run().ok().says(&["trackside.toml", "workflows/hello.yaml"]);
    let root = temp.path().join("press");
    Trackside::new(&["check"]).within(&root).run().ok().prints(&["hello"]);
    let view = Trackside::new(&["run", "hello", "-p", "greeting=Moin", "--json"]).within(&root).run().ok().json();
    assert_eq!(view["state"], "succeeded");
    assert_eq!(view["outputs"]["hello"]["value"], "Moin, hello!");
    assert_eq!(view["outputs"]["shout"]["value"], "MOIN, HELLO!");
    Trackside::new(&["runs", "list"]).within(&root).run().ok().prints(&["hello", "succeeded", "manual"]);
    // From a folder below and from elsewhere.
    Trackside::new(&["runs", "show", "last"]).within(&root.join("inbox")).run().ok().prints(&["MOIN, HELLO!"]);
    Trackside::new(&["--project", "press", "runs", "show", "last"]).within(temp.path()).run().ok();
    Trackside::new(&["runs", "show", "last"]).env("TRACKSIDE_PROJECT", &root).run().ok();
}

#[test]
fn what_is_there_is_never_overwritten_and_nothing_is_added_beside_it() {
    let temp = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
    fs::write(temp.path().join("README.md"), "mine").unwrap();
    Trackside::new(&["init"]).within(temp.path()).run().exits(3).says(&["TS-0821", "README.md", "nothing was written"]);
    assert_eq!(fs::read_to_string(temp.path().join("README.md")).unwrap(), "mine");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
}

#[test]
fn schemas_are_json_schemas_that_name_every_key_of_a_new_project() {
    let project = Project::new();
    let schema = project.run(&["schema", "workflow"]).ok().json();
    for key in ["version", "name", "params", "triggers", "steps", "finally", "timeout"] {
        assert!(schema["properties"].get(key).is_some(), "{key}: {schema:#}");
    }
    let schema = project.run(&["schema", "node"]).ok().json();
    for key in ["node", "limits", "engine", "models", "policy"] {
        assert!(schema["properties"].get(key).is_some(), "{key}: {schema:#}");
    }
}
