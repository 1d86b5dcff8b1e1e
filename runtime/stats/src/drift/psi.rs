//! The population stability index, with a critical value that goes with the windows' sizes.

use crate::StatsError;
use crate::special::count;

use super::block::{BlockDesign, Scaled};
use super::outcome::{Outcome, Tested, Unsaid, enough, noise};

/// The fewest reference rows, and rows of a window, that are compared.
const FEWEST_REFERENCE: u64 = 50;
const FEWEST: u64 = 20;
/// The fewest rows of a window that a cell is expected to have; smaller ones are put together (Cochran 1954).
const EXPECTED: f64 = 5.0;

/// Whether cells that lie beside each other belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Numbers: small cells join their neighbours.
    Ordered,
    /// Categories: small cells join each other.
    Nominal,
}

/// The population stability index of a window against a reference, by cell, with its p-value.
///
/// PSI = sum of (q - p) ln(q/p) over cells, each count raised by a half (so an empty cell is no infinity). If nothing has moved, PSI /
/// (1/n + 1/m) is about chi-squared with one less degrees of freedom than there are cells (Yurdakul & Naranjo, "Statistical properties
/// of the population stability index", J. Risk Model Validation 2020), so "PSI > 0.1" alarms on three windows of a hundred rows in ten,
/// and never on one of ten thousand. In windows of a hundred rows that law's far tail, which a correction for many features asks for,
/// is a quarter too thin; Pearson's statistic of the same cells is closer there and has other faults elsewhere, so p is the greater of
/// both. Cells of which a window should have fewer than five rows are put together, by the reference alone. Assumes: independent rows;
/// with a `design`, what that assumes. Effect: PSI, in nats. The usual words for it (0.1 little, 0.25 much) are about the effect, and
/// say nothing of chance.
///
/// # Errors
/// Lists of different lengths, or a design of other cells.
pub fn psi(
    reference: &[u64],
    window: &[u64],
    order: Order,
    design: Option<&BlockDesign>,
) -> Result<Outcome, StatsError> {
    if reference.len() != window.len() {
        return Err(StatsError::Mismatch { what: "a reference and a window of different cells" });
    }
    let all = |cells: &[u64]| cells.iter().copied().fold(0, u64::saturating_add);
    let (rows, seen) = (all(reference), all(window));
    if let Some(outcome) = enough(rows, seen, FEWEST_REFERENCE, FEWEST) {
        return Ok(outcome);
    }
    let mut groups = groups(reference, count(seen) / count(rows), order);
    let mut law = None;
    if let Some(design) = design {
        // Rows that hang together are worth fewer: cells must have five of those that they are worth. Fewer cells can be worth more.
        for _ in 0..3 {
            law = design.scaled(&groups);
            let worth = law.map_or(1.0, |law| law.scale);
            let wider = self::groups(reference, count(seen) / count(rows) / worth, order);
            if cells(&wider) >= cells(&groups) {
                break;
            }
            groups = wider;
        }
        law = design.scaled(&groups);
    }
    let size = cells(&groups);
    if size < 2 {
        let single = reference.iter().filter(|cell| **cell > 0).count() <= 1;
        let need = rows.min(seen).saturating_mul(2);
        return Ok(Outcome::Unsaid(if single { Unsaid::Constant } else { Unsaid::TooFewRows { have: seen, need } }));
    }
    if design.is_some() {
        let Some(law) = law else { return Ok(Outcome::Unsaid(Unsaid::NoDesign)) };
        // The law holds for twenty rows, and for what is worth twenty.
        let need = count(FEWEST) * law.scale;
        if count(seen) < need {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count above 20")]
            return Ok(Outcome::Unsaid(Unsaid::TooFewRows { have: seen, need: need.ceil() as u64 }));
        }
    }
    let law = law.unwrap_or(Scaled { scale: 1.0, freedom: count(size as u64 - 1), windows: f64::INFINITY });
    let put_together = |counts: &[u64]| {
        let mut sums = vec![0.0; size];
        for (cell, group) in counts.iter().zip(&groups) {
            sums[*group] += count(*cell);
        }
        sums
    };
    let (then, now) = (put_together(reference), put_together(window));
    let (n, m, halves) = (count(rows), count(seen), count(size as u64) / 2.0);
    let (mut effect, mut squares) = (0.0, 0.0);
    for (then, now) in then.iter().zip(&now) {
        let (p, q) = ((then + 0.5) / (n + halves), (now + 0.5) / (m + halves));
        effect += (q - p) * (q / p).ln();
        squares += (now / m - then / n).powi(2) / ((then + now) / (n + m));
    }
    let unit = noise(rows, seen) * law.scale;
    Ok(Outcome::Tested(Tested {
        effect,
        critical: law.critical(0.05) * unit,
        p: law.tail(effect / unit).max(law.tail(squares / unit)),
    }))
}

fn cells(groups: &[usize]) -> usize {
    groups.iter().max().map_or(0, |last| last + 1)
}

/// Into which group each cell goes, so that a window should have at least five rows in each.
fn groups(reference: &[u64], scale: f64, order: Order) -> Vec<usize> {
    let small = |rows: u64| count(rows) * scale < EXPECTED;
    match order {
        Order::Ordered => {
            let (mut group, mut held) = (0, 0);
            let mut groups = Vec::with_capacity(reference.len());
            for cell in reference {
                if !small(held) {
                    (group, held) = (group + 1, 0);
                }
                held = held.saturating_add(*cell);
                groups.push(group);
            }
            // What is left at the end joins the group before it.
            if small(held) && group > 0 {
                groups.iter_mut().for_each(|each| *each = (*each).min(group - 1));
            }
            groups
        }
        Order::Nominal => {
            let mut next = 0;
            let mut groups: Vec<Option<usize>> = reference
                .iter()
                .map(|cell| {
                    (!small(*cell)).then(|| {
                        next += 1;
                        next - 1
                    })
                })
                .collect();
            let rest = reference
                .iter()
                .zip(&groups)
                .filter(|(_, group)| group.is_none())
                .fold(0_u64, |rest, (cell, _)| rest.saturating_add(*cell));
            // All small ones together are one group, or, if that is small too, part of the smallest of the others.
            let smallest = (0..reference.len()).filter(|at| groups[*at].is_some()).min_by_key(|at| reference[*at]);
            let joint = match smallest.and_then(|at| groups[at]) {
                Some(group) if small(rest) => group,
                _ => next,
            };
            groups.iter_mut().for_each(|group| *group = group.or(Some(joint)));
            groups.into_iter().flatten().collect()
        }
    }
}
