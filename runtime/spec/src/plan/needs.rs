//! Which ends of a step let the steps after it start.

use super::StepIndex;

/// A step that another one needs, and the ends that let the other one start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The step that must have ended.
    pub step: StepIndex,
    /// How it must have ended.
    pub on: NeedOn,
}

impl Need {
    /// The step must have ended well.
    #[must_use]
    pub const fn succeeded(step: StepIndex) -> Self {
        Self { step, on: NeedOn { succeeded: true, skipped: false, failed: false } }
    }

    /// The index of the needed step for slices.
    #[must_use]
    pub const fn get(self) -> usize {
        self.step.get()
    }
}

/// Ends of a needed step that let the step start. At least one is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedOn {
    /// It ended well.
    pub succeeded: bool,
    /// Its condition was false, it said that there was nothing to do, or a step that it needs was skipped.
    pub skipped: bool,
    /// It failed or was blocked, or a step that it needs did.
    pub failed: bool,
}
