//! Requests that are run together.

use std::{thread, time::Duration};

use trackside_serving::{Batching, ModelSettings, Request};
use trackside_sync::CancelToken;

use crate::{
    made::{f32s, i64s},
    support::{Bench, counts, rounds, slow, x, y},
};

/// Rows `from` to `from + rows`, with the same number of rounds for each.
fn several(rows: u8, from: u8) -> Request {
    let x: Vec<f32> = (0..rows).flat_map(|row| [f32::from(from + row); 2]).collect();
    let rows = u32::from(rows);
    let rounds = vec![1; rows as usize];
    let inputs = vec![("rounds".to_owned(), i64s(&[rows], &rounds)), ("x".to_owned(), f32s(&[rows, 2], &x))];
    Request { inputs, ..Request::default() }
}

fn settings(rows: u32) -> ModelSettings {
    let batching = Batching { rows, delay: Duration::ZERO };
    ModelSettings { sessions: 1, queue: 100, batching, ..ModelSettings::default() }
}

/// Has these wait behind one that does not end, then ends it; what each of them is answered, and with how many it ran.
fn behind(bench: &Bench, model: &str, requests: Vec<Request>) -> Vec<(Result<Vec<f32>, String>, usize)> {
    let served = bench.open(model);
    let blocker = CancelToken::new();
    thread::scope(|scope| {
        let endless = Request { cancel: blocker.clone(), ..rounds(1 << 40, [0.0; 2]) };
        scope.spawn(|| served.predict_here(endless));
        bench.until("the first runs", |bench| bench.under_way(model) == (1, 0));
        let mut asked = Vec::new();
        for (place, request) in requests.into_iter().enumerate() {
            let served = &served;
            asked.push(scope.spawn(move || served.predict_here(request)));
            bench.until("they wait", |bench| bench.under_way(model) == (1, place + 1));
        }
        blocker.cancel();
        let answers = asked.into_iter().map(|asked| asked.join().unwrap());
        answers
            .map(|answer| match answer {
                Ok(answer) => {
                    let together = answer.together;
                    (Ok(y(Ok(answer))), together)
                }
                Err(error) => (Err(error.to_string()), 0),
            })
            .collect()
    })
}

#[test]
fn who_waits_is_run_together_and_each_gets_its_own() {
    let bench = Bench::new();
    bench.served("counts", settings(8), &counts());
    let requests = (0..6).map(|place| several(place % 3 + 1, place * 10)).collect();
    let answers = behind(&bench, "counts", requests);
    for (place, (answer, _)) in (0..6u8).zip(&answers) {
        let expected: Vec<f32> = (0..place % 3 + 1).flat_map(|row| [f32::from(place * 10 + row + 1); 2]).collect();
        assert_eq!(answer.as_ref().unwrap(), &expected);
    }
    // 1 + 2 + 3 + 1 rows are as many as fit with the next one's 2 too many.
    assert_eq!(answers.iter().map(|(_, together)| *together).collect::<Vec<_>>(), [4, 4, 4, 4, 2, 2]);
    let statistics = bench.serving.state("counts").unwrap()[0].engines[0].2.clone();
    assert_eq!((statistics.inferences, statistics.executions, statistics.success.count), (12, 2, 6));
    assert_eq!(statistics.batches.keys().copied().collect::<Vec<_>>(), [5, 7]);
    let stretches = [statistics.queue, statistics.compute_input, statistics.compute_infer, statistics.compute_output];
    assert!(stretches.iter().all(|total| total.count == 6 && total.ns > 0), "{statistics:?}");
    assert!(stretches.iter().map(|total| total.ns).sum::<u64>() <= statistics.success.ns, "{statistics:?}");
}

#[test]
fn one_that_must_be_alone_is_and_so_is_one_of_another_shape() {
    let bench = Bench::new();
    bench.served("counts", settings(100), &counts());
    let alone = Request { alone: true, ..several(1, 50) };
    let wanted = Request { outputs: vec!["y".to_owned()], ..several(1, 60) };
    let answers = behind(&bench, "counts", vec![several(1, 0), several(1, 10), alone, several(1, 20), wanted]);
    let together: Vec<usize> = answers.iter().map(|(_, together)| *together).collect();
    assert_eq!(together, [2, 2, 1, 1, 1]);
}

#[test]
fn a_bad_one_fails_alone() {
    let bench = Bench::new();
    bench.served("counts", settings(100), &counts());
    // As many rows as the others by its first input only; the model wants two columns.
    let narrow = Request {
        inputs: vec![("rounds".to_owned(), i64s(&[1], &[1])), ("x".to_owned(), f32s(&[1, 3], &[0.0; 3]))],
        ..Request::default()
    };
    let odd = Request {
        inputs: vec![("rounds".to_owned(), i64s(&[1], &[1])), ("z".to_owned(), f32s(&[1, 2], &[0.0; 2]))],
        ..Request::default()
    };
    let answers = behind(&bench, "counts", vec![several(1, 0), narrow, odd, several(1, 10), several(1, 20)]);
    let answered: Vec<bool> = answers.iter().map(|(answer, _)| answer.is_ok()).collect();
    assert_eq!(answered, [true, false, false, true, true]);
    assert!(answers[1].0.as_ref().unwrap_err().contains("float32[1,3]"), "{:?}", answers[1]);
}

#[test]
fn without_batching_each_runs_alone() {
    let bench = Bench::new();
    bench.served("counts", settings(1), &counts());
    let answers = behind(&bench, "counts", vec![several(1, 0), several(1, 10), several(1, 20)]);
    assert!(answers.iter().all(|(answer, together)| answer.is_ok() && *together == 1), "{answers:?}");
}

#[test]
fn a_model_that_is_slow_is_tried_in_company_beside_its_first_requests() {
    let bench = Bench::new();
    let served = bench.served("slow", settings(1), &slow(4_000));
    assert_eq!(y(served.predict_here(x(&[[1.0, 2.0]]))), [4_001.0, 4_002.0]);
    let measured = || bench.serving.state("slow").unwrap()[0].measured.clone().unwrap();
    bench.until("several rows were tried", |_| !measured().together.is_empty());
    assert_eq!(measured().same, Some(true));
}
