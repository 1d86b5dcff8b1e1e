//! State that is kept as bytes: goes on where it was, and bytes of somebody else's are an error or a state that can be used.

use std::sync::OnceLock;

use proptest::prelude::*;
use trackside_stats::drift::{
    Adwin, Alarm, AlarmRule, BlockDesign, Cusum, CusumRule, PageHinkley, PageHinkleyRule, SeasonalReference, numeric,
    psi,
};
use trackside_stats::estimate::{AccuracyEstimate, Calibration};
use trackside_stats::sequential::{
    Arm, LatencyGate, LatencyTest, MeanGate, MeanSequence, Pair, Paired, PairedGate, Quantile, Sprt, SprtRates, TwoArms,
};
use trackside_stats::sketch::{
    Categories, CategoryColumn, CategoryList, Cell, Edges, Frequent, Histogram, Moments, NumericColumn, Quantiles,
    RunLength,
};
use trackside_stats::{Level, MOST_BYTES, StatsError};

use crate::gates::errors;
use crate::sketches::{categories, frequent, histogram, quantiles};
use crate::support::Chance;

const FIVE: Level = Level::FIVE_PERCENT;

/// A kind of state: one that has seen something, as bytes; and reading, using and writing it again.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    bytes: Vec<u8>,
    read: fn(&[u8]) -> Result<Vec<u8>, StatsError>,
}

/// The kind of a type whose state is fed one number, from 0 up to 1, at a time; and that it goes on from its bytes as if nothing had been.
macro_rules! kind {
    ($type:ty, $fresh:expr, $feed:expr) => {{
        let feed: fn(&mut $type, f64) = $feed;
        let mut chance = Chance::new(77);
        let mut state: $type = $fresh;
        (0..700).for_each(|_| feed(&mut state, chance.unit()));
        let bytes = state.to_bytes();
        let mut again = <$type>::from_bytes(&bytes).unwrap();
        assert_eq!(again.to_bytes(), bytes, "{} as it was kept", stringify!($type));
        (0..700).for_each(|_| {
            let value = chance.unit();
            feed(&mut state, value);
            feed(&mut again, value);
        });
        assert_eq!(again.to_bytes(), state.to_bytes(), "{} goes on where it was", stringify!($type));
        Kind {
            name: stringify!($type),
            bytes,
            read: |bytes| {
                let mut state = <$type>::from_bytes(bytes)?;
                let kept = state.to_bytes();
                // Whatever was believed must be usable.
                let feed: fn(&mut $type, f64) = $feed;
                let mut chance = Chance::new(78);
                (0..300).for_each(|_| feed(&mut state, chance.unit()));
                Ok(kept)
            },
        }
    }};
}

fn arm(x: f64) -> Arm {
    if x < 0.5 { Arm::Stable } else { Arm::Candidate }
}

