//! Inputs that fit, and inputs that do not.

use serde_json::{Value, json};

use crate::support::{Project, project::step};

/// A workflow whose step passes its checked input on.
fn project(severity: &str) -> Project {
    let project = Project::new();
    project.workflow(
        "load",
        &format!(
            "steps:\n  load:\n    requires:\n      - of: \"${{trigger.file}}\"\n        name: readings\n        severity: {severity}\n        columns:\n          machine: {{ type: string, required: true, pattern: \"^M[0-9]+$\" }}\n          value: {{ type: number, maximum: 100 }}\n    plugin: echo\n    with: {{ value: \"${{requires.readings}}\" }}\nfinally:\n  failed:\n    plugin: echo\n    with: {{ value: 1 }}\n"
        ),
    );
    project.write("good.csv", "machine,value\nM1,5\n");
    project.write("bad.csv", "machine,value\nM1,5\nX,6\nM2,200\n");
    project
}

fn run(project: &Project, file: &str, code: i32) -> Value {
    project.run(&["run", "load", "--file", file, "--json"]).exits(code).json()
}

#[test]
fn a_bad_input_blocks_the_step_and_fails_the_run() {
    let project = project("error");
    assert_eq!(step(&run(&project, "good.csv", 0), "load")["state"], "succeeded");
    let view = run(&project, "bad.csv", 1);
    let load = step(&view, "load");
    assert_eq!(
        (&view["state"], &load["state"], &view["error"]["code"]),
        (&json!("failed"), &json!("blocked"), &json!("blocked"))
    );
    assert_eq!(load["report"]["contracts"][0]["bad_rows"], 2);
    assert_eq!(step(&view, "finally.failed")["state"], "succeeded");
    project.run(&["runs", "show", "last"]).ok().prints(&["Data contracts", "line 3 `machine`"]);
    project.run(&["runs", "logs", "last"]).ok().prints(&["error", "2 of 3 rows"]);
}

#[test]
fn a_warning_is_told_and_the_step_gets_its_input() {
    let project = project("warn");
    let view = run(&project, "bad.csv", 0);
    assert_eq!(view["outputs"]["load"]["value"]["name"], "bad.csv");
    assert_eq!(step(&view, "load")["report"]["contracts"][0]["severity"], "warn");
    project.run(&["runs", "logs", "last"]).ok().prints(&["warn", "2 of 3 rows"]);
}

#[test]
fn quarantine_gives_the_good_rows_and_keeps_the_bad_ones() {
    let project = project("quarantine");
    let view = run(&project, "bad.csv", 0);
    let cat = |artifact: &Value| project.artifact(artifact["artifact"].as_str().unwrap());
    assert_eq!(cat(&view["outputs"]["load"]["value"]), "machine,value\nM1,5\n");
    let bad = &step(&view, "load")["report"]["contracts"][0]["quarantine"];
    assert_eq!(cat(bad), "machine,value\nX,6\nM2,200\n");
}

#[test]
fn another_workflow_is_not_started_on_bad_data() {
    let project = Project::new();
    project.workflow(
        "child",
        "params: { n: { type: array } }\nsteps:\n  a: { plugin: echo, with: { value: \"${params.n}\" } }\n",
    );
    project.workflow(
        "parent",
        "params: { n: { type: array, default: [{ v: 1 }] } }\nsteps:\n  call:\n    requires: [{ of: \"${params.n}\", name: n, severity: SEVERITY, columns: { v: { type: integer, required: true } } }]\n    workflow: child\n    params: { n: \"${requires.n}\" }\n"
            .replace("SEVERITY", "error")
            .as_str(),
    );
    project.run(&["run", "parent"]).ok();
    assert_eq!(project.runs().len(), 2);
    let view = project.run(&["run", "parent", "-p", "n=[{\"v\":\"x\"}]", "--json"]).exits(1).json();
    assert_eq!(step(&view, "call")["state"], "blocked");
    assert_eq!(project.runs().len(), 3, "no child was started");
}

