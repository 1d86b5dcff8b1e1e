//! What the built-in engine makes of a model: it takes it whole, or tells which calls it does not take and why.
//!
//! The interpreter's table is the only judge: a call is taken where operator, version, types, attributes and optional
//! inputs were compared with ONNX Runtime cell by cell (`tests/grid`).

use serde::Serialize;
pub(crate) use trackside_interpreter::Program;
use trackside_interpreter::{Refusal, Weights};

use crate::file::ModelFile;

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

/// Loads a model into the built-in engine. What that may cost is bounded there: constants by the files, work by a count.
pub(crate) fn load(file: &ModelFile) -> Result<Program, Vec<Refusal>> {
    Program::load(file.proto(), file)
}
