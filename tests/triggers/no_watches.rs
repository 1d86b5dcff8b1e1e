//! A box that is out of inotify watches.

use std::process::Command;

use crate::support::optional::not_run;

const LIMIT: &str = "/proc/sys/user/max_inotify_watches";
const INSIDE: &str = "TRACKSIDE_TEST_IN_NAMESPACE";

/// Runs the rest of a test where no watch can be had: the test of this name is started again in a user namespace with a limit of
/// its own. That limit counts for those in it alone, and setting it needs no rights outside.
#[track_caller]
pub fn without_watches(test: &str, rest: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return rest();
    }
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-U", "-r", "sh", "-c", script]);
        command
    };
    let possible = inside(&format!("echo 0 > {LIMIT}")).output().is_ok_and(|output| output.status.success());
    if !possible {
        return not_run("namespaces", "the limit on watches", "no user namespace with a limit of its own can be made");
    }
    let script = format!("echo 0 > {LIMIT} && exec \"$0\" --exact --nocapture \"$1\"");
    let own = std::env::current_exe().unwrap();
    let status = inside(&script).arg(own).arg(test).env(INSIDE, "1").status().unwrap();
    assert!(status.success());
}
