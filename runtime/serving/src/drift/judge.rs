//! From a closed window to what it says, and from what windows say to an alarm.

use trackside_stats::{
    StatsError,
    drift::{
        Alarm, AlarmState, BlockDesign, Change, Cusum, CusumRule, Order, Outcome, Shift, Signal, Unsaid, Used, ks, psi,
        rates, screen, stuck,
    },
    sketch::NumericColumn,
};

use super::{
    column::{Counts, Frozen, new_names},
    document::{Counted, DriftState, Found, Says, Turn, WindowColumn, WindowDocument},
    packing::{Parts, SavedError, pack},
    series::{Closed, Reference},
    settings::DriftSettings,
    words,
};

/// Windows between two false alarms of all the sums of a model together.
const BETWEEN: f64 = 1_000.0;

/// The most deviations that one window adds to a sum.
const FARTHEST: f64 = 4.0;

/// A sum over windows, and whether it has told of a shift that is not over yet.
#[derive(Debug, Clone)]
struct Sum {
    cusum: Cusum,
    mean: f64,
    deviation: f64,
    shift: f64,
    told: Option<Shift>,
}

/// What windows have said so far.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    alarm: Alarm,
    sums: Vec<Option<Sum>>,
    /// Windows so far.
    pub(super) windows: u64,
}

impl Judge {
    pub(super) fn of(reference: &Reference, settings: &DriftSettings) -> Result<Self, StatsError> {
        let columns = reference.columns.len();
        // Means that go with the hour are no shift.
        let of = |column: &Frozen| if settings.season { None } else { Sum::of(column, columns) };
        let sums = reference.columns.iter().map(of).collect();
        Ok(Self { alarm: Alarm::new(settings.alarm)?, sums, windows: 0 })
    }

    pub(super) fn state(&self) -> DriftState {
        match self.alarm.state() {
            AlarmState::Unknown => DriftState::Unknown,
            AlarmState::Calm => DriftState::None,
            AlarmState::Suspicious => DriftState::Warning,
            AlarmState::Alarmed => DriftState::Alarm,
        }
    }

    /// What a window says, and what that changes.
    pub(super) fn window(
        &mut self,
        closed: &Closed,
        names: &[String],
        settings: &DriftSettings,
    ) -> Result<(WindowDocument, Option<Turn>), StatsError> {
        self.windows += 1;
        let reference = &closed.reference;
        let mut tests: Vec<(Signal, Outcome)> = Vec::new();
        let mut of: Vec<usize> = Vec::new();
        let at = closed.from_ms.midpoint(closed.to_ms).div_euclid(1000);
        for (column, (frozen, counts)) in reference.columns.iter().zip(&closed.columns).enumerate() {
            let found = column_tests(frozen, counts, at)?;
            of.extend(std::iter::repeat_n(column, found.len()));
            tests.extend(found);
        }
        let screened = screen(&tests, settings.level());
        let mut columns: Vec<WindowColumn> = closed
            .columns
            .iter()
            .map(|counts| WindowColumn { counted: counted(counts), psi: None, found: Vec::new(), words: None })
            .collect();
        let mut says = Says::Nothing;
        for (((signal, outcome), screened), column) in tests.iter().zip(&screened).zip(&of) {
            let Some(tested) = outcome.tested() else {
                if matches!(outcome, Outcome::Unsaid(Unsaid::Constant)) && says == Says::Nothing {
                    says = Says::Calm;
                }
                continue;
            };
            if matches!(signal, Signal::Distribution | Signal::Distance) && says == Says::Nothing {
                says = Says::Calm;
            }
            let column = &mut columns[*column];
            if *signal == Signal::Distribution {
                column.psi = Some(tested.effect);
            }
            if screened.significant {
                let matters = settings.matters(*signal, tested.effect);
                let signal = signal_name(*signal).to_owned();
                column.found.push(Found { signal, effect: tested.effect, p: Some(tested.p), matters });
            }
        }
        let mut shifted = false;
        for (column, sum) in columns.iter_mut().zip(&mut self.sums) {
            let (Some(sum), Some(mean)) = (sum, column.counted.mean) else { continue };
            if let Some((new, effect)) = sum.window(mean) {
                shifted |= new;
                column.found.push(Found { signal: "shift".to_owned(), effect, p: None, matters: true });
            }
        }
        // Fewer rows than any test takes: one NaN among three is no drift.
        if closed.rows < u64::from(DriftSettings::FEWEST).min(u64::from(settings.rows)) || reference.rows < 50 {
            says = Says::Nothing;
        }
        if says != Says::Nothing && columns.iter().any(|column| column.found.iter().any(|found| found.matters)) {
            says = Says::Drift;
        }
        for ((column, reference), name) in columns.iter_mut().zip(&reference.columns).zip(names) {
            if says == Says::Drift && column.found.iter().any(|found| found.matters) {
                column.words = Some(words::moved(name, reference, &column.counted, &column.found));
            }
        }
        let note = words::note(reference, closed, says);
        let turn = self.turn(says, shifted).map(|raised| {
            let moved = columns.iter().zip(names).filter(|(column, _)| column.words.is_some());
            Turn {
                raised,
                window: self.windows,
                at_ms: closed.to_ms,
                columns: moved.clone().map(|(_, name)| name.clone()).take(8).collect(),
                words: words::together(moved.filter_map(|(column, _)| column.words.clone())),
            }
        });
        let document = WindowDocument {
            number: self.windows,
            windows: 1,
            drifted: u64::from(says == Says::Drift),
            rows: closed.rows,
            from_ms: closed.from_ms,
            to_ms: closed.to_ms,
            says,
            note,
            columns,
        };
        Ok((document, turn))
    }

