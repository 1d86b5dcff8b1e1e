//! Cuts the grid into windows and computes their features.

use std::collections::VecDeque;

use serde_json::json;
use trackside_rows::timestamp::{self, Time};
use trackside_sdk::{ArtifactWriter, StepError, tensor::TensorWriter};

use crate::{
    feature::Feature,
    grid::{Row, Sink},
};

/// Features are held in memory up to this many numbers (16 MB). A file with more is gone through twice: the tensor's
/// shape stands before its data, so the windows must be counted first.
const MAX_HELD: usize = 4_000_000;

/// Where features go.
pub enum Features {
    /// Kept, because they are few.
    Held(Vec<f32>),
    /// Too many to keep: only their windows are counted.
    Counted,
    /// Written at once; the shape is known.
    Written(TensorWriter),
}

/// Cuts windows.
pub struct Windows<'a> {
    size: usize,
    stride: u64,
    features: &'a [Feature],
    ring: VecDeque<Row>,
    /// Rows taken so far, missing ones included.
    taken: u64,
    /// The newest row with a missing value, counted as `taken`.
    last_missing: Option<u64>,
    index: Option<ArtifactWriter>,
    /// Where features go.
    pub target: Features,
    /// Windows that were cut.
    pub windows: u64,
    /// Windows that were passed over because a value was missing.
    pub skipped: u64,
    /// Time of the first window's first row, and of the last window's last.
    pub first: Option<Time>,
    /// See `first`.
    pub last: Option<Time>,
    column: Vec<f64>,
    numbers: Vec<f32>,
}

impl<'a> Windows<'a> {
    /// `index` takes a line per window, when it is wanted.
    pub fn new(
        size: usize,
        stride: u64,
        features: &'a [Feature],
        index: Option<ArtifactWriter>,
        target: Features,
    ) -> Self {
        Self {
            size,
            stride,
            features,
            ring: VecDeque::with_capacity(size + 1),
            taken: 0,
            last_missing: None,
            index,
            target,
            windows: 0,
            skipped: 0,
            first: None,
            last: None,
            column: Vec::with_capacity(size),
            numbers: Vec::new(),
        }
    }

    /// Gives back the index and the features.
    pub fn into_parts(self) -> (Option<ArtifactWriter>, Features) {
        (self.index, self.target)
    }

    /// Windows that end at or before a row, numbered from 1: every `stride` rows, the first after `size`.
    fn ends_until(&self, row: u64) -> u64 {
        row.checked_sub(self.size as u64).map_or(0, |over| over / self.stride + 1)
    }

    fn cut(&mut self) -> Result<(), StepError> {
        self.numbers.clear();
        let columns = self.ring.front().map_or(0, |row| row.values.len());
        for column in 0..columns {
            self.column.clear();
            self.column.extend(self.ring.iter().map(|row| row.values[column]));
            for feature in self.features {
                feature.compute(&self.column, &mut self.numbers);
            }
        }
        let start = self.ring.front().and_then(|row| row.time);
        let end = self.ring.back().and_then(|row| row.time);
        if let Some(index) = &mut self.index {
            let mut line = json!({"window": self.windows, "row": self.taken - self.size as u64});
            if let (Some(start), Some(end)) = (start, end) {
                line["start"] = timestamp::format(start).into();
                line["end"] = timestamp::format(end).into();
            }
            if let Some(key) = self.ring.back().and_then(|row| row.key.as_deref()) {
                line["key"] = key.clone().into();
            }
            index.json_line(&line)?;
        }
        self.first = self.first.or(start);
        self.last = end.or(self.last);
        self.windows += 1;
        match &mut self.target {
            Features::Held(held) if held.len() + self.numbers.len() > MAX_HELD => self.target = Features::Counted,
            Features::Held(held) => held.extend_from_slice(&self.numbers),
            Features::Counted => {}
            Features::Written(tensor) => tensor.write_f32(&self.numbers)?,
        }
        Ok(())
    }
}

impl Sink for Windows<'_> {
    fn row(&mut self, row: Row) -> Result<(), StepError> {
        let before = self.ends_until(self.taken);
        self.taken += 1;
        if row.values.iter().any(|value| value.is_nan()) {
            self.last_missing = Some(self.taken);
        }
        if self.ring.len() == self.size {
            self.ring.pop_front();
        }
        self.ring.push_back(row);
        if self.ends_until(self.taken) == before {
            return Ok(());
        }
        let oldest = self.taken - self.size as u64;
        if self.ring.len() < self.size || self.last_missing.is_some_and(|missing| missing > oldest) {
            self.skipped += 1;
            return Ok(());
        }
        self.cut()
    }

    fn hole(&mut self, rows: u64) -> Result<(), StepError> {
        let before = self.ends_until(self.taken);
        self.taken = self.taken.saturating_add(rows);
        self.skipped += self.ends_until(self.taken) - before;
        self.ring.clear();
        self.last_missing = Some(self.taken);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(rows: &[f64], size: usize, stride: u64) -> (Vec<f32>, u64) {
        let mut windows = Windows::new(size, stride, &[Feature::Raw], None, Features::Held(Vec::new()));
        for &value in rows {
            if value.is_infinite() {
                windows.hole(3).unwrap();
            } else {
                windows.row(Row { time: None, values: vec![value], key: None }).unwrap();
            }
        }
        let skipped = windows.skipped;
        match windows.into_parts().1 {
            Features::Held(held) => (held, skipped),
            _ => panic!("few features are held"),
        }
    }

    #[test]
    fn windows_step_by_the_stride() {
        let rows = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(windows(&rows, 2, 2), (vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 0));
        assert_eq!(windows(&rows, 4, 1).0.len(), 12);
        assert_eq!(windows(&rows, 2, 3), (vec![0.0, 1.0, 3.0, 4.0], 0));
        assert_eq!(windows(&rows, 7, 1), (vec![], 0));
    }

    #[test]
    fn windows_with_a_missing_value_are_skipped_and_counted() {
        assert_eq!(windows(&[0.0, f64::NAN, 2.0, 3.0, 4.0], 2, 1), (vec![2.0, 3.0, 3.0, 4.0], 2));
    }

    #[test]
    fn a_hole_counts_as_the_rows_it_stands_for() {
        let hole = f64::INFINITY;
        let with_hole = windows(&[0.0, 1.0, hole, 2.0, 3.0, 4.0], 2, 2);
        let with_rows = windows(&[0.0, 1.0, f64::NAN, f64::NAN, f64::NAN, 2.0, 3.0, 4.0], 2, 2);
        assert_eq!(with_hole, with_rows);
        assert_eq!(with_hole, (vec![0.0, 1.0, 3.0, 4.0], 2));
    }
}
