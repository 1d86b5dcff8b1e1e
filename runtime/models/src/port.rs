//! What a model takes and gives, and the check of what it is given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trackside_codes::Reason;
use trackside_spec::{Digest, ElementType, Tensor};

use crate::engines::EngineId;
use crate::file::ExternalFile;
use crate::onnx::{Dim, PortInspection, article};
use crate::output::OutputPort;
use crate::warning::Warning;

/// An input of a loaded model, or an output that is a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: ElementType,
    /// The size of each dimension, `None` where any size will do. The whole is `None` when the file does not even
    /// declare a rank.
    pub shape: Option<Vec<Option<u32>>>,
    /// Whether it is an input that may be left out: the model file holds its default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Port {
    pub(crate) fn of(port: &PortInspection) -> Option<Self> {
        let fixed = |dim: &Dim| if let Dim::Fixed(size) = dim { Some(*size) } else { None };
        let shape = port.shape.as_ref().map(|shape| shape.iter().map(fixed).collect());
        Some(Self { name: port.name.clone(), element: port.element?, shape, optional: port.optional })
    }

    /// `float32[1,?,64]`, as messages write it; `float32[…]` without a declared rank.
    #[must_use]
    pub fn signature(&self) -> String {
        let shape = match &self.shape {
            None => "…".to_owned(),
            Some(shape) => {
                let dims: Vec<_> = shape.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string())).collect();
                dims.join(",")
            }
        };
        format!("{}[{shape}]", self.element.name())
    }

    /// Why `tensor` does not fit, if it does not.
    #[must_use]
    pub fn mismatch(&self, tensor: &Tensor) -> Option<String> {
        let fits = match &self.shape {
            None => true,
            Some(shape) => {
                let same = |(want, have): (&Option<u32>, &u32)| want.is_none_or(|want| want == *have);
                shape.len() == tensor.shape().len() && shape.iter().zip(tensor.shape()).all(same)
            }
        };
        if fits && tensor.element() == self.element {
            return None;
        }
        Some(format!("the model declares {}, it was given {}", self.signature(), signature(tensor)))
    }
}

/// `float32[1,64]`.
pub(crate) fn signature(tensor: &Tensor) -> String {
    let dims: Vec<_> = tensor.shape().iter().map(u32::to_string).collect();
    format!("{}[{}]", tensor.element().name(), dims.join(","))
}

/// What is known of a loaded model; recorded with every run that uses it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name that workflows use.
    pub name: String,
    /// Digest of the model file.
    pub digest: Digest,
    /// Bytes of the model file.
    pub size: u64,
    /// Weight files beside it.
    pub external: Vec<ExternalInfo>,
    /// The engine that it is loaded on.
    pub engine: EngineId,
    /// How many runs it serves at once.
    pub sessions: usize,
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<OutputPort>,
    /// What it would give besides and Trackside cannot carry.
    pub left_out: Vec<LeftOut>,
    /// Whether how long it runs depends on values, and not on shapes alone.
    pub has_loops: bool,
    /// The author's key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// How its self-test went about it.
    pub tested: Tested,
    /// What an operator should know: differences of the engine, a self-test that proved little.
    pub caveats: Vec<String>,
    /// What may make its numbers wrong on this box; `check` tells it.
    pub warnings: Vec<Warning>,
}

/// A weight file beside a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalInfo {
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
}

impl ExternalInfo {
    pub(crate) fn of(file: &ExternalFile) -> Self {
        Self { name: file.name.clone(), size: file.bytes.len() as u64, digest: file.digest }
    }
}

/// What a model's self-test was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tested {
    /// A sample: it gave the numbers that the file says.
    Sample,
    /// Input of the declared shapes that was made up: it gave numbers.
    MadeUp,
    /// Nothing: it does not take made-up input, and there is no sample.
    Not,
}

/// An output of a model that Trackside cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// What it is: `sequence`, `float8e4m3fn` …
    pub kind: String,
    /// What to do about it, one sentence without a full stop.
    pub way: &'static str,
}

impl LeftOut {
    /// Why a caller does not get it, and what would help.
    #[must_use]
    pub fn reason(&self) -> String {
        let what = article(&self.kind);
        format!("the output {:?} is {what}, which Trackside cannot carry, and is left out. {}", self.name, self.way)
    }
}

/// Most optional inputs that a message names.
const NAMED: usize = 8;

/// What a model takes, in one line: `x (float32[?,12]); it may be given scale (float32[1])`.
#[must_use]
pub fn takes(ports: &[Port]) -> String {
    let list = |ports: &mut dyn Iterator<Item = &Port>| {
        let names: Vec<_> = ports.map(|port| format!("{} ({})", port.name, port.signature())).collect();
        names.join(", ")
    };
    let needed = list(&mut ports.iter().filter(|port| !port.optional));
    let optional = ports.iter().filter(|port| port.optional).count();
    if optional == 0 {
        return needed;
    }
    let named = list(&mut ports.iter().filter(|port| port.optional).take(NAMED));
    let more = optional.saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let needed = if needed.is_empty() { "nothing that has no default".to_owned() } else { needed };
    format!("{needed}; it may be given {named}{more}")
}

/// Puts `given` into the order of `declared`; an optional input that is not given is `None`.
///
/// # Errors
/// The name of the input and what is wrong with it.
pub(crate) fn arrange(
    declared: &[Port],
    mut given: Vec<(String, Tensor)>,
) -> Result<Vec<Option<Tensor>>, (String, Reason)> {
    let mut arranged = Vec::with_capacity(declared.len());
    for port in declared {
        let Some(position) = given.iter().position(|(name, _)| *name == port.name) else {
            if port.optional {
                arranged.push(None);
                continue;
            }
            let have: Vec<_> = given.iter().map(|(name, _)| name.as_str()).collect();
            let have = if have.is_empty() { "nothing else".to_owned() } else { have.join(", ") };
            let takes = takes(declared);
            let reason = format!("it is missing: the model takes {takes}; given was {have}");
            return Err((port.name.clone(), reason.into()));
        };
        let (_, tensor) = given.swap_remove(position);
        if let Some(mismatch) = port.mismatch(&tensor) {
            return Err((port.name.clone(), mismatch.into()));
        }
        if port.element == ElementType::Boolean && tensor.data().iter().any(|byte| *byte > 1) {
            return Err((port.name.clone(), "a boolean must be the byte 0 or 1".into()));
        }
        arranged.push(Some(tensor));
    }
    match given.first() {
        None => Ok(arranged),
        Some((name, _)) if declared.iter().any(|port| port.name == *name) => {
            Err((name.clone(), "it was given twice".into()))
        }
        Some((name, _)) => {
            Err((name.clone(), format!("the model has no such input; it takes {}", takes(declared)).into()))
        }
    }
}
