//! `trackside plugin test`

use crate::message::Message;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use trackside_codes::code;

use clap::Args;
use serde_json::{Value, json};
use trackside_kit::{Case, CaseResult, KitError, Manifest, run_case};
use trackside_sandbox::{Plugin, Sandbox, SandboxSettings};

use super::record;
use crate::{
    console::Console,
    context::{Context, runtime, temp_dir},
    failure::{Exit, Failure},
    output::{bytes, count, duration_us, escape},
    progress::telling,
};

/// Test a plugin against its cases
///
/// Runs every case of tests/*.yaml in the real sandbox, with the artifacts, state, models and HTTP answers that it names
/// and a clock that stands still. Nothing goes out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside plugin test\n  trackside plugin test --record last --step features")]
pub struct Test {
    /// Case files; those of tests/ when none is given
    #[arg(value_name = "CASE")]
    cases: Vec<PathBuf>,
    /// The plugin project
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Test this component instead of the one in dist/
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Write a case out of a step that ran on a node, instead of testing: the run's id, `last` for the latest
    #[arg(long, value_name = "RUN", conflicts_with_all = ["cases", "component", "logs"])]
    record: Option<String>,
    /// The step of the recorded run; needed when the run has several plugin steps
    #[arg(long, requires = "record")]
    step: Option<String>,
    /// Show what the plugin logs
    #[arg(long)]
    logs: bool,
}

impl Test {
    /// All cases of a project.
    pub fn of(dir: &Path) -> Self {
        Self { cases: Vec::new(), dir: dir.to_owned(), component: None, record: None, step: None, logs: false }
    }
}

/// Runs the cases.
pub fn execute(context: &Context, arguments: &Test) -> Result<(), Failure> {
    if let Some(run) = &arguments.record {
        let file = record::execute(context, run, arguments.step.as_deref(), &arguments.dir)?;
        return context.console.print(&format!("{}\n", file.display()));
    }
    let component = match &arguments.component {
        Some(component) => component.clone(),
        None => Manifest::read(&arguments.dir)?.dist(&arguments.dir),
    };
    let cases = if arguments.cases.is_empty() { cases_of(&arguments.dir)? } else { arguments.cases.clone() };
    let temp = temp_dir("trackside-test-")?;
    let settings = SandboxSettings::new(temp.path().join("cache"), temp.path().join("cache.key"));
    let sandbox = Sandbox::new(settings)?;
    let remedy = if arguments.component.is_some() { "" } else { "; `trackside plugin build` makes it" };
    let plugin = load(context.console, &sandbox, &component, remedy)?;
    let runtime = runtime()?;
    let console = context.console;
    let mut documents = Vec::new();
    let mut failed = 0;
    for file in &cases {
        let name =
            file.file_stem().map_or_else(|| file.display().to_string(), |stem| stem.to_string_lossy().into_owned());
        let run = || Case::read(file).and_then(|case| runtime.block_on(run_case(&plugin, &case, file)));
        let result = telling(console, format!("the case {}", escape(&name)), run);
        let passed = result.as_ref().is_ok_and(|result| result.differences.is_empty());
        failed += usize::from(!passed);
        if console.json {
            documents.push(document(&name, &result));
            continue;
        }
        let mark = if passed { console.out.green("✔") } else { console.out.red("✘") };
        match result {
            Ok(result) => {
                console.print(&format!("{mark} {}  {}\n", escape(&name), cost(&result)))?;
                for line in result.differences.iter().flat_map(|difference| difference.lines()) {
                    console.print(&format!("    {}\n", escape(line)))?;
                }
                for line in result.logs.iter().filter(|_| arguments.logs || !passed) {
                    console.print(&format!("    {} {}\n", line.level.name(), escape(&line.message)))?;
                }
            }
            Err(error) => {
                console.print(&format!("{mark} {}\n", escape(&name)))?;
                console.complain(Message::of(&error));
            }
        }
    }
    if console.json {
        console.print_json(&documents)?;
    } else {
        console.print(&format!("{} passed, {failed} failed\n", cases.len() - failed))?;
    }
    if failed > 0 { Err(Failure::bad()) } else { Ok(()) }
}

fn load(console: Console, sandbox: &Sandbox, component: &Path, remedy: &str) -> Result<Arc<Plugin>, Failure> {
    let read = fs::read(component).map_err(|error| {
        Failure::ended(Exit::Usage, code!("TS-0602"), format!("cannot read {}: {error}{remedy}", component.display()))
    })?;
    let name = component.file_stem().and_then(|stem| stem.to_str()).unwrap_or("plugin");
    let compile = || sandbox.load_counting(&read, name);
    let loaded = telling(console, format!("compiling {}, instructions counted", escape(name)), compile);
    loaded.map_err(|error| Failure::ended_by(Exit::Bad, &error))
}

/// The case files of a project, in the order of their names.
fn cases_of(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let tests = folder.join("tests");
    let missing = |why: &dyn std::fmt::Display| {
        Failure::new(
            code!("TS-0909"),
            format!("there are no cases in {}: {why}; a case is a file NAME.yaml", tests.display()),
        )
    };
    let entries = fs::read_dir(&tests).map_err(|error| missing(&error))?;
    let mut cases: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    if cases.is_empty() { Err(missing(&"none is there")) } else { Ok(cases) }
}

/// What the call cost, in a few words.
fn cost(result: &CaseResult) -> String {
    let fuel = result.usage.fuel.map_or_else(String::new, |fuel| format!(", {}", count(fuel, "instruction")));
    format!("{}, {}{fuel}", duration_us(result.usage.wall_us), bytes(result.usage.memory_peak))
}

fn document(name: &str, result: &Result<CaseResult, KitError>) -> Value {
    match result {
        Ok(result) => json!({
            "case": name,
            "passed": result.differences.is_empty(),
            "differences": result.differences,
            "wall_us": result.usage.wall_us,
            "cpu_us": result.usage.cpu_us,
            "instantiate_us": result.usage.instantiate_us,
            "memory": result.usage.memory_peak,
            "fuel": result.usage.fuel,
        }),
        Err(error) => json!({ "case": name, "passed": false, "error": error.to_string() }),
    }
}
