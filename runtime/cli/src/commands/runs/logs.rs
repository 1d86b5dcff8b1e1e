//! `trackside runs logs`

use clap::Args;
use serde_json::Value;
use trackside_control::{LogLine, find_run, run_logs};

use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, escape},
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

/// Prints them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (_, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    let lines = run_logs(&reader, run, arguments.step.as_deref())?;
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

fn table(lines: &[LogLine]) -> Table {
    let mut table = Table::plain(0);
    for LogLine { step, item, attempt, line } in lines {
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
    use serde_json::json;

    use super::*;

    #[test]
    fn log_text_is_made_harmless_and_odd_lines_are_kept() {
        let warning = json!({ "at_ms": 3, "level": "warn", "message": "a\u{1b}[31m", "attributes": { "k": "v\n" } });
        let line = |line: Value| LogLine { step: "s".into(), item: Some(2), attempt: 1, line };
        let lines = [line(warning), line(json!({ "message": "not json" }))];
        assert_eq!(
            table(&lines).render(Paint(false)),
            "s[2]  3 ms  warn  a\\u{1b}[31m  k=v\\n\ns[2]        info  not json\n"
        );
    }
}
