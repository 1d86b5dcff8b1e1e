//! Asks the user's Python where its `onnxruntime` package is. A child process, so only when nothing nearer was found.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use trackside_codes::{Class, Reason};

/// The longest that Python may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Looks the package up without importing it: an import takes a second and 60 MB.
const PROGRAM: &str = "import importlib.util as u\n\
s = u.find_spec('onnxruntime')\n\
print((list(s.submodule_search_locations or []) if s else [''])[0])";

/// The folder of the package's library.
///
/// # Errors
/// One sentence for people.
pub(super) fn onnxruntime_folder() -> Result<PathBuf, Reason> {
    let why = |error: io::Error, what: &str| Reason::by(Class::Setup, error).told(|text| format!("{what}: {text}"));
    let mut child = Command::new("python3")
        .args(["-c", PROGRAM])
        // Python looks in the current folder first, and nobody may plant a library there.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| why(error, "python3 could not be started"))?;
    let (tell, told) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        let reader = thread::Builder::new().name("python-probe".into()).spawn(move || {
            let mut text = String::new();
            // A closed channel means that nobody waits any more.
            let _ = tell.send(output.take(8192).read_to_string(&mut text).map(|_| text));
        });
        reader.map_err(|error| why(error, "no thread to read from python3"))?;
    }
    let answer = told.recv_timeout(LIMIT);
    // It has closed its output or used up its time: either way there is nothing more to learn from it.
    let _ = child.kill();
    let _ = child.wait();
    let text = match answer {
        Ok(read) => read.map_err(|error| why(error, "python3's answer could not be read"))?,
        Err(_) => return Err(format!("python3 did not answer within {} s", LIMIT.as_secs()).into()),
    };
    match text.trim() {
        "" => Err("python3 has no package onnxruntime".into()),
        folder => Ok(PathBuf::from(folder).join("capi")),
    }
}
