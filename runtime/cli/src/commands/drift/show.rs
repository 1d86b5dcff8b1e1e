//! `trackside drift show`

use std::fmt::Write as _;

use clap::Args;
use trackside_control::{DriftDocument, ReferenceColumn, Says, WindowColumn, drift, drift_of};

use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, escape},
};

/// Show whether what models are asked and answer, and what tables hold, has moved away from its reference
///
/// Without a name one line each. With one: every column, its reference beside the newest window as small bars, and in words what has
/// moved, from what to what. Works beside a running node and without one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside drift show\n  trackside drift show pump-anomaly\n  trackside drift show pump-anomaly --json"
)]
pub struct Arguments {
    /// The name of a model or a dataset
    name: Option<String>,
}

/// Shows it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (_, reader) = context.reader()?;
    let console = context.console;
    let documents = match &arguments.name {
        None => drift(&reader, None)?,
        Some(name) => drift_of(&reader, name)?,
    };
    if console.json {
        return console.print_json(&documents);
    }
    if documents.is_empty() {
        console.say("Nothing is watched yet: a model is from its first answer on, a table from its first rows.");
        return Ok(());
    }
    let text = match arguments.name {
        None => all(&documents, console.out),
        Some(_) => documents.iter().map(|document| one(document, console.out)).collect::<Vec<_>>().join("\n"),
    };
    console.print(&text)
}

/// What it is called.
fn title(document: &DriftDocument) -> String {
    let name = escape(&document.name);
    document.version.map_or_else(|| name.to_string(), |version| format!("{name} version {version}"))
}

fn state(document: &DriftDocument, paint: Paint) -> String {
    match document.drift.as_str() {
        "alarm" => paint.red("alarm"),
        "warning" => paint.yellow("warning"),
        "none" => "none".to_owned(),
        _ if !document.reference.complete => "learning".to_owned(),
        other => escape(other).into_owned(),
    }
}

/// What the last windows said, oldest first: `·` calm, `!` drift, `-` too few rows.
fn recent(document: &DriftDocument) -> String {
    let sign = |says: &Says| match says {
        Says::Calm => '·',
        Says::Drift => '!',
        Says::Nothing => '-',
    };
    document.recent.iter().map(sign).collect()
}

/// How far the reference is.
fn reference(document: &DriftDocument) -> String {
    let reference = &document.reference;
    if reference.complete {
        format!("{} rows", reference.rows)
    } else {
        format!("{} of {} rows", reference.rows, reference.of)
    }
}

fn all(documents: &[DriftDocument], paint: Paint) -> String {
    let mut table = Table::headed(&["NAME", "KIND", "DRIFT", "REFERENCE", "WINDOWS", "WHAT HAS MOVED"]);
    for document in documents {
        let words = document.alarm.as_ref().map_or("", |alarm| alarm.words.as_str());
        table.row([
            title(document).into(),
            escape(&document.kind).into_owned().into(),
            Cell::new(state(document, paint)),
            reference(document).into(),
            recent(document).into(),
            escape(words).into_owned().into(),
        ]);
    }
    table.render(paint)
}

fn one(document: &DriftDocument, paint: Paint) -> String {
    let mut text = format!("{}  drift: {}\n", paint.bold(&title(document)), state(document, paint));
    let about = &document.reference;
    if about.complete {
        let _ = writeln!(text, "Reference: {} rows in {} windows", about.rows, about.windows);
    } else {
        let _ =
            writeln!(text, "Reference: {} of {} rows; until it is complete, nothing is compared", about.rows, about.of);
    }
    if about.left_out > 0 {
        let _ = writeln!(text, "{} more columns are not watched: 64 are the most", about.left_out);
    }
    let Some(window) = &document.window else {
        if about.complete {
            text.push_str("No window has been written since; what is only counted is written once a minute.\n");
        }
        return text;
    };
    let what = if window.windows > 1 { format!("{} windows", window.windows) } else { "window".to_owned() };
    let _ = writeln!(text, "Newest {what}: number {}, {} rows, {}", window.number, window.rows, said(window.says));
    if let Some(note) = &window.note {
        let _ = writeln!(text, "Note: {}", escape(note));
    }
    let _ = writeln!(text, "Windows so far, oldest first: {}", recent(document));
    let mut table = Table::headed(&["COLUMN", "REFERENCE", "WINDOW", "MEDIAN", "PSI", "NULL", "OUTSIDE", ""]);
    for (column, now) in about.columns.iter().zip(&window.columns) {
        let moved = now.words.is_some();
        let name = escape(&column.name).into_owned();
        table.row([
            Cell::new(if moved { paint.red(&name) } else { name }),
            bars(&column.counted.cells).into(),
            bars(&now.counted.cells).into(),
            medians(column, now).into(),
            Cell::right(now.psi.map_or_else(|| "-".to_owned(), |psi| format!("{psi:.2}"))),
            Cell::right(share(now.counted.nulls, now.counted.rows)),
            Cell::right(share(now.counted.outside, now.counted.rows)),
            if moved { "moved".into() } else { "".into() },
        ]);
    }
    text.push_str(&table.render(paint));
    for words in window.columns.iter().filter_map(|column| column.words.as_ref()) {
        let _ = writeln!(text, "{}", escape(words));
    }
    if let Some(alarm) = &document.alarm {
        let _ = writeln!(text, "Alarm since window {}: {}", alarm.window, escape(&alarm.words));
    }
    text
}

const fn said(says: Says) -> &'static str {
    match says {
        Says::Nothing => "too little to say anything",
        Says::Calm => "nothing has moved that matters",
        Says::Drift => "drift",
    }
}

/// A bar for each cell, as high as its share; of many, neighbours are one.
fn bars(cells: &[u64]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const MOST: usize = 24;
    let together = cells.len().div_ceil(MOST).max(1);
    let sums: Vec<u64> = cells.chunks(together).map(|part| part.iter().sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(0);
    let bar = |rows: &u64| {
        if most == 0 || *rows == 0 {
            return BARS[0];
        }
        // One row is seen, too.
        let height = (u128::from(*rows) * 8).div_ceil(u128::from(most));
        BARS[usize::try_from(height).unwrap_or(8).min(8)]
    };
    format!("[{}]", sums.iter().map(bar).collect::<String>())
}

fn medians(column: &ReferenceColumn, now: &WindowColumn) -> String {
    match (column.counted.median, now.counted.median) {
        (Some(then), Some(now)) => format!("{} → {}", number(then), number(now)),
        _ => String::new(),
    }
}

fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) { format!("{value:.3}") } else { format!("{value:.2e}") }
}

fn share(part: u64, all: u64) -> String {
    if part == 0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let percent = part as f64 * 100.0 / all.max(1) as f64;
    format!("{percent:.1} %")
}
