//! Another version takes the place of the one before between two requests.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use trackside_codes::Coded;
use trackside_models::EngineChoice;
use trackside_serving::{Content, ModelSettings, SlotState};
use trackside_spec::ModelVersion;

use crate::support::{Bench, adds, x, y};

#[test]
fn a_moved_alias_answers_at_once_and_who_holds_the_old_one_keeps_it() {
    let bench = Bench::new();
    let old = bench.served("pump", ModelSettings::default(), &adds(1.0));
    bench.add("pump", 2, &adds(2.0));
    let new = bench.open("pump");
    assert_eq!((old.version(), new.version()), (1, 2));
    assert_eq!(y(old.predict_here(x(&[[0.0, 0.0]]))), [1.0, 1.0]);
    assert_eq!(y(new.predict_here(x(&[[0.0, 0.0]]))), [2.0, 2.0]);
    // Back again: the old one is still there and warm.
    bench.change("pump", |entry| {
        entry.aliases.insert("champion".to_owned(), 1);
    });
    let state = |version: usize| bench.serving.state("pump").unwrap()[version - 1].engines[0].1.clone();
    assert!(matches!(state(1), SlotState::Ready { .. }));
    assert_eq!(bench.open("pump").version(), 1);
}

#[test]
fn a_new_version_that_can_not_be_loaded_leaves_the_old_one_in_service() {
    let bench = Bench::new();
    bench.served("pump", ModelSettings::default(), &adds(1.0));
    bench.add("pump", 2, &adds(2.0));
    bench.lab.write_bytes("pump-2.onnx", b"no model at all");
    let error = bench.serving.refresh(Some("pump")).err().unwrap();
    assert_eq!(error.code().to_string(), "TS-0502");
    let served = bench.open("pump");
    assert_eq!(served.version(), 1);
    assert_eq!(y(served.predict_here(x(&[[0.0, 0.0]]))), [1.0, 1.0]);
    // Who asks for the new one by its number is told why it does not answer.
    let error = bench.serving.open_here("pump", &ModelVersion::Number(2), None).err().unwrap();
    assert_eq!(error.code().to_string(), "TS-0502");
    // Mended and said anew, it takes over.
    bench.add("pump", 3, &adds(3.0));
    bench.serving.refresh(None).unwrap();
    assert_eq!(bench.open("pump").version(), 3);
}

#[test]
fn a_changed_file_takes_the_place_of_the_one_before() {
    let bench = Bench::new();
    bench.served("pump", ModelSettings::default(), &adds(1.0));
    let look = |look: u64| {
        bench.change("pump", |entry| {
            entry.versions.get_mut(&1).unwrap().content = Content::Look(vec![look]);
        })
    };
    look(1);
    bench.open("pump");
    bench.lab.write("pump-1.onnx", &adds(5.0));
    assert_eq!(y(bench.open("pump").predict_here(x(&[[0.0, 0.0]]))), [1.0, 1.0], "it looks as it did");
    look(2);
    assert_eq!(y(bench.open("pump").predict_here(x(&[[0.0, 0.0]]))), [5.0, 5.0]);
    // Half a file: the whole one goes on, and is not read again for each request.
    bench.lab.write_bytes("pump-1.onnx", b"half");
    look(3);
    for _ in 0..3 {
        assert_eq!(y(bench.open("pump").predict_here(x(&[[0.0, 0.0]]))), [5.0, 5.0]);
    }
    bench.lab.write("pump-1.onnx", &adds(6.0));
    assert_eq!(y(bench.open("pump").predict_here(x(&[[0.0, 0.0]]))), [5.0, 5.0], "nothing was said of a change");
    look(4);
    assert_eq!(y(bench.open("pump").predict_here(x(&[[0.0, 0.0]]))), [6.0, 6.0]);
}

#[test]
fn nobody_who_asks_meanwhile_is_refused_or_sees_a_version_go_back() {
    let bench = Bench::new();
    bench.served("pump", ModelSettings { queue: 1000, ..ModelSettings::default() }, &adds(1.0));
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let asked: usize = thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                    let (mut last, mut asked) = (0, 0);
                    while !over.load(Ordering::Relaxed) {
                        let served = runtime.block_on(bench.serving.open("pump", &ModelVersion::Unsaid, None)).unwrap();
                        let answer = runtime.block_on(served.predict(x(&[[0.0, 0.0]]))).unwrap();
                        assert!(answer.version >= last, "version {} after {last}", answer.version);
                        last = answer.version;
                        assert_eq!(y(Ok(answer)), [last as f32, last as f32]);
                        asked += 1;
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    (last, asked)
                })
            })
            .collect();
        for number in 2..=20u8 {
            bench.add("pump", u32::from(number), &adds(f32::from(number)));
            bench.serving.refresh(Some("pump")).unwrap();
            let before = answered.load(Ordering::Relaxed);
            bench.until("somebody is answered", |_| answered.load(Ordering::Relaxed) > before);
        }
        over.store(true, Ordering::Relaxed);
        let ended: Vec<(u32, usize)> = asking.into_iter().map(|thread| thread.join().unwrap()).collect();
        ended.iter().map(|(_, asked)| asked).sum()
    });
    assert!(asked > 0);
    let statistics = bench.serving.state("pump").unwrap();
    let answered: u64 = statistics.iter().flat_map(|state| &state.engines).map(|(.., read)| read.success.count).sum();
    assert_eq!(answered, asked as u64, "each is counted once");
}

#[test]
fn an_engine_that_was_asked_for_is_kept_over_a_change() {
    let bench = Bench::new();
    bench.served("pump", ModelSettings::default(), &adds(1.0));
    let on = |engine| bench.serving.open_here("pump", &ModelVersion::Unsaid, Some(engine)).unwrap();
    assert_eq!(on(EngineChoice::Rten).version(), 1);
    bench.add("pump", 2, &adds(2.0));
    assert_eq!(on(EngineChoice::Rten).version(), 2);
}
