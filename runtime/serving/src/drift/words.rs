//! What has moved, in words.

use trackside_stats::sketch::Histogram;

use super::{
    column::{Counts, Frozen},
    document::{Counted, Found, Says},
    judge::counted,
    series::{Closed, Reference},
};

/// The most characters of what is said of one column, and of all together.
const MOST: (usize, usize) = (400, 1_000);

/// The value with half of the finite ones at or below it. Within a cell, values are taken to lie evenly; the outer cells end where the
/// least and the greatest value are.
pub(super) fn median(histogram: &Histogram, range: Option<(f64, f64)>) -> Option<f64> {
    let (low, high) = range?;
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let half = histogram.finite() as f64 / 2.0;
    let edges = histogram.edges().list();
    let mut under = 0.0;
    for (at, cell) in histogram.cells().iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let rows = *cell as f64;
        if rows > 0.0 && under + rows >= half {
            let from = if at == 0 { low } else { edges[at - 1].max(low) };
            let to = edges.get(at).map_or(high, |edge| edge.min(high));
            return Some(from + (to - from) * ((half - under) / rows).clamp(0.0, 1.0));
        }
        under += rows;
    }
    None
}

/// The names of categories.
pub(super) fn categories(counts: &Counts) -> Vec<String> {
    match counts {
        Counts::Numbers(_) => Vec::new(),
        Counts::Classes(column, _) => column.known().list().names().iter().map(ToString::to_string).collect(),
    }
}

/// `temperature: median from 20.1 to 24.9; 31 % above everything in the reference`.
pub(super) fn moved(name: &str, reference: &Frozen, now: &Counted, found: &[Found]) -> String {
    let then = counted(&reference.counts);
    let matters = |signal: &str| found.iter().any(|found| found.matters && found.signal == signal);
    let mut said = Vec::new();
    if matters("distribution") || matters("distance") || matters("shift") {
        match (&reference.counts, then.median, now.median) {
            (Counts::Numbers(column), Some(before), Some(after)) => {
                // A median that hardly moves says nothing of what has: then the part of the range does in which most has changed.
                let little = then.deviation.unwrap_or(0.0) / 4.0;
                if (after - before).abs() > little || matters("shift") {
                    said.push(format!("median from {} to {}", number(before), number(after)));
                } else {
                    said.extend(most_changed(column.histogram().edges().list(), &then, now));
                }
            }
            (Counts::Numbers(_), ..) => said.extend(spread(&then, now)),
            (Counts::Classes(..), ..) => said.extend(most_moved(&categories(&reference.counts), &then, now)),
        }
    }
    if matters("shift") && said.is_empty() {
        said.extend(
            then.mean.zip(now.mean).map(|(then, now)| format!("mean from {} to {}", number(then), number(now))),
        );
    }
    if matters("out-of-range") {
        said.extend(beyond(reference, &then, now));
    }
    if matters("new-category") {
        let new: Vec<&str> = now.new.iter().take(3).map(|(name, _)| name.as_str()).collect();
        let which = if new.is_empty() { String::new() } else { format!(" ({})", new.join(", ")) };
        said.push(format!(
            "new categories{which} from {} to {}",
            share(then.outside, then.rows),
            share(now.outside, now.rows)
        ));
    }
    for (signal, what, before, after) in [
        ("null", "nothing there", then.nulls, now.nulls),
        ("type", "another type", then.strange, now.strange),
        ("not-finite", "NaN or infinite", then.nan + then.infinite, now.nan + now.infinite),
    ] {
        if matters(signal) {
            said.push(format!("{what} from {} to {}", share(before, then.rows), share(after, now.rows)));
        }
    }
    if matters("stuck") {
        let run = found.iter().find(|found| found.signal == "stuck").map_or(0.0, |found| found.effect);
        said.push(format!("the same value {run:.0} times in a row"));
    }
    if matters("flat") {
        said.extend(spread(&then, now));
    }
    said.dedup();
    short(&format!("{name}: {}", said.join("; ")), MOST.0)
}

/// Of which side of the reference's range so many lie.
fn beyond(reference: &Frozen, then: &Counted, now: &Counted) -> Option<String> {
    let ((low, high), (least, greatest)) = (then.range?, now.range?);
    let Counts::Numbers(_) = reference.counts else { return None };
    let finite: u64 = now.cells.iter().sum();
    let much = share(now.outside, finite);
    Some(match (least < low, greatest > high) {
        (false, true) => format!("{much} above everything in the reference"),
        (true, false) => format!("{much} below everything in the reference"),
        _ => format!("{much} outside of everything in the reference"),
    })
}

fn spread(then: &Counted, now: &Counted) -> Option<String> {
    let (before, after) = (then.deviation?, now.deviation?);
    Some(format!("standard deviation from {} to {}", number(before), number(after)))
}

/// The cell whose share has changed most.
fn most_changed(edges: &[f64], then: &Counted, now: &Counted) -> Option<String> {
    let away = |at: usize| (part(&now.cells, at) - part(&then.cells, at)).abs();
    let most = (0..now.cells.len()).max_by(|a, b| away(*a).total_cmp(&away(*b)))?;
    let (before, after) = (percent(part(&then.cells, most)), percent(part(&now.cells, most)));
    let place = match (most.checked_sub(1).and_then(|at| edges.get(at)), edges.get(most)) {
        (None, Some(high)) => format!("up to {}", number(*high)),
        (Some(low), None) => format!("above {}", number(*low)),
        (Some(low), Some(high)) => format!("{} to {}", number(*low), number(*high)),
        (None, None) => return None,
    };
    Some(format!("values {place} from {before} to {after} of rows"))
}

/// The share of a cell.
fn part(cells: &[u64], at: usize) -> f64 {
    let all: u64 = cells.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let part = cells.get(at).copied().unwrap_or(0) as f64 / all.max(1) as f64;
    part
}

/// The category whose share has changed most.
fn most_moved(names: &[String], then: &Counted, now: &Counted) -> Option<String> {
    let away = |at: usize| (part(&now.cells, at) - part(&then.cells, at)).abs();
    let most = (0..names.len()).max_by(|a, b| away(*a).total_cmp(&away(*b)))?;
    let (before, after) = (part(&then.cells, most), part(&now.cells, most));
    Some(format!("`{}` from {} to {}", names[most], percent(before), percent(after)))
}

/// What a reader must know of a window.
pub(super) fn note(reference: &Reference, closed: &Closed, says: Says) -> Option<String> {
    if reference.rows < 50 {
        return Some(format!("the reference has {}, and 50 are needed to compare with", rows(reference.rows)));
    }
    if says == Says::Nothing {
        return Some(format!(
            "{} say nothing here, or are worth too few because they hang together",
            rows(closed.rows)
        ));
    }
    (!reference.design()).then(|| {
        format!(
            "the reference has {}: 20 are needed to tell how rows hang together, so they are taken as independent",
            many(reference.windows, "window")
        )
    })
}

/// What is said of several columns.
pub(super) fn together(words: impl Iterator<Item = String>) -> String {
    short(&words.collect::<Vec<_>>().join(". "), MOST.1)
}

fn rows(count: u64) -> String {
    many(count, "row")
}

fn many(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn share(part: u64, all: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    percent(part as f64 / all.max(1) as f64)
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Three digits that say something.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{value:.2e}")
    } else if size < 1.0 {
        format!("{value:.4}")
    } else if size < 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}
