//! All tests of a column's window, and all columns' together.

use crate::multiplicity::benjamini_hochberg;
use crate::sketch::{CategoryColumn, NumericColumn};
use crate::{Level, StatsError};

use super::block::BlockDesign;
use super::ks::ks;
use super::outcome::{Outcome, Unsaid, enough};
use super::psi::{Order, psi};
use super::rates::{Hits, compare};
use super::stuck::{flat, stuck};

/// What a test of a column looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// The distribution, cell by cell: PSI.
    Distribution,
    /// The distribution, at its edges: KS.
    Distance,
    /// How often there is nothing.
    Null,
    /// How often there is something of another type.
    Type,
    /// How often a number is NaN or infinite.
    NotFinite,
    /// How often a value lies outside of all that the reference had.
    OutOfRange,
    /// How often a category is new.
    NewCategory,
    /// How long a value stays the same.
    Stuck,
    /// How little a value varies.
    Flat,
}

impl Signal {
    /// The effect from which on a change is worth an alarm. PSI: "some" in the words of the field. KS: a tenth. Shares: one percentage
    /// point, half of one for what should not be there at all. Runs: what the test itself demands. Deviations: less than half.
    #[must_use]
    pub fn matters(self, effect: f64) -> bool {
        match self {
            Self::Distribution | Self::Distance => effect >= 0.1,
            Self::Null | Self::OutOfRange => effect.abs() >= 0.01,
            Self::Type | Self::NotFinite | Self::NewCategory => effect.abs() >= 0.005,
            Self::Stuck => true,
            Self::Flat => effect <= 0.5,
        }
    }
}

/// All tests of a column of numbers, the window one that the reference made. `design` is for PSI and KS, of windows of this length.
///
/// # Errors
/// A window of another reference.
pub fn numeric(
    reference: &NumericColumn,
    window: &NumericColumn,
    design: Option<&BlockDesign>,
) -> Result<Vec<(Signal, Outcome)>, StatsError> {
    let (then, now) = (reference.histogram(), window.histogram());
    let numbers = |column: &NumericColumn| column.histogram().values();
    let share = |hits: (u64, u64), rows: (u64, u64)| {
        compare(Hits { hits: hits.0, rows: rows.0 }, Hits { hits: hits.1, rows: rows.1 })
    };
    let (rows, nulls, strange) = pairs(reference.rows(), window.rows());
    let odd = |column: &NumericColumn| column.histogram().odd().0 + column.histogram().odd().1;
    Ok(vec![
        (Signal::Distribution, psi(then.cells(), now.cells(), Order::Ordered, design)?),
        (Signal::Distance, ks(then, now, design)?),
        (Signal::Null, share(nulls, rows)?),
        (Signal::Type, share(strange, rows)?),
        (Signal::NotFinite, share((odd(reference), odd(window)), (numbers(reference), numbers(window)))?),
        (Signal::OutOfRange, out_of_range(reference, window)?),
        (Signal::Stuck, stuck(reference.runs(), window.runs())),
        (Signal::Flat, flat(reference, window)),
    ])
}

/// How often the window leaves the reference's range. That range is the reference's own least and greatest value, beyond which the next
/// value lies with a chance of 2 in n + 1 if nothing has moved: they count as two hits of the reference.
fn out_of_range(reference: &NumericColumn, window: &NumericColumn) -> Result<Outcome, StatsError> {
    let (then, now) = (reference.histogram().finite(), window.histogram().finite());
    match (enough(then, now, 50, 1), window.outside()) {
        (Some(outcome), _) => Ok(outcome),
        (None, None) => Err(StatsError::Mismatch { what: "a window that was not made by its reference" }),
        (None, Some(hits)) => compare(Hits { hits: 2, rows: then.saturating_add(2) }, Hits { hits, rows: now }),
    }
}

type Both = (u64, u64);

const fn pairs(reference: (u64, u64, u64), window: (u64, u64, u64)) -> (Both, Both, Both) {
    ((reference.0, window.0), (reference.1, window.1), (reference.2, window.2))
}

/// All tests of a column of categories.
///
/// # Errors
/// A reference with other categories.
pub fn categorical(reference: &CategoryColumn, window: &CategoryColumn) -> Result<Vec<(Signal, Outcome)>, StatsError> {
    if reference.known().list() != window.known().list() {
        return Err(StatsError::Mismatch { what: "columns of other categories" });
    }
    let share =
        |hits: Both, rows: Both| compare(Hits { hits: hits.0, rows: rows.0 }, Hits { hits: hits.1, rows: rows.1 });
    let (rows, nulls, strange) = pairs(reference.rows(), window.rows());
    let (then, now) = (reference.known(), window.known());
    Ok(vec![
        (Signal::Distribution, psi(&then.cells(), &now.cells(), Order::Nominal, None)?),
        (Signal::Null, share(nulls, rows)?),
        (Signal::Type, share(strange, rows)?),
        (Signal::NewCategory, share((then.others(), now.others()), (then.values(), now.values()))?),
    ])
}

/// What [`screen`] makes of one test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Screened {
    /// The test's numbers, or why there are none.
    pub outcome: Outcome,
    /// It is more than chance, with all other tests of this window looked at.
    pub significant: bool,
    /// And it is worth an alarm.
    pub alarm: bool,
}

/// All tests of one window together: significant by Benjamini-Hochberg, alarmed where the effect matters, too.
///
/// If nothing has moved, a window raises any alarm with at most `level` (as far as the tests' own assumptions hold). Tests that say
/// nothing count as tests, without evidence: leaving them out would make the rest easier to pass.
#[must_use]
pub fn screen(tests: &[(Signal, Outcome)], level: Level) -> Vec<Screened> {
    let p: Vec<f64> = tests.iter().map(|(_, outcome)| outcome.p()).collect();
    let significant = benjamini_hochberg(&p, level);
    tests
        .iter()
        .zip(significant)
        .map(|((signal, outcome), significant)| Screened {
            outcome: *outcome,
            significant,
            alarm: significant && outcome.tested().is_some_and(|tested| signal.matters(tested.effect)),
        })
        .collect()
}

/// Whether a window says anything at all: one without is neither drift nor calm.
#[must_use]
pub fn says_anything(tests: &[(Signal, Outcome)]) -> bool {
    tests.iter().any(|(_, outcome)| {
        !matches!(outcome, Outcome::Unsaid(Unsaid::TooFewRows { .. } | Unsaid::TooFewReference { .. }))
    })
}
