//! Models that fail.

use std::time::Duration;

use trackside_codes::Coded;
use trackside_serving::{ModelSettings, ServeError, SlotState, breaker::BreakerRules};
use trackside_spec::ModelVersion;

use crate::support::{Bench, at, picks, y};

#[test]
fn a_circuit_opens_for_failures_and_not_for_bad_requests() {
    let bench = Bench::new();
    let breaker =
        BreakerRules { requests: 4, failures: 50, window: Duration::from_secs(60), open: Duration::from_secs(3600) };
    let served = bench.served(
        "picks",
        ModelSettings { breaker, failures: 0, judged: false, ..ModelSettings::default() },
        &picks(),
    );
    for _ in 0..20 {
        let error = served.predict_here(crate::support::x(&[[0.0, 0.0]])).err().unwrap();
        assert_eq!(error.code().to_string(), "TS-0510", "{error}");
    }
    for _ in 0..4 {
        let error = served.predict_here(at(7)).err().unwrap();
        assert_eq!(error.code().to_string(), "TS-0514", "{error}");
    }
    let refused = served.predict_here(at(0)).err().unwrap();
    assert!(matches!(refused, ServeError::CircuitOpen { version: 1, .. }), "{refused}");
    assert!(refused.again_in().unwrap() > Duration::from_secs(3500));
    // Somebody has looked after it.
    let served = bench.serving.load("picks", &ModelVersion::Unsaid).unwrap();
    assert_eq!(y(served.predict_here(at(1))), [20.0]);
}

#[test]
fn one_that_fails_often_is_made_anew_and_goes_on_when_it_passes_its_test() {
    let bench = Bench::new();
    let settings = ModelSettings { failures: 3, judged: false, ..ModelSettings::default() };
    let served = bench.served("picks", settings, &picks());
    for _ in 0..9 {
        assert!(served.predict_here(at(9)).is_err());
    }
    assert_eq!(y(bench.open("picks").predict_here(at(0))), [10.0], "the requests were at fault");
}

#[test]
fn one_that_can_not_be_made_anew_is_set_aside_until_somebody_sees_to_it() {
    let bench = Bench::new();
    let settings = ModelSettings { failures: 3, judged: false, ..ModelSettings::default() };
    let served = bench.served("picks", settings, &picks());
    bench.lab.write_bytes("picks-1.onnx", b"the card has lost it");
    for _ in 0..3 {
        assert!(served.predict_here(at(9)).is_err());
    }
    let aside = |bench: &Bench| {
        let state = bench.serving.state("picks").unwrap();
        matches!(state[0].engines[0].1, SlotState::SetAside { .. })
    };
    bench.until("it is set aside", aside);
    let error = bench.serving.open_here("picks", &ModelVersion::Unsaid, None).err().unwrap();
    assert_eq!(error.code().to_string(), "TS-0573");
    assert!(error.to_string().contains("3 requests in a row failed"), "{error}");
    assert!(bench.serving.load("picks", &ModelVersion::Unsaid).is_err(), "it is still broken");
    bench.lab.write("picks-1.onnx", &picks());
    let served = bench.serving.load("picks", &ModelVersion::Unsaid).unwrap();
    assert_eq!(y(served.predict_here(at(0))), [10.0]);
}

#[test]
fn one_that_can_not_be_loaded_is_not_tried_for_each_request() {
    let bench = Bench::new();
    bench.say("broken", ModelSettings::default());
    bench.add("broken", 1, &picks());
    bench.lab.write_bytes("broken-1.onnx", b"no model");
    let first = bench.serving.open_here("broken", &ModelVersion::Unsaid, None).err().unwrap();
    bench.lab.write("broken-1.onnx", &picks());
    let second = bench.serving.open_here("broken", &ModelVersion::Unsaid, None).err().unwrap();
    assert!(matches!((&first, &second), (ServeError::Load { .. }, ServeError::Load { .. })));
    assert!(second.again_in().unwrap() <= Duration::from_secs(1));
    bench.until("it is tried again", |bench| bench.serving.open_here("broken", &ModelVersion::Unsaid, None).is_ok());
}

#[test]
fn nobody_shuts_a_model_off_for_others_by_sending_what_it_can_not_do() {
    let bench = Bench::new();
    let served = bench.served("picks", ModelSettings { failures: 3, ..ModelSettings::default() }, &picks());
    for _ in 0..100 {
        let error = served.predict_here(at(7)).err().unwrap();
        assert_eq!(error.code().to_string(), "TS-0581", "{error}");
    }
    assert_eq!(y(served.predict_here(at(1))), [20.0]);
    assert_eq!(y(bench.open("picks").predict_here(at(0))), [10.0]);
}
