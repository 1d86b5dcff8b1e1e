//! What a machine may lack: ONNX Runtime, say. A test that needs it runs where it is found, says in one line that it was
//! not run where it is not, and must run where `TRACKSIDE_TEST_REQUIRE` (a list with commas) names it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Says that something was not run.
///
/// # Panics
/// When `TRACKSIDE_TEST_REQUIRE` names it.
#[track_caller]
pub fn not_run(name: &str, what: &str, why: &str) {
    let required = env::var("TRACKSIDE_TEST_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|one| one.trim() == name);
    assert!(!is_required, "TRACKSIDE_TEST_REQUIRE names {name}: {what} must run here, but {why}");
    // Past the test harness, which keeps what a passing test prints to itself.
    let line = format!("not run: {what} ({why})\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// ONNX Runtime's library: `TRACKSIDE_ONNXRUNTIME`, or that of python3's package `onnxruntime`. Says that `what` was not
/// run when there is none.
#[track_caller]
pub fn onnxruntime(what: &str) -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let named = env::var_os("TRACKSIDE_ONNXRUNTIME").filter(|path| !path.is_empty()).map(PathBuf::from);
        named.or_else(|| library_in(&python_folder()?))
    });
    if found.is_none() {
        not_run("onnxruntime", what, "no library: set TRACKSIDE_ONNXRUNTIME to it, or pip install onnxruntime");
    }
    found.clone()
}

fn python_folder() -> Option<PathBuf> {
    let program = "import importlib.util as u; print(u.find_spec('onnxruntime').submodule_search_locations[0])";
    let told = Command::new("python3").args(["-c", program]).stderr(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(told.stdout).ok()?;
    told.status.success().then(|| Path::new(folder.trim()).join("capi"))
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let mut files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
}
