//! What a model may be, and what looking at one that nobody knows yet may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Duration};

/// Bounds of the models that this box takes. `memory`, `cpu` and `wall` hold for the process that reads, loads and tests a model before
/// the registry takes it. The others hold for what comes into the registry, and for the files of models that are declared with a `path`;
/// what is in the registry stays usable when they are lowered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a [model_limits] table")]
#[schemars(rename = "ModelLimits")]
pub struct ModelLimitsConfig {
    /// Memory of the process that looks at a model. Without it, half of the box's, 4GiB at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Computing time of that process, all its threads together. Without it, `wall` on each core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Duration>,
    /// Time of that process. Without it, two minutes and `[limits] wall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<Duration>,
    /// Files of one version of a model.
    #[schemars(range(min = 1, max = 10_000))]
    pub files: u32,
    /// Bytes of all files of a model.
    pub bytes: ByteSize,
    /// Weight files that a model names beside itself.
    #[schemars(range(max = 10_000))]
    pub weights: u32,
    /// Bytes of a path in a version's folder.
    #[schemars(range(min = 8, max = 155))]
    pub path: u32,
    /// Folders in each other in a version's folder, its own counted.
    #[schemars(range(min = 1, max = 64))]
    pub depth: u32,
    /// Bytes of the manifest, in which stand all files, inputs, outputs and the model's metadata.
    pub manifest: ByteSize,
    /// Bytes of the signatures of a version, all together.
    pub signatures: ByteSize,
    /// Bytes of the golden vectors of a model.
    pub golden: ByteSize,
}

impl Default for ModelLimitsConfig {
    fn default() -> Self {
        Self {
            memory: None,
            cpu: None,
            wall: None,
            files: 256,
            bytes: ByteSize::from_mib(2048),
            weights: 64,
            path: 155,
            depth: 8,
            manifest: ByteSize::from_mib(1),
            signatures: ByteSize::from_mib(24),
            golden: ByteSize::from_mib(1024),
        }
    }
}

impl ModelLimitsConfig {
    /// The largest of everything: what was taken under any limits is within these.
    pub const MOST: Self = Self {
        memory: None,
        cpu: None,
        wall: None,
        files: 10_000,
        bytes: ByteSize::from_mib(1 << 20),
        weights: 10_000,
        path: 155,
        depth: 64,
        manifest: ByteSize::from_mib(16),
        signatures: ByteSize::from_mib(64),
        golden: ByteSize::from_mib(16 << 10),
    };

    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        fn within<T: PartialOrd + std::fmt::Display>(
            key: &'static str,
            value: Option<T>,
            (least, most): (T, T),
        ) -> Option<(&'static str, String)> {
            let value = value?;
            (value < least || value > most).then(|| (key, format!("between {least} and {most}")))
        }
        let most = Self::MOST;
        let times = (Duration::from_millis(1_000), Duration::from_millis(86_400_000));
        let kib = ByteSize::from_bytes(1024);
        let problems = [
            within("memory", self.memory, (ByteSize::from_mib(64), ByteSize::from_mib(1 << 20))),
            within("cpu", self.cpu, times),
            within("wall", self.wall, times),
            within("files", Some(self.files), (1, most.files)),
            within("bytes", Some(self.bytes), (kib, most.bytes)),
            within("weights", Some(self.weights), (0, most.weights)),
            within("path", Some(self.path), (8, most.path)),
            within("depth", Some(self.depth), (1, most.depth)),
            within("manifest", Some(self.manifest), (kib, most.manifest)),
            within("signatures", Some(self.signatures), (kib, most.signatures)),
            within("golden", Some(self.golden), (ByteSize::from_bytes(256), most.golden)),
        ];
        problems.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_so_is_the_largest() {
        assert_eq!(ModelLimitsConfig::default().problems(), []);
        assert_eq!(ModelLimitsConfig::MOST.problems(), []);
    }
}
