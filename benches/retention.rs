//! Retention under a load that does not ease, and what removing a run costs beside what making it cost. `TRACKSIDE_SOAK_RUNS`
//! says how many runs the first makes (200,000 when it is not set).

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use trackside_store::Reader;

use crate::{
    report::{line, median, title},
    service::{PATIENCE, Service},
};

const RUNS: u64 = 200_000;
/// What the box may hold in the soak, MiB.
const BOUND: u64 = 64;
/// Requests that wait for their answer at one time.
const IN_FLIGHT: usize = 64;
/// Runs whose making and removing is compared.
const COMPARED: u64 = 40_000;
const ONE: &str = "version: 1\nname: one\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n";
/// Ticks in a second of what the kernel says of processor time.
const TICKS: f64 = 100.0;

/// Both tables.
pub fn run() {
    let runs = std::env::var("TRACKSIDE_SOAK_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    soak(runs);
    title(&format!("removing {COMPARED} one-step runs beside making them (processor time)"));
    compare();
}

fn soak(runs: u64) {
    title(&format!(
        "retention under load: {runs} one-step runs over the socket, {IN_FLIGHT} in flight, bytes = {BOUND} MiB"
    ));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let node = start(folder.path(), &format!("[retention]\nbytes = \"{BOUND}MiB\"\n"));
    let made = AtomicU64::new(0);
    let (mut rates, mut costs, mut memory, mut used) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(|| make(folder.path(), &made, runs))).collect();
        let (mut before, mut spent, mut at) = (0, cpu(&node), Instant::now());
        while makers.iter().any(|maker| !maker.is_finished()) {
            std::thread::sleep(Duration::from_secs(1));
            let now = made.load(Ordering::Relaxed).min(runs);
            rates.push((now - before) as f64 / at.elapsed().as_secs_f64());
            costs.push((cpu(&node) - spent) * 1e6 / (now - before).max(1) as f64);
            (before, spent, at) = (now, cpu(&node), Instant::now());
            memory.push(resident(&node));
            used.push(space(folder.path()).0);
        }
    });
    // What is left to be counted and to go is worked off by the node itself.
    let began = Instant::now();
    while behind(folder.path()) > 0 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(1));
    // The last second is not whole.
    rates.pop();
    let tenth = (rates.len() / 10).max(1);
    over_time("runs/s", &rates, tenth);
    // Depends less on what else the machine does.
    over_time("processor time a run, us", &costs[..rates.len()], tenth);
    line("the most that the database held meanwhile", used.iter().copied().fold(0.0, f64::max), "MiB");
    let (held, file) = space(folder.path());
    line("the database holds afterwards", held, "MiB");
    line("its file afterwards", file, "MiB");
    line("memory after the first tenth", memory.get(tenth).copied().unwrap_or(f64::NAN), "MiB");
    line("the most memory at any second", memory.iter().copied().fold(0.0, f64::max), "MiB");
}

/// A figure of each second, tenth by tenth: in the first nothing has to go yet.
fn over_time(name: &str, values: &[f64], tenth: usize) {
    let tenths: Vec<f64> = values.chunks_exact(tenth).map(|part| median(part.to_vec())).collect();
    let words: Vec<String> = tenths.iter().map(|value| format!("{value:.0}")).collect();
    println!("{name}, tenth by tenth: {}", words.join(" "));
    let (early, late) = (tenths.get(1..4), tenths.get(tenths.len().saturating_sub(3)..));
    if let (Some(early), Some(late)) = (early, late) {
        let ratio = median(late.to_vec()) / median(early.to_vec());
        line(&format!("{name}: the last three tenths beside the 2nd to 4th"), ratio, "");
    }
}

fn compare() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let node = start(folder.path(), "");
    let (begin, made) = (cpu(&node), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| make(folder.path(), &made, COMPARED));
        }
    });
    std::thread::sleep(Duration::from_secs(2));
    let making = cpu(&node) - begin;
    drop(node);
    fs::write(folder.path().join("trackside.toml"), "[retention]\nruns = 1\n").expect("a file");
    let before = waited_for();
    let ended = Command::new(env!("CARGO_BIN_EXE_trackside")).arg("--project").arg(folder.path()).arg("prune").output();
    assert!(ended.is_ok_and(|ended| ended.status.success()), "prune failed");
    let removing = waited_for() - before;
    let each = 1e6 / COMPARED as f64;
    line("making a run, the service's share of HTTP in it", making * each, "us");
    line("removing it, and counting what was not counted yet", removing * each, "us");
    line("the second beside the first", removing / making, "");
}

/// Asks for runs until there are so many.
fn make(project: &Path, made: &AtomicU64, runs: u64) {
    let body = r#"{"workflow":"one"}"#;
    let head = "POST /v1/runs HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: ";
    let request = format!("{head}{}\r\n\r\n{body}", body.len());
    let mut socket = UnixStream::connect(project.join(".trackside/trackside.sock")).expect("the node's socket");
    let mut buffer = [0; 8192];
    while made.load(Ordering::Relaxed) < runs {
        socket.write_all(request.as_bytes()).expect("a request");
        let mut have = 0;
        let accepted = loop {
            let count = socket.read(&mut buffer[have..]).expect("an answer");
            assert!(count > 0, "the node has hung up");
            have += count;
            let text = String::from_utf8_lossy(&buffer[..have]);
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if rest.len() >= length.unwrap_or(0) {
                break head.starts_with("HTTP/1.1 20");
            }
        };
        if accepted {
            made.fetch_add(1, Ordering::Relaxed);
        } else {
            // Too much is under way for a moment.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What the database holds and what its file takes, MiB.
fn space(project: &Path) -> (f64, f64) {
    let space = Reader::open(&project.join(".trackside")).and_then(|reader| reader.space()).expect("the store");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    (mib(space.used()), mib(space.file()))
}

/// Entries that the slowest consumer has not seen.
fn behind(project: &Path) -> i64 {
    let reader = Reader::open(&project.join(".trackside")).expect("the store");
    let newest = reader.newest_entry().expect("an entry");
    reader.cursors().expect("the cursors").iter().map(|row| newest - row.seq).max().unwrap_or(newest)
}

/// Processor time of children that have ended, seconds.
fn waited_for() -> f64 {
    times("self", 15..17)
}

fn times(process: &str, fields: std::ops::Range<usize>) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
    // The name may hold anything; behind it stands the state, field 3.
    let behind = stat.rsplit_once(") ").expect("a name").1;
    let ticks = |field: &str| field.parse::<f64>().expect("ticks");
    behind.split(' ').skip(fields.start - 2).take(fields.len()).map(ticks).sum::<f64>() / TICKS
}

/// Starts a node on a project of one workflow.
fn start(project: &Path, settings: &str) -> Service {
    fs::create_dir_all(project.join("workflows")).expect("a folder");
    fs::write(project.join("workflows/one.yaml"), ONE).expect("a workflow");
    fs::write(project.join("trackside.toml"), settings).expect("a file");
    Service::start(project)
}

/// Its processor time so far, seconds.
fn cpu(node: &Service) -> f64 {
    times(&node.id().to_string(), 13..15)
}

/// Its memory now, MiB.
fn resident(node: &Service) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).expect("a process");
    let rss =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    rss.map_or(f64::NAN, |kib| kib / 1024.0)
}
