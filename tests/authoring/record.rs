//! `plugin test --record`

use std::fs;

use crate::{project::Author, support::project::Project};

/// A step whose plugin reads a file, writes another and answers.
fn box_that_ran() -> Project {
    let project = Project::new();
    project.write("in/a.csv", "v\n1\nx\n3\n");
    project.workflow(
        "rows",
        "params: { column: { type: string, default: v } }\nsteps:\n  \
         words: { plugin: echo, with: { value: number } }\n  \
         check:\n    needs: [words]\n    plugin: csv-check\n    with:\n      file: in/a.csv\n      \
         contract: { columns: { v: { type: \"${steps.words.value}\" } } }\n    \
         limits: { memory: 32MiB }\n",
    );
    project.run(&["run", "rows"]).exits(1);
    project
}

#[test]
fn a_step_that_ran_becomes_a_case_that_passes() {
    let project = box_that_ran();
    let author = Author::new("csv-check.wasm").built();
    let dir = author.folder.path().to_str().unwrap();
    let told = project.run(&["plugin", "test", "--dir", dir, "--record", "last", "--step", "check"]).ok();
    let file = told.stdout.trim();
    let case = fs::read_to_string(file).unwrap();
    for part in ["# Recorded from run", "\"a.csv\"", "\"v\\n1\\nx\\n3\\n\"", "\"number\"", "limits: ", "clock: "] {
        assert!(case.contains(part), "{part}: {case}");
    }
    let ran = author.run(&["plugin", "test"]).ok();
    assert!(ran.stdout.contains("1 passed"), "{}", ran.stdout);
    // What it expects is what came: another input gives something else.
    fs::write(file, case.replace("v\\n1\\nx\\n3\\n", "v\\n1\\n2\\n3\\n")).unwrap();
    author.run(&["plugin", "test"]).exits(1);
}

#[test]
fn large_data_lies_beside_the_case_and_what_is_not_kept_is_said() {
    let project = Project::new();
    project.write("in/big.bin", vec![7; 5000]);
    project.workflow(
        "send",
        "steps:\n  send:\n    plugin: http-request\n    \
         with: { url: \"http://127.0.0.1:9/x\", method: PUT, file: in/big.bin }\n    \
         allow: { http: [{ origin: \"http://127.0.0.1:9\", private: true }] }\n",
    );
    project.run(&["run", "send"]).exits(1);
    let author = Author::new("http-request.wasm").built();
    let dir = author.folder.path().to_str().unwrap();
    let told = project.run(&["plugin", "test", "--dir", dir, "--record", "last"]).ok();
    let case = fs::read_to_string(told.stdout.trim()).unwrap();
    assert!(case.contains("write them under `http`") && case.contains("big.bin"), "{case}");
    let http = "http: [{ request: { method: PUT, url: \"http://127.0.0.1:9/x\" }, error: refused }]\n";
    let (before, expect) = case.split_once("expect: ").unwrap();
    fs::write(told.stdout.trim(), format!("{before}{http}expect: {{ error: {{ code: http-connect }} }}\n")).unwrap();
    assert!(expect.contains("http-connect"), "{expect}");
    author.run(&["plugin", "test"]).ok();
}

#[test]
fn a_run_that_gives_no_case_is_told() {
    let project = box_that_ran();
    let record = |rest: &[&str]| project.run(&[&["plugin", "test", "--record"], rest].concat());
    record(&["last"]).exits(2).says(&["TS-0910", "--step", "words, check"]);
    record(&["last", "--step", "nothing"]).exits(2).says(&["TS-0910", "words, check"]);
    record(&["0000"]).exits(2).says(&["TS-0811"]);
    // Artifacts by name are large outputs of a model, and a case has no form for them.
    project.workflow(
        "join",
        "steps:\n  rows: { plugin: csv-check, with: { file: in/a.csv, on_bad: drop, contract: { columns: { v: {} } } } }\n  \
         join: { needs: [rows], plugin: join-predictions, with: { rows: in/a.csv, outputs: { p: \"${steps.rows.rows}\" } } }\n",
    );
    project.run(&["run", "join"]).exits(1);
    record(&["last", "--step", "join"]).exits(2).says(&[
        "TS-0910",
        "`outputs` gives artifacts by name",
        "small outputs",
    ]);
}
