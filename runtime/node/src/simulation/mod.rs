//! The whole node on a made-up clock: real core, real SQLite, real artifacts and deliveries; seeded outcomes, commits that
//! come late or are refused, reads that fail, clocks that jump, brokers and folders that go away, crashes between any two things that happen.
//!
//! - `project`: the workflows, one or more for everything that a workflow can say;
//! - `world`: what outlives a crash, and what happens next; `machine`: what a crash destroys;
//! - `attempts`: what executors report; `outside`: what triggers and people want; `broker`: who receives messages;
//! - `disk`: reads that fail; `observer`: the consumers of the journal, and retention;
//! - `models`: the registry, and who asks its models; `registered`: what must be on disk of it;
//! - `remote`: what a trigger polls; `waiting`: who waits for the ends of runs;
//! - `witness`: what the world has been told and what it saw on disk; every invariant is an assertion there, named in its
//!   message; `ending`: what must hold when all is over.
//!
//! `TRACKSIDE_SIM_SEEDS=N` runs seeds 0 to N-1 (a million is a matter of hours), `TRACKSIDE_SIM_SEED=S` runs only seed S: the
//! same seed gives the same world.

mod attempts;
mod broker;
mod by_hand;
mod chance;
mod disk;
mod ending;
mod followers;
mod machine;
mod models;
mod observer;
mod outside;
mod project;
mod registered;
mod remote;
mod waiting;
mod witness;
mod world;

use std::{
    panic::catch_unwind,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// What a plain `cargo test` has time for.
const SEEDS: u64 = 200;

#[test]
fn the_promise_holds_in_every_simulated_world() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, last) = match number("TRACKSIDE_SIM_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, number("TRACKSIDE_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let (next, failed) = (AtomicU64::new(first), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let totals = Mutex::new(world::Totals::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last || failed.lock().is_ok_and(|failed| failed.is_some()) {
                        return;
                    }
                    match catch_unwind(|| world::simulate(seed)) {
                        Ok(one) => totals.lock().unwrap().add(&one),
                        Err(_) => *failed.lock().unwrap() = Some(seed),
                    }
                }
            });
        }
    });
    if let Some(seed) = failed.into_inner().unwrap() {
        panic!("seed {seed} breaks the promise; run it again with TRACKSIDE_SIM_SEED={seed}");
    }
    let totals = totals.into_inner().unwrap();
    println!("{} worlds: {totals:?}", last - first);
    if last - first >= SEEDS {
        totals.must_have_seen_everything();
    }
}
