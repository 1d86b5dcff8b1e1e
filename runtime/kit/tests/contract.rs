//! The contract against every track that was published: a plugin that was built once must fit for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use wit_component::semver_check;
use wit_parser::{Resolve, UnresolvedPackageGroup, WorldId};

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// The files of a contract in one text, as version `version`, so that two of them can stand side by side.
fn contract(folder: &Path, version: &str) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "wit"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no contract", folder.display());
    let mut text = format!("package trackside:plugin@{version};\n");
    for file in files {
        let file = fs::read_to_string(file).unwrap();
        // `@since` names versions that the other side does not have.
        let lines =
            file.lines().filter(|line| !line.starts_with("package ") && !line.trim_start().starts_with("@since"));
        lines.for_each(|line| text.extend([line, "\n"]));
    }
    text
}

fn world(resolve: &mut Resolve, text: &str) -> WorldId {
    let parsed = UnresolvedPackageGroup::parse("contract.wit", text).expect("the contract can be parsed");
    let package = resolve.push_group(parsed).expect("the contract is whole");
    resolve.select_world(&[package], Some("plugin")).expect("it has the world `plugin`")
}

/// Why plugins of the world in `before` would not fit the one in `now`.
fn broken(before: &str, now: &str) -> Option<String> {
    let mut resolve = Resolve::default();
    let (before, now) = (world(&mut resolve, before), world(&mut resolve, now));
    semver_check(resolve, before, now).err().map(|error| format!("{error:#}"))
}

#[test]
fn every_published_track_fits_the_contract() {
    let now = contract(&wit(), "0.0.2");
    let tracks: Vec<PathBuf> =
        fs::read_dir(wit().join("published")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!tracks.is_empty());
    for track in tracks {
        let broken = broken(&contract(&track, "0.0.1"), &now);
        assert_eq!(broken, None, "plugins built for {} would not load any more", track.display());
    }
}

#[test]
fn additions_fit_and_changes_do_not() {
    let before = contract(&wit().join("published/0.1.0"), "0.0.1");
    let now = before.replace("@0.0.1", "@0.0.2");
    let changed = |from: &str, to: &str| {
        assert!(now.contains(from), "{from}");
        let more = "interface extra { now: func() -> u32; }\n";
        broken(&before, &format!("{}{more}", now.replace(from, to)))
    };
    for (from, to) in [
        ("interface secrets {", "interface secrets {\n  count: func() -> u32;"),
        ("  import http;", "  import http;\n  import extra;"),
    ] {
        assert_eq!(changed(from, to), None, "{from}");
    }
    for (from, to) in [
        ("docs-markdown: string,", "docs-markdown: string, licence: string,"),
        ("deterministic: bool,", ""),
        ("  import http;\n", ""),
        ("  export describe;", "  export describe;\n  export extra;"),
    ] {
        assert!(changed(from, to).is_some(), "{from:?} became {to:?} and nobody saw it");
    }
}
