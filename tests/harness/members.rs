//! Every file of tests is part of a program: one that is not is never run, and nobody is told.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::repository::root;

/// The first file of each program of tests.
fn programs() -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let told = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = told["packages"].as_array().unwrap().iter();
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    let tests = targets.filter(|target| target["kind"][0] == "test");
    tests.map(|target| fs::canonicalize(target["src_path"].as_str().unwrap()).unwrap()).collect()
}

/// Adds a file and those of its modules.
fn reach(file: &Path, is_root: bool, reached: &mut BTreeSet<PathBuf>) {
    if !reached.insert(file.to_owned()) {
        return;
    }
    let (folder, stem) = (file.parent().unwrap(), file.file_stem().unwrap());
    let below = if is_root || stem == "mod" { folder.to_owned() } else { folder.join(stem) };
    let text = fs::read_to_string(file).unwrap();
    let mut given = None;
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            given = Some(folder.join(path));
        } else if let Some(name) =
            line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|m| m.strip_suffix(';'))
        {
            let usual = [below.join(format!("{name}.rs")), below.join(name).join("mod.rs")];
            let found = given.take().or_else(|| usual.into_iter().find(|path| path.is_file()));
            let found = found.unwrap_or_else(|| panic!("{}: no file of the module {name}", file.display()));
            reach(&fs::canonicalize(found).unwrap(), false, reached);
        }
    }
}

/// The Rust files of a folder and those below it.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_of_tests_is_part_of_a_program() {
    let root = fs::canonicalize(root()).unwrap();
    let mut reached = BTreeSet::new();
    programs().iter().for_each(|program| reach(program, true, &mut reached));
    let mut all = Vec::new();
    sources(&root.join("tests"), &mut all);
    for room in fs::read_dir(root.join("runtime")).unwrap().flatten() {
        sources(&room.path().join("tests"), &mut all);
    }
    assert!(all.len() > 200, "{} files of tests", all.len());
    let left: Vec<_> = all.iter().filter(|file| !reached.contains(*file)).collect();
    assert!(left.is_empty(), "no `mod` names these files, so that their tests are not run: {left:?}");
}
