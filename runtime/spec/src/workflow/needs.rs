//! An entry of `needs` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::NeedOn;

/// A step that must have ended first: its name, or a mapping that says how it may have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a step's name, or a mapping with `step`")]
#[schemars(rename = "Need")]
pub(crate) struct NeedFile {
    /// The step's name.
    pub(crate) step: String,
    /// The ends that let this step start: it `succeeded`; it was `skipped` (its condition was false, it had nothing to
    /// do, or a step that it needs was skipped); it `failed` (or was blocked, or a step that it needs was). Any of those
    /// listed will do.
    #[serde(default = "default_on")]
    pub(crate) on: Vec<NeedWord>,
}

/// An end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NeedWord {
    /// It ended well.
    Succeeded,
    /// It was skipped.
    Skipped,
    /// It failed.
    Failed,
}

fn default_on() -> Vec<NeedWord> {
    vec![NeedWord::Succeeded]
}

impl From<String> for NeedFile {
    fn from(step: String) -> Self {
        Self { step, on: default_on() }
    }
}

impl NeedFile {
    pub(super) fn ends(&self) -> NeedOn {
        let has = |word| self.on.contains(&word);
        NeedOn { succeeded: has(NeedWord::Succeeded), skipped: has(NeedWord::Skipped), failed: has(NeedWord::Failed) }
    }
}
