//! `trackside explain`: what was decided about a workflow, a trigger, a run or a file, and why. Reads the store directly; a
//! node may or may not be running. One that runs is asked how a file or a watched folder stands now.

use clap::Args;
use trackside_control::{Explanation, TriggerFacts, Watcher, WorkflowFacts, explain};

use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Paint, Table, escape, local_time, short_digest, shorten},
    view::trigger_line,
};

/// Say what was decided about a workflow, a trigger, a run or a file, and why
///
/// Every time due and every file seen has a decision on disk: what started a run, what did not, and why not. A workflow tells
/// which version of it was in use when; a run what it was started by; a file what each trigger that watches its folder made of
/// it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside explain report/cron-0\n  trackside explain inbox/flow.csv")]
pub struct Arguments {
    /// A workflow's name for its versions and all its triggers; a trigger's id, such as nightly/cron-0; a run's id, its
    /// beginning, or `last`; or a file
    #[arg(value_name = "WORKFLOW|TRIGGER|RUN|FILE")]
    subject: String,
    /// How many decisions of each trigger, and versions of a workflow, at most, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// What stands behind a run that retention has removed.
const NOT_KEPT: &str = " (no longer kept)";

/// Explains it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let explained = explain(&project, &reader, &arguments.subject, arguments.limit)?;
    drop(reader);
    let explanation = runtime()?.block_on(async { explained.seen_by(&project, Watcher::find(&project).await).await });
    let console = context.console;
    if console.json { console.print_json(&explanation) } else { console.print(&page(&explanation, console.out)) }
}

fn page(explanation: &Explanation, paint: Paint) -> String {
    let mut parts = Vec::new();
    parts.extend(explanation.workflow.as_ref().map(|facts| versions(facts, paint)));
    if let Some(run) = &explanation.run {
        let mut table = Table::plain(2);
        let mut fact = |name: &str, value: String| table.row([Cell::dressed(name, Paint::dim), value.into()]);
        fact("workflow", run.workflow.clone());
        fact("trigger", trigger_line(&run.trigger));
        fact("started", local_time(run.started_ms));
        if let Some(other) = run.retry_of {
            let gone = if run.retry_of_gone { NOT_KEPT } else { "" };
            fact("repeats", format!("{other}{gone}"));
        }
        if let Some(error) = &run.error {
            fact("error", shorten(&escape(error), 160));
        }
        let title = format!("{}  {}", paint.bold(&run.run.to_string()), paint.state(&run.state, &run.state));
        parts.push(format!("{title}\n{}", table.render(paint)));
    }
    parts.extend(explanation.triggers.iter().map(|facts| section(facts, paint)));
    parts.join("\n").trim_end().to_owned()
}

fn versions(facts: &WorkflowFacts, paint: Paint) -> String {
    let mut table = Table::plain(2);
    for version in &facts.versions {
        table.row([
            Cell::new(local_time(version.since_ms)),
            version.digest.as_ref().map_or_else(|| "taken out".to_owned(), short_digest).into(),
            shorten(&escape(&version.file), 60).into(),
            format!("by {}", shorten(&escape(&version.by), 60)).into(),
        ]);
    }
    let rows = match facts.versions.as_slice() {
        [] => "  no node has used it yet\n".to_owned(),
        _ => table.render(paint),
    };
    format!("{}\n{rows}", paint.bold(&escape(&facts.workflow)))
}

fn section(facts: &TriggerFacts, paint: Paint) -> String {
    let path = facts.path.as_ref().map(|path| format!("  {}", escape(path))).unwrap_or_default();
    let mut text = format!("{}{path}\n", paint.bold(&escape(&facts.trigger)));
    if let Some(paused) = &facts.paused {
        let line = format!("paused since {} by {}", paused.since, escape(&paused.by));
        text.push_str(&format!("  {}\n", paint.yellow(&line)));
    }
    if !facts.waiting.is_empty() {
        text.push_str(&format!("  waiting: {}\n", facts.waiting.join(", ")));
    }
    // A note about a file holds it already.
    if let Some(now) = facts.now.as_ref().filter(|_| facts.path.is_none() || facts.note.is_none()) {
        text.push_str(&format!("  now: {}\n", escape(&now.detail)));
    }
    let mut table = Table::plain(2);
    for record in &facts.decisions {
        let gone = if record.run_gone { NOT_KEPT } else { "" };
        let run = record.run.map(|run| format!("{run}{gone}")).unwrap_or_default();
        table.row([
            Cell::new(local_time(record.at_ms)),
            Cell::dressed(record.decision.as_str(), dress(&record.decision)),
            shorten(&escape(&record.about), 60).into(),
            run.into(),
            shorten(&escape(&record.detail), 120).into(),
        ]);
    }
    text.push_str(&table.render(paint));
    if let Some(note) = &facts.note {
        text.push_str(&format!("  {}\n", escape(note)));
    }
    text
}

/// The dress of a decision.
fn dress(decision: &str) -> fn(Paint, &str) -> String {
    match decision {
        "started" => Paint::green,
        "blocked" | "not-claimed" => Paint::red,
        "misfired" | "overlapped" | "not-settled" | "paused" | "skipped" => Paint::yellow,
        _ => Paint::dim,
    }
}
