//! What the built-in engine makes of a model: it takes it whole, or tells which calls it does not take and why.
//!
//! The interpreter's table is the only judge: a call is taken where operator, version, types, attributes and optional
//! inputs were compared with ONNX Runtime cell by cell (`tests/grid`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde::Serialize;
pub(crate) use trackside_interpreter::Program;
use trackside_interpreter::scan::MAX_STRUCTURE_BYTES;
use trackside_interpreter::{Limits, Refusal, Weights};

use crate::engines::panic_text;
use crate::file::ModelFile;

/// The longest that loading may take: constant parts of a model are computed then.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// What the built-in engine makes of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuiltinVerdict {
    /// Operators that it does not have, `SET/NAME` outside the standard set.
    pub missing: Vec<String>,
    /// Calls of operators that it has, in a version, with types or in a way that are not proved, and what else it can
    /// not hold.
    pub wrong: Vec<String>,
}

impl BuiltinVerdict {
    /// Of what was told when it was loaded.
    pub(crate) fn of(refusals: &[Refusal]) -> Self {
        let (missing, others): (Vec<_>, Vec<_>) = refusals.iter().partition(|refusal| refusal.missing);
        let mut missing: Vec<_> = missing.into_iter().map(|refusal| refusal.operator.clone()).collect();
        missing.sort();
        Self { missing, wrong: others.into_iter().map(told).collect() }
    }

    /// Whether it runs the model.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    /// What speaks against it, in one line.
    #[must_use]
    pub fn reasons(&self) -> String {
        let mut reasons = Vec::new();
        if !self.missing.is_empty() {
            reasons.push(format!("the built-in engine has no operator {}", self.missing.join(", ")));
        }
        if !self.wrong.is_empty() {
            reasons.push(format!("the built-in engine refuses what is not proved: {}", self.wrong.join("; ")));
        }
        reasons.join("; ")
    }
}

/// `Softmax of opset 12 ("probabilities" and 3 more): …`
fn told(refusal: &Refusal) -> String {
    let Refusal { node, calls, operator, opset, reason, .. } = refusal;
    if operator.is_empty() {
        return reason.clone();
    }
    let others = calls.saturating_sub(1);
    let place = match (node.as_str(), others) {
        ("", 0) => String::new(),
        ("", _) => format!(" ({calls} times)"),
        (node, 0) => format!(" ({node:?})"),
        (node, _) => format!(" ({node:?} and {others} more)"),
    };
    format!("{operator} of opset {opset}{place}: {reason}")
}

impl Weights for ModelFile {
    fn file(&self, name: &str) -> Option<&[u8]> {
        self.external().iter().find(|file| file.name == name).map(|file| &*file.bytes)
    }
}

/// Loads a model into the built-in engine.
pub(crate) fn load(file: &ModelFile) -> Result<Program, Vec<Refusal>> {
    let end = Instant::now() + LOAD_LIMIT;
    // What constants take is in the files, or was counted when the model's structure was scanned.
    let outside: usize = file.external().iter().map(|file| file.bytes.len()).sum();
    let structure = usize::try_from(MAX_STRUCTURE_BYTES).unwrap_or(usize::MAX);
    let bytes = file.bytes().len().saturating_add(outside).saturating_add(structure);
    let limits = Limits { bytes, stop: &|| Instant::now() >= end };
    let load = || Program::load_within(file.proto(), file, limits);
    // The last net: a fault of ours must not take the node with it.
    catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|panic| Err(vec![Refusal::whole(panic_text(&*panic))]))
}
