//! The promise: the examples do what their READMEs say, on either engine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod file_intake;
mod penguins;
mod pump_watch;
mod serve;

use serde_json::Value;

use crate::support::optional;

/// An engine, as a config asks for it.
pub struct Engine {
    /// As runs record it.
    pub name: &'static str,
    /// The lines for `trackside.toml`.
    pub config: String,
}

impl Engine {
    /// The built-in one.
    pub fn rten() -> Self {
        Self { name: "rten", config: "[engine]\nprefer = \"rten\"".to_owned() }
    }

    /// ONNX Runtime, where it is found; otherwise it is said that `what` was not run.
    #[track_caller]
    pub fn onnxruntime(what: &str) -> Option<Self> {
        let library = optional::onnxruntime(what)?;
        let config = format!("[engine]\nprefer = \"onnxruntime\"\nonnxruntime = {:?}", library.display().to_string());
        Some(Self { name: "onnxruntime", config })
    }

    /// The report of a model step must name this engine and its version.
    #[track_caller]
    pub fn did(&self, report: &Value) {
        let engine = report["engine"].as_str().unwrap_or_else(|| panic!("no engine is recorded: {report:#}"));
        let version = engine.strip_prefix(self.name).unwrap_or_else(|| panic!("{engine} is not {}", self.name));
        assert!(version.contains('.'), "no version in {engine:?}");
        assert!(report["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{report:#}");
    }
}
