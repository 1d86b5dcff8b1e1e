//! What a run of the built-in engine may hold.

use std::fs;

/// Most bytes that the values of one run may take, however large the box is: as much as a model's file may have.
const MOST: u64 = 2 << 30;

/// Half of the box's memory, at most [`MOST`]: a model whose shapes ask for more gets an error and not the box.
pub(crate) fn run_memory() -> usize {
    let half = box_memory().map_or(MOST, |bytes| bytes / 2);
    usize::try_from(half.min(MOST)).unwrap_or(usize::MAX)
}

/// Bytes of memory that the box has, where the system says it.
#[must_use]
pub fn box_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}
