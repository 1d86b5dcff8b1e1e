//! Runs a cell on the built-in engine and says what it came to.

use std::path::Path;
use std::time::{Duration, Instant};

use trackside_models::onnx::{Dim, PortInspection, inspect_file};
use trackside_models::{CancelToken, Engines, ModelFile, ModelLimits, OutputPort, Port, Ports, RunFailure, Stop};
use trackside_spec::{ElementType, Tensor};

use crate::archive::{self, Cell};
use crate::cells::Verdict;
use crate::compare::difference;

/// The longest that one cell may run.
const LIMIT: Duration = Duration::from_secs(20);

/// Loads and runs `cell`, whose model is put into `folder`. The engine is asked and not [`Engines::load`]: that runs
/// the model on made-up input first, and a cell whose numbers are not finite would never be compared.
pub fn judge(engines: &Engines, folder: &Path, cell: &Cell) -> Verdict {
    let path = folder.join("cell.onnx");
    std::fs::write(&path, &cell.model).expect("a place for models");
    let file = match ModelFile::read(&path, &ModelLimits::default()) {
        Ok(file) => file,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let inspection = inspect_file(&file);
    if !inspection.builtin.is_fit() {
        return Verdict::Refused(inspection.builtin.reasons());
    }
    let (inputs, outputs) = match (ports(&inspection.inputs), ports(&inspection.outputs)) {
        (Ok(inputs), Ok(outputs)) => (inputs, outputs),
        (Err(reason), _) | (_, Err(reason)) => return Verdict::Refused(reason),
    };
    let outputs: Vec<_> = outputs.into_iter().map(OutputPort::Tensor).collect();
    let runner = match engines.rten().open(&file, Ports { inputs: &inputs, outputs: &outputs }, 1) {
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
        let (name, given) = (port.name(), given.tensor().expect("a tensor"));
        let expected = cell.outputs.iter().find(|tensor| tensor.name == name);
        if let Some(difference) = expected.and_then(|expected| difference(&of_spec(name, given), expected)) {
            return Verdict::Wrong(format!("{name}: {difference}"));
        }
    }
    Verdict::Right
}

fn ports(inspected: &[PortInspection]) -> Result<Vec<Port>, String> {
    let port = |port: &PortInspection| {
        let fixed = |dim: &Dim| if let Dim::Fixed(size) = dim { Some(*size) } else { None };
        let element = port.element.ok_or_else(|| format!("{:?} is a {}", port.name, port.kind))?;
        let shape = port.shape.as_ref().map(|shape| shape.iter().map(fixed).collect());
        Ok(Port { name: port.name.clone(), element, shape, optional: port.optional })
    };
    inspected.iter().map(port).collect()
}

fn to_spec(tensor: &archive::Tensor) -> Tensor {
    let element: ElementType = serde_json::from_value(tensor.r#type.clone().into()).expect("a type");
    let made = match element {
        ElementType::Text => Tensor::from_text(tensor.shape.clone(), tensor.text.clone()),
        _ => Tensor::from_bytes(element, tensor.shape.clone(), tensor.data.clone()),
    };
    made.expect("a tensor")
}

fn of_spec(name: &str, tensor: &Tensor) -> archive::Tensor {
    let (data, text) = (tensor.data().to_vec(), tensor.text().to_vec());
    archive::Tensor::new(name, tensor.element().name(), tensor.shape().to_vec(), data, text)
}
