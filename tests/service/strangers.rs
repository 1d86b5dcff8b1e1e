//! Another Unix user: what cannot be seen is not the same as what is not there.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use crate::support::{
    Project, Ran,
    command::{binary, run},
    wait::patience,
};

/// A user whom nothing here belongs to.
const NOBODY: u32 = 65_534;

/// A command as somebody else would give it: as another user where this one may become one, and otherwise as one whose
/// folder was closed to him.
fn as_a_stranger(project: &Path, arguments: &[&str]) -> Ran {
    let mut command: Command = binary();
    command.args(arguments).arg("--project").arg(project).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    run(command, patience())
}

#[test]
fn every_command_says_that_the_data_is_not_theirs_and_none_that_there_is_none() {
    let project = Project::new();
    project.workflow("hello", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.run(&["run", "hello"]).ok();
    let mode = |path: &str, mode| fs::set_permissions(project.path(path), fs::Permissions::from_mode(mode)).unwrap();
    mode("", 0o755);
    if !rustix::process::geteuid().is_root() {
        mode(".trackside", 0o000);
    }
    for arguments in [
        &["runs", "list"][..],
        &["runs", "list", "--json"],
        &["runs", "list", "--waiting"],
        &["runs", "show", "last"],
        &["runs", "logs", "last"],
        &["runs", "retry", "last"],
        &["runs", "cancel", "last"],
        &["trigger", "list"],
        &["explain", "hello"],
        &["replay", "last"],
        &["artifact", "verify"],
        &["check"],
        &["plugin", "list"],
        &["plugin", "inspect", "echo"],
        &["engine", "list"],
        &["status"],
        &["reload"],
        &["serve"],
        &["run", "hello"],
    ] {
        let ran = as_a_stranger(project.root(), arguments).exits(3);
        assert!(ran.stderr.to_lowercase().contains("permission denied"), "{ran}");
        assert!(ran.stdout.is_empty() && !ran.stderr.contains("No runs"), "{ran}");
    }
    mode(".trackside", 0o700);
    project.run(&["runs", "list"]).ok().prints(&["hello"]);
}
