//! Where the time of a request goes.

use std::time::Duration;

use trackside_serving::{ModelSettings, Statistics};

use crate::support::{Bench, adds, counts, rounds, x, y};

fn counted(bench: &Bench, model: &str) -> Statistics {
    bench.serving.state(model).unwrap()[0].engines[0].2.clone()
}

#[test]
fn every_stretch_is_measured_and_together_they_are_no_more_than_the_whole() {
    let bench = Bench::new();
    let served = bench.served("pump", ModelSettings::default(), &adds(1.0));
    for asked in 1..=3 {
        let answer = served.predict_here(x(&[[0.0, 0.0]])).unwrap();
        let times = answer.times;
        assert!([times.input, times.infer, times.output].iter().all(|time| *time > Duration::ZERO), "{times:?}");
        y(Ok(answer));
        let told = counted(&bench, "pump");
        let stretches = [told.queue, told.compute_input, told.compute_infer, told.compute_output];
        assert!(stretches.iter().all(|total| total.count == asked && total.ns > 0), "{told:?}");
        assert!(stretches.iter().map(|total| total.ns).sum::<u64>() <= told.success.ns, "{told:?}");
        let batch = told.batches[&1];
        assert_eq!((batch.input, batch.infer, batch.output), (stretches[1], stretches[2], stretches[3]));
    }
}

#[test]
fn what_takes_long_is_where_the_time_went() {
    let bench = Bench::new();
    let served = bench.served("counts", ModelSettings::default(), &counts());
    served.predict_here(rounds(20_000, [0.0; 2])).unwrap();
    let told = counted(&bench, "counts");
    let others = told.queue.ns + told.compute_input.ns + told.compute_output.ns;
    assert!(told.compute_infer.ns > others, "a loop runs in the engine: {told:?}");
}

#[test]
fn large_inputs_and_outputs_take_their_time_where_they_are_made() {
    let bench = Bench::new();
    let served = bench.served("pump", ModelSettings::default(), &adds(1.0));
    let took = |rows: usize| {
        // Of a few the quickest: what else the box does makes them slower.
        let times = (0..5).map(|_| served.predict_here(x(&vec![[0.5, 0.5]; rows])).unwrap().times);
        times
            .fold((Duration::MAX, Duration::MAX), |(input, output), one| (input.min(one.input), output.min(one.output)))
    };
    let (small, large) = (took(1), took(1 << 19));
    // 4 MiB are copied each way; no processor does that in 50 µs.
    let least = Duration::from_micros(50);
    assert!(small.0 < least && small.1 < least && large.0 > least && large.1 > least, "{small:?} {large:?}");
}
