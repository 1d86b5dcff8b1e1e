//! What a run of the built-in engine may hold.

use std::fs;

/// Most bytes that the values of one run may take, however large the box is: as much as a model's file may have.
const MOST: u64 = 2 << 30;

/// Half of the box's memory, where that is known.
#[must_use]
pub fn half_of_box() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    total.map(|kib: u64| kib.saturating_mul(1024) / 2)
}

/// Half of the box's memory, at most [`MOST`]: a model whose shapes ask for more gets an error and not the box.
pub(crate) fn run_memory() -> usize {
    usize::try_from(half_of_box().unwrap_or(MOST).min(MOST)).unwrap_or(usize::MAX)
}
