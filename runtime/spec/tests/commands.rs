//! `command:` of a step: how a WASI command is called.

use serde_json::json;
use trackside_codes::Code;
use trackside_spec::{Action, CommandStdout, ExitCodes, PluginCall, Scope, SpecError, load_workflow};

fn load(step: &str) -> Result<PluginCall, SpecError> {
    let text = format!("version: 1\nname: w\nparams: {{ n: {{ type: integer, default: 3 }} }}\nsteps:\n  a:\n{step}");
    let mut plan = load_workflow("w.yaml", &text)?;
    match plan.steps.remove(0).action {
        Action::Plugin(call) => Ok(call),
        _ => panic!("a plugin"),
    }
}

/// Code, line, column and message of the first problem.
fn problem(step: &str) -> (Code, usize, usize, String) {
    let error = load(step).expect_err(step);
    let first = &error.problems[0];
    (first.code, first.line, first.column, first.message.clone())
}

#[test]
fn a_command_has_its_words_as_texts_and_defaults_for_the_rest() {
    let call = load(
        "    plugin: tool\n    command:\n      args: [-n, 5, true, \"x=${params.n}\"]\n      env: { LEVEL: 7 }\n      \
         stdin: { n: \"${params.n}\" }\n      files: { a.csv: \"${trigger.file}\", b.json: data/b.json }\n      \
         stdout: text\n      exit: { ok: [0, 10], retry: [75] }\n",
    )
    .unwrap();
    let command = call.command.unwrap();
    let (params, trigger) = (json!({"n": 3}), json!({"file": {"artifact": "x"}}));
    let (steps, run) = (json!({}), json!({}));
    let given = command.given.eval(&Scope::new(&params, &trigger, &steps, &run)).unwrap();
    assert_eq!(given["args"], json!(["-n", "5", "true", "x=3"]));
    assert_eq!(given["env"], json!({"LEVEL": "7"}));
    assert_eq!(given["stdin"], json!({"n": 3}));
    assert_eq!(given["files"], json!({"a.csv": {"artifact": "x"}, "b.json": "data/b.json"}));
    assert_eq!(command.stdout, CommandStdout::Text);
    assert_eq!(command.exit, ExitCodes { ok: vec![0, 10], retry: vec![75] });

    let bare = load("    plugin: tool\n    command: {}\n").unwrap().command.unwrap();
    assert_eq!(bare.given.constant_at(&[]), Some(&json!({"args": [], "env": {}, "files": {}})));
    assert_eq!((bare.stdout, bare.exit), (CommandStdout::Json, ExitCodes::default()));
    assert!(load("    plugin: tool\n").unwrap().command.is_none());
}

#[test]
fn what_is_wrong_with_a_command_is_shown_where_it_stands() {
    let cases = [
        ("command: { arg: [a] }", "TS-0102", 7, 16, "arg"),
        ("command: { args: [[a]] }", "TS-0103", 7, 16, "text"),
        ("command: { args: [\"${params.m}\"] }", "TS-0104", 7, 26, "m"),
        ("command: { args: [\"${1 +}\"] }", "TS-0105", 7, 29, ""),
        ("command: { env: { 1A: x } }", "TS-0103", 7, 23, "variable"),
        ("command: { env: { \"A=B\": x } }", "TS-0103", 7, 23, "variable"),
        ("command: { files: { ../x: \"${trigger.file}\" } }", "TS-0103", 7, 25, "name"),
        ("command: { files: { a/b: \"${trigger.file}\" } }", "TS-0103", 7, 25, "name"),
        ("command: { files: { \"..\": \"${trigger.file}\" } }", "TS-0103", 7, 25, "name"),
        ("command: { files: { a: ../secret } }", "TS-0103", 7, 28, ".."),
        ("command: { stdout: yaml }", "TS-0103", 7, 24, "yaml"),
        ("command: { exit: { ok: [256] } }", "TS-0103", 7, 29, "255"),
        ("command: { exit: { ok: [] } }", "TS-0103", 7, 24, "good"),
        ("command: { exit: { ok: [0, 3], retry: [3] } }", "TS-0103", 7, 36, "3"),
        ("command: { stdin: x }\n    with: { a: 1 }", "TS-0103", 7, 16, "with"),
    ];
    let mut wrong = Vec::new();
    for (text, code, line, column, word) in cases {
        let found = problem(&format!("    plugin: tool\n    {text}\n"));
        if (found.0, found.1, found.2) != (code.into(), line, column) || !found.3.contains(word) {
            wrong.push(format!("{text}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_model_takes_no_command() {
    let text = "version: 1\nname: w\nsteps:\n  a: { model: m, inputs: { x: [1] }, command: { args: [x] } }\n";
    let error = load_workflow("w.yaml", text).unwrap_err();
    assert_eq!(error.problems[0].code, "TS-0102");
    assert!(error.problems[0].message.contains("`command` is for plugins"), "{error}");
}

#[test]
fn a_command_line_has_an_end() {
    let many = vec!["x"; 257].join(", ");
    let found = problem(&format!("    plugin: tool\n    command: {{ args: [{many}] }}\n"));
    assert_eq!((found.0, found.1), ("TS-0108".into(), 7));
}