#[test]
fn later_steps_and_datasets_name_the_rows_in_quarantine() {
    let project = Project::new();
    project.workflow(
        "load",
        "triggers:\n  - file: { path: inbox, glob: \"*.csv\" }\nsteps:\n  load:\n    requires:\n      - of: \"${trigger.file}\"\n        \
         name: readings\n        severity: quarantine\n        columns: { value: { type: number, maximum: 100 } }\n    plugin: echo\n    \
         with: { value: \"${requires.readings}\" }\n  keep:\n    needs: [load]\n    when: steps.load.quarantine.readings != null\n    \
         plugin: deliver-file\n    with: { file: \"${steps.load.quarantine.readings}\", to: \"bad/${trigger.file.name}\" }\n    \
         allow: { deliver: [bad] }\n",
    );
    project.workflow(
        "look",
        "triggers:\n  - dataset: quarantine-bad.csv\nsteps:\n  look: { plugin: echo, with: { value: \"${trigger.dataset}\" } }\n",
    );
    let _node = project.serve();
    project.drop_file("inbox/bad.csv", "machine,value\nM1,5\nX,600\n");
    let runs = project.wait_runs(2);
    let workflows: Vec<&Value> = runs.iter().map(|run| &run["workflow"]).collect();
    assert_eq!(workflows, ["load", "look"]);
    project.wait_end(runs[0]["run"].as_str().unwrap());
    assert_eq!(project.read("bad/bad.csv"), "machine,value\nX,600\n");
    let view = project.show(runs[1]["run"].as_str().unwrap());
    assert_eq!(view["outputs"]["look"]["value"]["artifact"]["name"], "quarantine-bad.csv");
    // Nothing is bad: there is no such artifact, and nobody is told of one.
    project.drop_file("inbox/good.csv", "machine,value\nM1,6\n");
    let runs = project.wait_runs(3);
    let view = project.wait_end(runs[2]["run"].as_str().unwrap());
    assert_eq!(view["outputs"]["load"]["quarantine"], json!({ "readings": null }));
    assert_eq!(step(&view, "keep")["state"], "skipped");
}

#[test]
fn a_contract_that_keeps_no_rows_apart_is_told_when_the_file_is_read() {
    let project = Project::new();
    let text = "params: { n: { type: array, default: [] } }\nsteps:\n  a:\n    requires: [{ of: \"${params.n}\", name: n, severity: quarantine, columns: { v: { type: integer } } }]\n    plugin: echo\n    with: { value: 1 }\n  b: { needs: [a], plugin: echo, with: { value: \"${steps.a.quarantine.m}\" } }\n";
    project.workflow("w", text);
    project.run(&["check"]).exits(1).says(&["there is no `steps.a.quarantine.m`"]);
    project.workflow("w", &text.replace("quarantine.m", "quarantine.n"));
    project.run(&["check"]).ok();
    let view = project.run(&["run", "w", "-p", "n=[{\"v\":1},{\"v\":\"x\"}]", "--json"]).ok().json();
    assert_eq!(view["outputs"]["b"]["value"]["name"], "quarantine-n.jsonl");
}

#[test]
fn parameters_and_outputs_keep_their_last_digit_or_are_refused() {
    let project = Project::new();
    project.workflow(
        "ids",
        "params:\n  id: { type: integer, default: 1, minimum: -9007199254740993 }\nsteps:\n  a: { plugin: echo, with: { value: \"${params.id}\" } }\n",
    );
    let view = project.run(&["run", "ids", "-p", "id=18446744073709551615", "--json"]).ok().json();
    assert_eq!(view["outputs"]["a"]["value"], json!(u64::MAX));
    for (id, says) in [
        ("18446744073709551616", "beyond 64 bits"),
        ("-9223372036854775809", "beyond 64 bits"),
        ("-9007199254740994", "below the minimum -9007199254740993"),
    ] {
        let ran = project.run(&["run", "ids", "-p", &format!("id={id}")]);
        assert!(ran.code() != 0 && ran.stderr.contains(says), "{id}: {ran:?}");
    }
    assert_eq!(project.runs().len(), 1);
    project.workflow("any", "params:\n  any: { type: object, default: {} }\nsteps:\n  a: { plugin: echo, with: { value: \"${params.any}\" } }\n");
    let twice = project.run(&["run", "any", "-p", "any={\"x\":1,\"x\":2}"]);
    assert!(twice.code() != 0 && twice.stderr.contains("the name \"x\" stands twice in one object"), "{twice}");
    assert_eq!(project.runs().len(), 1);
}
