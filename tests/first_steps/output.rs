//! Data on standard output, talk on standard error, and the documented exit codes.

use std::process::Stdio;

use crate::support::{Project, Trackside, command::binary, project::step};

fn project() -> Project {
    let project = Project::new();
    project.workflow(
        "hello",
        "params:\n  who: { type: string, default: you }\n  times: { type: integer, default: 1, maximum: 3 }\n\
         steps:\n  greet: { plugin: echo, with: { value: \"${params.who}\" } }\n",
    );
    project.workflow("bad", "steps:\n  ask: { plugin: http-request, with: { url: \"https://example.org/\" } }\n");
    project
}

#[test]
fn the_exit_codes_are_in_the_help_and_are_what_happens() {
    let project = project();
    let help = project.run(&["--help"]).ok().stdout;
    for code in ["0  ", "1  ", "2  ", "3  ", "130  "] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(code)), "{code}\n{help}");
    }
    project.run(&["run", "hello"]).ok();
    project.run(&["run", "bad"]).exits(1);
    project.run(&["run", "hello", "--no-such-flag"]).exits(2);
    Trackside::new(&["run", "hello", "--project", "/nonexistent"]).run().exits(3).says(&["TS-0621", "/nonexistent"]);
}

#[test]
fn json_is_all_there_is_on_standard_output() {
    let project = project();
    let run = project.run(&["run", "hello", "--json", "-p", "who=me"]).ok().json();
    assert_eq!(run["outputs"]["greet"]["value"], "me");
    assert_eq!(run["params"], serde_json::json!({ "who": "me", "times": 1 }));
    let view = project.show("last");
    assert_eq!(view["run"], run["run"]);
    let greet = step(&view, "greet");
    assert_eq!(
        (&greet["state"], &greet["attempts"], &greet["report"]["plugin"]),
        (&"succeeded".into(), &1.into(), &"echo".into())
    );
    for arguments in [
        &["check", "--json"][..],
        &["runs", "list", "--json"],
        &["runs", "logs", "last", "--json"],
        &["plugin", "list", "--json"],
        &["plugin", "inspect", "echo", "--json"],
        &["engine", "list", "--json"],
        &["artifact", "verify", "--json"],
    ] {
        let ran = project.run(arguments);
        assert!(ran.json().is_object() || ran.json().is_array(), "{ran}");
    }
}

#[test]
fn a_failed_run_is_json_too_and_says_what_failed() {
    let project = project();
    let ran = project.run(&["run", "bad", "--json"]).exits(1);
    let view = ran.json();
    assert_eq!(view["state"], "failed");
    assert_eq!(view["error"]["step"], "ask");
    assert!(!step(&view, "ask")["error"]["code"].as_str().unwrap().is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = project();
    project.run(&["run", "hello"]).ok();
    let mut command = binary();
    command.args(["schema", "workflow"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert_eq!(said, "");
}

#[test]
fn text_from_guests_can_not_write_over_the_terminal() {
    let project = project();
    project.run(&["run", "hello", "-p", "who=\u{1b}[2J\u{1b}]0;evil\u{7}"]).ok();
    for arguments in [&["runs", "show", "last"][..], &["runs", "list"], &["runs", "logs", "last"]] {
        let ran = project.run(arguments).ok();
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
    }
}

#[test]
fn quiet_says_nothing_when_nothing_is_wrong() {
    let project = project();
    let ran = project.run(&["run", "hello", "-q"]).ok();
    assert_eq!(ran.stderr, "", "{ran}");
}

#[test]
fn a_run_that_takes_longer_than_asked_for_is_cancelled() {
    let project = project();
    project.misbehave("misbehave");
    project.workflow("slow", "steps:\n  wait: { plugin: misbehave, with: { mode: sleep } }\n");
    let ran = project.run(&["run", "slow", "--timeout", "300ms"]).exits(1).says(&["cancelled", "--timeout"]);
    assert_eq!(project.show("last")["state"], "cancelled", "{ran}");
}

#[test]
fn the_options_of_a_command_stand_together_in_its_help() {
    let help = project().run(&["runs", "list", "--help"]).ok().stdout;
    let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
    let own = ["--workflow", "--state", "--waiting", "--limit"].map(at);
    let heading = at("Options of every command:");
    assert!(own.is_sorted() && own.iter().all(|place| *place < heading), "{help}");
    assert!(
        ["--project", "--json", "--verbose", "--quiet"].iter().all(|name| help.rfind(name).unwrap() > heading),
        "{help}"
    );
}

#[test]
fn a_language_is_known_by_its_whole_name_too() {
    let project = project();
    for (language, name) in [("javascript", "one"), ("js", "two"), ("typescript", "three"), ("ts", "four")] {
        project.run(&["plugin", "new", name, "--lang", language]).ok();
        assert!(project.path(&format!("{name}/plugin.toml")).is_file(), "{language}");
    }
}
