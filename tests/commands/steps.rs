//! Steps that are programs, on the real binary.

use serde_json::{Value, json};

use crate::{
    project, solving,
    support::{Project, project::step},
};

#[track_caller]
fn run(project: &Project, arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["run"].into_iter().chain(arguments.iter().copied()).chain(["--json"]).collect();
    project.run(&all).json()
}

#[test]
fn a_program_that_nobody_wrote_for_trackside_runs_as_a_step() {
    let project = Project::example("interlock", "");
    project.run(&["check"]).ok().prints(&["prove"]);
    let proved = run(&project, &["prove", "--file", "rules/tank.smt2"]);
    assert_eq!(proved["state"], "succeeded", "{proved:#}");
    assert_eq!(proved["outputs"]["prove"], json!({ "stdout": "unsat\n", "exit_code": 20 }));
    assert_eq!(project.names("accepted"), ["tank.smt2"]);
    let refuted = run(&project, &["prove", "--file", "rules/tank-2026-11.smt2"]);
    assert_eq!(refuted["outputs"]["prove"]["exit_code"], 10, "{refuted:#}");
    assert!(project.read("rejected/tank-2026-11.smt2.txt").contains("(define-fun manual () Bool true)"));
    assert_eq!(project.names("accepted"), ["tank.smt2"]);
}

#[test]
fn a_program_reads_texts_artifacts_and_files_of_the_project() {
    let project = project();
    let command =
        |rest: &str| format!("    command: {{ args: [--smt2], stdout: text, exit: {{ ok: [10, 20] }}, {rest} }}\n");
    solving(&project, "text", &command("stdin: \"(set-logic QF_BV)(assert false)(check-sat)\""));
    solving(&project, "artifact", &command("stdin: \"${trigger.file}\""));
    let fixed = command("files: { a.smt2: rules/unsat.smt2 }").replace("[--smt2]", "[--smt2, /in/a.smt2]");
    solving(&project, "fixed", &fixed);
    for (arguments, code) in [
        (&["text"][..], 20),
        (&["artifact", "--file", "rules/sat.smt2"], 10),
        (&["artifact", "--file", "rules/unsat.smt2"], 20),
        (&["fixed"], 20),
    ] {
        let view = run(&project, arguments);
        assert_eq!(view["outputs"]["solve"]["exit_code"], code, "{arguments:?}: {view:#}");
    }
    assert!(project.names(".trackside/artifacts/tmp").is_empty(), "a folder of a step was left behind");
}

#[test]
fn standard_output_becomes_an_artifact_that_the_next_program_reads() {
    let project = project();
    project.workflow(
        "chain",
        "steps:
  dump:
    plugin: boolector
    command:
      args: [--smt2, --dump-smt, /in/a.smt2]
      files: { a.smt2: \"${trigger.file}\" }
      stdout: artifact
  solve:
    needs: [dump]
    plugin: boolector
    command: { args: [--smt2], stdin: \"${steps.dump.stdout}\", stdout: text, exit: { ok: [10] } }
",
    );
    let view = run(&project, &["chain", "--file", "rules/sat.smt2"]);
    assert_eq!(view["outputs"]["solve"], json!({ "stdout": "sat\n", "exit_code": 10 }), "{view:#}");
    let dump = &view["outputs"]["dump"];
    assert!(dump["stdout"]["artifact"].as_str().unwrap().starts_with("sha256:"), "{dump:#}");
    assert_eq!(dump["exit_code"], 0);
}

#[test]
fn an_exit_code_that_is_not_good_fails_the_step_with_what_the_program_said() {
    let project = project();
    solving(&project, "wrong", "    command: { args: [--smt2], stdin: nonsense, stdout: text }\n");
    let view = run(&project, &["wrong"]);
    assert_eq!(view["state"], "failed");
    let error = &step(&view, "solve")["error"];
    assert_eq!(error["code"], "exit-code", "{error:#}");
    assert!(error["message"].as_str().unwrap().contains("exit code 1: boolector: <stdin>:1:1"), "{error:#}");
    assert!(error["details"].to_string().contains("exit_code: 1"), "{error:#}");
    let page = project.run(&["runs", "show", view["run"].as_str().unwrap()]).ok().stdout;
    assert!(page.contains("exit-code") && page.contains("expected '('"), "{page}");
    let logs = project.run(&["runs", "logs", view["run"].as_str().unwrap()]).ok().stdout;
    assert!(logs.contains("boolector: <stdin>:1:1"), "{logs}");
}

#[test]
fn exit_codes_that_are_worth_a_retry_are_retried() {
    let project = project();
    solving(
        &project,
        "again",
        "    command: { args: [--smt2], stdin: nonsense, stdout: text, exit: { retry: [1] } }\n    \
         retry: { times: 2, wait: 1ms, jitter: none }\n",
    );
    let view = run(&project, &["again"]);
    assert_eq!((&view["state"], &step(&view, "solve")["attempts"]), (&json!("failed"), &json!(3)), "{view:#}");
}

#[test]
fn a_program_has_the_limits_of_every_plugin() {
    let project = project();
    // Two factors of a large prime product: minutes of work.
    project.write(
        "rules/hard.smt2",
        "(set-logic QF_BV)(declare-const a (_ BitVec 64))(declare-const b (_ BitVec 64))
         (assert (= (bvmul a b) #x7fffffffffffffe7))(assert (bvugt a #x0000000000000001))
         (assert (bvugt b #x0000000000000001))(assert (bvult a #x0000000100000000))
         (assert (bvult b #x0000000100000000))(check-sat)\n",
    );
    for (name, limits, code) in
        [("cpu", "{ cpu: 300ms }", "cpu-limit"), ("memory", "{ memory: 1MiB }", "out-of-memory")]
    {
        let rest =
            "    command: { args: [--smt2], stdin: \"${trigger.file}\", stdout: text, exit: { ok: [10, 20] } }\n";
        solving(&project, name, &format!("{rest}    limits: {limits}\n"));
        let view = run(&project, &[name, "--file", "rules/hard.smt2"]);
        assert_eq!(step(&view, "solve")["error"]["code"], code, "{view:#}");
    }
    solving(&project, "well", "    command: { args: [--version], stdout: text }\n");
    assert_eq!(run(&project, &["well"])["outputs"]["solve"]["stdout"], "3.2.3\n");
}
