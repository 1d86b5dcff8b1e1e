//! Deadlines.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    time::Duration,
};

use crate::support::{
    command::run,
    wait::{wait_until, wait_until_within},
};

/// What a test would have failed with.
fn complaint(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it must fail");
    *panic.downcast::<String>().expect("a message")
}

/// Runs a shell script that is given as long as it needs to have printed and not to end.
fn given_up(script: &str, folder: &Path) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(folder);
    complaint(|| drop(run(shell, Duration::from_secs(5))))
}

#[test]
fn a_command_that_does_not_end_fails_its_test_with_what_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    let said = given_up("echo data; echo talk >&2; exec sleep 1000", folder.path());
    for part in ["sh -c", "not over after 5s", "--- stdout\ndata", "--- stderr\ntalk"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn one_that_has_ended_and_left_a_child_with_its_output_fails_too_and_the_child_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let said = given_up("echo data; sleep 1000 & echo $! >child", folder.path());
    assert!(said.contains("data"), "{said}");
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    // Gone, or only not yet waited for by the one that has inherited it.
    let status = Path::new("/proc").join(child.trim()).join("stat");
    wait_until("the child's end", || match fs::read_to_string(&status) {
        Ok(stat) => stat.contains(") Z ").then_some(()),
        Err(_) => Some(()),
    });
}

#[test]
fn one_that_closes_its_output_first_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let said = given_up("echo data; exec >&- 2>&-; exec sleep 1000", folder.path());
    assert!(said.contains("not over after 5s") && said.contains("data"), "{said}");
}

#[test]
fn output_that_no_pipe_holds_is_kept_whole() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2"]);
    let ran = run(shell, Duration::from_secs(300)).ok();
    assert_eq!((ran.stdout.len(), ran.stderr.len()), (3_000_000, 3_000_000));
}

#[test]
fn what_does_not_come_is_named() {
    let said = complaint(|| wait_until_within(Duration::from_millis(20), "a letter", || None));
    assert!(said.contains("a letter") && said.contains("20ms"), "{said}");
}
