//! The other side: bounds itself, reads its order from standard input, writes one JSON document to standard output.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use trackside_codes::{Class, Coded, Reason};
use trackside_worker::Bounds;

use super::order::{Answer, Order, Probe, ProbeSettings, ProbeWarning};
use crate::{
    engines::{EngineSettings, Engines},
    error::ModelError,
    file::{ModelFile, weight_names},
    model::ModelSource,
    onnx::inspect_file,
    package::Signature,
};

/// Largest order.
const MAX_ORDER: u64 = 1 << 20;

/// Does what comes on standard input. `arguments` are those that the parent added to the command line: bytes of memory and seconds of
/// computing.
#[must_use]
pub fn model_worker(arguments: &[String]) -> ExitCode {
    let Some((memory, cpu_seconds)) = numbers(arguments) else {
        return end("this command is for the node itself: it looks at models that the node gives it");
    };
    match work(memory, cpu_seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => end(&reason.to_string()),
    }
}

fn numbers(arguments: &[String]) -> Option<(u64, u64)> {
    let [memory, cpu_seconds] = arguments else { return None };
    Some((memory.parse().ok()?, cpu_seconds.parse().ok()?))
}

fn end(message: &str) -> ExitCode {
    // The parent reads it; when there is none any more, nobody does.
    let _ = io::stderr().write_all(message.as_bytes());
    ExitCode::FAILURE
}

fn work(memory: u64, cpu_seconds: u64) -> Result<(), Reason> {
    let failed = |what: &str, error: io::Error| Reason::because(Class::Setup, format!("{what}: {error}"), error);
    // It writes no file. It opens the model and the engine's library, and may ask Python where that is.
    let bounds = Bounds { memory, cpu_seconds, file_size: 0, descriptors: None };
    bounds.set().map_err(|error| failed("cannot bound itself", error))?;
    let mut order = Vec::new();
    let read = io::stdin().lock().take(MAX_ORDER).read_to_end(&mut order);
    read.map_err(|error| failed("cannot read the order", error))?;
    let order: Order = serde_json::from_slice(&order).map_err(|error| Reason::by(Class::Bug, error))?;
    let answer = match order {
        Order::Weights(path, limits) => weight_names(&path, &limits).map(Answer::Weights),
        Order::Probe(path, settings) => probe(&path, settings).map(|probe| Answer::Probe(Box::new(probe))),
    };
    let answer = answer.unwrap_or_else(|error| Answer::Refused(error.code().to_string(), error.to_string()));
    let answer = serde_json::to_vec(&answer).map_err(|error| Reason::by(Class::Bug, error))?;
    let mut output = io::stdout().lock();
    let told = output.write_all(&answer).and_then(|()| output.flush());
    told.map_err(|error| failed("cannot hand over the answer", error))
}

fn probe(path: &Path, settings: ProbeSettings) -> Result<Probe, ModelError> {
    let signature = {
        let file = ModelFile::read(path, &settings.limits)?;
        Signature::of(&inspect_file(&file))
        // The file's bytes go here: loading reads them again.
    };
    let ProbeSettings { name, choice, golden, configured, data_dir, prefer, run_ms, limits } = settings;
    let engines = Engines::discover(EngineSettings { configured, prefer, ..EngineSettings::new(data_dir) });
    let source = ModelSource {
        choice,
        selftest: golden,
        sessions: 1,
        time: Duration::from_millis(run_ms),
        limits,
        ..ModelSource::new(name, path)
    };
    let model = engines.load(&source)?;
    let info = model.info();
    let warning =
        |warning: &crate::Warning| ProbeWarning { code: warning.code.to_string(), text: warning.text.clone() };
    Ok(Probe {
        signature,
        engine: info.engine.to_string(),
        tested: info.tested,
        caveats: info.caveats.clone(),
        warnings: info.warnings.iter().map(warning).collect(),
    })
}
