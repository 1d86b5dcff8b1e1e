//! One inference, the same for both wires.

use super::{
    backend::{Backend, InferAnswer, InferRequest, Wanted, WantedOutput},
    classes,
    failure::Failure,
};

/// Extensions of the protocol that are served, as the server's metadata names them.
pub(crate) const EXTENSIONS: [&str; 7] = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
];

/// The server's name.
pub(crate) const NAME: &str = "trackside";
/// The server's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Has a request answered.
pub(crate) async fn infer(
    backend: &dyn Backend,
    wanted: &Wanted,
    request: InferRequest,
) -> Result<InferAnswer, Failure> {
    if !request.outputs.iter().any(|output| output.classification > 0) {
        return backend.infer(wanted, request).await;
    }
    let outputs = request.outputs.clone();
    let mut answer = backend.infer(wanted, request).await?;
    for (name, tensor) in &mut answer.outputs {
        if let Some(most) = classified(&outputs, name) {
            let labels = answer.labels.iter().find(|(of, _)| of == name);
            *tensor = classes::top(tensor, most, name, labels.map(|(_, labels)| labels.as_slice()))?;
        }
    }
    Ok(answer)
}

fn classified(outputs: &[WantedOutput], name: &str) -> Option<u32> {
    let output = outputs.iter().find(|output| output.name == name)?;
    (output.classification > 0).then_some(output.classification)
}

impl Wanted {
    /// Of a name and perhaps a version, as both wires give them: an empty version is none.
    ///
    /// # Errors
    /// When there is no name.
    pub(crate) fn of(name: String, version: String) -> Result<Self, Failure> {
        if name.is_empty() {
            return Err(Failure::invalid("the request names no model"));
        }
        Ok(Self { name, version: (!version.is_empty()).then_some(version) })
    }
}