    /// Whether an alarm begins or ends.
    fn turn(&mut self, says: Says, shifted: bool) -> Option<bool> {
        let drift = match says {
            Says::Nothing => return None,
            Says::Calm => false,
            Says::Drift => true,
        };
        let mut change = self.alarm.window(Some(drift));
        // A sum has looked at many windows by itself: it does not wait for another one.
        for _ in 0..32 {
            if !(shifted && drift) || change.is_some() || self.alarm.state() == AlarmState::Alarmed {
                break;
            }
            change = self.alarm.window(Some(true));
        }
        change.map(|change| change == Change::Raised)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut parts = vec![self.windows.to_le_bytes().to_vec(), self.alarm.to_bytes()];
        parts.extend(self.sums.iter().map(|sum| sum.as_ref().map(Sum::to_bytes).unwrap_or_default()));
        pack(&parts)
    }

    /// What was kept, with the rule that holds now: what counts towards an alarm begins anew where that is another one.
    pub(super) fn from_bytes(
        bytes: &[u8],
        reference: &Reference,
        settings: &DriftSettings,
    ) -> Result<Self, SavedError> {
        let mut judge = Self::of(reference, settings)?;
        let mut parts = Parts::of(bytes)?;
        let windows = parts.next()?.try_into().map_err(|_| SavedError("a count that is cut off"))?;
        judge.windows = u64::from_le_bytes(windows);
        let alarm = Alarm::from_bytes(parts.next()?)?;
        judge.alarm = alarm.with_rule(settings.alarm)?;
        for sum in &mut judge.sums {
            let kept = parts.next()?;
            if let (Some(sum), false) = (sum, kept.is_empty()) {
                sum.restore(kept)?;
            }
        }
        Ok(judge)
    }
}

