//! What is loaded, and what leaves.

use trackside_serving::{ModelSettings, ServingSettings, SlotState};
use trackside_spec::ModelVersion;

use crate::support::{Bench, adds, x, y};

fn is_loaded(bench: &Bench, name: &str) -> bool {
    let state = bench.serving.state(name).unwrap();
    matches!(state[0].engines.first(), Some((_, SlotState::Ready { .. }, _)))
}

#[test]
fn nothing_is_loaded_before_somebody_asks_but_what_is_to_be() {
    let bench = Bench::new();
    bench.say("lazy", ModelSettings::default());
    bench.add("lazy", 1, &adds(1.0));
    bench.say("eager", ModelSettings { at_start: true, ..ModelSettings::default() });
    bench.add("eager", 1, &adds(1.0));
    bench.say("broken", ModelSettings { at_start: true, ..ModelSettings::default() });
    bench.add("broken", 1, &adds(1.0));
    bench.lab.write_bytes("broken-1.onnx", b"no model");
    let problems: Vec<String> = bench.serving.start().iter().map(ToString::to_string).collect();
    assert_eq!((is_loaded(&bench, "lazy"), is_loaded(&bench, "eager")), (false, true));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("broken-1.onnx"), "{problems:?}");
    bench.open("lazy");
    assert!(is_loaded(&bench, "lazy"));
}

#[test]
fn what_was_used_longest_ago_leaves_and_what_is_in_use_stays() {
    let bench = Bench::with(ServingSettings { memory: 1, ..ServingSettings::default() });
    for name in ["a", "b", "c"] {
        bench.say(name, ModelSettings::default());
        bench.add(name, 1, &adds(1.0));
    }
    bench.open("a");
    let held = bench.open("b");
    assert_eq!((is_loaded(&bench, "a"), is_loaded(&bench, "b")), (false, true));
    bench.open("c");
    assert!(is_loaded(&bench, "b") && is_loaded(&bench, "c"), "somebody holds b, and c is the newest");
    assert_eq!(y(held.predict_here(x(&[[0.0, 0.0]]))), [1.0, 1.0]);
    drop(held);
    // Who asks for one that has left has it loaded again.
    assert_eq!(y(bench.open("a").predict_here(x(&[[1.0, 1.0]]))), [2.0, 2.0]);
    assert!(!is_loaded(&bench, "b") && !is_loaded(&bench, "c"));
}

#[test]
fn an_unloaded_one_is_loaded_by_who_asks_next() {
    let bench = Bench::new();
    let served = bench.served("a", ModelSettings::default(), &adds(1.0));
    bench.serving.unload("a", None);
    assert!(!is_loaded(&bench, "a"));
    assert_eq!(y(served.predict_here(x(&[[0.0, 0.0]]))), [1.0, 1.0], "who holds it goes on");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let served = runtime.block_on(bench.serving.open("a", &ModelVersion::Unsaid, None)).unwrap();
    assert_eq!(y(runtime.block_on(served.predict(x(&[[2.0, 2.0]])))), [3.0, 3.0]);
    assert!(is_loaded(&bench, "a"));
}

#[test]
fn a_loaded_one_is_warm_and_was_measured() {
    let bench = Bench::new();
    bench.served("rows", ModelSettings::default(), &adds(1.0));
    let measured = bench.serving.state("rows").unwrap()[0].measured.clone().unwrap();
    let rows: Vec<u32> = measured.together.iter().map(|(rows, _)| *rows).collect();
    assert_eq!((rows, measured.same), (vec![8, 32], Some(true)));
    assert!(!measured.alone.is_zero());
    // Two requests of a loop can not be one: the largest number of rounds would hold for both. Its rows are joined all the same,
    // and one that gives other numbers in company is seen.
    bench.served("loop", ModelSettings::default(), &crate::support::counts());
    let measured = bench.serving.state("loop").unwrap()[0].measured.clone().unwrap();
    assert!(!measured.together.is_empty());
}
