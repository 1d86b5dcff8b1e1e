//! Versions that change under clients.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Serving, graph, model, node,
    onnx::{FLOAT, value_of_rank},
    support::wait_until,
    wire::Client,
};

/// Clients at a time.
const CLIENTS: usize = 50;
/// How long versions change; `TRACKSIDE_TEST_SWAP_SECONDS` says otherwise.
const SECONDS: u64 = 5;

#[test]
fn nobody_is_refused_and_no_version_goes_back_while_an_alias_moves_under_fifty_clients() {
    let serving = Serving::start("");
    let add = || serving.project.run(&["--json", "model", "add", "swapped", "two.onnx"]);
    add().ok();
    // The same numbers under other texts: another version each time.
    let another = |number: u32| {
        let words = format!("the version {number}");
        serving.project.run(&["model", "add", "swapped", "two.onnx", "--description", &words]).ok();
        serving.project.run(&["model", "alias", "swapped", "champion", &number.to_string()]).ok();
    };
    let seconds = env::var("TRACKSIDE_TEST_SWAP_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let input = |name: &str| json!({"name": name, "datatype": "FP32", "shape": [1, 2], "data": [1, 2]});
    let body = json!({"inputs": [input("a"), input("b")]});
    let (over, newest, answered) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let last = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut last) = (Client::of(&serving), 0);
                    while !over.load(Ordering::Relaxed) {
                        let (status, answer) = client.infer("swapped", &body);
                        assert_eq!(status, 200, "{answer}");
                        let version: usize = answer["model_version"].as_str().unwrap().parse().unwrap();
                        assert!(version >= last, "version {version} after {last}");
                        last = version;
                        newest.fetch_max(version, Ordering::Relaxed);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let (began, mut number) = (Instant::now(), 1);
        while began.elapsed() < Duration::from_secs(seconds) || number < 3 {
            number += 1;
            another(number);
            let wanted = usize::try_from(number).unwrap();
            wait_until("clients are answered by the new version", || {
                // One that failed says why at the end.
                let failed = clients.iter().any(thread::ScopedJoinHandle::is_finished);
                (failed || newest.load(Ordering::Relaxed) >= wanted).then_some(())
            });
            if clients.iter().any(thread::ScopedJoinHandle::is_finished) {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        number
    });
    println!("{} answers by {last} versions", answered.load(Ordering::Relaxed));
}

/// As `two`, with the two outputs the other way round.
fn turned() -> Vec<u8> {
    let nodes = [node("", "Sub", &["a", "b"], &["sum"]), node("", "Add", &["a", "b"], &["difference"])];
    let of = |names: [&str; 2]| names.map(|name| value_of_rank(name, FLOAT, 2));
    model(&graph(&nodes, &[], &of(["a", "b"]), &of(["sum", "difference"])))
}

#[test]
fn a_declared_file_that_changes_is_taken_up_without_a_restart_and_half_a_file_is_not() {
    let serving = Serving::start("");
    let mut client = Client::of(&serving);
    let input = |name: &str, value: u32| json!({"name": name, "datatype": "FP32", "shape": [1, 1], "data": [value]});
    let body = json!({"inputs": [input("a", 5), input("b", 3)]});
    let mut sum = || {
        let (status, answer) = client.infer("two", &body);
        assert_eq!((status, &answer["model_version"]), (200, &json!("1")), "{answer}");
        answer["outputs"][0]["data"][0].as_f64().unwrap()
    };
    let replace = |content: &[u8]| {
        let beside = serving.folder().join("beside");
        std::fs::write(&beside, content).unwrap();
        std::fs::rename(&beside, serving.folder().join("two.onnx")).unwrap();
    };
    assert_eq!(sum(), 8.0);
    replace(&turned());
    wait_until("the changed file answers", || (sum() == 2.0).then_some(()));
    // What can not be loaded takes nobody's place; the log says so, which is how this knows that it was looked at.
    replace(&turned()[..40]);
    wait_until("the broken file is told", || {
        assert_eq!(sum(), 2.0, "the one before goes on");
        serving.node.said().contains("two.onnx").then_some(())
    });
    assert_eq!(sum(), 2.0);
    replace(&crate::two());
    wait_until("the mended file answers", || (sum() == 8.0).then_some(()));
}
