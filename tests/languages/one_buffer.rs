//! A plugin may fill one buffer again and again and write it each time: no SDK keeps what it was given. What the SDKs of Rust,
//! C, Zig and Go do is shown by the case `one-buffer` of the components, whose lines all lie in one buffer; those of the others
//! take texts there and are tried here, with nothing but their own interpreters.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{optional::not_run, repository};

const EXPECTED: &str = "line 1\nline 2\nline 3\nline 4\nline 5\ntext\n5\n";

fn here(name: &str) -> std::path::PathBuf {
    repository::root().join("tests/languages/one_buffer").join(name)
}

/// What a program prints; none where it is missing.
fn printed(program: &str, arguments: &[&Path]) -> Option<String> {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = ran.map_err(|error| not_run(program, "a writer that is given one buffer", &error.to_string()))
    else {
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn javascript_keeps_nothing_of_an_array_that_is_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sdk")).unwrap();
    fs::write(folder.path().join("package.json"), "{\"type\": \"module\"}").unwrap();
    // The contract's side, of which a writer needs nothing.
    fs::write(folder.path().join("host.mjs"), "export const get = undefined;\n").unwrap();
    for name in ["artifact.js", "errors.js", "number.js", "text.js"] {
        let text = fs::read_to_string(repository::root().join("plugins/sdk-js").join(name)).unwrap();
        let text = text.replace("trackside:plugin/context@0.1.0", "../host.mjs");
        fs::write(folder.path().join("sdk").join(name), text).unwrap();
    }
    let script = folder.path().join("writer.mjs");
    fs::copy(here("writer.mjs"), &script).unwrap();
    let Some(printed) = printed("node", &[&script]) else { return };
    assert_eq!(printed, EXPECTED);
}

#[test]
fn python_keeps_nothing_of_a_bytearray_that_is_filled_again() {
    let sdk = repository::root().join("plugins/sdk-python/trackside_sdk");
    let Some(printed) = printed("python3", &[&here("writer.py"), &sdk]) else { return };
    assert_eq!(printed, EXPECTED);
}
