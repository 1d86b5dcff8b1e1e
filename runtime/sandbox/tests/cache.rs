//! Compiled code is used only when it is exactly what this installation wrote.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};
use trackside_codes::Coded;

use crate::support::{self, guest, settings};
use trackside_sandbox::{CacheOutcome, Plugin, Sandbox};

fn load(folder: &Path) -> std::sync::Arc<Plugin> {
    Sandbox::new(settings(folder)).unwrap().load(&guest("echo.wasm"), "echo").unwrap()
}

fn entry(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder.join("cache")).unwrap().map(|file| file.unwrap().path());
    let file = files.next().unwrap();
    assert!(files.next().is_none(), "more than one file in the cache");
    file
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_plugin_is_compiled_once_and_described_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let first = load(folder.path());
    assert_eq!(first.cache(), &CacheOutcome::Compiled);
    let second = load(folder.path());
    assert_eq!(second.cache(), &CacheOutcome::Hit);
    assert_eq!(first.descriptor(), second.descriptor());
    assert_eq!(first.imports(), second.imports());
    assert_eq!(second.descriptor().name, "echo");
    for (path, expected) in [("cache", 0o700), ("key", 0o600)] {
        assert_eq!(mode(&folder.path().join(path)), expected, "{path}");
    }
    assert_eq!(mode(&entry(folder.path())), 0o600);
}

#[test]
fn a_data_folder_that_is_not_there_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let away = folder.path().join("moved-away/data");
    assert!(Sandbox::new(settings(&away)).is_err());
    assert!(!folder.path().join("moved-away").exists());
}

#[test]
fn code_from_the_cache_runs() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let plugin = load(folder.path());
    let mut call = trackside_sandbox::StepCall::new("flow", "run", "echo");
    call.input_json = r#"{"value":[1,2]}"#.to_owned();
    let report = support::runtime().block_on(plugin.run(call, std::sync::Arc::new(support::TestHost::new())));
    assert_eq!(support::output(&report), serde_json::json!({ "value": [1, 2] }));
}

#[test]
fn every_damage_leads_to_a_fresh_compilation() {
    type Damage = fn(&Path);
    fn flip(path: &Path, at: impl Fn(usize) -> usize) {
        let mut bytes = fs::read(path).unwrap();
        let at = at(bytes.len());
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let cases: [(&str, Damage); 9] = [
        ("a bit of the code", |path| flip(path, |length| length / 2)),
        ("a bit of the notes", |path| flip(path, |_| 40)),
        ("a bit of the MAC", |path| flip(path, |length| length - 1)),
        ("a bit of the header", |path| flip(path, |_| 13)),
        ("cut short", |path| fs::write(path, &fs::read(path).unwrap()[..100]).unwrap()),
        ("empty", |path| fs::write(path, b"").unwrap()),
        ("longer", |path| fs::write(path, [&fs::read(path).unwrap()[..], b"x"].concat()).unwrap()),
        ("readable by others", |path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap()),
        ("a symbolic link", |path| {
            let elsewhere = path.parent().unwrap().parent().unwrap().join("elsewhere");
            fs::rename(path, &elsewhere).unwrap();
            symlink(elsewhere, path).unwrap();
        }),
    ];
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    for (what, damage) in cases {
        damage(&entry(folder.path()));
        let outcome = load(folder.path()).cache().clone();
        assert!(matches!(outcome, CacheOutcome::Recompiled { .. }), "{what}: {outcome:?}");
        assert_eq!(load(folder.path()).cache(), &CacheOutcome::Hit, "{what}: the entry was not mended");
    }
}

#[test]
fn an_entry_cannot_be_put_in_another_ones_place() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(settings(folder.path())).unwrap();
    sandbox.load(&guest("echo.wasm"), "echo").unwrap();
    let echo = entry(folder.path());
    let kept = fs::read(&echo).unwrap();
    fs::remove_file(&echo).unwrap();
    sandbox.load(&guest("threshold.wasm"), "threshold").unwrap();
    fs::write(entry(folder.path()), kept).unwrap();
    let outcome = sandbox.load(&guest("threshold.wasm"), "threshold").unwrap();
    assert!(matches!(outcome.cache(), CacheOutcome::Recompiled { .. }));
    assert_eq!(outcome.descriptor().name, "threshold");
}

#[test]
fn another_key_makes_all_entries_worthless() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    fs::remove_file(folder.path().join("key")).unwrap();
    assert!(matches!(load(folder.path()).cache(), CacheOutcome::Recompiled { .. }));
}

#[test]
fn a_folder_or_key_that_others_can_change_is_refused() {
    type Expose = fn(&Path);
    let cases: [(&str, Expose); 4] = [
        ("chmod 700", |folder| fs::set_permissions(folder.join("cache"), Permissions::from_mode(0o755)).unwrap()),
        ("symbolic link", |folder| {
            fs::rename(folder.join("cache"), folder.join("real")).unwrap();
            symlink(folder.join("real"), folder.join("cache")).unwrap();
        }),
        ("mode 644", |folder| fs::set_permissions(folder.join("key"), Permissions::from_mode(0o644)).unwrap()),
        ("symbolic link", |folder| {
            fs::rename(folder.join("key"), folder.join("real")).unwrap();
            symlink(folder.join("real"), folder.join("key")).unwrap();
        }),
    ];
    for (hint, expose) in cases {
        let folder = tempfile::tempdir().unwrap();
        Sandbox::new(settings(folder.path())).unwrap();
        expose(folder.path());
        let error = Sandbox::new(settings(folder.path())).unwrap_err();
        assert_eq!(error.code(), "TS-0304");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn a_key_of_the_wrong_length_is_an_error_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    Sandbox::new(settings(folder.path())).unwrap();
    fs::write(folder.path().join("key"), b"short").unwrap();
    let error = Sandbox::new(settings(folder.path())).unwrap_err();
    assert_eq!(error.code(), "TS-0305");
    assert!(error.to_string().contains("delete it"), "{error}");
}

#[test]
fn the_folder_keeps_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let settings = trackside_sandbox::SandboxSettings { cache_bytes: 1, ..settings(folder.path()) };
    let sandbox = Sandbox::new(settings).unwrap();
    for name in ["echo.wasm", "threshold.wasm"] {
        sandbox.load(&guest(name), name).unwrap();
    }
    // The newest entry stays even when it alone is over the limit.
    entry(folder.path());
    assert_eq!(sandbox.load(&guest("threshold.wasm"), "threshold").unwrap().cache(), &CacheOutcome::Hit);
}
