//! Whatever a model or an input holds: loading and running never panic, end when they are told to, and keep the bound on
//! memory. Cells of the grid are the beginning; bytes, attributes, shapes, names, types and inputs are changed at random.
//!
//! `TRACKSIDE_CASES=1000000` runs more cases than those of every build, `TRACKSIDE_SEED=123` runs one again, and
//! `TRACKSIDE_GRID` takes the cells from another archive.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../../../tests/grid/archive.rs"]
#[allow(dead_code, reason = "what only the runners of the grid ask for")]
mod archive;
mod hostile_parts;

use std::cell::Cell as Counter;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use prost::Message;
use trackside_interpreter::proto::ModelProto;
use trackside_interpreter::{NoWeights, Program, ProgramError, scan};

use self::hostile_parts::allocator::{Counting, peak, reset};
use self::hostile_parts::inputs::inputs;
use self::hostile_parts::mutate::{bytes, model};
use self::hostile_parts::random::Random;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the values of a run may take.
const ROOM: usize = 32 << 20;
/// What a run may take beside: lists of shapes and places, buffers of libraries, copies that are as large as a value.
const BESIDE: usize = 2 * ROOM;
/// What loading may take: the room for constants that are computed in advance, and some for structure.
const LOADING: usize = 320 << 20;
/// A run is told to end when it has asked this often; then it may ask this often again before it does.
const ASKED: u64 = 20_000;
const MORE: u64 = 64;
/// No case takes as long on any machine, unless it does not end.
const FOREVER: Duration = Duration::from_secs(300);

/// Panics that the program itself has caught: all are told before the test fails.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn no_model_and_no_input_breaks_it() {
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/grid/small.zip");
    let path = std::env::var_os("TRACKSIDE_GRID").map_or(small, Into::into);
    let cells = archive::read(&path);
    let seeds = match number("TRACKSIDE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRACKSIDE_CASES").unwrap_or(20_000),
    };
    let (done, lives) = channel();
    let current = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let (current, over) = (&current, &over);
        let worker = scope.spawn(move || {
            let mut counts = [0_u64; 4];
            for seed in seeds {
                current.store(usize::try_from(seed).unwrap(), Ordering::Relaxed);
                counts[case(&cells, seed)] += 1;
                if seed % 64 == 0 {
                    done.send(()).unwrap();
                }
            }
            over.store(true, Ordering::Relaxed);
            counts
        });
        loop {
            match lives.recv_timeout(FOREVER) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("the case {} does not end", current.load(Ordering::Relaxed));
                    std::process::abort();
                }
            }
        }
        worker.join().unwrap_or_else(|_| panic!("the case {}", current.load(Ordering::Relaxed)))
    });
    println!("unreadable {}, refused {}, failed {}, computed {}", counts[0], counts[1], counts[2], counts[3]);
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "panics that only the last net has caught");
    // Changes that are too wild would try nothing but the reader.
    let total: u64 = counts.iter().sum();
    assert!(total < 1000 || counts[3] * 20 > total, "hardly any case is computed: {counts:?}");
}

/// What became of a case: unreadable, refused, failed, computed.
fn case(cells: &[archive::Cell], seed: u64) -> usize {
    let mut random = Random::new(seed);
    let cell = &cells[random.below(cells.len())];
    let mut file = cell.model.clone();
    let wild = random.one_in(8);
    if wild {
        bytes(&mut random, &mut file);
    }
    if scan::scan(&file).is_err() {
        return 0;
    }
    let Ok(mut proto) = ModelProto::decode(&*file) else { return 0 };
    if !wild {
        model(&mut random, &mut proto);
    }
    let fault = |words: &str| {
        if words.contains("has a fault") {
            eprintln!("seed {seed}, cell {}: it panicked", cell.name);
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
    };
    reset();
    let program = match Program::load(&proto, &NoWeights) {
        Ok(program) => program,
        Err(refusals) => {
            refusals.iter().for_each(|refusal| fault(&refusal.reason));
            return 1;
        }
    };
    let taken = peak();
    assert!(taken < LOADING, "seed {seed}, cell {}: loading took {taken} bytes", cell.name);
    let given = inputs(&mut random, cell, &program);
    let own: usize = given.iter().flatten().map(|value| value.len() * value.ty().size()).sum();
    reset();
    let asked = Counter::new(0_u64);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > ASKED
    };
    let result = program.run(given, ROOM, &stop);
    let taken = peak().saturating_sub(own);
    assert!(taken < ROOM + BESIDE, "seed {seed}, cell {}: running took {taken} bytes", cell.name);
    assert!(asked.get() < ASKED + MORE, "seed {seed}, cell {}: it went on when told to end", cell.name);
    match result {
        Ok(values) => {
            assert_eq!(values.len(), program.outputs().len());
            3
        }
        Err(ProgramError::Failed(misfit)) => {
            let words = misfit.to_string();
            fault(&words);
            2
        }
        Err(ProgramError::Stopped) => {
            assert!(asked.get() > ASKED, "seed {seed}: it stopped by itself");
            2
        }
    }
}
