//! `plugin build`

use std::fs;

use crate::{
    project::Author,
    support::{command::Trackside, repository},
};

#[test]
fn a_build_puts_the_component_into_dist() {
    let author = Author::new("echo.wasm");
    let built = author.run(&["plugin", "build"]).ok();
    assert!(built.stdout.contains("dist/mine.wasm"), "{}", built.stdout);
    let made = fs::read(author.folder.path().join("dist/mine.wasm")).unwrap();
    assert_eq!(made, fs::read(repository::component("echo.wasm")).unwrap());
}

#[test]
fn a_build_that_makes_no_plugin_says_so_and_leaves_the_last_one() {
    let author = Author::new("echo.wasm").built();
    let before = fs::read(author.folder.path().join("dist/mine.wasm")).unwrap();
    let manifest = |command: &str| {
        let text = format!("[plugin]\nname = \"mine\"\n[build]\ncommand = {command}\noutput = \"made.wasm\"\n");
        fs::write(author.folder.path().join("plugin.toml"), text).unwrap();
    };
    for (command, exit, says) in [
        ("[\"false\"]", 1, "TS-0906"),
        ("[\"no-such-tool-anywhere\"]", 3, "TS-0905"),
        ("[\"cp\", \"plugin.toml\", \"made.wasm\"]", 1, "TS-0907"),
        ("[]", 1, "build.command"),
        ("\"make\"", 1, "TS-0103"),
    ] {
        manifest(command);
        author.run(&["plugin", "build"]).exits(exit).says(&[says]);
        assert_eq!(fs::read(author.folder.path().join("dist/mine.wasm")).unwrap(), before, "{command}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    Trackside::new(&["plugin", "build"]).within(nowhere.path()).run().exits(2).says(&["TS-0901", "plugin new"]);
}
