//! Files that steps deliver, where a name, a folder or a file system is not as one would wish.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{
    every_commit::can_watch,
    support::{Project, command::binary, optional::not_run, wait_until},
};

/// Delivers a text where the run says.
fn project(present: &str) -> Project {
    let project = Project::new();
    project.workflow(
        "put",
        &format!(
            "params:\n  to: {{ type: string }}\n\
             steps:\n  put:\n    plugin: deliver-file\n    \
             with: {{ text: \"of ${{run.id}}\", to: \"out/${{params.to}}\", if_present: {present} }}\n    \
             allow: {{ deliver: [out] }}\n"
        ),
    );
    fs::create_dir(project.path("out")).unwrap();
    project
}

fn put(project: &Project, to: &str) -> serde_json::Value {
    project.run(&["run", "put", "-p", &format!("to={to}")]).ok();
    project.show("last")
}

/// What became of the delivery of the last run.
fn delivery(project: &Project) -> serde_json::Value {
    wait_until("an end of the delivery", || {
        let first = project.show("last")["deliveries"][0].clone();
        (first["state"] != "pending" && !first.is_null()).then_some(first)
    })
}

#[test]
fn a_name_that_has_no_room_for_a_number_is_cut() {
    let project = project("number");
    let node = project.serve();
    for (stem, cut) in [("n".repeat(251), "n".repeat(249)), ("ä".repeat(125), "ä".repeat(124))] {
        let name = format!("{stem}.csv");
        fs::write(project.path("out").join(&name), "another").unwrap();
        put(&project, &name);
        let numbered = project.path("out").join(format!("{cut}-1.csv"));
        wait_until("the file beside it", || numbered.exists().then_some(()));
        assert_eq!(project.read(&format!("out/{name}")), "another");
    }
    assert!(!node.said().contains("tried again"), "{}", node.said());
}

#[test]
fn what_can_never_be_delivered_is_refused_and_holds_up_nothing() {
    let project = project("replace");
    let node = project.serve();
    fs::create_dir(project.path("out/folder")).unwrap();
    put(&project, "folder");
    let refused = delivery(&project);
    assert!(refused.to_string().contains("it is a folder"), "{refused}");
    node.wait_said("refused for good");
    put(&project, "b.txt");
    wait_until("the next file", || project.path("out/b.txt").exists().then_some(()));
    assert!(!node.said().contains("tried again"), "{}", node.said());
}

#[test]
fn a_path_that_is_too_deep_to_be_delivered_fails_its_step() {
    let project = project("number");
    let deep = |parts: usize| vec!["d"; parts].join("/");
    put(&project, &deep(64));
    assert!(project.path("out").join(deep(64)).is_file());
    project.run(&["run", "put", "-p", &format!("to={}", deep(65))]).exits(1).says(&[
        "bad-request",
        "65 parts below `out`",
        "the limit is 64",
    ]);
}

#[test]
fn a_file_system_whose_renames_can_not_refuse_to_replace_gets_its_files() {
    if !can_watch() {
        return not_run("strace", "deliveries to NFS", "strace does not work here");
    }
    for (present, names) in [("number", vec!["a-1.txt", "a.txt"]), ("refuse", vec!["a.txt"]), ("keep", vec!["a.txt"])] {
        let project = project(present);
        let mut contents = Vec::new();
        for _ in 0..2 {
            let mut command = Command::new("strace");
            // What NFS answers to RENAME_NOREPLACE.
            command.args(["-f", "-qq", "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL", "-o"]);
            command.arg(project.path("trace")).arg(binary().get_program());
            command.args(["run", "put", "-p", "to=a.txt", "--quiet"]).current_dir(project.root());
            let ran = command.stdin(Stdio::null()).output().unwrap();
            assert!(ran.status.success(), "{present}: {}", String::from_utf8_lossy(&ran.stderr));
            assert!(project.read("trace").contains("(INJECTED)") || !contents.is_empty(), "{}", project.read("trace"));
            contents.push(project.read("out/a.txt"));
        }
        assert_eq!(project.names("out"), names, "{present}");
        assert_eq!(contents[0], contents[1], "{present}: nothing was replaced");
    }
}

#[test]
fn a_database_that_is_taken_away_from_a_node_is_told_and_nothing_is_accepted_until_it_is_back() {
    let project = Project::new();
    project.workflow("hello", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.run(&["run", "hello"]).ok();
    let node = project.serve();
    let (database, away) = (project.path(".trackside/trackside.db"), project.path("away.db"));
    fs::rename(&database, &away).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| project.run(&["run", "hello", "--detach"]));
        node.wait_said("TS-0209");
        wait_until("the status says so", || {
            project.run(&["status", "--json"]).stdout.contains("TS-0209").then_some(())
        });
        fs::rename(&away, &database).unwrap();
        node.wait_said("commits work again");
        waiting.join().unwrap().ok();
    });
    let runs = project.wait_runs(2);
    project.wait_end(runs[1]["run"].as_str().unwrap());
}
