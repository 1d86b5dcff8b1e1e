//! `trackside runs show`

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Map, Value};

use super::usage;
use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, duration_ms, duration_us, escape, local_time, shorten},
    view::{DeliveryState, RunView, StepView, failure, readable, step_table, trigger_line},
};
use trackside_control::{QueryError, find_run};

/// Show one run: steps, outputs, errors, deliveries, and which versions did the work
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run's id, its beginning, or `last`
    run: String,
}

/// Longest line of an output in the page for people; --json has all of it.
const LINE: usize = 200;

/// Shows it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (_, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    let view = RunView::read(&reader, run)?.ok_or(QueryError::NoRun(run))?;
    let console = context.console;
    if console.json { console.print_json(&view) } else { console.print(&page(context, &view)) }
}

fn page(context: &Context, view: &RunView) -> String {
    let paint = context.console.out;
    let mut page = String::new();
    let took = view.duration_ms.map(|ms| format!(" in {}", duration_ms(ms))).unwrap_or_default();
    let _ = writeln!(page, "{}  {}{took}", paint.bold(&view.run.to_string()), paint.state(&view.state, &view.state));
    page.push_str(&facts(view).render(paint));
    let _ = write!(page, "\n{}\n{}", paint.bold("Steps"), step_table(view, 2).render(paint));
    if let Some((summary, details)) = failure(view) {
        let _ = writeln!(page, "\n{}\n  {}", paint.bold("Error"), paint.red(&summary));
        for line in details {
            let _ = writeln!(page, "    {line}");
        }
    }
    section(&mut page, paint, "Waits for a decision", waits(context, view));
    section(&mut page, paint, "Data contracts", contracts(view));
    section(&mut page, paint, "Earlier attempts", earlier(view));
    let result = fields(view.result.as_object());
    let outputs: Map<String, Value> =
        view.outputs.iter().map(|(step, output)| (step.clone(), readable(view, step, output))).collect();
    let outputs = fields(Some(&outputs));
    let is_cut = result.iter().chain(&outputs).any(|line| line.ends_with(CUT));
    section(&mut page, paint, "Result", result);
    section(&mut page, paint, "Outputs", outputs);
    if is_cut {
        let whole = context.command(&format!("runs show {} --json", view.run));
        let _ = writeln!(page, "  {}", paint.dim(&format!("cut here: `{whole}` has all of it")));
    }
    section(&mut page, paint, "Deliveries", deliveries(view, paint));
    section(&mut page, paint, "Refused", usage::refused(view));
    section(&mut page, paint, "Secrets", usage::secrets(view));
    section(&mut page, paint, "Done by", view.steps.iter().filter_map(made_by).collect());
    section(&mut page, paint, "Used", usage::used(view));
    section(&mut page, paint, "Run it again", repeating(context, view));
    page
}

/// How a run that did not end well is repeated. The file that started it need not be there any more: dropping it again would
/// start nothing.
fn repeating(context: &Context, view: &RunView) -> Vec<String> {
    if !matches!(view.state.as_str(), "failed" | "cancelled") {
        return Vec::new();
    }
    let file = if view.trigger.has_file() { "; its file was kept" } else { "" };
    let own = context.command(&format!("runs retry {}", view.run));
    let latest = context.command(&format!("runs retry --latest {}", view.run));
    vec![format!("{own}  as it was, from where it failed{file}"), format!("{latest}  on the workflow as it is now")]
}

fn section(page: &mut String, paint: Paint, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n{}", paint.bold(title));
    for line in lines {
        let _ = writeln!(page, "  {line}");
    }
}

fn facts(view: &RunView) -> Table {
    let mut table = Table::plain(2);
    let mut fact = |name: &str, value: String| table.row([Cell::dressed(name, Paint::dim), value.into()]);
    fact("workflow", view.workflow.clone());
    fact("trigger", trigger_line(&view.trigger));
    fact("started", local_time(view.started_ms));
    if let Some(ended) = view.ended_ms {
        fact("ended", local_time(ended));
    }
    if view.params.as_object().is_some_and(|params| !params.is_empty()) {
        fact("params", shorten(&escape(&view.params.to_string()), LINE));
    }
    if let Some(other) = view.retry_of {
        fact("repeats", other.to_string());
    }
    if let Some(by) = &view.paused_by {
        fact("paused by", escape(by).into_owned());
    }
    if let Some(by) = &view.cancelled_by {
        fact("cancelled by", escape(by).into_owned());
    }
    fact("definition", view.definition.clone());
    table
}

