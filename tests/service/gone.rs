//! What is said of runs that are not kept any more, and of a workflow's runs among many others.

use serde_json::Value;

use crate::support::{Project, wait_until};

#[test]
fn a_run_that_was_removed_is_told_as_gone_wherever_it_is_named() {
    let project = Project::new();
    project.workflow(
        "take",
        "retention: { runs: 1 }\ntriggers:\n  - file: { path: inbox, glob: \"*.csv\", settle: 50ms, claim: keep }\n\
         steps:\n  a: { plugin: echo, with: { value: 1 } }\n",
    );
    std::fs::create_dir(project.path("inbox")).unwrap();
    let node = project.serve();
    project.drop_file("inbox/a.csv", "a");
    let first = &project.wait_runs(1)[0]["run"].as_str().unwrap().to_owned();
    project.wait_end(first);
    project.drop_file("inbox/b.csv", "b");
    for run in project.wait_runs(2) {
        project.wait_end(run["run"].as_str().unwrap());
    }
    let told = |about: &str| -> Value {
        let told = project.run(&["explain", about, "--json"]).ok().json();
        told["triggers"][0]["decisions"][0].clone()
    };
    assert_eq!((&told("inbox/a.csv")["run"], told("inbox/a.csv").get("run_gone")), (&first.as_str().into(), None));
    project.run(&["prune"]).ok().says(&["1 run "]);
    assert_eq!((&told("inbox/a.csv")["run"], &told("inbox/a.csv")["run_gone"]), (&first.as_str().into(), &true.into()));
    assert_eq!(told("inbox/b.csv").get("run_gone"), None);
    project.run(&["explain", "inbox/a.csv"]).ok().prints(&[first, "no longer kept"]);
    project.run(&["trigger", "test", "take/file-0"]).ok().prints(&[&format!("{first}, which is no longer kept")]);
    drop(node);
}

#[test]
fn the_runs_of_a_workflow_are_listed_whether_or_not_they_have_been_entered() {
    let project = Project::new();
    for name in ["one", "two", "fails"] {
        let plugin = if name == "fails" { "no-such" } else { "echo" };
        project.workflow(name, &format!("steps:\n  a: {{ plugin: {plugin}, with: {{ value: 1 }} }}\n"));
    }
    project.workflow("waits", "steps:\n  a: { wait: { event: never } }\n");
    for name in ["one", "two", "one", "fails", "two", "one"] {
        drop(project.run(&["run", name]));
    }
    let all = || -> Vec<Value> { project.run(&["runs", "list", "--json"]).ok().json().as_array().unwrap().clone() };
    let of = |more: &[&str]| -> Vec<Value> {
        let arguments = [&["runs", "list", "--json"], more].concat();
        project.run(&arguments).ok().json().as_array().unwrap().clone()
    };
    let agree = || {
        let all = all();
        for name in ["one", "two", "fails", "waits"] {
            let expected: Vec<Value> = all.iter().filter(|run| run["workflow"] == name).cloned().collect();
            assert_eq!(of(&["--workflow", name]), expected, "{name}");
            let newest: Vec<Value> = expected.iter().take(1).cloned().collect();
            assert_eq!(of(&["--workflow", name, "--limit", "1"]), newest, "{name}");
            for state in ["succeeded", "failed", "running"] {
                let expected: Vec<Value> = expected.iter().filter(|run| run["state"] == state).cloned().collect();
                assert_eq!(of(&["--workflow", name, "--state", state]), expected, "{name} {state}");
            }
        }
        all.len()
    };
    // Commands do their work on a node of their own: what they left is entered when somebody reads the journal.
    assert_eq!(agree(), 6);
    let node = project.serve();
    node.start_run("waits");
    node.start_run("two");
    wait_until("all runs that end", || all().iter().filter(|run| run["state"] == "succeeded").nth(5).cloned());
    assert_eq!(agree(), 8);
    project.run(&["prune"]).ok();
    assert_eq!(agree(), 8, "after all is entered");
    project.run(&["run", "one"]).ok();
    assert_eq!(agree(), 9);
    assert_eq!(of(&["--workflow", "none"]), Vec::<Value>::new());
}
