//! Bytes that somebody adds as a plugin: they load or are refused in words, and the sandbox goes on.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use trackside_sandbox::{Sandbox, SandboxSettings};

struct Bench {
    sandbox: Sandbox,
    _folder: TempDir,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let settings = SandboxSettings::new(folder.path().join("cache"), folder.path().join("cache.key"));
    // Compiled in this process: what the compiler cannot take is found, not survived.
    Bench { sandbox: Sandbox::new(settings).expect("the sandbox starts"), _folder: folder }
});

fuzz_target!(|data: &[u8]| {
    match BENCH.sandbox.load(data, "fuzzed") {
        Ok(plugin) => assert!(!plugin.descriptor().name.is_empty()),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("[TS-03"), "{text}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
    }
});
