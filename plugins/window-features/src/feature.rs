//! Features of one column's window.

use trackside_sdk::StepError;

/// One feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// All values, oldest first.
    Raw,
    /// Arithmetic mean.
    Mean,
    /// Population standard deviation.
    Std,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Largest minus smallest.
    Range,
    /// Middle value; the mean of the two middle ones when their number is even.
    Median,
    /// Slope of the least-squares line, per row.
    Slope,
    /// Mean of the differences between neighbours.
    DiffMean,
    /// Standard deviation of the differences between neighbours.
    DiffStd,
    /// Newest value.
    Last,
    /// The value this many rows before the newest.
    Lag(usize),
}

impl Feature {
    /// Reads a feature's name.
    ///
    /// # Errors
    /// `bad-input` for a name that is none, or a lag that does not lie in the window.
    pub fn parse(name: &str, window: usize) -> Result<Self, StepError> {
        Ok(match name {
            "raw" => Self::Raw,
            "mean" => Self::Mean,
            "std" => Self::Std,
            "min" => Self::Min,
            "max" => Self::Max,
            "range" => Self::Range,
            "median" => Self::Median,
            "slope" => Self::Slope,
            "diff-mean" => Self::DiffMean,
            "diff-std" => Self::DiffStd,
            "last" => Self::Last,
            _ => match name.strip_prefix("lag-").and_then(|lag| lag.parse().ok()) {
                Some(lag) if lag < window => Self::Lag(lag),
                Some(lag) => {
                    let message = format!("feature `lag-{lag}` does not lie in a window of {window} rows");
                    return Err(StepError::fatal("bad-input", message));
                }
                None => {
                    let message = format!(
                        "there is no feature `{name}`: raw, mean, std, min, max, range, median, slope, diff-mean, \
                         diff-std, last, lag-N"
                    );
                    return Err(StepError::fatal("bad-input", message));
                }
            },
        })
    }

    /// How many numbers it gives.
    pub const fn width(self, window: usize) -> usize {
        match self {
            Self::Raw => window,
            _ => 1,
        }
    }

    /// The names of its numbers for a column.
    pub fn names(self, column: &str, name: &str, window: usize) -> Vec<String> {
        match self {
            Self::Raw => (0..window).map(|at| format!("{column}[{at}]")).collect(),
            _ => vec![format!("{column}.{name}")],
        }
    }

    /// Appends its numbers. `values` is never empty and has no missing value.
    pub fn compute(self, values: &[f64], into: &mut Vec<f32>) {
        let count = values.len() as f64;
        let number = match self {
            Self::Raw => {
                into.extend(values.iter().map(|&value| value as f32));
                return;
            }
            Self::Mean => mean(values.iter().copied()),
            Self::Std => deviation(values.iter().copied()),
            Self::Min => least(values),
            Self::Max => greatest(values),
            Self::Range => greatest(values) - least(values),
            Self::Median => median(values),
            Self::Slope => {
                // Positions are 0..n, so their mean and spread have closed forms.
                let middle = (count - 1.0) / 2.0;
                let spread = count * (count * count - 1.0) / 12.0;
                let joint: f64 = values.iter().zip(0u32..).map(|(value, at)| value * (f64::from(at) - middle)).sum();
                if spread > 0.0 { joint / spread } else { 0.0 }
            }
            Self::DiffMean => mean(differences(values)),
            Self::DiffStd => deviation(differences(values)),
            Self::Last => values[values.len() - 1],
            Self::Lag(lag) => values[values.len() - 1 - lag],
        };
        into.push(number as f32);
    }
}

fn differences(values: &[f64]) -> impl Iterator<Item = f64> + Clone {
    values.windows(2).map(|pair| pair[1] - pair[0])
}

/// 0 when there is nothing.
fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

/// In two passes: the short formula loses all digits where the mean is large.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let mean = mean(values.clone());
    self::mean(values.map(move |value| (value - mean) * (value - mean))).sqrt()
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, values: &[f64]) -> Vec<f32> {
        let mut into = Vec::new();
        Feature::parse(name, values.len()).unwrap().compute(values, &mut into);
        into
    }

    #[test]
    fn features_of_a_known_window() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        for (name, expected) in [
            ("mean", 5.0),
            ("std", 2.0),
            ("min", 2.0),
            ("max", 9.0),
            ("range", 7.0),
            ("median", 4.5),
            ("diff-mean", 1.0),
            ("last", 9.0),
            ("lag-0", 9.0),
            ("lag-7", 2.0),
        ] {
            assert_eq!(of(name, &values), [expected], "{name}");
        }
        assert_eq!(of("raw", &[1.0, 2.0]), [1.0, 2.0]);
        assert_eq!(of("slope", &[1.0, 3.0, 5.0]), [2.0]);
    }

    #[test]
    fn a_window_of_one_row_has_all_features() {
        for name in ["std", "slope", "diff-mean", "diff-std"] {
            assert_eq!(of(name, &[3.0]), [0.0], "{name}");
        }
    }

    #[test]
    fn the_deviation_of_large_numbers_keeps_its_digits() {
        let values = [1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0];
        assert!((of("std", &values)[0] - 0.816_496_6).abs() < 1e-6);
    }

    #[test]
    fn unknown_features_are_refused() {
        assert!(Feature::parse("variance", 4).is_err());
        assert!(Feature::parse("lag-4", 4).is_err());
    }
}
