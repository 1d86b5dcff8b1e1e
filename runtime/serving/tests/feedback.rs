//! What is recorded of answers: bounded, and counted.

use std::time::Duration;

use trackside_serving::{FeedbackSettings, ModelSettings, Request, SampleSettings};

use crate::support::{Bench, adds, x};

fn feedback(rate: u32) -> Option<FeedbackSettings> {
    Some(FeedbackSettings { rate, ..FeedbackSettings::default() })
}

fn samples(redact: &[&str]) -> Option<SampleSettings> {
    Some(SampleSettings {
        confidence: 0.6,
        drift: true,
        disagreement: true,
        bytes: 1 << 20,
        largest: 1 << 20,
        rate: 600,
        age: Duration::from_secs(3600),
        redact: redact.iter().map(ToString::to_string).collect(),
    })
}

fn asked(id: &str, row: [f32; 2]) -> Request {
    Request { id: Some(id.to_owned()), ..x(&[row]) }
}

#[test]
fn what_waits_to_be_kept_is_bounded_and_what_found_no_room_is_counted() {
    let bench = Bench::new();
    let settings = ModelSettings { feedback: feedback(1_000_000), ..ModelSettings::default() };
    let served = bench.served("pump", settings, &adds(0.0));
    for number in 0..9000 {
        served.predict_here(asked(&format!("r{number}"), [0.3, 0.7])).unwrap();
    }
    let batch = bench.serving.take_predictions();
    assert_eq!((batch.predictions.len(), batch.counts[0].answered, batch.counts[0].passed.full), (8192, 9000, 808));
    let first = &batch.predictions[0];
    assert_eq!((first.id.as_str(), first.version, first.answers[0].class), ("r0", 1, Some(1)));
    assert_eq!(bench.serving.take_predictions(), Default::default(), "it is taken once");
    assert_eq!(bench.serving.predictions_due(), None);
    // Answers and ids that take much room are bounded by their bytes.
    let id = "x".repeat(200);
    let rows: Vec<[f32; 2]> = vec![[0.3, 0.7]; 64];
    for _ in 0..2000 {
        served.predict_here(Request { id: Some(id.clone()), ..x(&rows) }).unwrap();
    }
    let batch = bench.serving.take_predictions();
    assert!(batch.predictions.len() < 1200 && batch.counts[0].passed.full > 800, "{}", batch.predictions.len());
}

#[test]
fn nothing_is_recorded_where_nobody_asked_for_it_or_nobody_answered() {
    let bench = Bench::new();
    let off = bench.served("off", ModelSettings::default(), &adds(0.0));
    off.predict_here(asked("r", [0.3, 0.7])).unwrap();
    let settings = ModelSettings { feedback: feedback(10), samples: samples(&[]), ..ModelSettings::default() };
    let on = bench.served("on", settings, &adds(0.0));
    on.predict_here(Request { id: Some("r".to_owned()), ..Request::default() }).unwrap_err();
    on.predict_here(asked("r", [0.1, 0.9])).unwrap();
    let batch = bench.serving.take_predictions();
    assert_eq!((batch.predictions.len(), batch.counts.len(), batch.counts[0].answered), (1, 1, 1));
    assert!(bench.serving.take_samples().is_empty(), "it was sure");
}

#[test]
fn inputs_are_kept_while_drift_is_in_alarm_and_no_longer() {
    let bench = Bench::new();
    let settings = ModelSettings { samples: samples(&[]), ..ModelSettings::default() };
    let served = bench.served("pump", settings, &adds(0.0));
    let kept = |bench: &Bench| {
        served.predict_here(x(&[[0.1, 0.9]])).unwrap();
        bench.serving.take_samples().iter().map(|sample| sample.reason.name()).collect::<Vec<_>>()
    };
    assert!(kept(&bench).is_empty());
    bench.serving.drifts("pump", true);
    assert_eq!(kept(&bench), ["drift"]);
    bench.serving.drifts("pump", false);
    assert!(kept(&bench).is_empty());
}