fn earlier(view: &RunView) -> Vec<String> {
    let lines = view.steps.iter().flat_map(|step| step.earlier.iter().map(move |attempt| (step, attempt)));
    lines
        .map(|(step, attempt)| {
            let why = match &attempt.error {
                Some(error) => format!("{}: {}", error.code, escape(&error.message)),
                None => "lost when the node went down".to_owned(),
            };
            shorten(&format!("{} attempt {}: {why}", step.id, attempt.attempt), LINE)
        })
        .collect()
}

/// What people are asked, and how they answer.
fn waits(context: &Context, view: &RunView) -> Vec<String> {
    let mut lines = Vec::new();
    for (step, asks) in view.steps.iter().filter_map(|step| Some((step, step.asks.as_ref()?))) {
        lines.push(shorten(&format!("{}: {}", step.id, escape(&asks.message)), LINE));
        if !asks.approvers.is_empty() {
            lines.push(shorten(&format!("  by {}", escape(&asks.approvers.join(", "))), LINE));
        }
        lines.extend(asks.until.as_ref().map(|until| format!("  until {until}")));
        lines.push(format!("  {}", context.command(&format!("approve {} {}", view.run, step.id))));
    }
    lines
}

/// Inputs that do not fit, one line each, with the artifact of the rows that went into quarantine.
fn contracts(view: &RunView) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &view.steps {
        for input in step.report.iter().flat_map(|report| report.contracts.iter().flatten()) {
            let mut parts: Vec<String> = input.whole.iter().map(|text| escape(text).into_owned()).collect();
            if let Some(bad) = input.bad_rows.filter(|bad| *bad > 0) {
                parts.push(format!("{bad} of {} rows do not fit", input.rows.unwrap_or(bad)));
            }
            for problem in input.problems.iter().take(3) {
                let column = problem.column.as_ref().map(|name| format!(" `{}`", escape(name))).unwrap_or_default();
                parts.push(format!("line {}{column}: {}", problem.line, escape(&problem.reason)));
            }
            if let Some(quarantine) = &input.quarantine {
                parts.push(format!("bad rows in {}", quarantine.digest));
            }
            let (name, severity) = (escape(&input.name), input.severity.name());
            lines.push(shorten(&format!("{} {name} ({severity}): {}", step.id, parts.join("; ")), 2 * LINE));
        }
    }
    lines
}

/// What a line ends with that was too long.
const CUT: char = '…';

/// A line for each, the names in a column.
fn fields(values: Option<&Map<String, Value>>) -> Vec<String> {
    let width = values.into_iter().flat_map(Map::keys).map(String::len).max().unwrap_or(0);
    let line =
        |(name, value): (&String, &Value)| format!("{name:width$}  {}", shorten(&escape(&value.to_string()), LINE));
    values.into_iter().flatten().map(line).collect()
}

fn deliveries(view: &RunView, paint: Paint) -> Vec<String> {
    let mut lines: Vec<String> = view
        .deliveries
        .iter()
        .map(|delivery| {
            let target = escape(&delivery.target);
            match &delivery.state {
                DeliveryState::Delivered => format!("{target}  {}", paint.dim(&format!("by {}", delivery.step))),
                DeliveryState::Refused { reason } => paint.red(&format!("{target}  refused: {}", escape(reason))),
            }
        })
        .collect();
    if view.outbox_waiting > 0 {
        lines.push(paint.yellow(&format!("{} still waiting: a running node carries them out", view.outbox_waiting)));
    }
    lines
}

/// Which plugin or model did a step, in which version, and what it took.
fn made_by(step: &StepView) -> Option<String> {
    let report = step.report.as_ref()?;
    let text = |text: &Option<String>| escape(text.as_deref().unwrap_or_default()).into_owned();
    let mut parts = vec![match (&report.plugin, &report.model) {
        (Some(plugin), _) => format!("plugin {} {}", escape(plugin), text(&report.version)),
        (None, Some(model)) => format!("model {} on {}", escape(model), text(&report.engine)),
        (None, None) => return None,
    }];
    parts.extend(report.digest.map(|digest| digest.short()));
    parts.extend(report.run_us.map(duration_us));
    parts.extend(report.cached_from.as_ref().map(|run| format!("kept from run {}", escape(run))));
    parts.extend(report.earlier_runs.map(|earlier| format!("warm instance (run {})", earlier.saturating_add(1))));
    Some(format!("{}: {}", step.id, parts.join(", ")))
}
