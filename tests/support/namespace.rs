//! File systems of a test's own.

use std::process::Command;

use super::optional::not_run;

/// A shell with this script that may mount what it wants without anybody else seeing it; none, and that is told, where the
/// machine does not allow it.
pub fn with_own_mounts(what: &str, script: &str) -> Option<Command> {
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-U", "-r", "-m", "bash", "-c", script]);
        command
    };
    let possible = inside("mount -t tmpfs -o size=1m none /mnt").output().is_ok_and(|output| output.status.success());
    if !possible {
        not_run("namespaces", what, "no user namespace with a file system of its own can be made");
        return None;
    }
    Some(inside(script))
}
