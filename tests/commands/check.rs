//! What can be known of programs before they run.

use crate::{project, solving, support::Project};

#[test]
fn inspect_tells_what_a_program_is_and_needs() {
    let project = project();
    project.run(&["plugin", "inspect", "boolector"]).ok().prints(&[
        "WASI command (preview 1 module)",
        "wasi_snapshot_preview1.path_open",
        "command:",
        "stdout",
    ]);
    let document = project.run(&["plugin", "inspect", "plugins/boolector.wasm", "--json"]).ok().json();
    assert_eq!(document["name"], "boolector");
    let list = project.run(&["plugin", "list", "--json"]).ok().json();
    assert!(list.as_array().unwrap().iter().any(|plugin| plugin["name"] == "boolector"), "{list:#}");
}

#[test]
fn check_holds_a_command_against_the_program_and_the_project() {
    let project = project();
    let cases = [
        ("plugin: echo, command: { args: [x] }", "TS-0867", "not a WASI command"),
        ("plugin: boolector, command: { files: { a: rules/none.smt2 } }", "TS-0863", "none.smt2"),
        ("plugin: boolector, command: { files: { a: /etc/hostname } }", "TS-0863", "outside"),
        ("plugin: reactor", "TS-0320", "reactor"),
    ];
    // A library: `_initialize` is exported, `_start` is not.
    let reactor: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x0f\x01\x0b_initialize\0\0\x0a\x04\x01\x02\0\x0b";
    project.write("plugins/reactor.wasm", reactor);
    for (step, code, word) in cases {
        project.workflow("w", &format!("steps:\n  a: {{ {step} }}\n"));
        let checked = project.run(&["check"]);
        let told = format!("{}{}", checked.stdout, checked.stderr);
        assert!(told.contains(code) && told.contains(word), "{step}: {told}");
    }
    solving(&project, "w", "    command: { files: { a: rules/sat.smt2 } }\n    allow: { state: true }\n");
    let checked = project.run(&["check"]).ok();
    assert!(checked.stderr.contains("TS-0868"), "{}", checked.stderr);
}

#[test]
fn a_plugin_of_the_contract_refuses_to_be_called_as_a_program() {
    let project = Project::new();
    project.workflow("w", "steps:\n  a: { plugin: echo, with: { value: 1 }, command: {} }\n");
    let view = project.run(&["run", "w", "--json"]).json();
    assert_eq!(view["steps"][0]["error"]["code"], "bad-input", "{view:#}");
}
