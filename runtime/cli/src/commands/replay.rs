//! `trackside replay`: the pure steps of a finished run once more, and whether they give the same.

use std::{collections::HashMap, sync::Arc};
use trackside_codes::code;

use clap::Args;
use serde_json::json;
use trackside_control::{QueryError, find_run};
use trackside_engine::{Event, RunId};
use trackside_facts::AttemptReport;
use trackside_node::{Replayed, RunHistory, UnreadableRun, Verdict, replay, replay_workshop};
use trackside_spec::StepIndex;
use trackside_store::SystemClock;

use crate::{
    context::{Context, runtime, temp_dir},
    failure::Failure,
    output::{Cell, Paint, Table, count, escape, shorten},
};

/// Do the pure steps of a finished run again and compare the outputs byte for byte
///
/// Each step gets the input, the logical time and the seeds that it had. A step is pure when it is granted nothing that
/// differs from run to run (http, secrets, models, state, clock, random); model steps count as pure. Nothing is delivered,
/// and what the steps write goes to a temporary folder. Works with or without a running node.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run's id, its beginning, or `last`
    run: String,
}

/// Does them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    let history = RunHistory::open(&reader, run)?;
    let history = history.ok_or(QueryError::NoRun(run))?;
    if history.head.row.ended_ms.is_none() {
        return Err(Failure::new(
            code!("TS-0886"),
            format!("run {run} is under way; only a finished run can be replayed"),
        ));
    }
    let unreadable =
        |reason: UnreadableRun| Failure::new(code!("TS-0726"), format!("run {run} cannot be read: {reason}"));
    let state = history.state().map_err(unreadable)?;
    let reports = reports(&history);
    let scratch = temp_dir("trackside-replay-")?;
    let workshop = replay_workshop(&project, scratch.path(), Arc::new(SystemClock))
        .map_err(|error| Failure::new(code!("TS-0806"), format!("cannot use {}: {error}", scratch.path().display())))?;
    let report_of = |step: StepIndex, item| reports.get(&(step.0, item)).cloned();
    let told = runtime()?.block_on(replay(&workshop, &state, report_of));
    drop(workshop);
    tell(context, run, &told)
}

/// By step and item.
type Reports = HashMap<(u16, Option<u32>), Box<AttemptReport>>;

/// What the journal says of the attempts that ended well.
fn reports(history: &RunHistory) -> Reports {
    let mut reports = HashMap::new();
    for (_, event) in history.events() {
        if let Event::StepSucceeded { step, item, report: Some(report), .. } = event {
            reports.insert((step.0, *item), report.clone());
        }
    }
    reports
}

fn tell(context: &Context, run: RunId, told: &[Replayed]) -> Result<(), Failure> {
    let console = context.console;
    let again = told.iter().filter(|one| !matches!(one.verdict, Verdict::Left { .. })).count();
    let same = told.iter().filter(|one| one.verdict == Verdict::Identical).count();
    let identical = again == same;
    if console.json {
        console.print_json(&json!({ "run": run, "identical": identical, "replayed": again, "steps": told }))?;
    } else {
        let mut table = Table::plain(0);
        for one in told {
            let (word, dress, detail) = line(&one.verdict);
            let name = one.item.map_or_else(|| one.step.clone(), |item| format!("{}[{item}]", one.step));
            table.row([Cell::new(name), Cell::dressed(word, dress), shorten(&escape(detail), 160).into()]);
        }
        console.print(table.render(console.out).trim_end())?;
        let steps = count(again as u64, "step");
        console.say(&match (again, identical) {
            (0, _) => "No step of this run is pure: there was nothing to do again.".to_owned(),
            (_, true) => format!("{steps} done again, every output identical."),
            (_, false) => format!("{steps} done again, {same} with an identical output."),
        });
    }
    if identical { Ok(()) } else { Err(Failure::bad()) }
}

fn line(verdict: &Verdict) -> (&'static str, fn(Paint, &str) -> String, &str) {
    match verdict {
        Verdict::Identical => ("identical", Paint::green, ""),
        Verdict::Different { at } => ("different", Paint::red, at),
        Verdict::OtherVersion { detail } => ("other version", Paint::yellow, detail),
        Verdict::Left { reason } => ("left out", Paint::dim, reason),
        Verdict::Failed { error } => ("failed", Paint::red, error),
    }
}
