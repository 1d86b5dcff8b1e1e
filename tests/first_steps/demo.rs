//! `trackside demo`

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;

use crate::support::{Ran, Trackside, wait::patient};

/// The demo is to take less than 5 s; a test machine may be slow, and busy with other tests.
const GENEROUS: Duration = Duration::from_secs(120);

/// Runs the demo with a folder for temporary files of its own.
fn demo(arguments: &[&str]) -> (TempDir, Ran) {
    let temp = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
    let arguments = [&["demo"], arguments].concat();
    let ran = Trackside::new(&arguments).env("TMPDIR", temp.path()).within(temp.path()).run().ok();
    assert!(ran.took < patient(GENEROUS), "the demo took {:?}", ran.took);
    (temp, ran)
}

#[test]
fn the_demo_shows_every_step_and_the_result_and_what_to_try_next() {
    let (temp, ran) = demo(&[]);
    let ran =
        ran.says(&["validate", "features", "score", "decide", "alert", "succeeded", " ms", "flow-2022-04-27.csv"]);
    // The result: what the model found, out of the file that was delivered.
    let ran = ran.prints(&["alerts/flow-2022-04-27.json", "worst_score"]);
    let after = ran.stderr.split("Try next:").nth(1).unwrap_or_else(|| panic!("nothing to try: {ran}"));
    let commands: Vec<&str> = after.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(commands.len(), 3, "{ran}");
    assert!(ran.stderr.contains("--keep"), "how to keep the folder is not said: {ran}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "the demo leaves something behind");
}

#[test]
fn the_kept_folder_is_a_project_in_which_the_printed_commands_work() {
    let (temp, ran) = demo(&["--keep"]);
    let folders: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [root] = folders.as_slice() else { panic!("{folders:?}") };
    assert!(ran.stderr.contains(&root.display().to_string()), "{ran}");
    assert!(root.join(".trackside/trackside.db").is_file());
    let after = ran.stderr.split("Try next:").nth(1).unwrap();
    let mut tried = 0;
    for line in after.lines().map(str::trim).filter(|line| line.contains("--project")) {
        let mut words = line.split_whitespace();
        assert!(Path::new(words.next().unwrap()).ends_with("trackside"), "{line}");
        let arguments: Vec<&str> = words.collect();
        // The node is tried by the suite `service`; it would not end.
        if arguments.last() != Some(&"serve") {
            Trackside::new(&arguments).run().ok();
            tried += 1;
        }
    }
    assert_eq!(tried, 2, "{after}");
}

#[test]
fn the_demo_tells_its_result_as_json() {
    let (_temp, ran) = demo(&["--json"]);
    let runs = ran.json();
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert_eq!((&run["state"], &run["trigger"]["kind"]), (&"succeeded".into(), &"file".into()), "{run:#}");
    }
    let alerts = |run: &serde_json::Value| run["deliveries"].as_array().unwrap().len();
    assert_eq!((alerts(&runs[0]), alerts(&runs[1])), (0, 1), "the ordinary day alerts, or the other does not");
}

#[test]
fn the_demo_needs_no_environment_at_all() {
    let temp = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
    let ran = Trackside::new(&["demo"]).bare().env("TMPDIR", temp.path()).within(temp.path()).run().ok();
    ran.prints(&["alerts/flow-2022-04-27.json"]);
}
