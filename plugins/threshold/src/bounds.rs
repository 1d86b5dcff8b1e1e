//! Judges values by an aggregate and bounds.

use serde::Deserialize;
use trackside_sdk::StepError;

use crate::Input;

/// Which number stands for all values.
#[derive(Clone, Copy, Default, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// The value that is furthest out of bounds, or closest to them.
    #[default]
    Worst,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The arithmetic mean.
    Mean,
    /// The last.
    Last,
    /// The share of values that are out of bounds, held against `fraction`.
    Fraction,
}

/// Bounds that make sense together.
pub struct Bounds {
    above: Option<f64>,
    below: Option<f64>,
    clear_above: Option<f64>,
    clear_below: Option<f64>,
    aggregate: Aggregate,
    fraction: f64,
}

/// What was found.
pub struct Verdict {
    /// Out of bounds this time.
    pub out: bool,
    /// The aggregate.
    pub value: f64,
    /// The value furthest out, or closest to the bounds.
    pub worst: f64,
    /// Its position.
    pub worst_index: u64,
    /// How many values are out of bounds.
    pub out_of_bounds: u64,
}

impl Bounds {
    /// Takes the input's bounds.
    ///
    /// # Errors
    /// `bad-input` when there is none or they contradict each other.
    pub fn new(input: &Input) -> Result<Self, StepError> {
        let bad = |what: &str| Err(StepError::fatal("bad-input", what));
        if input.above.is_none() && input.below.is_none() {
            return bad("give `above`, `below` or both");
        }
        if let (Some(above), Some(below)) = (input.above, input.below)
            && below > above
        {
            return bad("`below` is larger than `above`: every value would be out of bounds");
        }
        let inside_above = input.clear_above.is_none_or(|clear| input.above.is_some_and(|above| clear <= above));
        let inside_below = input.clear_below.is_none_or(|clear| input.below.is_some_and(|below| clear >= below));
        if !inside_above || !inside_below {
            return bad(
                "`clear_above` is at most `above`, `clear_below` is at least `below`, and each needs its bound",
            );
        }
        if !(0.0..=1.0).contains(&input.fraction) {
            return bad("`fraction` is a share from 0 to 1");
        }
        Ok(Self {
            above: input.above,
            below: input.below,
            clear_above: input.clear_above,
            clear_below: input.clear_below,
            aggregate: input.aggregate,
            fraction: input.fraction,
        })
    }

    /// Whether a breach ends elsewhere than it began.
    pub fn has_hysteresis(&self) -> bool {
        self.clear_above.is_some() || self.clear_below.is_some()
    }

    /// Judges values, of which there is at least one. While a breach lasts the clearing bounds hold.
    pub fn judge(&self, values: &[f64], in_breach: bool) -> Verdict {
        let (above, below) = if in_breach {
            (self.clear_above.or(self.above), self.clear_below.or(self.below))
        } else {
            (self.above, self.below)
        };
        // How far out of bounds; negative inside.
        let excess = |value: f64| {
            let over = above.map_or(f64::NEG_INFINITY, |above| value - above);
            let under = below.map_or(f64::NEG_INFINITY, |below| below - value);
            over.max(under)
        };
        let (mut worst_index, mut out_of_bounds) = (0, 0u64);
        for (at, &value) in values.iter().enumerate() {
            if excess(value) > excess(values[worst_index]) {
                worst_index = at;
            }
            out_of_bounds += u64::from(excess(value) > 0.0);
        }
        let worst = values[worst_index];
        let value = match self.aggregate {
            Aggregate::Worst => worst,
            Aggregate::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Aggregate::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Aggregate::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Aggregate::Last => values[values.len() - 1],
            Aggregate::Fraction => out_of_bounds as f64 / values.len() as f64,
        };
        let out = match self.aggregate {
            Aggregate::Fraction => value > self.fraction,
            _ => excess(value) > 0.0,
        };
        Verdict { out, value, worst, worst_index: worst_index as u64, out_of_bounds }
    }
}
