//! The bound on the work of one evaluation.

use std::cell::Cell;

use super::error::Fault;

/// Units of work that one expression or one template may use: about ten milliseconds on a small board.
const UNITS: u64 = 1_000_000;

/// Bytes of text that cost one unit.
const BYTES_PER_UNIT: usize = 16;

/// Counts down the work that is left.
pub(super) struct Budget(Cell<u64>);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Cell::new(UNITS))
    }

    /// Takes `units`.
    pub(super) fn take(&self, units: usize) -> Result<(), Fault> {
        match self.0.get().checked_sub(units as u64) {
            Some(rest) => {
                self.0.set(rest);
                Ok(())
            }
            None => Err(Fault::Limit(
                "it needs more work than one expression may do (1,000,000 steps); move the work into a plugin step",
            )),
        }
    }

    /// Takes what reading or writing `bytes` of text costs.
    pub(super) fn take_bytes(&self, bytes: usize) -> Result<(), Fault> {
        self.take(1 + bytes / BYTES_PER_UNIT)
    }
}
