//! Rules of watched folders: names that pass, names left out, where files go, who else wants them, folders nobody can
//! watch.

use std::{
    fs::{self, File},
    io::Write,
};

use serde_json::Value;

use crate::{
    no_watches::without_watches,
    support::{Project, wait_until},
};

fn workflow(project: &Project, name: &str, trigger: &str) {
    project.workflow(
        name,
        &format!(
            "triggers:\n  - file: {{ {trigger} }}\n\
             steps:\n  look: {{ plugin: echo, with: {{ value: \"${{trigger.file.path}}\" }} }}\n"
        ),
    );
}

fn project(trigger: &str) -> Project {
    let project = Project::new();
    workflow(&project, "intake", trigger);
    project
}

/// Workflow and file of each run, sorted. Waits until there are so many, and all have succeeded.
#[track_caller]
fn taken(project: &Project, number: usize) -> Vec<(String, String)> {
    let runs = project.wait_runs(number);
    let one = |run: &Value| {
        let view = project.show(run["run"].as_str().unwrap());
        assert_eq!(view["state"], "succeeded", "{view:#}");
        let file = view["outputs"]["look"]["value"].as_str().unwrap().to_owned();
        (view["workflow"].as_str().unwrap().to_owned(), file)
    };
    let mut taken: Vec<_> = runs.iter().map(one).collect();
    taken.sort();
    taken
}

/// What has been decided about a file.
#[track_caller]
fn decisions(project: &Project, file: &str) -> Vec<String> {
    let told = project.run(&["explain", file, "--json"]).ok().json();
    let triggers = told["triggers"].as_array().cloned().unwrap_or_default();
    let rows = triggers.iter().flat_map(|trigger| trigger["decisions"].as_array().cloned().unwrap_or_default());
    rows.filter_map(|row| row["decision"].as_str().map(str::to_owned)).collect()
}

fn intake(files: &[&str]) -> Vec<(String, String)> {
    files.iter().map(|file| ("intake".to_owned(), (*file).to_owned())).collect()
}

#[test]
fn a_temporary_name_and_the_final_one_are_one_file() {
    let project = project("path: inbox, settle: 10m");
    let node = project.serve();
    node.wait_said("watching");
    let mut file = File::create(project.path("inbox/a.part")).unwrap();
    file.write_all(b"first half").unwrap();
    fs::rename(project.path("inbox/a.part"), project.path("inbox/a.csv")).unwrap();
    file.write_all(b", second half").unwrap();
    drop(file);
    assert_eq!(taken(&project, 1), intake(&["a.csv"]));
    assert_eq!(project.show("last")["trigger"]["file"]["size"], 23);
    project.drop_file("inbox/fence", "fence");
    assert_eq!(taken(&project, 2), intake(&["a.csv", "fence"]));
}

#[test]
fn a_name_that_no_pattern_matches_until_the_rename_starts_one_run() {
    let project = project("path: inbox, glob: \"*.csv\", settle: 10m");
    let node = project.serve();
    node.wait_said("watching");
    fs::write(project.path("inbox/a.csv.part"), "whole").unwrap();
    fs::rename(project.path("inbox/a.csv.part"), project.path("inbox/a.csv")).unwrap();
    project.drop_file("inbox/fence.csv", "fence");
    assert_eq!(taken(&project, 2), intake(&["a.csv", "fence.csv"]));
}

#[test]
fn files_that_are_left_out_stay_and_are_recorded() {
    let project = project("path: inbox, glob: \"**/*\", exclude: [\"*.tmp\", \"old/**\"], settle: 200ms");
    let node = project.serve();
    node.wait_said("watching");
    project.drop_file("inbox/a.tmp", "left out");
    project.drop_file("inbox/old/b.csv", "in a folder that is left out");
    project.drop_file("inbox/new/c.csv", "wanted");
    assert_eq!(taken(&project, 1), intake(&["new/c.csv"]));
    assert_eq!(project.names("inbox/old"), ["b.csv"]);
    wait_until("the decision", || (decisions(&project, "inbox/a.tmp") == ["excluded"]).then_some(()));
    assert!(project.names("inbox").contains(&"a.tmp".to_owned()));
}

#[test]
fn a_copy_leaves_the_file_and_starts_one_run_also_across_restarts() {
    let project = project("path: inbox, claim: copy, to: done, settle: 100ms");
    project.drop_file("inbox/a.csv", "a");
    for start in 1..=3 {
        let node = project.serve();
        project.drop_file(&format!("inbox/fence-{start}"), format!("fence {start}"));
        taken(&project, start + 1);
        wait_until("the copies", || (project.names("done").len() == start + 1).then_some(()));
        node.kill();
    }
    assert_eq!(project.read("done/a.csv"), "a");
    assert_eq!(project.read("inbox/a.csv"), "a");
}

