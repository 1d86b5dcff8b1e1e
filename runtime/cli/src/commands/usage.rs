//! `trackside usage`

use clap::Args;
use trackside_control::{UsageDay, UsageDocument, find_workflow, usage};
use trackside_facts::Used;
use trackside_node::day_of;
use trackside_store::{Clock, SystemClock};

use crate::{
    console::Console,
    context::Context,
    failure::Failure,
    output::{Cell, Table, bytes, duration_us, escape},
};

/// What each workflow used: runs, time, memory, bytes
///
/// Days are those of UTC and are kept for 400 days, also when the runs themselves are gone. Works beside a running node.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside usage\n  trackside usage --workflow pump-watch --days 7 --by-day")]
pub struct Arguments {
    /// Of one workflow
    #[arg(short, long, value_name = "NAME")]
    workflow: Option<String>,
    /// How many days back, today among them
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=400))]
    days: u16,
    /// A line for each day
    #[arg(long)]
    by_day: bool,
}

/// Shows it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let from = day_of(SystemClock.now_ms()) + 1 - i64::from(arguments.days);
    let document = usage(&reader, from, arguments.workflow.as_deref())?;
    let console = context.console;
    if console.json {
        return console.print_json(&document);
    }
    if let Some(name) = arguments.workflow.as_deref().filter(|_| document.days.is_empty()) {
        find_workflow(&project, name)?;
    }
    if arguments.by_day { by_day(console, &document) } else { sums(console, &document) }
}

const COLUMNS: [&str; 9] = ["RUNS", "OK", "FAILED", "CANCELLED", "ATTEMPTS", "TIME", "CPU", "MODELS", "WRITTEN"];

fn cells(used: &Used) -> [Cell; 9] {
    [
        Cell::right(used.runs.to_string()),
        Cell::right(used.succeeded.to_string()),
        Cell::right(used.failed.to_string()),
        Cell::right(used.cancelled.to_string()),
        Cell::right(used.attempts.to_string()),
        Cell::right(duration_us(used.wall_us)),
        Cell::right(duration_us(used.cpu_us)),
        Cell::right(duration_us(used.model_us)),
        Cell::right(bytes(used.bytes_written)),
    ]
}

fn sums(console: Console, document: &UsageDocument) -> Result<(), Failure> {
    let heads: Vec<&str> = ["WORKFLOW"].into_iter().chain(COLUMNS).chain(["MEMORY", "KEPT", "ON DISK"]).collect();
    let mut table = Table::headed(&heads);
    let sums = document.sums();
    let names = sums.keys().copied().chain(document.held.iter().map(|held| held.workflow.as_str()));
    let names: std::collections::BTreeSet<&str> = names.collect();
    for name in names {
        let used = sums.get(name).copied().unwrap_or_default();
        let held = document.held.iter().find(|held| held.workflow == name);
        let mut line: Vec<Cell> = vec![escape(name).into_owned().into()];
        line.extend(cells(&used));
        line.push(Cell::right(bytes(used.memory_peak)));
        line.push(Cell::right(held.map_or(0, |held| held.runs).to_string()));
        line.push(Cell::right(bytes(held.map_or(0, |held| held.bytes))));
        table.row(line);
    }
    console.print(&table.render(console.out))
}

fn by_day(console: Console, document: &UsageDocument) -> Result<(), Failure> {
    let heads: Vec<&str> = ["DAY", "WORKFLOW"].into_iter().chain(COLUMNS).chain(["MEMORY"]).collect();
    let mut table = Table::headed(&heads);
    let mut days: Vec<&UsageDay> = document.days.iter().collect();
    days.sort_by(|one, other| (&other.day, &one.workflow).cmp(&(&one.day, &other.workflow)));
    for day in days {
        let mut line: Vec<Cell> = vec![day.day.clone().into(), escape(&day.workflow).into_owned().into()];
        line.extend(cells(&day.used));
        line.push(Cell::right(bytes(day.used.memory_peak)));
        table.row(line);
    }
    console.print(&table.render(console.out))
}
