//! `trackside model history`

use std::fmt::Write as _;

use clap::Args;
use trackside_control::{EntryDocument, ModelAtDocument, model_at, model_history};
use trackside_facts::SubjectEvent;

use super::registered::some_reader;
use crate::{
    commands::backfill::instant,
    context::Context,
    failure::Failure,
    output::{Paint, Table, escape, short_digest},
};

/// Tell what happened to a model, or which version answered at a time
///
/// Every version that was added or removed, every alias that was moved, and every test, with who saw to it; the newest first. Nothing
/// of it is ever removed, also when the model is. With --at: what each alias named then, and who had moved it there.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside model history pump-anomaly\n  trackside model history pump-anomaly --at 2026-03-01T12:00:00Z"
)]
pub struct Arguments {
    /// The model's name
    name: String,
    /// A time: RFC 3339 such as 2026-03-01T12:00:00Z, or a day such as 2026-03-01 (its beginning in UTC)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<i64>,
    /// How many entries at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
}

/// Tells it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (_, reader) = some_reader(context, &arguments.name)?;
    let console = context.console;
    if let Some(at) = arguments.at {
        let state = model_at(&reader, &arguments.name, at)?;
        return if console.json { console.print_json(&state) } else { console.print(&then(&state, console.out)) };
    }
    let entries = model_history(&reader, &arguments.name, arguments.limit)?;
    if console.json { console.print_json(&entries) } else { console.print(&page(&entries, console.out)) }
}

fn then(state: &ModelAtDocument, paint: Paint) -> String {
    let mut text = format!("{} at {}\n", paint.bold(&escape(&state.name)), state.at);
    if state.versions.is_empty() {
        text.push_str("It had no version.\n");
        return text;
    }
    let versions: Vec<String> = state.versions.iter().map(u32::to_string).collect();
    let _ = writeln!(text, "Versions: {}", versions.join(", "));
    let mut table = Table::headed(&["ALIAS", "VERSION", "SINCE", "MOVED BY"]);
    for (alias, at) in &state.aliases {
        table.row([
            alias.as_str().into(),
            at.version.to_string().into(),
            at.since.as_str().into(),
            escape(&at.by).into_owned().into(),
        ]);
    }
    text.push_str(&table.render(paint));
    text
}

fn page(entries: &[EntryDocument], paint: Paint) -> String {
    let mut table = Table::headed(&["TIME", "WHAT", "BY"]);
    for entry in entries {
        let (what, by) = told(&entry.event);
        table.row([entry.at.as_str().into(), escape(&what).into_owned().into(), escape(by).into_owned().into()]);
    }
    table.render(paint)
}

/// Which version an entry is about.
fn of(version: Option<u32>) -> String {
    version.map_or_else(String::new, |version| format!("version {version}: "))
}

fn told(event: &SubjectEvent) -> (String, &str) {
    match event {
        SubjectEvent::ModelAdded { version, digest, by } => {
            (format!("version {version} added ({})", short_digest(digest)), by)
        }
        SubjectEvent::ModelAliasMoved { alias, from: None, to: Some(to), by } => {
            (format!("{alias} set to version {to}"), by)
        }
        SubjectEvent::ModelAliasMoved { alias, from: Some(from), to: Some(to), by } => {
            (format!("{alias} moved from version {from} to version {to}"), by)
        }
        SubjectEvent::ModelAliasMoved { alias, from, to: None, by } => {
            let from = from.map_or_else(String::new, |from| format!("; it was version {from}"));
            (format!("{alias} removed{from}"), by)
        }
        SubjectEvent::ModelRemoved { version, digest, by } => {
            (format!("version {version} removed ({})", short_digest(digest)), by)
        }
        SubjectEvent::ModelTested { version, engine, how, problem, by } => {
            let how = match how.as_str() {
                "sample" => "golden vectors",
                "made-up" => "made-up input",
                _ => "loaded only",
            };
            let outcome = problem.as_ref().map_or("passed".to_owned(), |problem| format!("failed: {problem}"));
            (format!("version {version} tested on {engine} ({how}): {outcome}"), by)
        }
        SubjectEvent::DriftReference { version, rows, windows } => {
            (format!("{}the reference of its drift is complete: {rows} rows, {windows} windows", of(*version)), "")
        }
        SubjectEvent::DriftAlarm { version, words, .. } => (format!("{}drift alarm: {words}", of(*version)), ""),
        SubjectEvent::DriftCleared { version, window } => {
            (format!("{}drift is over since window {window}", of(*version)), "")
        }
        SubjectEvent::DriftReset { by } => ("the reference of its drift is made anew".to_owned(), by),
        SubjectEvent::Rollout { rollout, change, stable, candidate, share, why, by, .. } => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            let what = match change.as_str() {
                "started" => format!("of version {candidate} beside version {stable} started"),
                "advanced" => format!("gives version {candidate} {share} %"),
                other => other.to_owned(),
            };
            (format!("rollout {rollout} {what}{why}"), by)
        }
        SubjectEvent::ModelErrorMoved { version, before, before_wrong, since, since_wrong } => (
            format!(
                "version {version} errs otherwise: {since_wrong} of the last {since} labels are of errors, {before_wrong} of the \
                 {before} before"
            ),
            "the node",
        ),
        SubjectEvent::Activated { by, .. }
        | SubjectEvent::Labelled { by, .. }
        | SubjectEvent::TokenMade { by, .. }
        | SubjectEvent::TokenRevoked { by }
        | SubjectEvent::TriggerPaused { by }
        | SubjectEvent::TriggerResumed { by } => ("something about no model".to_owned(), by),
    }
}
