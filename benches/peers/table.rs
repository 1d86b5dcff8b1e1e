//! The table: medians of the rounds, and of each round's ratio.

use crate::rounds::{Figure, Seen};

const FIGURES: [Figure; 8] = [
    Figure::Rate,
    Figure::Median,
    Figure::High,
    Figure::Cpu,
    Figure::Written,
    Figure::Flushes,
    Figure::MemoryBefore,
    Figure::MemoryAfter,
];

/// Prints what was seen: a line for each figure of each cell; behind the figure of another engine the first engine's share
/// of it.
pub fn print(seen: &[Seen], engines: &[&'static str]) {
    println!("\n| | {} |", engines.join(" | "));
    println!("|---|{}", "---|".repeat(engines.len()));
    let mut cells: Vec<&str> = seen.iter().map(|seen| seen.cell).collect();
    let mut known = std::collections::HashSet::new();
    cells.retain(|cell| known.insert(*cell));
    for cell in cells {
        for figure in FIGURES {
            let of = |engine: &str| -> Vec<(usize, f64)> {
                let these = seen.iter().filter(|seen| (seen.cell, seen.engine, seen.figure) == (cell, engine, figure));
                these.map(|seen| (seen.round, seen.value)).collect()
            };
            let ours = engines.first().map(|engine| of(engine)).unwrap_or_default();
            let columns: Vec<String> =
                engines.iter().map(|engine| column(&ours, &of(engine), engine == &engines[0])).collect();
            if columns.iter().any(|column| column != "-") {
                println!("| {cell}: {} | {} |", figure.name(), columns.join(" | "));
            }
        }
    }
}

fn column(ours: &[(usize, f64)], theirs: &[(usize, f64)], same: bool) -> String {
    let Some(value) = median(theirs.iter().map(|(_, value)| *value).collect()) else { return "-".to_owned() };
    let in_same_round = |(round, value): &(usize, f64)| {
        let (_, ours) = ours.iter().find(|(other, _)| other == round)?;
        (*value != 0.0).then_some(ours / value)
    };
    match median(theirs.iter().filter_map(in_same_round).collect()) {
        Some(ratio) if !same => format!("{} (x {})", short(value), short(ratio)),
        _ => short(value),
    }
}

/// The middle one, of an even number the lower.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
