//! The promise: the committed components are built from the sources that are here. `plugins/README.md` says how the stamp
//! is computed; this is the second implementation of it, besides `build.sh`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod digest;

use std::{collections::BTreeMap, fs, path::Path};

use sha2::{Digest, Sha256};
use support::{Project, repository};

const MEND: &str = "run plugins/build.sh and commit plugins/prebuilt";

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Calls `found` with every regular file below a folder that `enters` does not keep it out of, and its path below the
/// repository's root.
fn walk(folder: &Path, enters: &dyn Fn(&str) -> bool, found: &mut dyn FnMut(String, &Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (name, path) = (entry.file_name().into_string().unwrap(), entry.path());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && enters(&name) {
            walk(&path, enters, found);
        } else if kind.is_file() {
            let relative = path.strip_prefix(repository::root()).unwrap().to_str().unwrap().to_owned();
            found(relative, &path);
        }
    }
}

/// The digest of everything that decides what the components are.
fn sources() -> String {
    let mut files = BTreeMap::new();
    let enters = |name: &str| {
        !matches!(name, "target" | "prebuilt" | "templates") && !name.starts_with('.') && !name.starts_with("sdk-")
    };
    walk(&repository::root().join("plugins"), &enters, &mut |relative, path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_source = [".rs", ".toml", ".json", ".md"].iter().any(|end| name.ends_with(end)) || name == "Cargo.lock";
        if is_source && !name.starts_with('.') && relative != "plugins/README.md" {
            files.insert(relative, fs::read(path).unwrap());
        }
    });
    walk(&repository::root().join("wit"), &|_| false, &mut |relative, path| {
        if relative.ends_with(".wit") {
            files.insert(relative, fs::read(path).unwrap());
        }
    });
    let lines: String = files.iter().map(|(path, bytes)| format!("{} {path}\n", hex(bytes))).collect();
    hex(lines.as_bytes())
}

/// The records of the stamp: kind and the rest of the line.
fn stamp() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository::component("STAMP")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(' ').unwrap()).map(|(kind, rest)| (kind.to_owned(), rest.to_owned())).collect()
}

fn records(kind: &str) -> Vec<String> {
    stamp().into_iter().filter(|(one, _)| one == kind).map(|(_, rest)| rest).collect()
}

#[test]
fn the_components_are_built_from_these_sources() {
    assert_eq!(records("source"), [sources()], "plugins/prebuilt is stale: {MEND}");
    let compiler = records("rustc");
    assert!(compiler.len() == 1 && compiler[0].split('.').count() >= 3, "{compiler:?}");
}

#[test]
fn every_component_is_in_the_stamp_with_its_digest_and_nothing_else_is() {
    let mut stamped: BTreeMap<String, String> = BTreeMap::new();
    for record in records("wasm") {
        let (digest, path) = record.split_once(' ').unwrap();
        stamped.insert(path.to_owned(), digest.to_owned());
    }
    let mut there = BTreeMap::new();
    let folder = repository::root().join("plugins/prebuilt");
    walk(&folder, &|_| true, &mut |_, path| {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        if name != "STAMP" {
            there.insert(name, hex(&fs::read(path).unwrap()));
        }
    });
    assert_eq!(stamped, there, "plugins/prebuilt does not hold what its stamp says: {MEND}");
}

#[test]
fn every_component_is_bundled_loads_and_describes_itself() {
    let bundled: Vec<String> = records("wasm")
        .iter()
        .filter_map(|record| record.split_once(' ').unwrap().1.strip_suffix(".wasm"))
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    let list = Project::new().run(&["plugin", "list", "--json"]).ok().json();
    let names: Vec<String> =
        list.as_array().unwrap().iter().map(|plugin| plugin["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, bundled);
    for plugin in list.as_array().unwrap() {
        assert!(plugin["error"].is_null() && !plugin["summary"].as_str().unwrap().is_empty(), "{plugin:#}");
    }
}

#[test]
fn no_component_names_a_path_of_the_machine_that_built_it() {
    for record in records("wasm") {
        let path = record.split_once(' ').unwrap().1;
        let text = String::from_utf8_lossy(&fs::read(repository::component(path)).unwrap()).into_owned();
        for place in ["/home/", "/root/", "/Users/", ".cargo/registry"] {
            assert!(!text.contains(place), "{path} names {place}");
        }
    }
}
