//! Sketches: what they say against all values, merged as in one piece, kept as bytes, and bytes of somebody else's.

use trackside_stats::StatsError;
use trackside_stats::sketch::{
    Categories, CategoryList, Cell, Edges, Frequent, Histogram, MOST_EDGES, Moments, NumericColumn, Quantiles,
    RunLength,
};

use crate::support::Chance;

pub fn histogram() -> Histogram {
    let mut chance = Chance::new(1);
    let mut histogram = Histogram::new(Edges::new(vec![-1.0, 0.0, 0.5, 2.0]).unwrap());
    (0..1000).for_each(|_| histogram.observe(chance.normal()));
    histogram.observe(f64::NAN);
    histogram.observe(f64::NEG_INFINITY);
    histogram
}

pub fn quantiles(seed: u64, rows: u32) -> (Quantiles, Vec<f64>) {
    let mut chance = Chance::new(seed);
    let mut sketch = Quantiles::new().unwrap();
    let mut all: Vec<f64> = (0..rows).map(|_| chance.normal()).collect();
    all.iter().for_each(|value| sketch.observe(*value).unwrap());
    all.sort_by(f64::total_cmp);
    (sketch, all)
}

pub fn frequent(rows: u32) -> Frequent {
    let mut chance = Chance::new(2);
    let mut sketch = Frequent::new().unwrap();
    (0..rows).for_each(|_| sketch.observe(&format!("k{}", (1.0 / (chance.unit() + 1e-4)) as u32)));
    sketch
}

pub fn categories() -> Categories {
    let mut counts = Categories::new(CategoryList::new(["a", "b", "déjà"]).unwrap());
    ["a", "déjà", "x", "a"].iter().for_each(|name| {
        counts.observe(name);
    });
    counts
}

/// The library would make a map of 2^30 slots for these 40 bytes.
#[test]
fn a_sketch_that_claims_to_be_huge_is_refused_before_it_is_made() {
    let empty = Frequent::new().unwrap().to_bytes();
    for (at, lie) in [(8 + 3, 30), (8 + 4, 30), (8 + 4, 9)] {
        let mut bytes = empty.clone();
        bytes[at] = lie;
        assert!(matches!(Frequent::from_bytes(&bytes), Err(StatsError::Corrupt { .. })), "byte {at}");
    }
    let mut full = frequent(3000).to_bytes();
    (full[11], full[12]) = (30, 30);
    assert!(matches!(Frequent::from_bytes(&full), Err(StatsError::Corrupt { .. })));
}

#[test]
fn merged_windows_are_one_window() {
    let (mut left, _) = quantiles(5, 3000);
    let (right, _) = quantiles(6, 3000);
    left.merge(&right).unwrap();
    assert_eq!(left.values(), 6000);
    let mut chance = (Chance::new(5), Chance::new(6));
    let mut all: Vec<f64> = (0..3000).flat_map(|_| [chance.0.normal(), chance.1.normal()]).collect();
    all.sort_by(f64::total_cmp);
    for share in [0.01, 0.1, 0.5, 0.9, 0.99] {
        let value = left.quantile(share).unwrap();
        let rank = all.partition_point(|each| *each <= value) as f64 / 6000.0;
        assert!((rank - share).abs() <= left.rank_error(), "{share}: {rank}");
    }

    let mut whole = histogram();
    whole.merge(&histogram()).unwrap();
    assert_eq!(whole.values(), 2 * histogram().values());
    assert_eq!(whole.odd(), (2, 2));
    let other = Histogram::new(Edges::new(vec![0.0]).unwrap());
    assert!(matches!(whole.merge(&other), Err(StatsError::Mismatch { .. })));
    let mut mine = categories();
    assert!(mine.merge(&Categories::new(CategoryList::new(["z"]).unwrap())).is_err());

    let mut column = NumericColumn::new(Edges::new(vec![0.0]).unwrap()).with_quantiles().unwrap();
    column.observe(Cell::Number(1.0));
    let window = column.window();
    assert!(matches!(column.merge(&window), Err(StatsError::Mismatch { .. })), "a reference is no window of its own");
}

#[test]
fn counts_that_would_overflow_are_refused_whole() {
    let mut full = Histogram::new(Edges::new(vec![0.0]).unwrap());
    full.observe(1.0);
    let mut bytes = full.to_bytes();
    let at = bytes.len() - 4 * 8;
    bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Histogram::from_bytes(&bytes), Err(StatsError::Corrupt { .. })), "more than 2^53");
    bytes[at..at + 8].copy_from_slice(&(1_u64 << 53).to_le_bytes());
    let most = Histogram::from_bytes(&bytes).unwrap();
    let mut sum = most.clone();
    let mut merges = 0;
    while sum.merge(&sum.clone()).is_ok() {
        merges += 1;
    }
    assert_eq!((merges, sum.values()), (10, 1 << 63));
}

