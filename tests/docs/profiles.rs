//! What is built with less care to be built sooner is shipped with all of it.

use std::{collections::BTreeMap, fs};

use crate::support::repository::root;

/// The levels that a profile sets for packages of its own, by the names of these.
fn levels(manifest: &str, profile: &str) -> BTreeMap<String, String> {
    let mut levels = BTreeMap::new();
    let mut package = None;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            let name =
                line.strip_prefix(&format!("[profile.{profile}.package.")).and_then(|rest| rest.strip_suffix(']'));
            package = name.map(str::to_owned);
        } else if let (Some(package), Some(level)) = (&package, line.strip_prefix("opt-level = ")) {
            levels.insert(package.clone(), level.to_owned());
        }
    }
    levels
}

#[test]
fn whatever_is_optimised_less_for_a_build_of_the_sources_is_optimised_in_full_for_a_release() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (sooner, shipped) = (levels(&manifest, "release"), levels(&manifest, "dist"));
    assert!(!sooner.is_empty());
    let names = |levels: &BTreeMap<String, String>| levels.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sooner), names(&shipped));
    assert!(shipped.values().all(|level| level == "3"), "{shipped:?}");
}
