//! Versions that change under clients.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{Serving, support::wait_until, wire::Client};

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
