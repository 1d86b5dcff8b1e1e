//! More files at once than anybody can take in, on the real binary. `TRACKSIDE_STORM_FILES` sets how many.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Node, Project,
    wait::{patient, wait_until_within},
};

/// Enough for the largest storm on a slow disk: each file is flushed before its run is accepted.
const LONG: Duration = Duration::from_secs(900);
/// What the node may keep in mind of a storm of any size: 10,000 files, 1,024 runs, and what the allocator does with that.
const GROWTH_KIB: u64 = 96 << 10;

fn files() -> usize {
    std::env::var("TRACKSIDE_STORM_FILES").map_or(2_000, |text| text.parse().unwrap())
}

fn memory_kib(node: &Node, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Makes so many different files beside the watched folder.
fn stage(project: &Project, number: usize) {
    fs::create_dir_all(project.path("staging")).unwrap();
    for file in 0..number {
        fs::write(project.path(&format!("staging/{file}.csv")), format!("content {file}")).unwrap();
    }
}

/// Moves them in, one rename after the other.
fn move_in(project: &Project, number: usize) {
    for file in 0..number {
        let name = format!("{file}.csv");
        fs::rename(project.path("staging").join(&name), project.path("inbox").join(&name)).unwrap();
    }
}

/// Waits until nothing lies in the watched folder and nothing runs.
#[track_caller]
fn wait_calm(project: &Project, node: &Node) {
    wait_until_within(patient(LONG), "an empty folder", || {
        fs::read_dir(project.path("inbox")).unwrap().next().is_none().then_some(())
    });
    wait_until_within(patient(LONG), "the end of all runs", || {
        let (_, status) = node.ask("GET", "/v1/status", "");
        let status: Value = serde_json::from_str(&status).unwrap();
        (status["live_runs"] == 0).then_some(())
    });
}

/// Files leave the folder only when their runs are on disk, so as many runs as files means one for each.
#[track_caller]
fn assert_one_run_each(project: &Project, number: usize) {
    let runs = project.runs();
    assert_eq!(runs.len(), number);
    assert!(
        runs.iter().all(|run| run["state"] == "succeeded"),
        "{:#?}",
        runs.iter().find(|r| r["state"] != "succeeded")
    );
}

fn project(trigger: &str, value: &str) -> Project {
    let project = Project::new();
    project.workflow(
        "intake",
        &format!(
            "triggers:\n  - file: {{ path: inbox, glob: \"*.csv\", settle: 200ms{trigger} }}\n\
             steps:\n  look: {{ plugin: echo, with: {{ value: \"${{{value}}}\" }} }}\n"
        ),
    );
    project
}

#[test]
fn a_storm_of_files_starts_one_run_for_each_in_bounded_memory() {
    let number = files();
    let project = project("", "trigger.file.size");
    let node = project.serve();
    node.wait_said("watching");
    // With the one after which memory is measured: by then the node has loaded what it needs.
    stage(&project, number - 1);
    project.drop_file("inbox/first.csv", "first");
    project.wait_runs(1);
    let before = memory_kib(&node, "VmRSS");
    let began = Instant::now();
    move_in(&project, number - 1);
    let moved = began.elapsed();
    wait_calm(&project, &node);
    let done = began.elapsed();
    let grown = memory_kib(&node, "VmHWM").saturating_sub(before);
    println!(
        "storm: {number} files moved in within {moved:.1?}, the last run ended after {done:.1?}; the node's memory grew by at \
         most {grown} KiB from {before} KiB"
    );
    assert_one_run_each(&project, number);
    assert!(grown < GROWTH_KIB, "{grown} KiB");
    // A full house is told when it becomes one, and not each time that a place is free for a moment.
    assert!(node.said().matches("TS-0629").count() <= 3, "{}", node.said());
}

#[test]
fn a_file_that_is_written_through_a_storm_is_taken_whole_when_it_is_closed() {
    const OTHERS: usize = 200;
    let project = Project::new();
    project.workflow(
        "intake",
        "triggers:\n  - file: { path: inbox, glob: \"*.csv\", settle: 10m }\n\
         steps:\n  look: { plugin: echo, with: { value: \"${trigger.file.size}\" } }\n",
    );
    let node = project.serve();
    node.wait_said("watching");
    stage(&project, OTHERS);
    let mut slow = File::create(project.path("inbox/slow.csv")).unwrap();
    slow.write_all(b"begun").unwrap();
    move_in(&project, OTHERS);
    for _ in 0..10 {
        slow.write_all(b", and on").unwrap();
    }
    project.wait_runs(OTHERS);
    slow.write_all(b", and done").unwrap();
    drop(slow);
    project.wait_runs(OTHERS + 1);
    assert_eq!(project.show("last")["outputs"]["look"]["value"], 5 + 10 * 8 + 10);
}

#[test]
fn files_whose_events_the_system_lost_start_their_runs() {
    const FILES: usize = 50;
    let queue: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    let project = project("", "trigger.file.name");
    let node = project.serve();
    node.wait_said("watching");
    stage(&project, FILES);
    fs::write(project.path("other"), "matches no pattern").unwrap();
    // Nobody takes events while the process is stopped. One file that goes in and out fills the queue.
    node.signal(Signal::STOP);
    for _ in 0..queue / 2 + 1 {
        fs::rename(project.path("other"), project.path("inbox/other")).unwrap();
        fs::rename(project.path("inbox/other"), project.path("other")).unwrap();
    }
    move_in(&project, FILES);
    node.signal(Signal::CONT);
    wait_calm(&project, &node);
    assert_one_run_each(&project, FILES);
}

#[test]
fn a_storm_in_batches_puts_every_file_into_exactly_one() {
    const MOST: usize = 100;
    let number = files().min(10_000) / 2;
    let trigger = format!(", batch: {{ max_files: {MOST}, max_wait: 1s }}");
    let project = project(&trigger, "trigger.files.map(file, file.name)");
    let node = project.serve();
    node.wait_said("watching");
    stage(&project, number);
    move_in(&project, number);
    wait_calm(&project, &node);
    let mut places = BTreeMap::<String, usize>::new();
    let runs = project.runs();
    for run in &runs {
        let view = project.show(run["run"].as_str().unwrap());
        let names = view["outputs"]["look"]["value"].as_array().unwrap_or_else(|| panic!("{view:#}")).clone();
        assert!((1..=MOST).contains(&names.len()), "{}", names.len());
        for name in names {
            *places.entry(name.as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    println!("storm: {number} files in {} batches", runs.len());
    assert_eq!(places.len(), number);
    assert!(places.values().all(|places| *places == 1), "{:?}", places.iter().find(|(_, places)| **places != 1));
    assert!(runs.len() <= number / MOST + 30, "{} batches", runs.len());
}
