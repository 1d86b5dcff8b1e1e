//! Compiled code that somebody has changed on disk.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use crate::support::{Project, repository};

/// A project whose two plugins are in the cache, and the cache's files.
fn warm() -> (Project, Vec<PathBuf>) {
    let project = Project::new();
    project.misbehave("misbehave");
    project.workflow(
        "two",
        "steps:\n  a: { plugin: echo, with: { value: 1 } }\n  b: { needs: [a], plugin: misbehave, with: { mode: succeed } }\n",
    );
    project.run(&["run", "two"]).ok();
    let files = files(&project);
    assert_eq!(files.len(), 2, "{files:?}");
    (project, files)
}

fn files(project: &Project) -> Vec<PathBuf> {
    project.names(".trackside/cache").iter().map(|name| project.path(".trackside/cache").join(name)).collect()
}

/// The run must succeed, and the node must say that it compiled `count` plugins again.
#[track_caller]
fn is_compiled_again(project: &Project, what: &str, count: usize) {
    let ran = project.run(&["run", "two"]).ok();
    assert_eq!(ran.stderr.matches("compiling again").count(), count, "{what}: {ran}");
}

#[test]
fn a_flipped_byte_in_any_file_of_the_cache_costs_time_and_nothing_else() {
    let (project, files) = warm();
    is_compiled_again(&project, "nothing", 0);
    for file in &files {
        let good = fs::read(file).unwrap();
        for place in [0, 40, good.len() / 2, good.len() - 1] {
            let mut bad = fs::read(file).unwrap();
            bad[place] ^= 1;
            fs::write(file, bad).unwrap();
            is_compiled_again(&project, &format!("byte {place} of {}", file.display()), 1);
            is_compiled_again(&project, "after that", 0);
        }
        assert_eq!(fs::read(file).unwrap().len(), good.len());
    }
}

#[test]
fn files_that_are_cut_exchanged_or_links_are_not_loaded() {
    let (project, files) = warm();
    let [first, second] = files.as_slice() else { panic!("{files:?}") };
    for length in [0, 10, 100] {
        fs::write(first, &fs::read(first).unwrap()[..length]).unwrap();
        is_compiled_again(&project, &format!("cut to {length}"), 1);
    }
    // Each is genuine, under the other's name.
    let (one, other) = (fs::read(first).unwrap(), fs::read(second).unwrap());
    fs::write(first, other).unwrap();
    fs::write(second, &one).unwrap();
    is_compiled_again(&project, "exchanged", 2);
    let elsewhere = project.path("elsewhere");
    fs::rename(first, &elsewhere).unwrap();
    symlink(&elsewhere, first).unwrap();
    is_compiled_again(&project, "a link", 1);
    // Code that another box has made, and a component in its place.
    let (foreign, _) = warm();
    let same = foreign.path(".trackside/cache").join(first.file_name().unwrap());
    fs::copy(same, first).unwrap();
    is_compiled_again(&project, "another box's", 1);
    fs::copy(repository::component("echo.wasm"), first).unwrap();
    is_compiled_again(&project, "a component", 1);
}

#[test]
fn a_cache_that_others_may_write_is_refused_with_the_command_that_mends_it() {
    let (project, _) = warm();
    let cache = project.path(".trackside/cache");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    project.run(&["run", "two"]).exits(1).says(&["TS-0304", "chmod 700"]);
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    project.run(&["run", "two"]).ok();
}

#[test]
fn a_lost_key_costs_time_and_nothing_else() {
    let (project, _) = warm();
    fs::remove_file(project.path(".trackside/cache.key")).unwrap();
    is_compiled_again(&project, "no key", 2);
    is_compiled_again(&project, "a new key", 0);
}