#[test]
fn quantiles_are_exact_while_few_and_within_their_error_then() {
    for rows in [1, 50, 200] {
        let (sketch, all) = quantiles(7, rows);
        assert_eq!(sketch.rank_error(), 0.0);
        assert_eq!(sketch.quantile(0.5), Some(all[(all.len() - 1) / 2]));
    }
    let (sketch, all) = quantiles(8, 100_000);
    let worst = (1..100)
        .map(|percent| {
            let share = f64::from(percent) / 100.0;
            (all.partition_point(|each| *each <= sketch.quantile(share).unwrap()) as f64 / 1e5 - share).abs()
        })
        .fold(0.0, f64::max);
    assert!(worst <= sketch.rank_error(), "{worst} of {}", sketch.rank_error());
    assert!(sketch.to_bytes().len() < 8 * 1024, "{}", sketch.to_bytes().len());
    assert_eq!(sketch.range(), Some((all[0], all[99_999])));
    let mut sketch = Quantiles::new().unwrap();
    assert!(sketch.observe(f64::NAN).is_err() && sketch.observe(f64::INFINITY).is_err());
    assert_eq!((sketch.values(), sketch.quantile(0.5), sketch.rank(0.0)), (0, None, None));
}

#[test]
fn frequent_items_hold_their_bounds_and_their_memory() {
    let mut sketch = Frequent::new().unwrap();
    for n in 0..100_000_u64 {
        sketch.observe(if n % 4 == 0 { "often" } else { "" });
        sketch.observe(&format!("{n:0>200}"));
    }
    let items = sketch.items();
    let often = items.iter().find(|item| item.name == "often").unwrap();
    assert!(often.least <= 25_000 && 25_000 <= often.most && often.most - often.least <= sketch.error());
    assert!(sketch.error() <= 200_000 * 14 / 1000, "{}", sketch.error());
    assert!(sketch.to_bytes().len() < 24 * 1024, "{}", sketch.to_bytes().len());
    // Long names are told apart by more than their beginnings.
    let mut long = Frequent::new().unwrap();
    let stem = "é".repeat(100);
    [format!("{stem}1"), format!("{stem}2"), format!("{stem}1")].iter().for_each(|name| long.observe(name));
    assert_eq!(long.items().iter().map(|item| item.least).collect::<Vec<_>>(), [2, 1]);
    let mut known = Categories::new(CategoryList::of_sketch(&long).unwrap());
    assert!(known.observe(&format!("{stem}2")) && !known.observe(&format!("{stem}3")));
}

#[test]
fn edges_of_odd_references_are_edges() {
    assert!(matches!(Edges::of_values(&[], 10), Err(StatsError::TooFew { .. })));
    assert!(matches!(Edges::of_values(&[f64::NAN, f64::INFINITY], 10), Err(StatsError::TooFew { .. })));
    assert!(Edges::of_values(&[1.0], 1).is_err() && Edges::of_values(&[1.0], MOST_EDGES + 2).is_err());
    assert_eq!(Edges::of_values(&[f64::MIN], 4).unwrap().list(), [f64::MIN]);
    assert_eq!(Edges::of_values(&[-0.0, 0.0], 4).unwrap().list().len(), 2);
    // Two values, one of them rare.
    let mostly: Vec<f64> = (0..100).map(|n| f64::from(n % 50 == 0)).collect();
    let edges = Edges::of_values(&mostly, 10).unwrap();
    let mut counts = Histogram::new(edges);
    mostly.iter().for_each(|value| counts.observe(*value));
    assert_eq!(counts.cells().iter().filter(|cell| **cell > 0).count(), 2, "{counts:?}");
    assert!(Edges::new(vec![1.0, 1.0]).is_err() && Edges::new(vec![f64::NAN]).is_err() && Edges::new(vec![]).is_err());
    assert!(Edges::geometric(0.0, 1.0, 1.1).is_err() && Edges::geometric(1e-9, 1e9, 1.000_001).is_err());
    assert!(matches!(Edges::of_sketch(&Quantiles::new().unwrap(), 10), Err(StatsError::TooFew { .. })));
}

#[test]
fn moments_and_runs_of_odd_values() {
    let mut moments = Moments::default();
    assert!(moments.observe(f64::NAN).is_err() && moments.observe(1e200).is_err());
    assert_eq!((moments.mean(), moments.variance(), moments.range()), (None, None, None));
    moments.observe(5.0).unwrap();
    assert_eq!((moments.mean(), moments.variance()), (Some(5.0), None));
    moments.merge(&Moments::default());
    assert_eq!(moments.values(), 1);
    let mut runs = RunLength::default();
    [1.0, f64::NAN, f64::NAN, f64::NAN, 2.0].iter().for_each(|value| runs.observe(*value));
    assert_eq!((runs.longest(), runs.run()), (3, 1));
    let mut next = runs.next_window();
    next.observe(2.0);
    assert_eq!((next.run(), next.values()), (2, 1), "a run goes on across windows");
}
