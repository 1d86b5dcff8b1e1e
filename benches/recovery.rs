//! How long a start takes that has runs to go on with.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use trackside_engine::Event;
use trackside_store::Reader;

use crate::{
    past,
    report::{line, median, title},
    service::{PATIENCE, Service},
};

const FINISHED: usize = 10_000;
const LIVE: usize = 100;
const TIMES: usize = 5;

/// From the start of the process to the moment when it says that it is ready, and until all runs are over.
pub fn run() {
    title("recovery: 10,000 runs in the store that are over, 100 under way");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let template = folder.path().join("template");
    fs::create_dir_all(template.join("workflows")).expect("a folder");
    fs::write(template.join("workflows/chain.yaml"), past::CHAIN).expect("a workflow");
    let live = past::fill(&template.join(".trackside"), FINISHED, LIVE);
    let (mut ready, mut over) = (Vec::new(), Vec::new());
    // The first one compiles the plugin and is not counted; the cache goes along with the copies that follow.
    for number in 0..=TIMES {
        let project = folder.path().join(format!("p{number}"));
        copy(&template, &project);
        let (readiness, end) = start(&project, &live.keys().map(|run| run.as_i64()).collect::<Vec<_>>());
        if number == 0 {
            for part in ["cache", "cache.key"] {
                copy(&project.join(".trackside").join(part), &template.join(".trackside").join(part));
            }
            continue;
        }
        ready.push(readiness);
        over.push(end);
    }
    line("process start to ready", median(ready), "ms");
    line("process start to the end of all 100 runs", median(over), "ms");
}

fn copy(from: &Path, to: &Path) {
    let ended = Command::new("cp").arg("-aT").args([from, to]).status();
    assert!(ended.is_ok_and(|status| status.success()), "{} can not be copied", from.display());
}

fn start(project: &Path, live: &[i64]) -> (f64, f64) {
    let began = Instant::now();
    let node = Service::start(project);
    let ready = began.elapsed();
    let reader = Reader::open(&project.join(".trackside")).expect("the store");
    for run in live {
        let run = trackside_engine::RunId::from_i64(*run);
        while reader.run(run).expect("a row").is_none_or(|row| row.ended_ms.is_none()) {
            assert!(began.elapsed() < PATIENCE, "the runs do not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        let rows = reader.journal(run).expect("a journal");
        let last = rows.last().and_then(|row| row.events().ok());
        assert!(matches!(last.as_deref(), Some([.., Event::Ended { .. }])), "a run did not go on");
    }
    let over = began.elapsed();
    drop(node);
    (ready.as_secs_f64() * 1e3, over.as_secs_f64() * 1e3)
}
