//! `cargo bench`: the rooms one by one (Criterion), then the whole box (`trackside bench`), then sizes.
//!
//! Compare ratios within one run: these figures depend on the machine and on what else it does.

#![expect(clippy::expect_used, reason = "a benchmark that can not be set up has nothing to say")]

mod rooms;

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
    rooms::inference(&mut criterion);
    criterion.final_summary();
    // `cargo bench -- FILTER` is after one of the above.
    if std::env::args().skip(1).all(|argument| argument.starts_with('-')) {
        whole_box(Path::new(env!("CARGO_BIN_EXE_trackside")));
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
