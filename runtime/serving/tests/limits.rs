//! As many as the settings say, and no more.

use std::{thread, time::Duration};

use trackside_codes::Coded;
use trackside_serving::{ModelSettings, Request, ServeError, gcra::Rate};
use trackside_sync::CancelToken;

use crate::support::{Bench, adds, counts, rounds, x, y};

const ONE: ModelSettings = ModelSettings {
    sessions: 1,
    queue: 2,
    timeout: Duration::from_secs(60),
    rate: None,
    batching: trackside_serving::Batching { rows: 1, delay: Duration::ZERO },
    breaker: trackside_serving::breaker::BreakerRules {
        window: Duration::from_secs(30),
        requests: 20,
        failures: 50,
        open: Duration::from_secs(5),
    },
    failures: 5,
    at_start: false,
    judged: true,
    drift: trackside_serving::drift::DriftSettings::USUAL,
    feedback: None,
    samples: None,
};

#[test]
fn a_full_queue_refuses_or_sheds_and_goes_in_order() {
    let bench = Bench::new();
    let served = bench.served("slow", ONE, &counts());
    let (blocker, over) = (CancelToken::new(), CancelToken::new());
    thread::scope(|scope| {
        let endless = Request { cancel: blocker.clone(), ..rounds(1 << 40, [0.0; 2]) };
        let first = scope.spawn(|| served.predict_here(endless));
        bench.until("the first runs", |bench| bench.under_way("slow") == (1, 0));
        let ask = |request: Request| {
            let served = &served;
            scope.spawn(move || served.predict_here(request))
        };
        // This one does not end by itself, either: who is answered meanwhile went before it.
        let low = ask(Request { priority: 9, cancel: over.clone(), ..rounds(1 << 40, [1.0; 2]) });
        bench.until("one waits", |bench| bench.under_way("slow") == (1, 1));
        let lower = ask(Request { priority: 10, ..rounds(1, [1.0; 2]) });
        bench.until("two wait", |bench| bench.under_way("slow") == (1, 2));
        let refused = served.predict_here(Request { priority: 10, ..rounds(1, [1.0; 2]) }).err().unwrap();
        assert!(matches!(refused, ServeError::QueueFull { waiting: 2, .. }), "{refused}");
        assert_eq!(refused.again_in(), Some(Duration::from_secs(1)));
        let high = ask(Request { priority: 0, ..rounds(1, [1.0; 2]) });
        let shed = lower.join().unwrap().err().unwrap();
        assert_eq!(shed.code().to_string(), "TS-0576", "{shed}");
        blocker.cancel();
        assert_eq!(first.join().unwrap().err().unwrap().code().to_string(), "TS-0513");
        assert_eq!(y(high.join().unwrap()), [2.0; 2]);
        bench.until("the low one runs", |bench| bench.under_way("slow") == (1, 0));
        over.cancel();
        // It may hear that it is to stop before it hears that it is its turn: then it was never begun.
        let stopped = low.join().unwrap().err().unwrap().code().to_string();
        assert!(["TS-0513", "TS-0580"].contains(&stopped.as_str()), "{stopped}");
        let statistics = bench.serving.state("slow").unwrap()[0].engines[0].2.clone();
        let begun = u64::from(stopped == "TS-0513");
        assert_eq!((statistics.success.count, statistics.rejected, statistics.fail.count), (1, 2, 3 + begun));
    });
}

#[test]
fn who_waits_too_long_or_goes_is_let_out() {
    let bench = Bench::new();
    let served = bench.served("slow", ONE, &counts());
    let blocker = CancelToken::new();
    thread::scope(|scope| {
        let endless = Request { cancel: blocker.clone(), ..rounds(1 << 40, [0.0; 2]) };
        scope.spawn(|| served.predict_here(endless));
        bench.until("the first runs", |bench| bench.under_way("slow") == (1, 0));
        let soon = std::time::Instant::now() + Duration::from_millis(20);
        let late = served.predict_here(Request { deadline: Some(soon), ..rounds(1, [0.0; 2]) });
        assert!(matches!(late.err().unwrap(), ServeError::Late { .. }));
        let past = Request { deadline: Some(soon), ..rounds(1, [0.0; 2]) };
        assert!(matches!(served.predict_here(past).err().unwrap(), ServeError::Late { .. }));
        let cancel = CancelToken::new();
        let going = {
            let request = Request { cancel: cancel.clone(), ..rounds(1, [0.0; 2]) };
            let served = &served;
            scope.spawn(move || served.predict_here(request))
        };
        bench.until("one waits", |bench| bench.under_way("slow") == (1, 1));
        cancel.cancel();
        assert!(matches!(going.join().unwrap().err().unwrap(), ServeError::Cancelled { .. }));
        // A future that is dropped leaves its place, too.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let asked = served.predict(rounds(1, [0.0; 2]));
            assert!(tokio::time::timeout(Duration::from_millis(10), asked).await.is_err());
        });
        assert_eq!(bench.under_way("slow"), (1, 0), "nobody is left in the queue");
        blocker.cancel();
    });
    assert_eq!(y(served.predict_here(rounds(1, [0.0; 2]))), [1.0; 2]);
    assert_eq!(bench.under_way("slow"), (0, 0));
}

#[test]
fn a_dropped_request_ends_its_run_and_frees_its_session() {
    let bench = Bench::new();
    let served = bench.served("slow", ONE, &counts());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let asked = served.predict(rounds(1 << 40, [0.0; 2]));
        assert!(tokio::time::timeout(Duration::from_millis(10), asked).await.is_err());
    });
    bench.until("the run ends", |bench| bench.under_way("slow") == (0, 0));
    assert_eq!(y(served.predict_here(rounds(1, [0.0; 2]))), [1.0; 2]);
}

#[test]
fn a_rate_is_kept_and_says_when_to_come_again() {
    let bench = Bench::new();
    let settings = ModelSettings { rate: Some(Rate::new(1, 3)), ..ONE };
    let served = bench.served("asked", settings, &adds(1.0));
    let answered = (0..10).filter(|_| served.predict_here(x(&[[0.0, 0.0]])).is_ok()).count();
    // A very slow machine may let one more through.
    assert!((3..=4).contains(&answered), "{answered}");
    let refused = served.predict_here(x(&[[0.0, 0.0]])).err().unwrap();
    let again_in = refused.again_in().unwrap();
    assert_eq!(refused.code().to_string(), "TS-0574");
    assert!(again_in > Duration::ZERO && again_in <= Duration::from_secs(1), "{again_in:?}");
    // The rate is the model's, not that of each who opens it.
    assert!(bench.open("asked").predict_here(x(&[[0.0, 0.0]])).is_err());
}

#[test]
fn a_run_ends_at_the_timeout_of_the_model() {
    let bench = Bench::new();
    let settings = ModelSettings { timeout: Duration::from_millis(50), ..ONE };
    let served = bench.served("slow", settings, &counts());
    let error = served.predict_here(rounds(1 << 40, [0.0; 2])).err().unwrap();
    assert!(["TS-0512", "TS-0579"].contains(&error.code().to_string().as_str()), "{error}");
}
