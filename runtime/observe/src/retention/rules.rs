//! What is to be kept, and for how long.

use std::collections::BTreeMap;

use trackside_spec::{Retention, RetentionConfig};

/// What holds on a box.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The node's.
    pub config: RetentionConfig,
    /// What workflows say themselves, by name. One that is gone is kept as the node says.
    pub workflows: BTreeMap<String, Retention>,
}

/// The rules of one workflow, in milliseconds and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Runs that ended longer ago go.
    pub age_ms: Option<i64>,
    /// More ended runs are not kept.
    pub runs: u64,
    /// Nor more bytes of them.
    pub bytes: u64,
    /// Their logs go earlier.
    pub logs_ms: Option<i64>,
    /// Their artifacts go earlier.
    pub artifacts_ms: Option<i64>,
}

impl Rules {
    /// What holds for a workflow.
    #[must_use]
    pub fn of(&self, workflow: &str) -> Resolved {
        let own = self.workflows.get(workflow).copied().unwrap_or_default();
        let rules = own.or(self.config.of_workflows());
        let ms = |time: trackside_spec::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Resolved {
            age_ms: rules.age.map(ms),
            runs: rules.runs.unwrap_or(u64::MAX).max(1),
            bytes: rules.bytes.map_or(u64::MAX, trackside_spec::ByteSize::as_bytes),
            logs_ms: rules.logs.map(ms),
            artifacts_ms: rules.artifacts.map(ms),
        }
    }
}
