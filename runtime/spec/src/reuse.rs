//! Keeping a plugin's instance for the next attempts of its step.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Duration;

const MOST_RUNS: u32 = 1_000_000;
const SHORTEST_IDLE: Duration = Duration::from_millis(100);
const LONGEST_IDLE: Duration = Duration::from_millis(86_400_000);

/// How long the instance of a plugin step is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `runs`")]
#[schemars(rename = "Reuse")]
pub struct Reuse {
    /// How many attempts one instance serves, the first included.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub runs: u32,
    /// How long an instance waits for the next attempt.
    #[serde(default = "default_idle")]
    pub idle: Duration,
}

fn default_idle() -> Duration {
    Duration::from_millis(60_000)
}

impl Reuse {
    /// Key and sentence for every value that is out of range.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(2..=MOST_RUNS).contains(&self.runs) {
            problems
                .push(("runs", format!("between 2 and {MOST_RUNS}; without `reuse` an instance serves one attempt")));
        }
        if !(SHORTEST_IDLE..=LONGEST_IDLE).contains(&self.idle) {
            problems.push(("idle", format!("between {SHORTEST_IDLE} and {LONGEST_IDLE}")));
        }
        problems
    }
}
