//! Steps that tell what would have been right for a model's prediction.

use super::StepKind;
use crate::expr::Template;

/// A truth that is told.
#[derive(Debug)]
pub struct LabelCall {
    /// An object with `request`, `value` and perhaps `model`.
    pub told: Template,
}

impl StepKind for LabelCall {
    fn input(&self) -> Option<&Template> {
        Some(&self.told)
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        vec![("label", &self.told)]
    }

    // What it tells is on disk with its result, or not at all: done again it tells the same, once.
    fn impurity(&self) -> Option<&'static str> {
        None
    }
}
