//! The bytes of a model's package: an archive, its manifest, golden vectors, a config of Triton's layout.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use trackside_models::fuzzing;

/// In memory where that can be: each package that is begun would wait for the disk.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is a temporary folder")
});

fuzz_target!(|data: &[u8]| fuzzing::package(data, FOLDER.path()));
