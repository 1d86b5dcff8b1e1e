//! The whole box on a disk whose flushes take five milliseconds longer: cheap flash, made of any disk by a library that is
//! loaded before the binary and waits in front of each flush.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Waits, then flushes. The system call itself, not the C library's function: that is the one that is replaced.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

static void wait_first(void) {
    struct timespec left = { 0, 5000000 };
    while (nanosleep(&left, &left) != 0) {}
}

int fsync(int file) {
    wait_first();
    return (int) syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    wait_first();
    return (int) syscall(SYS_fdatasync, file);
}
"#;

/// What of the figures is about the disk.
const SHOWN: [(&str, &str); 7] = [
    ("fsync_ms_p50", "ms, flush of one page, median"),
    ("run_ms_p50", "ms, one-step run, median"),
    ("runs_per_s_64", "one-step runs a second, 64 at a time"),
    ("fsyncs_per_run_64", "commits for each, 64 at a time"),
    ("chain_steps_per_s_64", "steps a second, 64 chains of ten at a time"),
    ("chain40_ms_p50", "ms, chain of 40 pure steps, median"),
    ("chain40_effects_ms_p50", "ms, chain of 40 steps with effects, median"),
];

/// Measures and prints.
pub fn run(binary: &Path) {
    println!("\nthe whole box, each flush 5 ms longer (trackside bench)");
    match library().and_then(|library| measure(binary, &library)) {
        Ok(figures) => {
            for (key, what) in SHOWN {
                println!("{:>12.3} {what}", figures[key].as_f64().unwrap_or(f64::NAN));
            }
            println!("{figures}");
        }
        Err(problem) => println!("not measured: {problem}"),
    }
}

fn library() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (folder.join("slow_flush.c"), folder.join("libslow_flush.so"));
    fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).status();
    match compiled {
        Ok(status) if status.success() => Ok(library),
        Ok(status) => Err(format!("the C compiler ended with {status}")),
        Err(error) => Err(format!("no C compiler: {error}")),
    }
}

fn measure(binary: &Path, library: &Path) -> Result<serde_json::Value, String> {
    let bench = Command::new(binary)
        .args(["--json", "bench", "--dir"])
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .env("LD_PRELOAD", library)
        .output()
        .map_err(|error| error.to_string())?;
    if !bench.status.success() {
        return Err(String::from_utf8_lossy(&bench.stderr).into_owned());
    }
    serde_json::from_slice(&bench.stdout).map_err(|error| error.to_string())
}