#[test]
fn a_moved_file_keeps_its_path_and_replaces_nothing() {
    let project = project("path: inbox, glob: \"**/*\", to: done, settle: 200ms");
    project.write("done/day/a.csv", "an older one");
    let node = project.serve();
    node.wait_said("watching");
    project.drop_file("inbox/day/a.csv", "a newer one");
    assert_eq!(taken(&project, 1), intake(&["day/a.csv"]));
    wait_until("the file in its place", || (project.names("done/day") == ["a-1.csv", "a.csv"]).then_some(()));
    assert_eq!(project.read("done/day/a-1.csv"), "a newer one");
    assert_eq!(project.read("done/day/a.csv"), "an older one");
    assert!(project.names("inbox/day").is_empty());
}

#[test]
fn triggers_on_overlapping_folders_each_get_the_file() {
    let project = Project::new();
    workflow(&project, "above", "path: inbox, glob: \"**/*.csv\", to: taken, settle: 10m");
    workflow(&project, "below", "path: inbox/deep, glob: \"*.csv\", settle: 10m");
    fs::create_dir_all(project.path("inbox/deep")).unwrap();
    let node = project.serve();
    node.wait_said("watching");
    for number in 0..20 {
        project.drop_file(&format!("inbox/deep/{number:02}.csv"), format!("file {number}"));
    }
    let taken = taken(&project, 40);
    for number in 0..20 {
        let (above, below) = (format!("deep/{number:02}.csv"), format!("{number:02}.csv"));
        assert!(taken.contains(&("above".into(), above)) && taken.contains(&("below".into(), below)), "{taken:?}");
    }
    wait_until("an empty folder", || project.names("inbox/deep").is_empty().then_some(()));
}

#[test]
fn a_file_that_never_stands_still_is_told_and_taken_when_it_does() {
    let project = project("path: inbox, settle: 10s, max_wait: 500ms");
    let node = project.serve();
    node.wait_said("watching");
    let mut restless = File::create(project.path("inbox/restless")).unwrap();
    wait_until("the node says that it waits for too long", || {
        restless.write_all(b"more ").unwrap();
        node.said().contains("TS-0423").then_some(())
    });
    assert!(project.runs().is_empty(), "it was taken before it had settled");
    let size = restless.metadata().unwrap().len();
    drop(restless);
    assert_eq!(taken(&project, 1), intake(&["restless"]));
    assert_eq!(project.show("last")["trigger"]["file"]["size"], size);
    assert_eq!(node.said().matches("TS-0423").count(), 1);
}

#[test]
fn a_file_for_which_its_group_has_no_room_is_told_as_skipped_and_stays() {
    let project = Project::new();
    project.workflow(
        "intake",
        "concurrency: { group: one, limit: 1, on_conflict: skip }\n\
         triggers:\n  - file: { path: inbox, settle: 100ms }\n\
         steps:\n  ask: { approval: { message: \"Go on?\" } }\n",
    );
    let _node = project.serve();
    project.drop_file("inbox/a", "a");
    wait_until("a run that waits for a person", || (decisions(&project, "inbox/a") == ["started"]).then_some(()));
    project.drop_file("inbox/b", "b");
    wait_until("a decision", || (!decisions(&project, "inbox/b").is_empty()).then_some(()));
    assert_eq!(decisions(&project, "inbox/b"), ["skipped"]);
    assert_eq!(project.names("inbox"), ["b"]);
}

#[test]
fn a_folder_that_cannot_be_watched_is_looked_through_and_says_which_setting_to_change() {
    without_watches(
        "rules::a_folder_that_cannot_be_watched_is_looked_through_and_says_which_setting_to_change",
        || {
            let project = project("path: inbox, settle: 100ms");
            let node = project.serve();
            node.wait_said("TS-0411");
            project.drop_file("inbox/a.csv", "a");
            let told = project.run(&["explain", "inbox", "--json"]).ok().json();
            assert_eq!(told["triggers"][0]["now"]["state"], "polled", "{told:#}");
            assert_eq!(taken(&project, 1), intake(&["a.csv"]));
            assert!(node.said().contains("fs.inotify.max_user_watches"), "{}", node.said());
            assert_eq!(node.said().matches("TS-0411").count(), 1);
        },
    );
}
