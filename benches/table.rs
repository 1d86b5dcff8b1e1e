//! `cargo bench`: the rooms one by one (Criterion), then what plugins cost, then the whole box (`trackside bench`) and
//! sizes. `cargo bench -- NAME` runs a part alone: a bench by its name, or one of calls, streams, stops, memory,
//! models, languages, recovery, retention, box, slow_disk.
//!
//! Compare ratios within one run: these figures depend on the machine and on what else it does.

#![expect(clippy::expect_used, reason = "a benchmark that can not be set up has nothing to say")]

mod calls;
mod host;
mod languages;
mod memory;
mod models;
#[path = "../tests/durability/past.rs"]
mod past;
mod recovery;
mod report;
mod retention;
mod rooms;
mod service;
mod slow_disk;
mod stops;
mod streams;

use std::{fs, path::Path, process::Command};

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    if let Some(library) = std::env::var_os(rooms::BARE) {
        return rooms::bare(&mut criterion, Path::new(&library));
    }
    rooms::engine(&mut criterion);
    rooms::store(&mut criterion);
    rooms::artifacts(&mut criterion);
    rooms::sandbox(&mut criterion);
    calls::criterion(&mut criterion);
    // Finding the engines takes time and tells what is missing.
    if report::is_wanted("inference") || report::filters().any(|filter| filter.starts_with("inference/")) {
        rooms::inference(&mut criterion);
    }
    criterion.final_summary();
    let parts: [(&str, fn()); 10] = [
        ("calls", calls::table),
        ("streams", streams::run),
        ("stops", stops::run),
        ("memory", memory::run),
        ("models", models::run),
        ("languages", languages::run),
        ("recovery", recovery::run),
        ("retention", retention::run),
        ("box", || whole_box(Path::new(env!("CARGO_BIN_EXE_trackside")))),
        ("slow_disk", || slow_disk::run(Path::new(env!("CARGO_BIN_EXE_trackside")))),
    ];
    for (name, part) in parts {
        if report::is_wanted(name) {
            part();
        }
    }
}

/// The end-to-end figures, measured by the command that operators use.
fn whole_box(binary: &Path) {
    println!("\nthe whole box (trackside bench)");
    let ended = Command::new(binary).args(["bench", "--dir"]).arg(env!("CARGO_TARGET_TMPDIR")).status();
    if !ended.is_ok_and(|status| status.success()) {
        println!("trackside bench failed");
    }
    if let Ok(meta) = fs::metadata(binary) {
        let mib = meta.len() as f64 / f64::from(1 << 20);
        println!("{:<58} {mib:>12.3} MiB (profile release, with line tables)", "binary");
    }
}
