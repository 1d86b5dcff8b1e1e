//! Bounds of one attempt of a plugin step: one table for the node's defaults, a step's own, and the checks of both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Duration};

/// One line for each limit: what it bounds, its key, its type, the default, the smallest and the largest value.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $key:ident: $kind:ty = $default:expr, $smallest:expr, $largest:expr;)*) => {
        /// Bounds of one step attempt.
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields, expecting = "a [limits] table")]
        #[schemars(rename = "NodeLimits")]
        pub struct NodeLimits {
            $($(#[doc = $doc])+ pub $key: $kind,)*
        }

        impl Default for NodeLimits {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        /// Bounds of one call of a plugin. The node's own defaults hold for what is not given.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping of limits")]
        #[schemars(rename = "Limits")]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $key: Option<$kind>,)*
            /// Instructions that the plugin may execute. Counting them makes it slower; without this key they are not
            /// counted. The same input takes the same number on every machine.
            pub fuel: Option<u64>,
        }

        impl NodeLimits {
            /// These limits with a step's own in their places.
            #[must_use]
            pub fn with(&self, own: &Limits) -> Self {
                Self { $($key: own.$key.unwrap_or(self.$key),)* }
            }

            /// Key and sentence for every value that is out of range.
            pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
                let mut problems = Vec::new();
                $(problems.extend(range(stringify!($key), self.$key, $smallest, $largest));)*
                problems
            }
        }

        impl Limits {
            /// Key and sentence for every value that is out of range.
            pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
                let mut problems = Vec::new();
                $(problems.extend(self.$key.and_then(|value| range(stringify!($key), value, $smallest, $largest)));)*
                problems.extend(self.fuel.and_then(|fuel| range("fuel", fuel, 1, u64::MAX / 2)));
                problems
            }
        }
    };
}

limits! {
    /// Memory of a plugin, all its memories together.
    memory: ByteSize = ByteSize::from_mib(64), kib(64), ByteSize::from_mib(4096);
    /// Computing time of one attempt.
    cpu: Duration = ms(10_000), ms(10), WEEK;
    /// Time of one attempt, waiting included.
    wall: Duration = ms(60_000), ms(10), WEEK;
    /// The input document of a step as JSON.
    input: ByteSize = ByteSize::from_mib(1), kib(1), ByteSize::from_mib(64);
    /// The result of a step as JSON.
    output: ByteSize = ByteSize::from_mib(1), kib(1), ByteSize::from_mib(8);
    /// How deep lists and objects may lie inside each other in the result.
    output_depth: u32 = 64, 1, 120;
    /// What a step may log; the rest is dropped and counted.
    log: ByteSize = kib(256), kib(1), ByteSize::from_mib(64);
    /// How many lines a step may log; the rest is dropped and counted.
    log_lines: u32 = 2_000, 1, 100_000;
    /// How many lines a step may log in a second; the rest is dropped and counted.
    log_rate: u32 = 1_000, 1, 100_000;
    /// All artifacts of a step together.
    artifact: ByteSize = ByteSize::from_mib(1024), kib(1), ByteSize::from_mib(1 << 24);
    /// How many artifacts a step may make.
    artifacts: u32 = 1_000, 1, 1_000_000;
    /// All state that a step writes, keys and values together.
    state: ByteSize = ByteSize::from_mib(16), kib(1), ByteSize::from_mib(64);
    /// One value that a step keeps as state.
    state_value: ByteSize = ByteSize::from_mib(1), kib(1), ByteSize::from_mib(64);
    /// How many keys of its state a step may write.
    state_entries: u32 = 1_000, 1, 100_000;
    /// All tensors that a step holds at one time.
    tensor: ByteSize = ByteSize::from_mib(256), kib(1), ByteSize::from_mib(1 << 16);
    /// How many HTTP requests a step may make.
    http_requests: u32 = 100, 1, 1_000_000;
    /// The body of an HTTP request or response.
    http_body: ByteSize = ByteSize::from_mib(16), kib(1), ByteSize::from_mib(1024);
    /// All HTTP bodies of a step together, in both directions.
    http_total: ByteSize = ByteSize::from_mib(64), kib(1), ByteSize::from_mib(1 << 20);
    /// The headers of an HTTP request or response.
    http_headers: ByteSize = kib(32), kib(8), kib(256);
    /// The longest wait for the head of an HTTP response, and for each next part of its body.
    http_timeout: Duration = ms(30_000), ms(10), WEEK;
    /// How many files a step may have delivered.
    deliveries: u32 = 1_000, 1, 100_000;
    /// Things of the host that a plugin may hold at one time: open artifacts, tensors, responses, spans.
    handles: u32 = 4_096, 16, 100_000;
    /// Elements of all tables of a plugin together.
    table: u32 = 100_000, 1, 100_000;
    /// Core modules that a plugin may consist of.
    instances: u32 = 128, 1, 128;
    /// What one call of the host may take over from the plugin's memory.
    host_call: ByteSize = ByteSize::from_mib(4), kib(64), ByteSize::from_mib(64);
}

const WEEK: Duration = ms(7 * 86_400_000);

const fn kib(kib: u64) -> ByteSize {
    ByteSize::from_bytes(kib << 10)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn range<T: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    smallest: T,
    largest: T,
) -> Option<(&'static str, String)> {
    (value < smallest || value > largest).then(|| (key, format!("between {smallest} and {largest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(NodeLimits::default().problems(), []);
        assert_eq!(Limits::default().problems(), []);
    }

    #[test]
    fn a_steps_own_limits_take_the_place_of_the_nodes() {
        let own = Limits { memory: Some(ByteSize::from_mib(7)), log_lines: Some(3), ..Limits::default() };
        let limits = NodeLimits::default().with(&own);
        assert_eq!((limits.memory, limits.log_lines), (ByteSize::from_mib(7), 3));
        assert_eq!(limits.cpu, NodeLimits::default().cpu);
        let bad = Limits { memory: Some(ByteSize::from_bytes(1)), fuel: Some(0), ..Limits::default() };
        let keys: Vec<_> = bad.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["memory", "fuel"]);
    }
}
