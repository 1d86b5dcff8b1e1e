//! Rows on an even grid: rows that are not there become rows of missing values, short gaps are filled.

use std::{collections::VecDeque, rc::Rc};

use serde_json::{Map, Value};
use trackside_rows::timestamp::Time;
use trackside_sdk::StepError;

/// One row of the grid; a missing value is not-a-number.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When there is a time column.
    pub time: Option<Time>,
    /// One value per column.
    pub values: Vec<f64>,
    /// What tells it from others, for the index; none for a row that was not there.
    pub key: Option<Rc<Map<String, Value>>>,
}

impl Row {
    fn is_whole(&self) -> bool {
        self.values.iter().all(|value| !value.is_nan())
    }
}

/// What to do with a row that is not later than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disorder {
    /// The step fails.
    #[default]
    Fail,
    /// The row is left out.
    Drop,
}

/// What comes after the grid.
pub trait Sink {
    /// Takes the next row.
    ///
    /// # Errors
    /// Whatever stops the work.
    fn row(&mut self, row: Row) -> Result<(), StepError>;

    /// Takes this many rows without any value at once.
    ///
    /// # Errors
    /// Whatever stops the work.
    fn hole(&mut self, rows: u64) -> Result<(), StepError>;
}

/// Counts of what the grid did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub rows: u64,
    /// Rows that were not there.
    pub absent: u64,
    /// Rows left out because of their time.
    pub dropped: u64,
    /// Values filled in.
    pub interpolated: u64,
}

/// Puts rows on the grid and hands them on in order.
pub struct Grid {
    every: Option<i128>,
    disorder: Disorder,
    max_gap: usize,
    last_time: Option<Time>,
    /// The last row without a missing value, then rows with missing values that wait for their right neighbour.
    pending: VecDeque<Row>,
    /// What was done so far.
    pub counts: Counts,
}

impl Grid {
    /// `every`: the spacing in nanoseconds. `max_gap`: the longest run of rows with missing values that is filled.
    pub fn new(every: Option<i128>, disorder: Disorder, max_gap: usize) -> Self {
        Self { every, disorder, max_gap, last_time: None, pending: VecDeque::new(), counts: Counts::default() }
    }

    /// Takes the next row of the file.
    ///
    /// # Errors
    /// `bad-data` for a row out of order; what the sink returns.
    pub fn push(&mut self, line: u64, row: Row, sink: &mut impl Sink) -> Result<(), StepError> {
        self.counts.rows += 1;
        if let (Some(time), Some(last)) = (row.time, self.last_time) {
            // On a grid a row belongs to the nearest point; without one any later time will do.
            let steps = match self.every {
                Some(every) => (time.as_nanos() - last.as_nanos() + every / 2).div_euclid(every),
                None => i128::from(time > last),
            };
            if steps < 1 {
                if self.disorder == Disorder::Drop {
                    self.counts.dropped += 1;
                    return Ok(());
                }
                let message = format!(
                    "line {line}: its time is not after the row before; sort the rows, or set `disorder: drop`"
                );
                return Err(StepError::fatal("bad-data", message));
            }
            let absent = u64::try_from(steps - 1).unwrap_or(u64::MAX);
            self.fill_absent(absent, last, row.values.len(), sink)?;
        }
        self.last_time = row.time.or(self.last_time);
        self.settle(row, sink)
    }

    /// Hands on what still waits.
    ///
    /// # Errors
    /// What the sink returns.
    pub fn finish(&mut self, sink: &mut impl Sink) -> Result<(), StepError> {
        // The whole row at the front was handed on already.
        self.pending.drain(..).skip(1).try_for_each(|row| sink.row(row))
    }

    fn fill_absent(&mut self, count: u64, last: Time, width: usize, sink: &mut impl Sink) -> Result<(), StepError> {
        self.counts.absent = self.counts.absent.saturating_add(count);
        if count > self.max_gap as u64 {
            // Too long to fill: whatever waits stays missing too, and the rows need not be made one by one.
            self.flush(sink)?;
            return sink.hole(count);
        }
        let every = self.every.unwrap_or_default();
        for step in 1..=i128::from(count) {
            let time = Time::from_nanos(last.as_nanos() + every * step);
            self.settle(Row { time: Some(time), values: vec![f64::NAN; width], key: None }, sink)?;
        }
        Ok(())
    }

    /// A whole row goes on at once and stays as the left neighbour; others wait, if filling is wanted and possible.
    fn settle(&mut self, row: Row, sink: &mut impl Sink) -> Result<(), StepError> {
        if self.max_gap == 0 {
            return sink.row(row);
        }
        if row.is_whole() {
            self.interpolate(&row);
            self.pending.drain(..).skip(1).try_for_each(|row| sink.row(row))?;
            self.pending.push_back(row.clone());
            return sink.row(row);
        }
        if self.pending.is_empty() {
            // Nothing to the left to fill from.
            return sink.row(row);
        }
        self.pending.push_back(row);
        if self.pending.len() > self.max_gap + 1 { self.flush(sink) } else { Ok(()) }
    }

