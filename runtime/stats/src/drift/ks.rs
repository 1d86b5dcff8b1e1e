//! The greatest distance of two distribution functions.

use crate::StatsError;
use crate::sketch::{Histogram, Quantiles};
use crate::special::count;

use super::block::BlockDesign;
use super::outcome::{Outcome, Tested, Unsaid, enough, noise};

const FEWEST: u64 = 20;

/// The Kolmogorov-Smirnov distance of two windows with the same edges, with its p-value.
///
/// D = the greatest difference of the shares at or below an edge; p = 2 exp(-2 D^2 / (1/n + 1/m)), the bound of Dvoretzky, Kiefer &
/// Wolfowitz with Massart's constant (1990) for two samples (Wei & Dudley, Stat. Prob. Letters 2012: it holds for n = m from 458 on,
/// and with a constant of 2.2 from 4 on). Between edges the distance may be greater, so p is never too small for being taken at edges
/// only; values that fall together make it greater, too. Assumes: independent rows; with a `design`, what that assumes. Effect: D, 0 to
/// 1.
///
/// # Errors
/// Different edges.
pub fn ks(reference: &Histogram, window: &Histogram, design: Option<&BlockDesign>) -> Result<Outcome, StatsError> {
    if reference.edges() != window.edges() {
        return Err(StatsError::Mismatch { what: "histograms with other edges" });
    }
    let (rows, seen) = (reference.finite(), window.finite());
    if let Some(outcome) = enough(rows, seen, FEWEST, FEWEST) {
        return Ok(outcome);
    }
    let inflation = match design.map(BlockDesign::inflation) {
        None => 1.0,
        Some(Some(inflation)) => inflation,
        Some(None) => return Ok(Outcome::Unsaid(Unsaid::NoDesign)),
    };
    let (mut under, mut over, mut distance) = (0, 0, 0.0_f64);
    for (mine, theirs) in reference.cells().iter().zip(window.cells()) {
        under += mine;
        over += theirs;
        distance = distance.max((count(under) / count(rows) - count(over) / count(seen)).abs());
    }
    Ok(bounded(distance, distance, noise(rows, seen) * inflation))
}

/// The same from two sketches, which do not need common edges: the distance is lowered by both sketches' errors before it is judged.
///
/// Holds while both sketches are within their errors, which each fails in one case of a hundred, far less than which they usually are.
/// The verdict depends on the sketches' coins by as much as their errors; [`ks`] does not.
#[must_use]
pub fn ks_sketches(reference: &Quantiles, window: &Quantiles) -> Outcome {
    if let Some(outcome) = enough(reference.values(), window.values(), FEWEST, FEWEST) {
        return outcome;
    }
    let mut points = reference.points();
    points.extend(window.points());
    let (Some(mine), Some(theirs)) = (reference.ranks(&points), window.ranks(&points)) else {
        return Outcome::Unsaid(Unsaid::TooFewRows { have: 0, need: FEWEST });
    };
    let distance = mine.iter().zip(theirs).map(|(p, q)| (p - q).abs()).fold(0.0, f64::max);
    let sure = (distance - reference.rank_error() - window.rank_error()).max(0.0);
    bounded(distance, sure, noise(reference.values(), window.values()))
}

fn bounded(effect: f64, sure: f64, unit: f64) -> Outcome {
    Outcome::Tested(Tested {
        effect,
        critical: ((2.0_f64 / 0.05).ln() / 2.0 * unit).sqrt() + effect - sure,
        p: (2.0 * (-2.0 * sure * sure / unit).exp()).min(1.0),
    })
}
