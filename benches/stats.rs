//! `cargo bench --bench stats`: what watching a request's features takes, and what it holds. For each sketch the time of a value, median of
//! rounds; then a request of twenty features; then memory, as what the process grows by for a thousand of them; then the tests of a window
//! and a look at the gates.

#![expect(clippy::expect_used, reason = "a benchmark that can not be set up has nothing to say")]
#![expect(clippy::cast_precision_loss, reason = "counts")]

use std::hint::black_box;
use std::time::Instant;

use trackside_stats::Level;
use trackside_stats::drift::{categorical, numeric, screen};
use trackside_stats::sequential::{
    Arm, ErrorGate, LatencyGate, LatencyTest, Margin, MeanGate, Pair, Paired, PairedGate, Quantile, TwoArms,
};
use trackside_stats::sketch::{
    Categories, CategoryColumn, CategoryList, Cell, Edges, Frequent, Histogram, Moments, NumericColumn, Quantiles,
    RunLength,
};

const ROUNDS: usize = 11;
const VALUES: usize = 100_000;
const FEATURES: usize = 20;

fn main() {
    let numbers = numbers();
    let names: Vec<String> = numbers.iter().map(|value| format!("state-{}", (value * 4.0).floor())).collect();
    let edges = Edges::of_values(&numbers, 10).expect("edges");
    let mut list: Vec<&str> = names.iter().map(String::as_str).collect();
    list.sort_unstable();
    list.dedup();
    let list = CategoryList::new(list).expect("a list");
    let quantiles = || Quantiles::new().expect("a sketch");
    let column = || NumericColumn::new(edges.clone());
    let categories = || CategoryColumn::new(list.clone()).expect("a column");

    println!("memory");
    held("column of numbers", 20_000, || {
        let mut column = column();
        numbers[..1000].iter().for_each(|value| column.observe(Cell::Number(*value)));
        column
    });
    held("column of numbers, with quantiles", 1000, || {
        let mut column = column().with_quantiles().expect("a column");
        numbers.iter().for_each(|value| column.observe(Cell::Number(*value)));
        column
    });
    held("column of categories, all new, 64 bytes each", 300, || {
        let mut column = categories();
        (0..2000).for_each(|at| column.observe(Cell::Text(&format!("{at:0>64}"))));
        column
    });

    println!("a value");
    time("histogram, 10 cells", || Histogram::new(edges.clone()), |state, at| state.observe(numbers[at]));
    let wide = Edges::geometric(1e-5, 1e3, 1.05).expect("edges");
    time("histogram, 379 cells", || Histogram::new(wide.clone()), |state, at| state.observe(numbers[at]));
    time("quantiles (KLL)", quantiles, |state, at| state.observe(numbers[at]).expect("finite"));
    time("moments", Moments::default, |state, at| state.observe(numbers[at]).expect("finite"));
    time("run length", RunLength::default, |state, at| state.observe(numbers[at]));
    time("frequent categories", || Frequent::new().expect("a sketch"), |state, at| state.observe(&names[at]));
    time(
        "known categories",
        || Categories::new(list.clone()),
        |state, at| {
            state.observe(&names[at]);
        },
    );
    time("column of numbers", column, |state, at| state.observe(Cell::Number(numbers[at])));
    let full = || column().with_quantiles().expect("a column");
    time("column of numbers, with quantiles", full, |state, at| state.observe(Cell::Number(numbers[at])));
    time("column of categories", categories, |state, at| state.observe(Cell::Text(&names[at])));

    println!("a request");
    let numeric_request = time(
        "20 features, all numbers",
        || (0..FEATURES).map(|_| column()).collect::<Vec<_>>(),
        |columns, at| {
            for (feature, column) in columns.iter_mut().enumerate() {
                column.observe(Cell::Number(numbers[(at + feature * 977) % VALUES]));
            }
        },
    );
    let request = time(
        "20 features, 15 numbers and 5 categories",
        || ((0..15).map(|_| column()).collect::<Vec<_>>(), (0..5).map(|_| categories()).collect::<Vec<_>>()),
        |(columns, categories), at| {
            for (feature, column) in columns.iter_mut().enumerate() {
                column.observe(Cell::Number(numbers[(at + feature * 977) % VALUES]));
            }
            for (feature, column) in categories.iter_mut().enumerate() {
                column.observe(Cell::Text(&names[(at + feature * 977) % VALUES]));
            }
        },
    );
    let error = Level::FIVE_PERCENT;
    let gate = ErrorGate {
        alpha: error,
        beta: error,
        tolerated: Margin::NONE,
        margin: Margin { ratio: 1.0, extra: 0.01 },
        expected: 0.02,
    };
    let arm = |at: usize| if at.is_multiple_of(2) { Arm::Stable } else { Arm::Candidate };
    time("error gate", || TwoArms::new(gate).expect("a gate"), |gate, at| gate.observe(arm(at), at.is_multiple_of(50)));
    let pairs = PairedGate { alpha: error, beta: error, tolerated: 0.0, margin: 0.02 };
    time(
        "paired gate",
        || Paired::new(pairs).expect("a gate"),
        |gate, at| {
            gate.observe(if at.is_multiple_of(50) { Pair::OnlyStable } else { Pair::Alike });
        },
    );
    time(
        "mean gate",
        || MeanGate::new(0.9, 0.05, error, error).expect("a gate"),
        |gate, at| {
            gate.observe(f64::from(u8::from(!at.is_multiple_of(20)))).expect("within");
        },
    );
    let latency = LatencyGate {
        alpha: error,
        beta: error,
        quantile: Quantile::new(0.99).expect("a quantile"),
        tolerated: 1.0,
        margin: 1.2,
    };
    time(
        "latency gate, counted",
        || LatencyTest::new(latency).expect("a gate"),
        |gate, at| {
            gate.observe(arm(at), numbers[at].abs()).expect("a time");
        },
    );
    time(
        "latency gate, looked at",
        || LatencyTest::new(latency).expect("a gate"),
        |gate, at| {
            gate.observe(arm(at), 0.01 * (1.0 + numbers[at].abs())).expect("a time");
            black_box(gate.verdict_now());
        },
    );

    println!("a window of 20 features");
    let mut reference = column().with_quantiles().expect("a column");
    numbers.iter().for_each(|value| reference.observe(Cell::Number(*value)));
    let mut window = reference.window();
    numbers[..1000].iter().for_each(|value| window.observe(Cell::Number(*value)));
    let (mut then, mut now) = (categories(), categories());
    names.iter().for_each(|name| then.observe(Cell::Text(name)));
    names[..1000].iter().for_each(|name| now.observe(Cell::Text(name)));
    let began = Instant::now();
    for _ in 0..100 {
        let mut tests = Vec::new();
        for _ in 0..15 {
            tests.extend(numeric(&reference, &window, None).expect("tests"));
        }
        for _ in 0..5 {
            tests.extend(categorical(&then, &now).expect("tests"));
        }
        black_box(screen(&tests, error));
    }
    println!("{:>44} {:9.1} us", "all tests, and screened", began.elapsed().as_secs_f64() * 1e4);

    println!(
        "kept as bytes: numbers {}, quantiles {}",
        window.histogram().to_bytes().len(),
        reference.quantiles().map_or(0, |quantiles| quantiles.to_bytes().len())
    );
    println!("aim: a request of 20 features within 2000 ns: {numeric_request:.0} and {request:.0}");
}

fn numbers() -> Vec<f64> {
    let mut state = 1_u64;
    let mut unit = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / 9_007_199_254_740_992.0
    };
    (0..VALUES).map(|_| (0..12).map(|_| unit()).sum::<f64>() - 6.0).collect()
}

fn time<S>(name: &str, state: impl Fn() -> S, mut observe: impl FnMut(&mut S, usize)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut state = state();
            let began = Instant::now();
            for at in 0..VALUES {
                observe(&mut state, at);
            }
            let took = began.elapsed().as_secs_f64();
            black_box(state);
            took * 1e9 / VALUES as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let median = rounds[ROUNDS / 2];
    println!("{name:>44} {median:9.1} ns   (least {:.1})", rounds[0]);
    median
}

/// What the process grows by for one of many.
fn held<S>(name: &str, many: usize, made: impl Fn() -> S) {
    let resident = || -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").expect("the process's memory");
        pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("pages") * 4096
    };
    let before = resident();
    let all: Vec<S> = (0..many).map(|_| made()).collect();
    println!("{name:>44} {:9} bytes", (resident() - before) / many);
    // Kept, so that the next ones do not get what these give back.
    std::mem::forget(all);
}
