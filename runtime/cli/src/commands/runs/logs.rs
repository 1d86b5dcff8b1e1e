//! `trackside runs logs`

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use trackside_control::find_run;
use trackside_store::LogRow;

use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, escape},
    view::RunView,
};

/// Print what the steps of a run logged
///
/// Standard output and standard error of its plugins included.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run's id, its beginning, or `last`
    run: String,
    /// Only this step's
    #[arg(long, value_name = "ID")]
    step: Option<String>,
}

/// One line.
#[derive(Serialize)]
struct Line {
    step: String,
    /// Which item of a step with `foreach`.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<u32>,
    attempt: u32,
    #[serde(flatten)]
    line: Value,
}

/// Prints them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (_, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    let view =
        RunView::read(&reader, run)?.ok_or_else(|| Failure::usage(format!("[TS-0811] there is no run {run}")))?;
    let steps: Vec<String> = match &view.plan {
        Some(plan) => plan.steps.iter().map(|step| step.id.clone()).collect(),
        None => view.steps.iter().map(|step| step.id.clone()).collect(),
    };
    if let Some(wanted) = arguments.step.as_ref().filter(|wanted| !steps.contains(wanted)) {
        let known = steps.join(", ");
        return Err(Failure::usage(format!("[TS-0819] run {run} has no step `{}`; it has {known}", escape(wanted))));
    }
    let mut lines = Vec::new();
    for LogRow { step, item, attempt, lines: text } in reader.logs(run)? {
        let step = steps.get(usize::from(step)).cloned().unwrap_or_else(|| format!("step-{step}"));
        if arguments.step.as_ref().is_none_or(|wanted| *wanted == step) {
            lines.extend(parse(&text).map(|line| Line { step: step.clone(), item, attempt, line }));
        }
    }
    let console = context.console;
    if console.json {
        return console.print_json(&lines);
    }
    if lines.is_empty() {
        console.say("Nothing was logged.");
        return Ok(());
    }
    console.print(&table(&lines).render(console.out))
}

/// The lines as they were stored; one that is no JSON is shown as it is.
fn parse(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| serde_json::json!({ "message": line })))
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::plain(0);
    for Line { step, item, attempt, line } in lines {
        let level = line["level"].as_str().unwrap_or("info");
        let dress: fn(Paint, &str) -> String = match level {
            "error" => Paint::red,
            "warn" => Paint::yellow,
            _ => Paint::dim,
        };
        let at = line["at_ms"].as_u64().map(|ms| format!("{ms} ms")).unwrap_or_default();
        let mut step = item.map_or_else(|| step.clone(), |item| format!("{step}[{item}]"));
        if *attempt > 1 {
            step.push_str(&format!(" #{attempt}"));
        }
        table.row([
            Cell::new(step),
            Cell::right(at),
            Cell::dressed(escape(level).into_owned(), dress),
            message(line).into(),
        ]);
    }
    table
}

/// The message and its attributes, made harmless.
fn message(line: &Value) -> String {
    let mut text = escape(line["message"].as_str().unwrap_or_default()).into_owned();
    for (name, value) in line["attributes"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("  {}={}", escape(name), escape(&value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_text_is_made_harmless_and_odd_lines_are_kept() {
        let text =
            "{\"at_ms\":3,\"level\":\"warn\",\"message\":\"a\\u001b[31m\",\"attributes\":{\"k\":\"v\\n\"}}\nnot json\n";
        let lines: Vec<Line> =
            parse(text).map(|line| Line { step: "s".into(), item: Some(2), attempt: 1, line }).collect();
        assert_eq!(
            table(&lines).render(Paint(false)),
            "s[2]  3 ms  warn  a\\u{1b}[31m  k=v\\n\ns[2]        info  not json\n"
        );
    }
}
