//! What is kept between runs.

use serde::{Deserialize, Serialize};

/// Whether a breach lasts, and how long values have been out of bounds.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// A breach was declared and has not ended.
    pub breach: bool,
    /// Runs in a row that were out of bounds.
    pub consecutive: u32,
}

impl Memory {
    /// Notes one more judgement. A breach begins after `needed` in a row and ends with the first that is inside.
    pub fn note(&mut self, out: bool, needed: u32) {
        self.consecutive = if out { self.consecutive.saturating_add(1) } else { 0 };
        self.breach = out && (self.breach || self.consecutive >= needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_needs_enough_in_a_row_and_ends_at_once() {
        let mut memory = Memory::default();
        let seen: Vec<bool> = [true, true, false, true, true, true, true, false]
            .map(|out| {
                memory.note(out, 3);
                memory.breach
            })
            .into();
        assert_eq!(seen, [false, false, false, false, false, true, true, false]);
    }
}
