//! Runs a cell on an engine and says what it came to.

use std::path::Path;
use std::time::{Duration, Instant};

use trackside_models::onnx::{Dim, PortInspection, inspect_file};
use trackside_models::{
    CancelToken, Engine, JsonPort, ModelFile, ModelLimits, Output, OutputPort, Port, Ports, RunFailure, Stop, Wanted,
};

use crate::archive::Cell;
use crate::cells::Verdict;
use crate::compare::{difference, json_difference};
use crate::convert::{of_spec, to_spec};

/// The longest that one cell may run.
const LIMIT: Duration = Duration::from_secs(20);

/// Loads and runs `cell`, whose model is put into `folder`. The engine is asked and not [`Engines::load`]: that runs
/// the model on made-up input first, and a cell whose numbers are not finite would never be compared.
///
/// [`Engines::load`]: trackside_models::Engines::load
pub fn judge(engine: &dyn Engine, folder: &Path, cell: &Cell) -> Verdict {
    let path = folder.join("cell.onnx");
    std::fs::write(&path, &cell.model).expect("a place for models");
    let file = match ModelFile::read(&path, &ModelLimits::default()) {
        Ok(file) => file,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let inspection = inspect_file(&file);
    let inputs: Result<Vec<_>, _> = inspection.inputs.iter().map(port).collect();
    let outputs: Result<Vec<_>, _> = inspection.outputs.iter().map(output).collect();
    let (inputs, outputs) = match (inputs, outputs) {
        (Ok(inputs), Ok(outputs)) => (inputs, outputs),
        (Err(reason), _) | (_, Err(reason)) => return Verdict::Refused(reason),
    };
    let runner = match engine.open(
        &file,
        Ports { inputs: &inputs, outputs: &outputs },
        Wanted { sessions: 1, providers: &[] },
    ) {
        Ok(runner) => runner,
        Err(reason) => return Verdict::Refused(reason.to_string()),
    };
    let mut fed = Vec::new();
    for port in &inputs {
        let given = cell.inputs.iter().find(|tensor| tensor.name == port.name);
        assert!(given.is_some() || port.optional, "{}: nothing for {:?}", cell.name, port.name);
        fed.push(given.map(to_spec));
    }
    let wanted: Vec<usize> = (0..outputs.len()).collect();
    let stop = Stop { deadline: Some(Instant::now() + LIMIT), cancel: &CancelToken::new() };
    let ran = match runner.run(fed, &wanted, stop) {
        Ok(ran) => ran,
        Err(RunFailure::Input(_, reason) | RunFailure::Failed(reason)) => return Verdict::Failed(reason.to_string()),
        Err(RunFailure::Stopped(..)) => return Verdict::Failed("it did not end".to_owned()),
    };
    for (port, given) in outputs.iter().zip(&ran.outputs) {
        let Some(expected) = cell.outputs.iter().find(|tensor| tensor.name == port.name()) else { continue };
        let difference = match given {
            Output::Tensor(given) => difference(&of_spec(port.name(), given), expected),
            Output::Json(given) => json_difference(given, &expected.json),
        };
        if let Some(difference) = difference {
            return Verdict::Wrong(format!("{}: {difference}", port.name()));
        }
    }
    Verdict::Right
}

fn port(port: &PortInspection) -> Result<Port, String> {
    let fixed = |dim: &Dim| if let Dim::Fixed(size) = dim { Some(*size) } else { None };
    let element = port.element.ok_or_else(|| format!("{:?} is a {}", port.name, port.kind))?;
    let shape = port.shape.as_ref().map(|shape| shape.iter().map(fixed).collect());
    Ok(Port { name: port.name.clone(), element, shape, optional: port.optional })
}

fn output(inspected: &PortInspection) -> Result<OutputPort, String> {
    match inspected.form {
        Some(form) => Ok(OutputPort::Json(JsonPort { name: inspected.name.clone(), form })),
        None => port(inspected).map(OutputPort::Tensor),
    }
}
