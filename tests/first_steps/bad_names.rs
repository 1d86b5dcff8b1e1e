//! Command lines, names, folders and config that are wrong.

use crate::support::{Project, Trackside};

fn project() -> Project {
    let project = Project::new();
    project.workflow(
        "hello",
        "params:\n  times: { type: integer, default: 1, maximum: 3 }\n\
         steps:\n  greet: { plugin: echo, with: { value: \"${params.times}\" } }\n",
    );
    project
}

#[test]
fn a_wrong_command_line_ends_with_2_names_the_word_and_leaves_no_trace() {
    let project = project();
    project.write("folder/x", "");
    for (arguments, words) in [
        (&["no-such-command"][..], &["no-such-command"][..]),
        (&["run"], &["<WORKFLOW>"]),
        (&["run", "hello", "--no-such-flag"], &["--no-such-flag"]),
        (&["run", "helo"], &["TS-0817", "helo", "did you mean `hello`?"]),
        (&["run", "hello", "-p", "times"], &["TS-0832", "NAME=VALUE"]),
        (&["run", "hello", "-p", "times=many"], &["TS-0833", "times", "integer"]),
        (&["run", "hello", "-p", "times=4"], &["times", "3"]),
        (&["run", "hello", "-p", "tims=1"], &["tims", "times"]),
        (&["run", "hello", "-p", "times=1", "-p", "times=2"], &["TS-0834", "twice"]),
        (&["run", "hello", "--file", "missing.csv"], &["TS-0713", "missing.csv"]),
        (&["run", "hello", "--timeout", "soon"], &["--timeout"]),
        (&["runs", "list", "--limit", "0"], &["--limit"]),
        (&["runs", "list", "--state", "gone"], &["gone", "succeeded"]),
        (&["plugin", "inspect", "ecko"], &["TS-0601", "ecko"]),
        (&["model", "predict", "nothing"], &["TS-0611", "nothing", "[models.nothing]"]),
        (&["schema", "workflows"], &["workflows", "workflow"]),
    ] {
        let ran = project.run(arguments).exits(2).says(words).says(&["error"]);
        assert_eq!(ran.stdout, "", "{ran}");
    }
    assert!(project.runs().is_empty());
    assert!(!project.path(".trackside").exists(), "a wrong command line left data: {:?}", project.names(".trackside"));
}

#[test]
fn only_regular_files_are_taken_for_a_run() {
    let project = project();
    project.write("folder/x", "");
    for bad in ["folder", "/dev/zero"] {
        project.run(&["run", "hello", "--file", bad]).exits(2).says(&["TS-0713", bad, "regular file"]);
    }
    assert!(project.runs().is_empty());
}

#[test]
fn a_run_that_does_not_exist_is_told_as_such() {
    let project = project();
    project.run(&["runs", "show", "last"]).exits(3).says(&["TS-0805", "--project"]);
    project.run(&["run", "hello"]).ok();
    for more in [&[][..], &["--waiting"], &["--json"]] {
        let list = |name: &str| project.run(&[&["runs", "list", "--workflow", name], more].concat()).ok();
        list("helo").says(&["warning", "TS-0817", "did you mean `hello`?"]);
        assert!(!list("hello").stderr.contains("TS-0817"));
    }
    let triggers =
        |name: &str| project.run(&["trigger", "list", "--workflow", name]).ok().says(&["No triggers that fit"]);
    triggers("helo").says(&["warning", "TS-0817", "did you mean `hello`?"]);
    assert!(!triggers("hello").stderr.contains("TS-0817"));
    project.run(&["runs", "show", "0000000000000"]).exits(2).says(&["TS-0811", "runs list"]);
    project.run(&["runs", "show", "?"]).exits(2).says(&["TS-0812"]);
    project.run(&["runs", "logs", "last", "--step", "nope"]).exits(2).says(&["TS-0819", "greet"]);
    project.run(&["artifact", "get", "sha256:beef"]).exits(2).says(&["TS-0815", "beef"]);
    project.run(&["artifact", "get", "no"]).exits(2).says(&["TS-0814"]);
}

#[test]
fn a_folder_that_is_no_project_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    for arguments in [&["run", "hello"][..], &["serve"], &["check"], &["runs", "list"]] {
        let ran = Trackside::new(arguments).within(temp.path()).run().exits(3);
        ran.says(&["TS-0804", "trackside init", "--project"]);
    }
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn a_config_that_is_wrong_is_told_with_its_place_and_nothing_starts() {
    let project = project();
    for (config, place, words) in [
        ("[node]\nnmae = \"x\"\n", "trackside.toml:2:", &["nmae", "did you mean `name`?"][..]),
        ("[node]\nlog = \"loud\"\n", "trackside.toml:2:", &["loud", "debug"]),
        ("[limits]\nmemory = \"much\"\n", "trackside.toml:2:", &["much", "MiB"]),
        ("[node\n", "trackside.toml:1:", &["error[TS-"]),
        ("[models.m]\npaht = \"m.onnx\"\n", "trackside.toml:2:", &["paht", "did you mean `path`?"]),
    ] {
        project.write("trackside.toml", config);
        for command in [&["check"][..], &["run", "hello"], &["serve"]] {
            project.run(command).exits(3).says(&[place, "error[TS-01"]).says(words);
        }
    }
    assert!(!project.path(".trackside").exists());
}

#[test]
fn a_data_folder_of_a_newer_version_is_not_touched() {
    let project = project();
    project.run(&["run", "hello"]).ok();
    std::fs::write(project.path(".trackside/trackside.db"), "this is no database at all, not even a broken one")
        .unwrap();
    for name in ["trackside.db-wal", "trackside.db-shm"] {
        let _ = std::fs::remove_file(project.path(&format!(".trackside/{name}")));
    }
    for command in [&["run", "hello"][..], &["serve"], &["runs", "list"]] {
        project.run(command).exits(3).says(&["TS-0203", "trackside.db"]);
    }
    assert!(project.read(".trackside/trackside.db").starts_with("this is no database"));
}
