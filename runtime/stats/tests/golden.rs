//! The same numbers as other people's packages: `golden/make.py` computed them, with the versions of `golden/requirements.txt`.
//! Where a package differs, the test says who is right, and why.

use serde_json::Value;
use trackside_stats::drift::rates::{Hits, compare};
use trackside_stats::drift::{
    Adwin, BlockDesign, Cusum, CusumRule, Order, Outcome, PageHinkley, PageHinkleyRule, Tested, ks, psi,
};
use trackside_stats::multiplicity::{benjamini_hochberg, benjamini_yekutieli};
use trackside_stats::sequential::plan::{Trial, rate};
use trackside_stats::sequential::{Arm, Bets, ErrorGate, Margin, MeanGate, MeanSequence, TwoArms, proportion_band};
use trackside_stats::sketch::{Edges, Frequent, Histogram, Moments, Quantiles};
use trackside_stats::{Level, StatsError};

use crate::support::Chance;

fn golden(of: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("golden/golden.json")).unwrap();
    all[of].clone()
}

fn list(of: &str) -> Vec<Value> {
    golden(of).as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|each| each.as_u64().unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn same(what: &str, ours: f64, theirs: f64, relative: f64) {
    let away = (ours - theirs).abs();
    assert!(away <= relative * theirs.abs().max(1e-12), "{what}: {ours} here, {theirs} there");
}

fn tested(outcome: Outcome) -> Tested {
    *outcome.tested().unwrap_or_else(|| panic!("no answer: {outcome:?}"))
}

#[test]
fn proportion_bands_are_those_of_scipys_roots() {
    for case in list("proportion") {
        let (s, n) = (case["s"].as_u64().unwrap(), case["n"].as_u64().unwrap());
        let band = proportion_band(s, n, Level::new(number(&case["alpha"])).unwrap()).unwrap();
        let theirs = numbers(&case["band"]);
        same(&format!("{s} of {n}, low"), band.low, theirs[0], 1e-6);
        same(&format!("{s} of {n}, high"), band.high, theirs[1], 1e-6);
    }
}

#[test]
fn a_mean_sequence_is_the_paper_s_in_vectors() {
    let mut chance = Chance::new(11);
    let mut sequence = MeanSequence::new(0.0, 1.0, Level::FIVE_PERCENT).unwrap();
    let cases = list("bernstein");
    for n in 1..=2000_u64 {
        sequence.observe(0.2 + 0.1 * chance.unit()).unwrap();
        for case in cases.iter().filter(|case| case["n"] == n) {
            let theirs = numbers(&case["band"]);
            same(&format!("low after {n}"), sequence.band().low, theirs[0], 1e-10);
            same(&format!("high after {n}"), sequence.band().high, theirs[1], 1e-10);
        }
    }
}

/// scipy's two-sided Fisher test adds the tables that are no more likely than this one. Both are tests at their level; doubling treats
/// both directions alike and cannot jump when one more hit comes, which a rate that is watched window by window needs. Of the eight
/// tables here ours is never the smaller one.
#[test]
fn rates_are_scipys_one_sided_fisher_doubled() {
    for case in list("fisher") {
        let [rh, rn, wh, wn] = counts(&case["table"])[..] else { panic!() };
        let ours = tested(compare(Hits { hits: rh, rows: rn }, Hits { hits: wh, rows: wn }).unwrap());
        let doubled = (2.0 * number(&case["more"]).min(number(&case["less"]))).min(1.0);
        same(&format!("{case}"), ours.p, doubled, 1e-8);
        assert!(ours.p >= number(&case["scipy_two_sided"]) * (1.0 - 1e-8), "{case}");
    }
}

#[test]
fn psi_is_numpys_and_its_p_value_the_greater_of_scipys_two() {
    for case in list("psi") {
        let (reference, window) = (counts(&case["reference"]), counts(&case["window"]));
        let ours = tested(psi(&reference, &window, Order::Ordered, None).unwrap());
        assert!((ours.effect - number(&case["psi"])).abs() < 1e-12, "{case}");
        same("p", ours.p, number(&case["p"]).max(number(&case["pearson_p"])), 1e-8);
        same("critical", ours.critical, number(&case["critical"]), 1e-9);
    }
}

/// On categories whose cells are all full, evidently's PSI is ours but for the halves. An empty cell it takes for a share of 0.0001,
/// however few rows there are: a tenth that is missing gives 0.71 among 50 rows, where it is missing by chance once in 200 times, as
/// among 100,000. With halves the index grows with what is known. On numbers it takes Sturges' bins of reference and window together,
/// and ignores `n_bins`: a shift of half a deviation is 0.29, and 0.006 as soon as one value of 10,000 is in the window. Frozen edges
/// can not be moved by what they are to judge.
#[test]
fn psi_and_evidently_differ_where_evidently_is_wrong() {
    let cases = list("evidently");
    let ours = |case: &Value| {
        tested(psi(&counts(&case["reference"]), &counts(&case["window"]), Order::Nominal, None).unwrap()).effect
    };
    same("full cells", ours(&cases[0]), number(&cases[0]["psi"]), 0.002);
    let missing = |rows: u64| {
        tested(psi(&[5000, 4000, 1000], &[rows * 52 / 100, rows * 48 / 100, 0], Order::Nominal, None).unwrap()).effect
    };
    assert!((number(&cases[1]["psi"]) - 0.705).abs() < 0.001);
    assert!(missing(50) < 0.25 && missing(1000) > 0.5 && missing(100_000) > 0.9, "{}", missing(50));

    let theirs = golden("evidently_numbers");
    assert_eq!(theirs["as_is"], theirs["n_bins_5"]);
    assert!(number(&theirs["with_one_far_value"]) < 0.01);
    let mut chance = Chance::new(5);
    let reference: Vec<f64> = (0..2000).map(|_| chance.normal()).collect();
    let mut before = Histogram::new(Edges::of_values(&reference, 10).unwrap());
    let mut after = before.emptied();
    reference.iter().for_each(|value| before.observe(*value));
    (0..500).for_each(|_| after.observe(chance.normal() + 0.5));
    let plain = tested(psi(before.cells(), after.cells(), Order::Ordered, None).unwrap()).effect;
    after.observe(10_000.0);
    let far = tested(psi(before.cells(), after.cells(), Order::Ordered, None).unwrap()).effect;
    assert!(plain > 0.2 && (far - plain).abs() < 0.01, "{plain}, {far}");
}

/// The bound of Dvoretzky, Kiefer & Wolfowitz is never below scipy's exact p-value, and close to the asymptotic one (its first term).
/// scipy's own p-values take values for distinct; with ties, as here, they are too great as well.
#[test]
fn ks_is_scipys_distance_and_its_p_value_is_no_smaller() {
    for case in list("ks") {
        let mut chance = Chance::new(case["seed"].as_u64().unwrap());
        let edges = Edges::new((0..24).map(f64::from).collect()).unwrap();
        let (mut a, mut b) = (Histogram::new(edges.clone()), Histogram::new(edges));
        for _ in 0..case["n"].as_u64().unwrap() {
            a.observe((chance.unit() * 20.0).floor());
        }
        for _ in 0..case["m"].as_u64().unwrap() {
            b.observe((chance.unit() * 20.0).floor() + number(&case["shift"]));
        }
        let ours = tested(ks(&a, &b, None).unwrap());
        same("distance", ours.effect, number(&case["d"]), 1e-12);
        assert!(ours.p >= number(&case["exact"]) * 0.999, "{case}: {}", ours.p);
        assert!(ours.p <= (number(&case["exact"]) * 1.3).max(0.02), "{case}: {}", ours.p);
    }
}

/// How windows of a sensor that remembers vary: numpy's covariance and eigenvalues, and scipy's F, in place of our traces.
#[test]
fn a_design_is_numpys_covariance() {
    let case = golden("design");
    let mut design = BlockDesign::new(4).unwrap();
    let edges = Edges::new(vec![-0.7, 0.0, 0.7]).unwrap();
    let mut all = [0_u64; 4];
    let (mut before, mut after) = (Histogram::new(edges.clone()), Histogram::new(edges));
    let fill = |into: &mut Histogram, cells: &[u64]| {
        for (cell, value) in cells.iter().zip([-1.0, -0.5, 0.5, 1.0]) {
            (0..*cell).for_each(|_| into.observe(value));
        }
    };
    for window in case["windows"].as_array().unwrap() {
        let window = counts(window);
        design.add(&window).unwrap();
        all.iter_mut().zip(&window).for_each(|(into, cell)| *into += cell);
        fill(&mut before, &window);
    }
    let last = counts(&case["last"]);
    fill(&mut after, &last);
    let ours = tested(psi(&all, &last, Order::Ordered, Some(&design)).unwrap());
    same("psi", ours.effect, number(&case["psi"]), 1e-9);
    same("p", ours.p, number(&case["p"]), 1e-6);
    same("critical", ours.critical, number(&case["critical"]), 1e-6);
    same("p of the distance", tested(ks(&before, &after, Some(&design)).unwrap()).p, number(&case["ks_p"]), 1e-9);
}

#[test]
fn multiple_tests_are_those_of_statsmodels() {
    let case = golden("multiple");
    let p = numbers(&case["p"]);
    let verdicts =
        |of: &str| -> Vec<bool> { case[of].as_array().unwrap().iter().map(|each| each.as_bool().unwrap()).collect() };
    assert_eq!(benjamini_hochberg(&p, Level::FIVE_PERCENT), verdicts("bh"));
    assert_eq!(benjamini_yekutieli(&p, Level::FIVE_PERCENT), verdicts("by"));
    // Holm's rule on e-values of 1/p refuses the same as on the p-values.
    let logs: Vec<f64> = p.iter().map(|p| -p.ln()).collect();
    assert_eq!(trackside_stats::multiplicity::e_holm(&logs, Level::FIVE_PERCENT), verdicts("holm"));
}

/// The e-values of 200 to 600 requests with scipy's minimiser in place of our search for the nearest point of the claim.
#[test]
fn two_arms_are_scipys_minima() {
    for case in list("two_arms") {
        let line = |of: &str| {
            let of = numbers(&case[of]);
            Margin { ratio: of[0], extra: of[1] }
        };
        let level = Level::new(1e-9).unwrap();
        let (tolerated, margin) = (line("tolerated"), line("margin"));
        let mut test =
            TwoArms::new(ErrorGate { alpha: level, beta: level, tolerated, margin, expected: 0.02 }).unwrap();
        let mut chance = Chance::new(case["seed"].as_u64().unwrap());
        let rates = numbers(&case["rates"]);
        for _ in 0..case["n"].as_u64().unwrap() {
            let candidate = chance.happens(number(&case["share"]));
            let error = chance.happens(rates[usize::from(candidate)]);
            test.observe(if candidate { Arm::Candidate } else { Arm::Stable }, error);
        }
        let theirs = numbers(&case["logs"]);
        let ours = test.decision();
        assert!((ours.fail - theirs[0]).abs() < 1e-5, "{case}: {}", ours.fail);
        assert!((ours.pass - theirs[1]).abs() < 1e-5, "{case}: {}", ours.pass);
    }
}

#[test]
fn bets_are_numpys_average_of_products() {
    for case in list("bets") {
        let mut bets = Bets::new(number(&case["floor"])).unwrap();
        numbers(&case["values"]).into_iter().for_each(|value| bets.observe(value).unwrap());
        same("wealth", bets.log_e(), number(&case["log"]), 1e-12);
    }
}

/// Thresholds from Siegmund's formula against run lengths from a Markov chain (Brook & Evans): within 3 %.
#[test]
fn cusum_thresholds_are_those_of_a_markov_chain() {
    for case in list("cusum") {
        let rule = CusumRule {
            mean: 0.0,
            deviation: 1.0,
            shift: 2.0 * number(&case["k"]),
            between_alarms: number(&case["between"]),
        };
        same(&format!("{case}"), Cusum::new(rule).unwrap().sums().0, number(&case["h"]), 0.03);
    }
}

/// The first cut comes at the same value as river's. river then forgets all it has (and so do we here, to see its second one, too); the
/// paper's algorithm keeps the newer side, which is what [`Adwin`] does.
#[test]
fn adwin_cuts_where_rivers_does() {
    let mut chance = Chance::new(21);
    let mut adwin = Adwin::new(Level::new(0.002).unwrap());
    let mut found = Vec::new();
    for n in 0..6000_u64 {
        let rate = if n < 2000 {
            0.1
        } else if n < 4000 {
            0.3
        } else {
            0.05
        };
        if adwin.observe(f64::from(u8::from(chance.happens(rate)))).unwrap() {
            found.push(n);
            adwin = Adwin::new(Level::new(0.002).unwrap());
        }
    }
    assert_eq!(found, counts(&golden("adwin")["found"]));
}

#[test]
fn page_hinkley_alarms_where_rivers_does() {
    let mut chance = Chance::new(22);
    let mut test = PageHinkley::new(PageHinkleyRule::default()).unwrap();
    let found: Vec<u64> = (0..3000)
        .filter(|n| {
            let moved = if *n < 1000 {
                0.0
            } else if *n < 2000 {
                0.5
            } else {
                -0.5
            };
            test.observe(chance.normal() + moved).unwrap().is_some()
        })
        .collect();
    assert_eq!(found, counts(&golden("page_hinkley")["found"]));
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn framed(kind: [u8; 3], inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind[0], kind[1], kind[2], 1];
    bytes.extend_from_slice(&(inner.len() as u32).to_le_bytes());
    bytes.extend_from_slice(inner);
    bytes
}

/// A sketch that Python's datasketches wrote is read here, and answers the same.
#[test]
fn quantiles_of_datasketches_in_python_are_read() {
    let case = golden("kll");
    let sketch = Quantiles::from_bytes(&framed(*b"TSq", &unhex(case["bytes"].as_str().unwrap()))).unwrap();
    assert_eq!(sketch.values(), case["n"].as_u64().unwrap());
    for (rank, theirs) in numbers(&case["ranks"]).into_iter().zip(numbers(&case["quantiles"])) {
        assert_eq!(sketch.quantile(rank), Some(theirs), "rank {rank}");
    }
    same("rank of 0", sketch.rank(0.0).unwrap(), number(&case["rank_of_0"]), 1e-12);
    same("error", sketch.rank_error(), number(&case["error"]), 1e-9);
    assert!((sketch.rank(0.0).unwrap() - number(&case["true_rank_of_0"])).abs() < sketch.rank_error());
}

#[test]
fn frequent_items_of_datasketches_in_python_are_read() {
    let case = golden("frequent");
    let sketch = Frequent::from_bytes(&framed(*b"TSf", &unhex(case["bytes"].as_str().unwrap()))).unwrap();
    assert_eq!(sketch.values(), case["n"].as_u64().unwrap());
    let ours = sketch.items();
    for row in case["rows"].as_array().unwrap() {
        let name = row[0].as_str().unwrap();
        let item = ours.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!((item.least, item.most), (row[1].as_u64().unwrap(), row[2].as_u64().unwrap()), "{name}");
    }
}

#[test]
fn moments_are_numpys_far_from_zero() {
    let mut chance = Chance::new(41);
    let (mut whole, mut parts) = (Moments::default(), [Moments::default(); 2]);
    for n in 0..1000_usize {
        let value = 1e9 + chance.normal();
        whole.observe(value).unwrap();
        parts[n % 2].observe(value).unwrap();
    }
    let [mut joined, other] = parts;
    joined.merge(&other);
    let case = golden("moments");
    for moments in [whole, joined] {
        same("mean", moments.mean().unwrap(), number(&case["mean"]), 1e-15);
        same("variance", moments.variance().unwrap(), number(&case["variance"]), 1e-5);
    }
}

/// The power that a plan promises is scipy's lower end of a binomial share.
#[test]
fn promised_power_is_scipys_lower_end() -> Result<(), StatsError> {
    // A gate that passes at once at a rate of 1 gives n of n.
    let gate = MeanGate::new(0.5, 0.4, Level::FIVE_PERCENT, Level::new(0.4)?)?;
    let plan = rate(&gate, 1.0, Trial { horizon: 100, runs: 1, seed: 1 })?;
    assert_eq!(plan.pass, 1.0);
    same("one of one", plan.pass_at_least, number(&list("clopper_pearson")[0]["low"]), 1e-9);
    Ok(())
}
