//! The books of one name: count, sum, spread and extremes in constant space, and the last few samples.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_rows::json::number;

/// Running statistics. The spread is kept by Welford's method, which loses no digits where the mean is large.
#[derive(Default, Debug, Clone, Serialize, Deserialize)]
pub struct Samples {
    count: u64,
    sum: f64,
    mean: f64,
    /// Sum of squared distances from the mean.
    spread: f64,
    min: f64,
    max: f64,
    last: VecDeque<f64>,
}

/// What people and later steps see.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// How many samples.
    pub count: u64,
    /// Their sum.
    pub sum: Value,
    /// Arithmetic mean.
    pub mean: Value,
    /// Population standard deviation.
    pub std: Value,
    /// Smallest.
    pub min: Value,
    /// Largest.
    pub max: Value,
    /// The newest ones, oldest first.
    pub last: Vec<Value>,
}

impl Samples {
    /// Adds a number, a truth value (as 1 or 0), or a list of them; nulls are passed over. Nesting is bounded by the JSON
    /// parser.
    ///
    /// # Errors
    /// What is wrong with the value. Some of a list may have been added.
    pub fn add_all(&mut self, value: &Value, keep: usize) -> Result<(), String> {
        match value {
            Value::Null => Ok(()),
            Value::Bool(value) => {
                self.add(f64::from(u8::from(*value)), keep);
                Ok(())
            }
            Value::Number(value) => {
                value.as_f64().into_iter().for_each(|value| self.add(value, keep));
                Ok(())
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.add_all(item, keep)),
            Value::String(_) | Value::Object(_) => Err("is no number, truth value or list of them".into()),
        }
    }

    fn add(&mut self, value: f64, keep: usize) {
        (self.min, self.max) =
            if self.count == 0 { (value, value) } else { (self.min.min(value), self.max.max(value)) };
        self.count += 1;
        self.sum += value;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.spread += distance * (value - self.mean);
        self.last.push_back(value);
        while self.last.len() > keep {
            self.last.pop_front();
        }
    }

    /// The statistics so far.
    pub fn summary(&self) -> Summary {
        let deviation = if self.count == 0 { 0.0 } else { (self.spread / self.count as f64).max(0.0).sqrt() };
        Summary {
            count: self.count,
            sum: number(self.sum),
            mean: number(self.mean),
            std: number(deviation),
            min: number(self.min),
            max: number(self.max),
            last: self.last.iter().copied().map(number).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_spread_of_large_numbers_keeps_its_digits() {
        let mut samples = Samples::default();
        samples.add_all(&json!([1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]), 2).unwrap();
        let summary = samples.summary();
        assert!((summary.std.as_f64().unwrap() - 22.5f64.sqrt()).abs() < 1e-6);
        assert_eq!(summary.last.len(), 2);
    }

    #[test]
    fn text_is_no_sample() {
        assert!(Samples::default().add_all(&json!("7"), 1).is_err());
        assert!(Samples::default().add_all(&json!([null, [true]]), 1).is_ok());
    }
}
