//! The drawing of crates in docs/architecture.md is the truth: who uses whom, and only downwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use serde_json::Value;

use crate::support::repository::root;

/// The crates that each crate uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The lines of the drawing, lowest floor first: a crate, and what it uses.
fn drawn(page: &str) -> Vec<(String, BTreeSet<String>)> {
    let block =
        page.split("```").find(|block| block.starts_with("crates\n")).expect("a block of the language `crates`");
    let lines = block.lines().skip(1).filter(|line| !line.trim().is_empty());
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    lines
        .map(|line| {
            let (name, uses) = line.split_once("->").unwrap_or((line, ""));
            (name.trim().to_owned(), words(uses))
        })
        .collect()
}

/// The members of the workspace and what they use of our own crates, tests and build scripts aside.
fn real() -> Uses {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let told = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let own = |name: &Value| name.as_str().unwrap().strip_prefix("trackside-").map(str::to_owned);
    let list = |of: &Value| of.as_array().unwrap().clone();
    let packages = list(&told["packages"]).into_iter().filter_map(|package| {
        let normal = list(&package["dependencies"]).into_iter().filter(|dependency| dependency["kind"].is_null());
        Some((own(&package["name"])?, normal.filter_map(|dependency| own(&dependency["name"])).collect()))
    });
    packages.collect()
}

/// What is wrong with the drawing, a sentence each.
fn faults(drawn: &[(String, BTreeSet<String>)], real: &Uses) -> Vec<String> {
    let mut faults = Vec::new();
    let mut below = BTreeSet::new();
    for (name, uses) in drawn {
        for used in uses.iter().filter(|used| !below.contains(*used)) {
            faults.push(format!("{name} -> {used} points up, or at itself, or at nothing that is drawn"));
        }
        if !below.insert(name.clone()) {
            faults.push(format!("{name} is drawn twice"));
        }
        let none = BTreeSet::new();
        // Crates outside the workspace are drawn as floors that others stand on; they use none of ours.
        let truth = real.get(name).unwrap_or(&none);
        faults.extend(truth.difference(uses).map(|used| format!("{name} -> {used} is not drawn")));
        faults.extend(uses.difference(truth).map(|used| format!("{name} -> {used} is drawn and not so")));
    }
    faults.extend(real.keys().filter(|name| !below.contains(*name)).map(|name| format!("{name} is not drawn")));
    faults
}

#[test]
fn the_drawing_of_crates_is_how_they_are() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let faults = faults(&drawn(&page), &real());
    assert!(faults.is_empty(), "docs/architecture.md, the block `crates`:\n{}", faults.join("\n"));
}

#[test]
fn a_missing_a_false_and_a_rising_arrow_are_told() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let real: Uses =
        [("low", &[][..]), ("high", &["low"]), ("new", &[])].map(|(name, uses)| (name.to_owned(), set(uses))).into();
    let found = |text: &str| faults(&drawn(&format!("before\n```crates\n{text}\n```\nafter")), &real);
    assert_eq!(found("low\nhigh -> low\nnew"), [""; 0]);
    assert_eq!(found("low\nhigh\nnew"), ["high -> low is not drawn"]);
    assert_eq!(found("low\nhigh -> low\nnew -> low"), ["new -> low is drawn and not so"]);
    assert_eq!(found("low\nhigh -> low"), ["new is not drawn"]);
    let up = "high -> low points up, or at itself, or at nothing that is drawn";
    assert_eq!(found("high -> low\nlow\nnew"), [up]);
    assert_eq!(found("low\nhigh -> low\nnew\nlow"), ["low is drawn twice"]);
}
