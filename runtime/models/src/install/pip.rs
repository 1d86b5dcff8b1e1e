//! The download, left to the user's own pip: its index, proxy, certificates and cache are the user's business.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use trackside_codes::{Class, Reason};

use super::{InstallError, PINNED_VERSION, wheel_file_name};

/// Most bytes of pip's complaints that are passed on.
const MAX_REASON: usize = 600;

/// Downloads the wheel for `arch` into `folder`. The Python version is that of the wheel and need not be the
/// interpreter's: nothing of the wheel is ever run by Python.
pub(super) fn download(python: &Path, arch: &str, folder: &Path) -> Result<PathBuf, InstallError> {
    let wheel = wheel_file_name(arch);
    let fail = |reason: Reason| InstallError::Pip { python: python.to_owned(), wheel: wheel.clone(), reason };
    // A path is the caller's, not that of the folder which pip runs in; a bare name is looked up in PATH.
    let bare = python.components().count() == 1;
    let program =
        if bare { python.to_owned() } else { std::path::absolute(python).unwrap_or_else(|_| python.to_owned()) };
    let output = Command::new(program)
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp"])
        .args(["--python-version", "3.11", "--abi", "cp311", "--no-input", "--disable-pip-version-check", "--quiet"])
        .args(["--platform", &format!("manylinux_2_28_{arch}")])
        .arg(format!("onnxruntime=={PINNED_VERSION}"))
        .arg("--dest")
        .arg(folder)
        // `-m` puts the current folder first on Python's path, and nobody may plant a `pip` there.
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            fail(Reason::by(Class::Setup, error).told(|text| format!("it could not be started: {text}")))
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        let start = said.char_indices().rev().nth(MAX_REASON).map_or(0, |(index, _)| index);
        let words = if said.is_empty() { output.status.to_string() } else { said[start..].to_owned() };
        return Err(fail(words.into()));
    }
    let path = folder.join(&wheel);
    if path.is_file() { Ok(path) } else { Err(fail(format!("it has not downloaded {wheel}").into())) }
}