fn made() -> Vec<Kind> {
    let edges = || Edges::new((1..10).map(|edge| f64::from(edge) / 10.0).collect()).unwrap();
    let latency =
        LatencyGate { alpha: FIVE, beta: FIVE, quantile: Quantile::new(0.9).unwrap(), tolerated: 1.0, margin: 1.3 };
    let cusum = CusumRule { mean: 0.5, deviation: 0.3, shift: 1.0, between_alarms: 500.0 };
    let mut kinds = vec![
        kind!(TwoArms, TwoArms::new(errors()).unwrap(), |state, x| {
            state.observe(arm(x), (x * 1000.0) % 1.0 < 0.05);
            let _ = state.decision();
        }),
        kind!(
            Paired,
            Paired::new(PairedGate { alpha: FIVE, beta: FIVE, tolerated: 0.0, margin: 0.02 }).unwrap(),
            |state, x| {
                state.observe(if x < 0.04 {
                    Pair::OnlyStable
                } else if x < 0.08 {
                    Pair::OnlyCandidate
                } else {
                    Pair::Alike
                });
                let _ = (state.decision(), state.difference());
            }
        ),
        kind!(MeanGate, MeanGate::new(0.5, 0.1, FIVE, FIVE).unwrap(), |state, x| {
            let _ = state.observe(x);
            let _ = state.decision();
        }),
        kind!(Sprt, Sprt::new(SprtRates { good: 0.01, bad: 0.1 }, FIVE, FIVE).unwrap(), |state, x| {
            state.observe(x < 0.03);
            let _ = state.decision();
        }),
        kind!(LatencyTest, LatencyTest::new(latency).unwrap(), |state, x| {
            let _ = state.observe(arm((x * 1000.0) % 1.0), x);
            if x < 0.02 {
                let _ = state.look();
            }
        }),
        kind!(MeanSequence, MeanSequence::new(0.0, 1.0, FIVE).unwrap(), |state, x| {
            let _ = state.observe(x);
            let _ = state.band();
        }),
        kind!(Adwin, Adwin::new(FIVE), |state, x| {
            let _ = state.observe(x);
            let _ = state.mean();
        }),
        kind!(Cusum, Cusum::new(cusum).unwrap(), |state, x| {
            let _ = state.observe(x);
            let _ = (state.nearness(), state.delay(1.0));
        }),
        kind!(PageHinkley, PageHinkley::new(PageHinkleyRule::default()).unwrap(), |state, x| {
            let _ = state.observe(x);
        }),
        kind!(Alarm, Alarm::new(AlarmRule { of: 5, raise: 3, clear: 4 }).unwrap(), |state, x| {
            state.window((x > 0.1).then_some(x < 0.5));
            let _ = state.state();
        }),
        kind!(BlockDesign, BlockDesign::new(4).unwrap(), |state, x| {
            let _ = state.add(&[10, (x * 10.0) as u64, 5, 7]);
            if x < 0.02 {
                let _ = psi(&[100, 50, 50, 70], &[30, 20, 20, 20], trackside_stats::drift::Order::Ordered, Some(state));
            }
        }),
        kind!(SeasonalReference, SeasonalReference::new(edges(), 2).unwrap(), |state, x| {
            state.observe((x * 1e8) as i64, 0, x);
            if x < 0.02 {
                let _ = state.at((x * 1e8) as i64, 3600);
            }
        }),
        kind!(Histogram, Histogram::new(edges()), |state, x| state.observe(x)),
        kind!(Moments, Moments::default(), |state, x| {
            let _ = state.observe(x);
            let _ = state.variance();
        }),
        kind!(RunLength, RunLength::default(), |state, x| {
            state.observe((x * 3.0).floor());
            let _ = state.repeat_rate();
        }),
        kind!(NumericColumn, NumericColumn::new(edges()), |state, x| {
            state.observe(if x < 0.05 { Cell::Null } else { Cell::Number(x) });
            if x < 0.02 {
                let window = state.window();
                let _ = numeric(state, &window, None);
            }
        }),
        kind!(Categories, Categories::new(CategoryList::new(["0", "1", "2"]).unwrap()), |state, x| {
            state.observe(&(x * 5.0).floor().to_string());
        }),
        kind!(CategoryColumn, CategoryColumn::new(CategoryList::new(["0", "1", "2"]).unwrap()).unwrap(), |state, x| {
            // Fewer categories than slots: which of more is let go is settled by where they lie in the library's map.
            let name = (x * 5.0).floor().to_string();
            state.observe(if x < 0.05 { Cell::Null } else { Cell::Text(&name) });
        }),
        kind!(Calibration, Calibration::default(), |state, x| {
            let _ = state.observe(x, x < 0.7);
            let _ = state.calibrated(x).unwrap();
        }),
        kind!(AccuracyEstimate, AccuracyEstimate::default(), |state, x| {
            let _ = state.observe(x);
            let _ = state.band(FIVE);
        }),
    ];
    // These two have chance or order of their own: other bytes may be the same state.
    kinds.push(Kind {
        name: "Quantiles",
        bytes: quantiles(3, 5000).0.to_bytes(),
        read: |bytes| {
            let mut state = Quantiles::from_bytes(bytes)?;
            let kept = state.to_bytes();
            (0..2000).for_each(|n| state.observe(f64::from(n)).unwrap());
            let copy = state.clone();
            let _ = state.merge(&copy);
            let _ = (state.points(), state.quantile(0.5), state.rank(0.0));
            Ok(kept)
        },
    });
    for rows in [0, 1] {
        let bytes = quantiles(3, rows).0.to_bytes();
        kinds.push(Kind {
            name: "Quantiles, few",
            bytes,
            read: |bytes| Quantiles::from_bytes(bytes).map(|state| state.to_bytes()),
        });
    }
    kinds.push(Kind {
        name: "Frequent",
        bytes: frequent(3000).to_bytes(),
        read: |bytes| {
            let mut state = Frequent::from_bytes(bytes)?;
            let kept = state.to_bytes();
            (0..2000).for_each(|n| state.observe(&n.to_string()));
            let copy = state.clone();
            let _ = state.merge(&copy);
            let _ = (state.items(), state.error());
            Ok(kept)
        },
    });
    kinds
}

