//! The models of the examples, each on each engine in a process of its own: what loading it takes, in time and memory, what a row takes, and
//! what running rows together gains.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use trackside_models::{EngineChoice, EngineSettings, Engines, ModelSource};

use crate::router::Router;

/// The file and the engine that a child measures.
const CHILD: &str = "TRACKSIDE_BENCH_EXAMPLE";
const ENGINES: [(&str, EngineChoice); 2] = [("onnxruntime", EngineChoice::OnnxRuntime), ("rten", EngineChoice::Rten)];
/// The longest that a service may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Starts of a service, of which the median counts.
const STARTS: usize = 5;

/// Where they are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Memory of this process that no other shares, and its part of what is shared, in MiB.
fn memory() -> f64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().map_or(f64::NAN, |kib| kib / 1024.0)
}

/// What a child found, where this process is one.
pub fn child(engines: &Engines) -> Option<String> {
    let order = std::env::var(CHILD).ok()?;
    let (engine, file) = order.split_once('=').expect("an engine and a file");
    let choice = ENGINES.iter().find(|(name, _)| *name == engine).expect("an engine").1;
    // The engine itself, with the smallest model that there is.
    let small = folder().join("penguins/models/penguin-species.onnx");
    drop(engines.load(&ModelSource { choice, ..ModelSource::new("first", small) }).expect("a model"));
    let before = memory();
    let began = Instant::now();
    let model = engines.load(&ModelSource { choice, sessions: 1, ..ModelSource::new("bench", file) });
    let model = match model {
        Ok(model) => model,
        Err(error) => return Some(json!({ "not": error.to_string() }).to_string()),
    };
    let loading = began.elapsed();
    let inputs = model.tried().to_vec();
    let cancel = trackside_models::CancelToken::new();
    for _ in 0..20 {
        model.run(inputs.clone(), &[], None, &cancel).expect("a result");
    }
    let held = memory() - before;
    drop(model);
    let (folder, configured) = (tempfile::tempdir().expect("a folder"), std::env::var_os("TRACKSIDE_ONNXRUNTIME"));
    let mut settings = EngineSettings::new(folder.path());
    settings.configured = configured.map(Into::into);
    let router = Router::on(Arc::new(Engines::discover(settings)), choice, Path::new(file), inputs);
    // A slow model is tried in company beside its first requests.
    let until = Instant::now() + Duration::from_secs(2);
    let is_open = |router: &Router| router.state().measured.is_some_and(|measured| measured.cut_short);
    while is_open(&router) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let measured = router.state().measured;
    let alone = measured.as_ref().map_or(f64::NAN, |measured| measured.alone.as_secs_f64() * 1e6);
    let gains = measured.map_or_else(Vec::new, |measured| measured.together);
    let gains: Vec<Value> =
        gains.iter().map(|(rows, time)| json!([rows, alone * f64::from(*rows) / (time.as_secs_f64() * 1e6)])).collect();
    Some(json!({ "loading": loading.as_secs_f64() * 1e3, "held": held, "alone": alone, "gains": gains }).to_string())
}

/// All of them.
pub fn table() {
    println!(
        "\nmodels of the examples: loading with its test, memory beyond the engine's own (one session), one row, and the gain in \\
              rows a second of so many rows together"
    );
    let program = std::env::current_exe().expect("this program");
    for file in files() {
        for (engine, _) in ENGINES {
            let order = format!("{engine}={}", file.display());
            let ended = Command::new(&program).env(CHILD, order).output().expect("a child");
            let told: Value = serde_json::from_slice(&ended.stdout).unwrap_or(Value::Null);
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            if let Some(why) = told["not"].as_str() {
                println!("{name:<18} {engine:<12} not run: {why}");
                continue;
            }
            let number = |key: &str| told[key].as_f64().unwrap_or(f64::NAN);
            let gains: Vec<String> = told["gains"]
                .as_array()
                .map(|gains| {
                    gains.iter().map(|gain| format!("{} rows x {:.1}", gain[0], gain[1].as_f64().unwrap_or(0.0)))
                })
                .into_iter()
                .flatten()
                .collect();
            let gains = if gains.is_empty() { "takes one input at a time".to_owned() } else { gains.join(", ") };
            let (loading, held, alone) = (number("loading"), number("held"), number("alone"));
            print!("{name:<18} {engine:<12} {loading:>7.1} ms {held:>7.2} MiB {alone:>9.1} µs  {gains}");
            match std::env::var_os("TRACKSIDE_BINARY").map(|binary| first_answer(Path::new(&binary), engine, &file)) {
                None => println!(),
                Some(None) => println!("; no answer"),
                Some(Some(first)) => {
                    println!("; first answer {first:.0} ms after the start, {:+.0} (aim 50)", first - loading);
                }
            }
        }
    }
}

fn files() -> Vec<PathBuf> {
    let models = ["pump-watch/models/pump-anomaly", "serve/models/rain-tomorrow", "serve/models/low-tomorrow"];
    let models = models.into_iter().chain(["penguins/models/penguin-species", "file-intake/models/magika/model"]);
    models.map(|name| folder().join(name).with_extension("onnx")).collect()
}

/// Milliseconds from the start of a service to its first answer, in an empty folder, with a model that is loaded when it is asked.
fn first_answer(binary: &Path, engine: &str, file: &Path) -> Option<f64> {
    let mut times: Vec<f64> = (0..STARTS).map(|_| once(binary, engine, file)).collect::<Option<_>>()?;
    times.sort_by(f64::total_cmp);
    times.get(STARTS / 2).copied()
}

fn once(binary: &Path, engine: &str, file: &Path) -> Option<f64> {
    let place = tempfile::tempdir().ok()?;
    std::fs::copy(file, place.path().join("model.onnx")).ok()?;
    let address = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
    let library = std::env::var("TRACKSIDE_ONNXRUNTIME").unwrap_or_default();
    let config = format!(
        "[node]\nname = \"bench\"\n[engine]\nonnxruntime = {library:?}\n[inference]\nlisten = \"{address}\"\n\
         [models.bench]\npath = \"model.onnx\"\nengine = \"{engine}\"\n"
    );
    std::fs::write(place.path().join("trackside.toml"), config).ok()?;
    let began = Instant::now();
    let mut service = Command::new(binary)
        .arg("--project")
        .arg(place.path())
        .args(["--quiet", "serve"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let answered = loop {
        // Whether it is ready has it loaded; any model can be asked that.
        if is_ok(address, "/v2/models/bench/ready") {
            break Some(began.elapsed().as_secs_f64() * 1e3);
        }
        if began.elapsed() > PATIENCE {
            break None;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let _ = service.kill();
    let _ = service.wait();
    answered
}

fn is_ok(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
