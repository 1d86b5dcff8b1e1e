//! Installing ONNX Runtime: from a wheel that is there, and what happens with a wrong one.

use std::fs;
use std::path::{Path, PathBuf};
use trackside_codes::Coded;

use crate::alone::alone;
use crate::support::*;
use trackside_models::install::{self, InstallError, Progress};

/// The true wheel, where a test was given one.
fn wheel(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("TRACKSIDE_ONNXRUNTIME_WHEEL").map(PathBuf::from);
    if given.is_none() {
        println!("not run: {name} (TRACKSIDE_ONNXRUNTIME_WHEEL names no wheel)");
    }
    given
}

fn left_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_wheel_with_another_digest_leaves_nothing_behind() {
    let lab = Lab::new();
    let wheel = lab.write_bytes("onnxruntime.whl", b"PK\x03\x04 not the one");
    let mut seen = Vec::new();
    let error = install::install_onnxruntime_from(lab.path(), &wheel, &mut |progress| seen.push(progress)).unwrap_err();
    assert_eq!(error.code(), "TS-0533");
    assert!(error.to_string().contains("nothing was installed"), "{error}");
    assert_eq!(seen, [Progress::Verifying]);
    assert_eq!(left_in(&lab.path().join("engine")), [".lock"]);
}

#[test]
fn a_python_that_is_not_there_is_named_with_the_way_out() {
    let lab = Lab::new();
    let error = install::install_onnxruntime(lab.path(), Path::new("/nowhere/python3"), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "TS-0532");
    let text = error.to_string();
    assert!(text.contains("/nowhere/python3") && text.contains(&install::wheel_name().unwrap()), "{text}");
    assert_eq!(left_in(&lab.path().join("engine")), [".lock"]);
}

#[test]
fn leftovers_of_a_power_cut_are_removed_and_a_second_installer_waits_its_turn() {
    let lab = Lab::new();
    let engine = lab.path().join("engine");
    fs::create_dir_all(engine.join(".installing-abc/new")).unwrap();
    let wheel = lab.write_bytes("onnxruntime.whl", b"x");
    let held = fs::File::create(engine.join(".lock")).unwrap();
    held.lock().unwrap();
    let busy = install::install_onnxruntime_from(lab.path(), &wheel, &mut |_| {}).unwrap_err();
    assert!(matches!(busy, InstallError::Busy { .. }), "{busy}");
    drop(held);
    install::install_onnxruntime_from(lab.path(), &wheel, &mut |_| {}).unwrap_err();
    assert_eq!(left_in(&engine), [".lock"]);
}

#[test]
fn the_pinned_wheel_is_installed_once_and_mended_when_damaged() {
    let Some(wheel) = wheel("installation of the true wheel") else { return };
    let lab = Lab::new();
    let first = install::install_onnxruntime_from(lab.path(), &wheel, &mut |_| {}).unwrap();
    assert!(!first.already_there && first.library.is_file());
    let folder = first.library.parent().unwrap();
    assert_eq!(left_in(folder), ["LICENSE", "ThirdPartyNotices.txt", "libonnxruntime.so.1.32.0"]);
    let again = install::install_onnxruntime_from(lab.path(), Path::new("/nowhere.whl"), &mut |_| {}).unwrap();
    assert!(again.already_there);
    fs::write(&first.library, b"damaged").unwrap();
    let mended = install::install_onnxruntime_from(lab.path(), &wheel, &mut |_| {}).unwrap();
    assert!(!mended.already_there && mended.digest == first.digest);
    assert_eq!(left_in(&lab.path().join("engine")), [".lock", "onnxruntime-1.32.0"]);
}

#[test]
fn pip_fetches_the_pinned_wheel() {
    if !std::env::var("TRACKSIDE_TEST_REQUIRE").unwrap_or_default().split([',', ' ']).any(|word| word == "pip") {
        println!("not run: download with pip (TRACKSIDE_TEST_REQUIRE does not name pip)");
        return;
    }
    alone(|| {
        let lab = Lab::new();
        let mut seen = Vec::new();
        let done = install::install_onnxruntime(lab.path(), Path::new("python3"), &mut |step| seen.push(step)).unwrap();
        assert!(done.library.is_file());
        assert_eq!(seen, [Progress::Downloading, Progress::Verifying, Progress::Unpacking]);
        // What was installed is what is found: the data folder comes before everything but the configuration.
        let engines = trackside_models::Engines::discover(trackside_models::EngineSettings::new(lab.path()));
        assert_eq!(engines.onnxruntime().unwrap().id().origin, Some(done.library));
    });
}
