//! Commands that are given what is not there: they say so at once, with a way out that leads somewhere.

use crate::support::Project;

#[test]
fn a_path_that_leads_nowhere_is_a_fault_of_the_command_line() {
    let project = Project::new();
    project.run(&["plugin", "keygen", "own"]).ok();
    for arguments in [
        &["model", "inspect", "none.onnx"][..],
        &["model", "predict", "none.onnx", "--input", "x=1"],
        &["plugin", "inspect", "none.wasm"],
        &["plugin", "sign", "none.wasm", "--key", "own.key"],
        &["plugin", "sign", "own.pub", "--key", "none.key"],
    ] {
        project.run(arguments).exits(2).says(&["none."]);
    }
    project.write("tests/a.yaml", "with: {}\n");
    let told = project.run(&["plugin", "test", "--component", "none.wasm"]).exits(2).says(&["cannot read none.wasm"]);
    assert!(!told.stderr.contains("plugin build"), "nothing makes a file that was named: {told}");
}

#[test]
fn a_key_that_is_there_is_kept_and_said_to_be() {
    let project = Project::new();
    project.run(&["plugin", "keygen", "k"]).ok();
    let key = project.read("k.key");
    project.run(&["plugin", "keygen", "k"]).exits(3).says(&["TS-0654", "k.key is there already", "another name"]);
    assert_eq!(project.read("k.key"), key);
}

#[test]
fn a_plugin_is_not_built_for_a_project_that_is_none() {
    let project = Project::new();
    project.write(
        "line/plugin.toml",
        "[plugin]\nname = \"line\"\n[build]\ncommand = [\"touch\", \"built\"]\noutput = \"line.wasm\"\n",
    );
    let told = project.run(&["plugin", "dev", "line", "--once", "--project", "nowhere"]).exits(3);
    assert!(told.stderr.contains("nowhere") && !project.path("line/built").exists(), "{told}");
}

#[test]
fn a_project_without_workflows_is_told_where_one_belongs() {
    let project = Project::new();
    project.run(&["check"]).ok().says(&["0 workflows checked", "no workflow file", "workflows"]);
    let told = project.run(&["run", "hello"]).exits(2).says(&["TS-0817", "workflows/NAME.yaml"]);
    assert!(!told.stderr.contains("trackside init"), "there is a project already: {told}");
}
