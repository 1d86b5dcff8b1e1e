//! How often a kernel that loops asks whether the run is to end.

use crate::kernel::{Fault, Run};

/// Elements between two questions: a few milliseconds.
pub(crate) const STRETCH: usize = 1 << 20;

/// Counts work.
#[derive(Default)]
pub(crate) struct Pace(usize);

impl Pace {
    /// Some work is done: ends the kernel when the run is to end.
    pub(crate) fn after(&mut self, work: usize, run: &Run<'_>) -> Result<(), Fault> {
        self.0 = self.0.saturating_add(work);
        if self.0 < STRETCH {
            return Ok(());
        }
        self.0 = 0;
        run.go_on()
    }
}