impl Sum {
    /// Of a column with a mean that can move, and enough windows to say how it moves by itself.
    fn of(column: &Frozen, columns: usize) -> Option<Self> {
        let windows = column.means.values();
        if windows < DriftSettings::DESIGN {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of windows, and of columns")]
        let (windows, columns) = (windows as f64, columns as f64);
        let (mean, variance) = (column.means.mean()?, column.means.variance()?);
        // Both were measured in few windows: a mean that is two standard errors off must not look like a shift, nor chance like more
        // than it is because the deviation came out too small.
        let deviation = variance.sqrt() * (1.0 + 2.0 / (2.0 * (windows - 1.0)).sqrt());
        let shift = (1.0 + 4.0 / windows.sqrt()).clamp(0.25, 4.0);
        let rule = CusumRule { mean, deviation, shift, between_alarms: (BETWEEN * columns).clamp(10.0, 1e9) };
        // A constant has no mean to move.
        let cusum = Cusum::new(rule).ok()?;
        Some(Self { cusum, mean, deviation, shift, told: None })
    }

    /// One more window's mean: whether a shift is told anew, and by how many deviations of a window's mean it is off; nothing while
    /// there is none.
    fn window(&mut self, mean: f64) -> Option<(bool, f64)> {
        let away = (mean - self.mean) / self.deviation;
        // One window alone, however far off, is for the alarm's rule to judge; the sum is for many that are off a little.
        let counts = self.mean + away.clamp(-FARTHEST, FARTHEST) * self.deviation;
        let new = self.cusum.observe(counts).ok().flatten();
        let still = match self.told {
            Some(Shift::Up) => away > self.shift / 4.0,
            Some(Shift::Down) => away < -self.shift / 4.0,
            None => false,
        };
        if let Some(shift) = new {
            self.told = Some(shift);
            return Some((true, away));
        }
        still.then_some((false, away))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let told = match self.told {
            None => 0,
            Some(Shift::Up) => 1,
            Some(Shift::Down) => 2,
        };
        pack(&[vec![told], self.cusum.to_bytes()])
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), SavedError> {
        let mut parts = Parts::of(bytes)?;
        self.told = match parts.next()? {
            [0] => None,
            [1] => Some(Shift::Up),
            [2] => Some(Shift::Down),
            _ => return Err(SavedError("a shift that there is not")),
        };
        self.cusum = Cusum::from_bytes(parts.next()?)?;
        Ok(())
    }
}

/// All tests of a column. Where windows of the reference tell how rows hang together, rows count for what they are worth.
fn column_tests(reference: &Frozen, window: &Counts, at: i64) -> Result<Vec<(Signal, Outcome)>, StatsError> {
    let design = reference.design.as_ref().filter(|design| design.blocks() >= DriftSettings::DESIGN);
    let worth = design.and_then(BlockDesign::inflation).unwrap_or(1.0);
    let compare = |then: (u64, u64), now: (u64, u64)| {
        let of = |(hits, rows): (u64, u64)| {
            let rows = fewer(rows, worth);
            rates::Hits { hits: fewer(hits, worth).min(rows), rows }
        };
        rates::compare(of(then), of(now))
    };
    let ((rows, nulls, strange), (now_rows, now_nulls, now_strange)) = (reference.counts.rows(), window.rows());
    let mut tests = vec![
        (Signal::Null, compare((nulls, rows), (now_nulls, now_rows))?),
        (Signal::Type, compare((strange, rows), (now_strange, now_rows))?),
    ];
    match (&reference.counts, window) {
        (Counts::Numbers(then), Counts::Numbers(now)) => {
            let season = reference.season.as_ref().map(|season| season.at(at, 0));
            if let Some(Used::All(all)) = &season {
                // Neither this hour of the week nor this hour of the day was seen often enough: against all hours, one differs without
                // any drift.
                let unsaid = Outcome::Unsaid(Unsaid::TooFewReference { have: all.finite(), need: all.finite() + 1 });
                tests.extend([(Signal::Distribution, unsaid), (Signal::Distance, unsaid)]);
            } else {
                let (usual, seen) =
                    (season.as_ref().map_or_else(|| then.histogram(), Used::histogram), now.histogram());
                tests.push((Signal::Distribution, psi(usual.cells(), seen.cells(), Order::Ordered, design)?));
                tests.push((Signal::Distance, ks(usual, seen, design)?));
            }
            let odd = |column: &NumericColumn| {
                let histogram = column.histogram();
                (histogram.odd().0 + histogram.odd().1, histogram.values())
            };
            tests.push((Signal::NotFinite, compare(odd(then), odd(now))?));
            if let Some(outside) = now.outside()
                && then.histogram().finite() >= 50
                && now.histogram().finite() > 0
            {
                // Beyond the reference's least and greatest value the next one lies with a chance of 2 in n + 1: they count as hits.
                let then = (fewer(2, 1.0 / worth), then.histogram().finite().saturating_add(2));
                tests.push((Signal::OutOfRange, compare(then, (outside, now.histogram().finite()))?));
            }
            tests.push((Signal::Stuck, stuck::stuck(then.runs(), now.runs())));
            tests.push((Signal::Flat, weaker(stuck::flat(then, now), worth, then.histogram().cells().len())));
        }
        (Counts::Classes(then, _), Counts::Classes(now, _)) => {
            let (usual, seen) = (reference.folded(&reference.counts), reference.folded(window));
            tests.push((Signal::Distribution, psi(&usual, &seen, Order::Nominal, design)?));
            let others = |known: &trackside_stats::sketch::Categories| (known.others(), known.values());
            tests.push((Signal::NewCategory, compare(others(then.known()), others(now.known()))?));
        }
        _ => return Err(StatsError::Mismatch { what: "a window of another kind of column" }),
    }
    Ok(tests)
}

/// So many rows as independent ones: never none where there are some.
fn fewer(rows: u64, worth: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a count of rows"
    )]
    let fewer = (rows as f64 / worth).round() as u64;
    if rows > 0 { fewer.max(1) } else { 0 }
}

/// The chance that all of n rows lie in two cells, for rows that are worth n / `worth`: by the inequality of power means, at most the
/// number of cells times the chance to the power of 1 / `worth`.
fn weaker(outcome: Outcome, worth: f64, cells: usize) -> Outcome {
    match outcome {
        Outcome::Tested(tested) if worth > 1.0 => {
            #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
            let p = (tested.p.powf(1.0 / worth) * cells as f64).min(1.0);
            Outcome::Tested(trackside_stats::drift::Tested { p, ..tested })
        }
        other => other,
    }
}

/// What a column had, as it is kept.
pub(super) fn counted(counts: &Counts) -> Counted {
    let (rows, nulls, strange) = counts.rows();
    match counts {
        Counts::Numbers(column) => {
            let (histogram, moments) = (column.histogram(), column.moments());
            let (nan, infinite) = histogram.odd();
            Counted {
                rows,
                nulls,
                strange,
                nan,
                infinite,
                outside: column.outside().unwrap_or(0),
                cells: histogram.cells().to_vec(),
                median: words::median(histogram, moments.range()),
                mean: moments.mean(),
                deviation: moments.variance().map(f64::sqrt),
                range: moments.range(),
                new: Vec::new(),
            }
        }
        Counts::Classes(column, _) => Counted {
            rows,
            nulls,
            strange,
            outside: column.known().others(),
            cells: column.known().cells(),
            new: new_names(column.new_ones(), 5),
            ..Counted::default()
        },
    }
}

/// A test's name in documents.
const fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Distribution => "distribution",
        Signal::Distance => "distance",
        Signal::Null => "null",
        Signal::Type => "type",
        Signal::NotFinite => "not-finite",
        Signal::OutOfRange => "out-of-range",
        Signal::NewCategory => "new-category",
        Signal::Stuck => "stuck",
        Signal::Flat => "flat",
    }
}
