//! Percentiles, counters of this process, and what can go wrong.

use std::fs;

use super::Figure;

/// Why a measurement could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The system.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The node.
    #[error("{0}")]
    Node(#[from] trackside_node::NodeError),
    /// Anything else, said in words.
    #[error("{0}")]
    Other(String),
}

pub fn figure(key: &'static str, label: &'static str, unit: &'static str, value: f64) -> Figure {
    Figure { key, label, unit, value }
}

/// The smallest sample that at least `share` of all samples do not exceed (nearest rank).
pub fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let rank = (samples.len() as f64 * share).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// CPU seconds of this process so far, all threads, user and system.
pub fn cpu_seconds() -> f64 {
    cpu_seconds_of(std::process::id())
}

/// CPU seconds of a process so far, all threads, user and system.
pub fn cpu_seconds_of(process: u32) -> f64 {
    let ticks = fs::read_to_string(format!("/proc/{process}/stat")).ok().and_then(|text| {
        // Fields 14 and 15 (proc(5)); the second field is in parentheses and may hold spaces.
        let after = text.rsplit_once(')')?.1;
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    });
    ticks.map_or(f64::NAN, |ticks| ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// Bytes that this process has sent towards the disk so far: `write_bytes` of proc(5), pages made dirty.
pub fn written_bytes() -> f64 {
    let text = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN)
}

/// Memory of a process that is in RAM.
pub fn resident_mib(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let mut samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut samples, 0.5), 50.0);
        assert_eq!(percentile(&mut samples, 0.99), 99.0);
        assert_eq!(percentile(&mut [7.0], 0.5), 7.0);
        assert!(percentile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn the_counters_of_this_process_can_be_read() {
        assert!(cpu_seconds() >= 0.0);
        assert!(written_bytes() >= 0.0);
    }
}
