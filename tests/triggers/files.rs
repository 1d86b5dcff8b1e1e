//! Files in watched folders.

use std::{
    fs::{self, File},
    io::Write,
};

use serde_json::Value;

use crate::support::{Node, Project, wait_until};

/// So long that only files are taken whose end the node has seen: closed after writing, or moved in.
const NEVER: &str = "10m";

/// A workflow that returns its file's name. Files that were there before the node stand still for a moment.
fn project(trigger: &str) -> Project {
    settling("200ms", trigger)
}

fn settling(settle: &str, trigger: &str) -> Project {
    let project = Project::new();
    project.workflow(
        "intake",
        &format!(
            "triggers:\n  - file: {{ path: inbox, settle: {settle}{trigger} }}\n\
             steps:\n  look: {{ plugin: echo, with: {{ value: \"${{trigger.file.name}}\" }} }}\n"
        ),
    );
    project
}

/// Waits for so many runs, which all must have succeeded; gives the names of their files in the order of the runs.
#[track_caller]
fn files_of_runs(project: &Project, number: usize) -> Vec<String> {
    let runs = project.wait_runs(number);
    let file = |run: &Value| {
        let view = project.show(run["run"].as_str().unwrap());
        assert_eq!(view["state"], "succeeded", "{view:#}");
        view["outputs"]["look"]["value"].as_str().unwrap().to_owned()
    };
    runs.iter().map(file).collect()
}

/// Drops a file that nobody has seen and waits for its run, the `number`th: what was dropped before has been dealt with.
#[track_caller]
fn fence(project: &Project, number: usize) {
    project.drop_file(&format!("inbox/fence-{number}"), format!("fence {number}"));
    let files = files_of_runs(project, number);
    assert!(files.contains(&format!("fence-{number}")), "{files:?}");
}

#[test]
fn a_file_that_is_dropped_starts_one_run_that_has_its_bytes() {
    let project = project("");
    let _node = project.serve();
    project.drop_file("inbox/a.csv", "x,y\n1,2\n");
    assert_eq!(files_of_runs(&project, 1), ["a.csv"]);
    let view = project.show("last");
    let file = &view["trigger"]["file"];
    assert_eq!(
        (&view["trigger"]["kind"], &file["name"], &file["path"]),
        (&"file".into(), &"a.csv".into(), &"a.csv".into())
    );
    let digest = file["artifact"].as_str().unwrap();
    assert_eq!(project.run(&["artifact", "get", digest]).ok().stdout, "x,y\n1,2\n");
    wait_until("the file has left the folder", || project.names("inbox").is_empty().then_some(()));
}

#[test]
fn a_file_that_was_dropped_while_the_node_was_down_starts_exactly_one_run() {
    let project = project("");
    project.drop_file("inbox/first", "before the first start");
    let node = project.serve();
    assert_eq!(files_of_runs(&project, 1), ["first"]);
    node.kill();
    project.drop_file("inbox/second", "between two starts");
    project.drop_file("inbox/third", "too");
    for start in 0..3 {
        let node = project.serve();
        fence(&project, 4 + start);
        node.kill();
    }
    let mut names = files_of_runs(&project, 6);
    names.retain(|name| !name.starts_with("fence"));
    names.sort();
    assert_eq!(names, ["first", "second", "third"]);
}

#[test]
fn a_file_that_is_moved_in_as_soon_as_the_node_is_ready_is_taken_at_once() {
    let project = settling(NEVER, "");
    for start in 1..=5 {
        let node = project.serve();
        fence(&project, start);
        node.kill();
    }
}

#[test]
fn a_file_that_is_being_written_is_not_read_until_it_is_closed() {
    let project = settling(NEVER, "");
    let node = project.serve();
    node.wait_said("watching");
    let mut slow = File::create(project.path("inbox/slow")).unwrap();
    for number in 1..=3 {
        slow.write_all(b"a part\n").unwrap();
        slow.flush().unwrap();
        fence(&project, number);
    }
    drop(slow);
    assert_eq!(files_of_runs(&project, 4).pop().unwrap(), "slow");
    assert_eq!(project.show("last")["trigger"]["file"]["size"], 21);
}

#[test]
fn a_file_that_nobody_closes_is_taken_when_it_has_stood_still() {
    let project = project("");
    let _node = project.serve();
    let mut open = File::create(project.path("inbox/open")).unwrap();
    open.write_all(b"all of it").unwrap();
    assert_eq!(files_of_runs(&project, 1), ["open"]);
    drop(open);
}

#[test]
fn the_same_content_starts_one_run_also_across_a_restart() {
    let project = project("");
    let node = project.serve();
    project.drop_file("inbox/one", "the same");
    files_of_runs(&project, 1);
    project.drop_file("inbox/two", "the same");
    fence(&project, 2);
    node.wait_said("two");
    node.kill();
    project.drop_file("inbox/three", "the same");
    let _node = project.serve();
    fence(&project, 3);
    let mut names = files_of_runs(&project, 3);
    names.sort();
    assert_eq!(names, ["fence-2", "fence-3", "one"]);
}

#[test]
fn with_identity_stat_the_same_content_under_another_name_is_another_file() {
    let project = project(", identity: stat");
    let _node = project.serve();
    project.drop_file("inbox/one", "the same");
    files_of_runs(&project, 1);
    project.drop_file("inbox/two", "the same");
    assert_eq!(files_of_runs(&project, 2), ["one", "two"]);
}

#[test]
fn a_kept_file_starts_one_run_however_often_the_node_starts() {
    let project = project(", claim: keep");
    for start in 0..3 {
        project.drop_file("inbox/kept", "kept");
        let node = project.serve();
        fence(&project, 2 + start);
        node.kill();
    }
    assert!(project.names("inbox").contains(&"kept".to_owned()));
    assert_eq!(files_of_runs(&project, 4).iter().filter(|name| *name == "kept").count(), 1);
}

#[test]
fn existing_files_that_are_to_be_ignored_start_no_run_ever() {
    let project = project(", existing: ignore");
    project.drop_file("inbox/old", "old");
    for start in 1..=2 {
        let node = project.serve();
        fence(&project, start);
        node.kill();
    }
    assert_eq!(files_of_runs(&project, 2), ["fence-1", "fence-2"]);
    assert!(project.names("inbox").contains(&"old".to_owned()), "it is none of ours, and it is gone");
}

#[test]
fn only_what_fits_the_glob_and_is_a_regular_file_starts_runs() {
    let project = project(", glob: \"**/fence-*\"");
    let _node = project.serve();
    project.drop_file("inbox/other", "other");
    fs::create_dir_all(project.path("inbox/fence-folder")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", project.path("inbox/fence-link")).unwrap();
    project.drop_file("inbox/deep/down/fence-deep", "deep");
    files_of_runs(&project, 1);
    fence(&project, 2);
    assert_eq!(files_of_runs(&project, 2), ["fence-deep", "fence-2"]);
}

#[test]
fn a_burst_of_files_starts_one_run_for_each() {
    const FILES: usize = 200;
    let project = project("");
    let _node: Node = project.serve();
    for number in 0..FILES {
        project.drop_file(&format!("inbox/f{number:03}"), format!("content {number}"));
    }
    let mut names = files_of_runs(&project, FILES);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), FILES);
}
