//! The copy of a running node, as the page tells how to make one.

use std::{fs, process::Command};

use crate::support::{
    Project, Trackside,
    command::{BINARY, run},
    optional::not_run,
    repository,
    sections::marked,
    wait::patience,
};

/// A project with an installed plugin and a run.
fn project() -> Project {
    let project = Project::new();
    project.workflow(
        "keep",
        "steps:\n  a: { plugin: mine, with: { value: 1 } }\n  \
         b: { plugin: deliver-file, with: { to: kept/x, text: hello }, allow: { deliver: [kept] } }\n",
    );
    project.write("mine.wasm", marked("echo.wasm", "mine"));
    project.run(&["plugin", "add", "mine.wasm"]).ok().says(&["needs no restart"]);
    project.run(&["run", "keep"]).ok();
    project
}

#[test]
fn the_documented_copy_of_a_running_node_is_whole_and_runs() {
    for tool in ["sqlite3", "rsync"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return not_run(tool, "the documented copy", "the program is not there");
        }
    }
    let project = project();
    let node = project.serve();
    let page = fs::read_to_string(repository::root().join("docs/service.md")).unwrap();
    let recipe = page.split("```text\n").find(|block| block.starts_with("$ install -d -m 0700 \"$COPY\"")).unwrap();
    let recipe: String = recipe
        .split("```")
        .next()
        .unwrap()
        .lines()
        .map(|line| format!("{}\n", line.trim_start_matches("$ ")))
        .collect();
    let copies = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
    let copy = copies.path().join("c");
    let mut shell = Command::new("bash");
    let script = format!("set -eu\ntrackside() {{ \"$BINARY\" \"$@\"; }}\n{recipe}");
    shell.args(["-c", &script]).env("COPY", &copy).env("BINARY", BINARY).current_dir(project.root());
    run(shell, patience()).ok().says(&["0 problems"]);
    drop(node);
    Trackside::new(&["run", "keep"]).within(&copy).run().ok();
}

#[test]
fn a_copy_without_its_installed_plugins_is_not_whole() {
    let project = project();
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
    let installed = project.path(".trackside/plugins");
    let component = fs::read_dir(&installed).unwrap().flatten().map(|entry| entry.path());
    let component = component.into_iter().find(|path| path.extension().is_some_and(|end| end == "wasm")).unwrap();
    let bytes = fs::read(&component).unwrap();
    fs::set_permissions(&component, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(&component, [&bytes[..], b"x"].concat()).unwrap();
    project.run(&["artifact", "verify"]).exits(1).prints(&["mine", "TS-0604"]).says(&["1 problem"]);
    fs::remove_dir_all(&installed).unwrap();
    let told = project.run(&["artifact", "verify", "--json"]).exits(1).json();
    assert_eq!(told["problems"][0]["plugin"], "mine", "{told:#}");
    project.run(&["artifact", "verify"]).exits(1).prints(&["mine", "TS-0603", "plugin sync"]).says(&["1 problem"]);
    // The lock file lost as well: the workflow still names it.
    fs::remove_file(project.path("workflow.lock")).unwrap();
    project.run(&["artifact", "verify"]).exits(1).prints(&["mine", "TS-0601"]);
}
