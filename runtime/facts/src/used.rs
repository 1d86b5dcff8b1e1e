//! What runs used: counts that add up.

use serde::{Deserialize, Serialize};

/// What some runs used together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Runs that were accepted.
    pub runs: u64,
    /// Runs that ended well.
    pub succeeded: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were cancelled.
    pub cancelled: u64,
    /// Attempts of steps that began.
    pub attempts: u64,
    /// Their time, microseconds.
    pub wall_us: u64,
    /// Processor time of plugins, microseconds.
    pub cpu_us: u64,
    /// Time in which models computed, microseconds.
    pub model_us: u64,
    /// The most memory that one attempt of a plugin had, bytes.
    pub memory_peak: u64,
    /// Bytes of journal entries, logs and artifacts that were written.
    pub bytes_written: u64,
}

impl Used {
    /// Adds what others used.
    pub fn add(&mut self, other: &Self) {
        self.runs = self.runs.saturating_add(other.runs);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        self.cancelled = self.cancelled.saturating_add(other.cancelled);
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.wall_us = self.wall_us.saturating_add(other.wall_us);
        self.cpu_us = self.cpu_us.saturating_add(other.cpu_us);
        self.model_us = self.model_us.saturating_add(other.model_us);
        self.memory_peak = self.memory_peak.max(other.memory_peak);
        self.bytes_written = self.bytes_written.saturating_add(other.bytes_written);
    }
}
