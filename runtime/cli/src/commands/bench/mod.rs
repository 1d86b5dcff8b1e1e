//! `trackside bench`: what this box can do, end to end through the real engine, store and sandbox.

mod ask;
mod client;
mod figures;
mod load;
mod process;
mod runs;
mod sandbox;
mod shapes;
mod wire;

use std::{fs, path::PathBuf, time::Duration};
use trackside_codes::code;

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    context::{Context, runtime},
    failure::Failure,
};

/// Measures this box in about 20 seconds: the disk's flush, a run alone and 64 at a time, chains, triggers, the sandbox;
/// then a service from outside: its socket, a webhook, memory, start, rest.
///
/// Everything runs for real, on a temporary project in the folder given by --dir: choose one on the disk that you want
/// to judge. Times are wall clock on an otherwise idle box; a busy one gives worse figures.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the temporary project is made; its disk is what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Roughly how long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
}

/// One figure: its key in JSON, what it is, its unit.
struct Figure {
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    value: f64,
}

const WORKFLOWS: [(&str, &str); 3] = [
    ("one.yaml", include_str!("one.yaml")),
    ("chain.yaml", include_str!("chain.yaml")),
    ("file.yaml", include_str!("file.yaml")),
];

/// Runs it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let unable = |what: &str, error: &dyn std::fmt::Display| Failure::new(code!("TS-0891"), format!("{what}: {error}"));
    let folder = tempfile::Builder::new()
        .prefix(".trackside-bench-")
        .tempdir_in(&arguments.dir)
        .map_err(|error| unable(&format!("cannot make a folder in {}", arguments.dir.display()), &error))?;
    let root = folder.path();
    let write = || -> std::io::Result<()> {
        fs::create_dir(root.join("workflows"))?;
        fs::write(root.join("trackside.toml"), "[node]\nname = \"bench\"\n")?;
        WORKFLOWS.iter().try_for_each(|(name, text)| fs::write(root.join("workflows").join(name), text))?;
        shapes::workflows().iter().try_for_each(|(name, text)| fs::write(root.join("workflows").join(name), text))
    };
    write().map_err(|error| unable("cannot write the temporary project", &error))?;
    // The parts that may take any time share it; the rest takes what it takes.
    let share = Duration::from_secs(arguments.seconds) / 12;
    let say = |what: &str| context.console.say(&format!("measuring {what} …"));
    let mut figures = Vec::new();
    let failed = |error: figures::BenchError| unable("a measurement failed", &error);
    say("the disk");
    figures.extend(process::flushes(root, share / 2).map_err(failed)?);
    let runtime = runtime()?;
    {
        let bench = runs::Bench::start(root).map_err(failed)?;
        say("the sandbox");
        figures.extend(runtime.block_on(sandbox::calls(&bench, share / 2)).map_err(failed)?);
        say("runs one at a time");
        figures.extend(runtime.block_on(bench.alone(share)).map_err(failed)?);
        say("files");
        figures.extend(runtime.block_on(bench.files(share)).map_err(failed)?);
        say("64 runs at a time");
        figures.extend(runtime.block_on(bench.crowd("one", 1, share)).map_err(failed)?);
        say("64 chains of ten steps at a time");
        figures.extend(runtime.block_on(bench.crowd("chain", 10, share)).map_err(failed)?);
        say("chains and items, one run at a time");
        figures.extend(runtime.block_on(shapes::measure(&bench, share)).map_err(failed)?);
    }
    fs::write(root.join("workflows/second.yaml"), include_str!("second.yaml"))
        .map_err(|error| unable("cannot write the temporary project", &error))?;
    {
        let bench = runs::Bench::start(root).map_err(failed)?;
        say("a schedule");
        figures.extend(runtime.block_on(bench.schedule(share * 2)).map_err(failed)?);
    }
    fs::remove_file(root.join("workflows/second.yaml"))
        .map_err(|error| unable("cannot change the temporary project", &error))?;
    say("a service, through its socket and its port");
    figures.extend(runtime.block_on(wire::measure(root, share)).map_err(failed)?);
    say("start and idle");
    figures.extend(process::start_and_idle(root).map_err(failed)?);
    print(context, &figures)
}

fn print(context: &Context, figures: &[Figure]) -> Result<(), Failure> {
    if context.console.json {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let fields: Map<String, Value> =
            figures.iter().map(|figure| (figure.key.to_owned(), rounded(figure.value).into())).collect();
        return context.console.print_json(&Value::Object(fields));
    }
    for Figure { label, unit, value, .. } in figures {
        let places = if *value >= 100.0 { 0 } else { 3 };
        context.console.print(&format!("{label:<58} {value:>12.places$} {unit}"))?;
    }
    Ok(())
}
