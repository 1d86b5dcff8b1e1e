//! References by the hour of the week.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::sketch::{Edges, Histogram};

const HOURS: usize = 168;
/// The fewest reference values that an hour needs before it is compared by itself.
const FEWEST: u64 = 100;

/// The hour of the week, 0 (Monday 00:00 to 01:00) to 167, of a time in seconds since 1970 in a zone that is `offset` seconds ahead of UTC.
#[must_use]
pub const fn hour_of_week(unix_seconds: i64, offset: i32) -> usize {
    // 1970-01-01 was a Thursday.
    let local = unix_seconds.saturating_add(offset as i64).saturating_add(3 * 86_400);
    local.div_euclid(3600).rem_euclid(HOURS as i64) as usize
}

/// With what a window is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Used {
    /// The same hour of the same day of the week.
    HourOfWeek(Histogram),
    /// The same hour of all days: that hour of the week has too little.
    HourOfDay(Histogram),
    /// All of it: those hours have too little, too. Where there is a season, a window of an hour differs from that without any drift.
    All(Histogram),
}

impl Used {
    /// The reference itself.
    #[must_use]
    pub const fn histogram(&self) -> &Histogram {
        match self {
            Self::HourOfWeek(histogram) | Self::HourOfDay(histogram) | Self::All(histogram) => histogram,
        }
    }
}

/// A reference for each hour of the week, on common edges: 8 bytes a cell and hour, 15 KiB with ten edges.
///
/// A window of an hour is compared with the same hour of earlier weeks where those have at least `weeks` weeks and a hundred values, else
/// with the same hour of all days, else with everything; the answer says which. Assumes: weeks are alike. What changes from week to week
/// (weather, load) is variation that rows of one hour share: with the hours of the reference's weeks as windows of a
/// [`BlockDesign`](super::BlockDesign) it is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct SeasonalReference {
    empty: Histogram,
    cells: Vec<u64>,
    weeks: [u32; HOURS],
    last_week: [i64; HOURS],
    need: u32,
}

impl SeasonalReference {
    /// Empty. `weeks`: how many an hour must have been seen in; at least 2, one week is no season.
    ///
    /// # Errors
    /// More than 33 cells, or fewer than 2 weeks.
    pub fn new(edges: Edges, weeks: u32) -> Result<Self, StatsError> {
        if edges.cells() > 33 {
            return Err(StatsError::TooMany { what: "cells of a season", have: edges.cells() as u64, limit: 33 });
        }
        if weeks < 2 {
            return Err(StatsError::TooFew { what: "weeks of a season", have: u64::from(weeks), need: 2 });
        }
        let cells = vec![0; edges.cells() * HOURS];
        Ok(Self { empty: Histogram::new(edges), cells, weeks: [0; HOURS], last_week: [i64::MIN; HOURS], need: weeks })
    }

    /// One value of the reference. Values that are no finite numbers are not counted.
    pub fn observe(&mut self, unix_seconds: i64, offset: i32, value: f64) {
        if !value.is_finite() {
            return;
        }
        let hour = self.enter(unix_seconds, offset);
        let edges = self.empty.edges();
        self.cells[hour * edges.cells() + edges.cell(value)] += 1;
    }

    /// A window of the reference, all of it counted at one time.
    ///
    /// # Errors
    /// Other edges; nothing is counted then.
    pub fn add(&mut self, unix_seconds: i64, offset: i32, window: &Histogram) -> Result<(), StatsError> {
        if window.edges() != self.empty.edges() {
            return Err(StatsError::Mismatch { what: "histograms with other edges" });
        }
        let hour = self.enter(unix_seconds, offset);
        let from = hour * window.cells().len();
        let into = &mut self.cells[from..from + window.cells().len()];
        into.iter_mut().zip(window.cells()).for_each(|(into, cell)| *into = into.saturating_add(*cell));
        Ok(())
    }

    /// The hour, which has been seen in one week more where this week is a new one.
    fn enter(&mut self, unix_seconds: i64, offset: i32) -> usize {
        let hour = hour_of_week(unix_seconds, offset);
        let week = unix_seconds.saturating_add(i64::from(offset)).saturating_add(3 * 86_400).div_euclid(7 * 86_400);
        if self.last_week[hour] != week {
            self.last_week[hour] = week;
            self.weeks[hour] = self.weeks[hour].saturating_add(1);
        }
        hour
    }

    fn over(&self, hours: impl Iterator<Item = usize>) -> Histogram {
        let mut sum = vec![0_u64; self.empty.edges().cells()];
        for hour in hours {
            let from = hour * sum.len();
            let part = &self.cells[from..from + sum.len()];
            sum.iter_mut().zip(part).for_each(|(into, cell)| *into = into.saturating_add(*cell));
        }
        self.empty.with_cells(sum)
    }

    /// What a window at this time is to be compared with.
    #[must_use]
    pub fn at(&self, unix_seconds: i64, offset: i32) -> Used {
        let hour = hour_of_week(unix_seconds, offset);
        let own = self.over(std::iter::once(hour));
        if self.weeks[hour] >= self.need && own.finite() >= FEWEST {
            return Used::HourOfWeek(own);
        }
        let alike = || (hour % 24..HOURS).step_by(24);
        let daily = self.over(alike());
        if alike().map(|each| self.weeks[each]).fold(0, u32::saturating_add) >= self.need && daily.finite() >= FEWEST {
            return Used::HourOfDay(daily);
        }
        Used::All(self.over(0..HOURS))
    }
}

kept!(SeasonalReference);

impl Kept for SeasonalReference {
    const WHAT: &'static str = "a reference by the hour";
    const KIND: [u8; 3] = *b"TDh";

    fn put(&self, into: &mut Writer) {
        into.u64(u64::from(self.need));
        into.state(&self.empty);
        for hour in 0..HOURS {
            into.u64(u64::from(self.weeks[hour]));
            into.u64(self.last_week[hour].cast_unsigned());
        }
        self.cells.iter().for_each(|cell| into.u64(*cell));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let need = narrow(from.u64()?);
        let empty: Histogram = from.state()?;
        from.check(empty.values() == 0, "counts where there are none")?;
        let mut read = Self::new(empty.edges().clone(), need)?;
        for hour in 0..HOURS {
            read.weeks[hour] = narrow(from.u64()?);
            read.last_week[hour] = from.u64()?.cast_signed();
        }
        let mut all = 0_u64;
        for cell in &mut read.cells {
            *cell = from.count()?;
            all = all.saturating_add(*cell);
        }
        from.check(all <= 1 << 53, "more than there can be")?;
        Ok(read)
    }
}