    /// Gives up on what waits: the gap is too long.
    fn flush(&mut self, sink: &mut impl Sink) -> Result<(), StepError> {
        self.pending.drain(..).skip(1).try_for_each(|row| sink.row(row))
    }

    /// Fills the waiting rows between the whole row at the front and `right`, evenly by position.
    fn interpolate(&mut self, right: &Row) {
        let Some((left, waiting)) = self.pending.make_contiguous().split_first_mut() else { return };
        let steps = waiting.len() as f64 + 1.0;
        for (at, row) in waiting.iter_mut().enumerate() {
            let share = (at as f64 + 1.0) / steps;
            for (column, value) in row.values.iter_mut().enumerate().filter(|(_, value)| value.is_nan()) {
                *value = left.values[column] + (right.values[column] - left.values[column]) * share;
                self.counts.interpolated += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn row(&mut self, row: Row) -> Result<(), StepError> {
            self.0.push(format!("{}", row.values[0]));
            Ok(())
        }

        fn hole(&mut self, rows: u64) -> Result<(), StepError> {
            self.0.push(format!("hole {rows}"));
            Ok(())
        }
    }

    fn through(grid: &mut Grid, rows: &[(i64, f64)]) -> Vec<String> {
        let mut seen = Seen::default();
        for &(time, value) in rows {
            grid.push(1, Row { time: Some(Time::from_millis(time)), values: vec![value], key: None }, &mut seen)
                .unwrap();
        }
        grid.finish(&mut seen).unwrap();
        seen.0
    }

    #[test]
    fn short_gaps_are_filled_and_long_ones_are_not() {
        let mut grid = Grid::new(Some(10_000_000), Disorder::Fail, 2);
        let rows = [(0, 0.0), (10, f64::NAN), (30, 3.0), (70, 7.0), (81, 8.0)];
        assert_eq!(through(&mut grid, &rows), ["0", "1", "2", "3", "hole 3", "7", "8"]);
        assert_eq!(grid.counts, Counts { rows: 5, absent: 4, dropped: 0, interpolated: 2 });
    }

    #[test]
    fn a_gap_that_grows_too_long_stays_missing() {
        let mut grid = Grid::new(None, Disorder::Fail, 1);
        let rows = [(0, f64::NAN), (1, 1.0), (2, f64::NAN), (3, f64::NAN), (4, 4.0), (5, f64::NAN)];
        assert_eq!(through(&mut grid, &rows), ["NaN", "1", "NaN", "NaN", "4", "NaN"]);
    }

    #[test]
    fn an_endless_gap_costs_nothing() {
        let mut grid = Grid::new(Some(1_000_000), Disorder::Fail, 100);
        assert_eq!(through(&mut grid, &[(0, 0.0), (i64::MAX, 1.0)]).len(), 3);
    }

    #[test]
    fn rows_out_of_order_fail_or_are_dropped() {
        let mut grid = Grid::new(Some(10_000_000), Disorder::Drop, 0);
        assert_eq!(through(&mut grid, &[(0, 0.0), (0, 1.0), (10, 2.0)]), ["0", "2"]);
        assert_eq!(grid.counts.dropped, 1);
        let mut strict = Grid::new(None, Disorder::Fail, 0);
        let mut seen = Seen::default();
        strict.push(1, Row { time: Some(Time::from_millis(5)), values: vec![0.0], key: None }, &mut seen).unwrap();
        let error = strict
            .push(2, Row { time: Some(Time::from_nanos(4_999_999)), values: vec![0.0], key: None }, &mut seen)
            .unwrap_err();
        assert_eq!(error.code(), "bad-data");
    }

    #[test]
    fn rows_a_nanosecond_apart_are_in_order() {
        let (mut grid, mut seen) = (Grid::new(None, Disorder::Fail, 0), Seen::default());
        for nanos in [0, 1, 2, 1_000, 1_001] {
            grid.push(1, Row { time: Some(Time::from_nanos(nanos)), values: vec![0.0], key: None }, &mut seen).unwrap();
        }
        // On a grid of microseconds too.
        let mut fine = Grid::new(Some(1_000), Disorder::Fail, 0);
        for micros in [0, 1, 3] {
            fine.push(1, Row { time: Some(Time::from_nanos(micros * 1_000)), values: vec![0.0], key: None }, &mut seen)
                .unwrap();
        }
        assert_eq!(fine.counts.absent, 1);
    }
}
