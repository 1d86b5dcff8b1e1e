//! Rollouts of models in service: what of a request counts, and what a clock may do to them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use trackside_serving::{
    Asker, Clock, ModelSettings, Request, Serving, ServingSettings,
    rollout::{Due, Machine, NewTrial, Trial},
};
use trackside_spec::{ModelVersion, RolloutPlan};

use crate::support::{Bench, adds, slow, x};

fn begin(serving: &Serving, plan: &str) -> Arc<Trial> {
    let machine = Machine::new(serde_json::from_str::<RolloutPlan>(plan).unwrap()).unwrap();
    serving.prepare("pump", 1, 2).unwrap();
    let (model, key) = ("pump".to_owned(), "key".to_owned());
    let trial = serving.begin(NewTrial { id: 1, model, stable: 1, candidate: 2, key, machine });
    serving.admit(&trial);
    trial
}

fn ask(serving: &Serving, deadline: Option<Duration>) {
    let served = serving.open_here_for("pump", &ModelVersion::Unsaid, None, Asker::default()).unwrap();
    let deadline = deadline.map(|time| Instant::now() + time);
    // It may fail: that is what is looked at.
    let _ = served.predict_here(Request { deadline, ..x(&[[0.3, 0.7]]) });
}

#[test]
fn a_candidate_that_answers_after_its_deadline_is_taken_back() {
    let bench = Bench::new();
    bench.served("pump", ModelSettings::default(), &adds(0.0));
    bench.add("pump", 2, &slow(400_000));
    bench.change("pump", |entry| {
        entry.aliases.insert("champion".to_owned(), 1);
    });
    let trial = begin(&bench.serving, r#"{"mode":"ab","gates":["errors=+20%"]}"#);
    for _ in 0..400 {
        ask(&bench.serving, Some(Duration::from_millis(50)));
        if let Some(Due::RollBack { why }) = trial.with(|machine| machine.due()) {
            assert!(why.contains("errors=+20% is broken"), "{why}");
            // Nobody meets it any more, before anything is written down.
            let [_, seen] = trial.standing().seen.0;
            for _ in 0..50 {
                ask(&bench.serving, None);
                // Also while somebody looks.
                assert_eq!(trial.standing().seen.0[1], seen);
            }
            return;
        }
    }
    panic!("{:?}", trial.standing());
}

#[test]
fn inputs_that_fit_no_model_say_nothing_of_either() {
    let bench = Bench::new();
    bench.served("pump", ModelSettings::default(), &adds(0.0));
    bench.add("pump", 2, &adds(1.0));
    bench.change("pump", |entry| {
        entry.aliases.insert("champion".to_owned(), 1);
    });
    let trial = begin(&bench.serving, r#"{"mode":"ab","gates":["errors=+20%"]}"#);
    for _ in 0..100 {
        let served = bench.serving.open_here_for("pump", &ModelVersion::Unsaid, None, Asker::default()).unwrap();
        served.predict_here(Request::default()).unwrap_err();
    }
    assert_eq!(trial.standing().seen.0, [0, 0]);
    // Nor does a version that is asked for by its number.
    let served = bench.serving.open_here_for("pump", &ModelVersion::Number(2), None, Asker::default()).unwrap();
    served.predict_here(x(&[[0.3, 0.7]])).unwrap();
    assert_eq!(trial.standing().seen.0, [0, 0]);
}

/// A wall clock that is set about at will, beside one that runs.
#[derive(Default)]
struct Hands {
    running: AtomicU64,
    wall: AtomicU64,
}

impl Clock for Hands {
    fn running(&self) -> Duration {
        Duration::from_secs(self.running.load(Relaxed))
    }

    fn wall_ms(&self) -> u64 {
        self.wall.load(Relaxed)
    }
}

#[test]
fn a_clock_that_is_set_makes_nothing_due() {
    let (bench, hands) = (Bench::new(), Arc::new(Hands::default()));
    bench.served("pump", ModelSettings::default(), &adds(0.0));
    bench.add("pump", 2, &adds(0.0));
    bench.change("pump", |entry| {
        entry.aliases.insert("champion".to_owned(), 1);
    });
    let engines = Arc::new(bench.lab.engines());
    let serving = Serving::new(bench.said.clone(), engines, ServingSettings::default(), hands.clone());
    let trial = begin(&serving, r#"{"mode":"ab","gates":["errors=+30%"],"evidence":1,"bake":"1h","ask_after":"2h"}"#);
    for year in [1970_u64, 2100, 1999, 2026] {
        hands.wall.store(year * 31_557_600_000, Relaxed);
        (0..200).for_each(|_| ask(&serving, None));
        assert_eq!(trial.with(|machine| machine.due()), None, "in the year {year}");
    }
    assert_eq!(trial.standing().ran.0, Duration::ZERO);
    hands.running.fetch_add(3_600, Relaxed);
    assert_eq!(trial.with(|machine| machine.due()), Some(Due::Promote));
}