fn kinds() -> &'static [Kind] {
    static ALL: OnceLock<Vec<Kind>> = OnceLock::new();
    ALL.get_or_init(made)
}

#[test]
fn states_go_on_where_they_were() {
    assert_eq!(kinds().len(), 24, "each was fed, kept, read and fed again in `made`");
    assert_eq!(Histogram::from_bytes(&histogram().to_bytes()).unwrap(), histogram());
    assert_eq!(Categories::from_bytes(&categories().to_bytes()).unwrap(), categories());
    let (sketch, _) = quantiles(4, 5000);
    assert_eq!(Quantiles::from_bytes(&sketch.to_bytes()).unwrap(), sketch);
    let before = frequent(3000);
    assert_eq!(Frequent::from_bytes(&before.to_bytes()).unwrap().items(), before.items());
    // The largest that there are.
    let wide = Edges::new((0..32).map(f64::from).collect()).unwrap();
    assert!(SeasonalReference::new(wide, 2).unwrap().to_bytes().len() < MOST_BYTES);
    let fine = Edges::new((0..1024).map(f64::from).collect()).unwrap();
    assert!(NumericColumn::new(fine).to_bytes().len() < MOST_BYTES);
    let names: Vec<String> = (0..255).map(|n| format!("{n:0>64}")).collect();
    let mut column = CategoryColumn::new(CategoryList::new(names.iter().map(String::as_str)).unwrap()).unwrap();
    (0..2000).for_each(|n| column.observe(Cell::Text(&format!("x{n:0>63}"))));
    assert!(column.to_bytes().len() < MOST_BYTES && CategoryColumn::from_bytes(&column.to_bytes()).is_ok());
}

#[test]
fn every_prefix_every_longer_input_and_every_later_version_is_refused() {
    for Kind { name, bytes, read } in kinds() {
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{name} cut after {end} of {} bytes", bytes.len());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(read(&longer), Err(StatsError::Corrupt { .. })), "{name} with a byte more");
        let mut later = bytes.clone();
        later[3] = 2;
        assert!(matches!(read(&later), Err(StatsError::Version { found: 2, known: 1, .. })), "{name}");
        later[3] = 0;
        assert!(read(&later).is_err());
        let mut other = bytes.clone();
        other[2] = b'?';
        assert!(matches!(read(&other), Err(StatsError::Corrupt { .. })), "{name} under another name");
        assert!(matches!(read(&vec![0; MOST_BYTES + 1]), Err(StatsError::TooMany { .. })), "{name}");
    }
}

/// Rows between others that have nothing in them, as no window of ours has: dropping the oldest must still come to an end.
#[test]
fn a_window_with_empty_rows_comes_to_an_end() {
    let mut bytes = Adwin::new(Level::new(0.5).unwrap()).to_bytes()[..4 + 4 * 8].to_vec();
    // The sum is that of 64 ones, which are the oldest; then six rows without anything.
    bytes[12..20].copy_from_slice(&64.0_f64.to_bits().to_le_bytes());
    bytes.extend(7_u32.to_le_bytes());
    (0..6).for_each(|_| bytes.extend(0_u32.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(64.0_f64.to_bits().to_le_bytes());
    bytes.extend(0.0_f64.to_bits().to_le_bytes());
    let mut adwin = Adwin::from_bytes(&bytes).unwrap();
    assert_eq!(adwin.width(), 64);
    // Both the ones and, without them, the zeros are to go.
    let cuts = (0..32).filter(|n| adwin.observe(f64::from(u8::from(*n >= 20))).unwrap()).count();
    assert!(cuts == 1 && adwin.mean().is_some_and(|mean| mean > 0.4), "{cuts} cuts, {:?}", adwin.mean());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes that were damaged anywhere are refused, or give a state that can be used; never a panic.
    #[test]
    fn damaged_bytes_are_an_error_or_a_state(
        kind in 0_usize..24,
        damage in prop::collection::vec((any::<u16>(), prop::sample::select(vec![0_u8, 1, 2, 5, 0x3f, 0x40, 0x7f, 0x80, 0xf0, 0xff])), 1..6),
    ) {
        let Kind { bytes, read, .. } = &kinds()[kind];
        let mut bytes = bytes.clone();
        for (at, with) in damage {
            // Half of the damage where the lengths are.
            let at = usize::from(if at % 2 == 0 { at % 128 } else { at });
            let length = bytes.len();
            bytes[at % length] = with;
        }
        let _ = read(&bytes);
    }
}
