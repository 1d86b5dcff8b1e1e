//! The golden plugins, one for each language: compile, load, call in a fresh instance and in a warm one.

use std::{fs, path::Path, process::Command, time::Duration, time::Instant};

use serde_json::json;
use trackside_sandbox::{Plugin, Reuse, StepCall};
use trackside_spec::ArtifactRef;

use crate::{
    host::{Place, call, repository},
    report::{median, title},
};

const LOADS: usize = 5;
const CALLS: usize = 21;

pub fn run() {
    title("languages (tests/golden; a call counts the lines of a file of 4 KiB)");
    println!(
        "{:<36} {:>9} {:>11} {:>10} {:>12} {:>12}",
        "plugin", "size kB", "compile ms", "load ms", "fresh ms", "warm ms"
    );
    let mut files: Vec<_> = fs::read_dir(repository("../tests/golden"))
        .expect("the golden plugins")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files {
        let Some((name, bytes)) = read(&file) else { continue };
        measure(&name, &bytes);
    }
}

/// Name and bytes of a component; what is compressed is unpacked.
fn read(file: &Path) -> Option<(String, Vec<u8>)> {
    let name = file.file_name()?.to_str()?.to_owned();
    if let Some(plain) = name.strip_suffix(".wasm.xz") {
        let unpacked = Command::new("xz").arg("-dc").arg(file).output().ok().filter(|output| output.status.success());
        if unpacked.is_none() {
            println!("{plain:<36} not run: there is no xz");
        }
        return Some((plain.to_owned(), unpacked?.stdout));
    }
    Some((name.strip_suffix(".wasm")?.to_owned(), fs::read(file).ok()?))
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn measure(name: &str, bytes: &[u8]) {
    let place = Place::new();
    let begun = Instant::now();
    let plugin = match place.sandbox.load(bytes, name) {
        Ok(plugin) => plugin,
        Err(error) => return println!("{name:<36} not run: {error}"),
    };
    let compile = ms(begun);
    let loads = (0..LOADS).map(|_| {
        let begun = Instant::now();
        place.sandbox.load(bytes, name).expect("what was loaded before");
        ms(begun)
    });
    let load = median(loads.collect());
    print!("{name:<36} {:>9} {compile:>11.0} {load:>10.2}", bytes.len() / 1000);
    if plugin.is_command() {
        return println!();
    }
    let file = place.artifact(4 << 10);
    let fresh = times(&place, &plugin, &file, None);
    let reuse = Reuse { runs: 1_000, idle: Duration::from_secs(600) };
    let warm = times(&place, &plugin, &file, Some(reuse));
    let show = |found: Option<f64>, missing: &str| found.map_or_else(|| missing.to_owned(), |ms| format!("{ms:.3}"));
    println!(" {:>12} {:>12}", show(fresh, "failed"), show(warm, "not kept"));
}

/// The middle of some calls, in milliseconds; with `reuse` of those that a warm instance served.
fn times(place: &Place, plugin: &Plugin, file: &ArtifactRef, reuse: Option<Reuse>) -> Option<f64> {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let mut call = StepCall { reuse, ..call(json!({ "file": file.to_json(), "pattern": "error" })) };
        call.inputs.insert("file".to_owned(), vec![file.clone()]);
        call.allow.state = true;
        let begun = Instant::now();
        let report = place.runtime.block_on(plugin.run(call, place.host.clone()));
        if let Err(failure) = &report.outcome {
            println!("\n{failure}");
            return None;
        }
        if reuse.is_none() || report.usage.earlier_calls > 0 {
            times.push(ms(begun));
        }
    }
    (!times.is_empty()).then(|| median(times))
}
