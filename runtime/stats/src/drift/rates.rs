//! Is something more, or less, frequent than in the reference?

use crate::StatsError;
use crate::special::{count, ln_factorial, normal_tail};

use super::outcome::{Outcome, Tested, Unsaid};

/// Far more than come.
const MOST: u64 = 1 << 53;

/// So many of so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hits {
    /// Rows that have it.
    pub hits: u64,
    /// All rows.
    pub rows: u64,
}

impl Hits {
    fn share(self) -> f64 {
        count(self.hits) / count(self.rows)
    }
}

/// A share of rows against that of a reference: nulls, wrong types, NaN, new categories, values out of range.
///
/// Fisher's exact test (1935) with the smaller tail doubled: the window's hits given those of both are hypergeometric. Right for three
/// rows as for a million, for shares of 0 as of a half. Assumes: independent rows. Effect: the window's share minus the reference's.
/// (`scipy`'s two-sided p-value adds all tables that are no more likely than this one, which is another test; its one-sided ones are
/// the same as here.)
///
/// # Errors
/// More hits than rows.
pub fn compare(reference: Hits, window: Hits) -> Result<Outcome, StatsError> {
    for part in [reference, window] {
        if part.rows > MOST {
            return Err(StatsError::TooMany { what: "rows", have: part.rows, limit: MOST });
        }
        if part.hits > part.rows {
            return Err(StatsError::TooMany { what: "hits", have: part.hits, limit: part.rows });
        }
    }
    if reference.rows == 0 {
        return Ok(Outcome::Unsaid(Unsaid::TooFewReference { have: 0, need: 1 }));
    }
    if window.rows == 0 {
        return Ok(Outcome::Unsaid(Unsaid::TooFewRows { have: 0, need: 1 }));
    }
    let pooled = (count(reference.hits) + count(window.hits)) / (count(reference.rows) + count(window.rows));
    let spread = (pooled * (1.0 - pooled) * super::outcome::noise(reference.rows, window.rows)).sqrt();
    Ok(Outcome::Tested(Tested {
        effect: window.share() - reference.share(),
        critical: 1.96 * spread,
        p: both_tails(reference, window),
    }))
}

/// The smaller tail, doubled.
fn both_tails(reference: Hits, window: Hits) -> f64 {
    let (hits, all) = (count(reference.hits + window.hits), count(reference.rows + window.rows));
    let mean = count(window.rows) * hits / all;
    let variance = mean * (1.0 - hits / all) * count(reference.rows) / (all - 1.0).max(1.0);
    let away = count(window.hits) - mean;
    if variance > 1e8 {
        // A term for each of thousands of counts adds nothing to what the normal law says there.
        return 2.0 * normal_tail((away.abs() - 0.5).max(0.0) / variance.sqrt());
    }
    let (outer, here) = tail(reference, window, away >= 0.0);
    (2.0 * outer.min(1.0 - outer + here)).clamp(0.0, 1.0)
}

/// P(as many hits or more in the window), or as many or fewer, given all hits; and P(just as many).
fn tail(reference: Hits, window: Hits, more: bool) -> (f64, f64) {
    let hits = reference.hits + window.hits;
    let all = reference.rows + window.rows;
    let choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let (low, high) = (hits.saturating_sub(reference.rows), hits.min(window.rows));
    let here =
        (choose(window.rows, window.hits) + choose(reference.rows, hits - window.hits) - choose(all, hits)).exp();
    let (mut term, mut sum, mut at) = (1.0_f64, 1.0_f64, window.hits);
    while if more { at < high } else { at > low } {
        // The next table's chance as a multiple of this one's.
        let up = |k: u64| {
            count(window.rows - k) * count(hits - k) / (count(k + 1) * (count(reference.rows + k + 1) - count(hits)))
        };
        term *= if more { up(at) } else { 1.0 / up(at - 1) };
        at = if more { at + 1 } else { at - 1 };
        sum += term;
        // Away from the mean, terms fall ever faster: what follows can not change the sum any more.
        if term < sum * 1e-17 {
            break;
        }
    }
    ((here * sum).clamp(0.0, 1.0), here)
}
