//! The unit file that the book gives is one that systemd accepts.

use std::{fs, process::Command};

use crate::support::{command::BINARY, optional::not_run, repository};

#[test]
fn the_unit_of_the_book_passes_systemds_own_check() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        not_run("systemd", "systemd-analyze verify of the unit in docs/service.md", "systemd-analyze is not installed");
        return;
    }
    let page = fs::read_to_string(repository::root().join("docs/service.md")).unwrap();
    let unit = page.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/trackside "), "{unit}");
    // The check looks for the program; here it is the one under test.
    let unit = unit.replace("/usr/bin/trackside", BINARY);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trackside.service");
    fs::write(&file, unit).unwrap();
    let checked = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr);
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("trackside.service")).collect();
    assert!(checked.status.success() && ours.is_empty(), "{told}");
}
