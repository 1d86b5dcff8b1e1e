//! The Rust types of `trackside.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    HttpConfig, HttpServerConfig, InferenceConfig, ModelConfig, ModelLimitsConfig, MqttConfig, PluginsConfig, Policy,
    RegistryConfig, SecretConfig,
};
use crate::{limits::NodeLimits, retention::RetentionConfig, units::ByteSize};

/// The settings of one box. An empty file is a complete one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the settings of a node")]
#[schemars(title = "Trackside node")]
pub struct NodeConfig {
    /// The node itself.
    pub node: NodeSection,
    /// Bounds of every step. A workflow can set its own for a step.
    pub limits: NodeLimits,
    /// How steps call out.
    pub http: HttpConfig,
    /// What the node listens on besides its socket.
    pub http_server: HttpServerConfig,
    /// Secrets by the name that workflows use.
    pub secrets: BTreeMap<String, SecretConfig>,
    /// Brokers by the name that MQTT triggers use.
    pub mqtt: BTreeMap<String, MqttConfig>,
    /// What is kept of runs that have ended, and for how long.
    pub retention: RetentionConfig,
    /// What runs ONNX models.
    pub engine: EngineConfig,
    /// Models by the name that workflows and clients use.
    pub models: BTreeMap<String, ModelConfig>,
    /// What a model may be that this box takes.
    pub model_limits: ModelLimitsConfig,
    /// What serves models to clients outside.
    pub inference: InferenceConfig,
    /// Installed plugins.
    pub plugins: PluginsConfig,
    /// Registries by their host.
    pub registries: BTreeMap<String, RegistryConfig>,
    /// What no workflow on this box may go beyond, whatever its `allow` says.
    pub policy: Policy,
}

/// The node itself. Relative paths start at the folder of `trackside.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a [node] table")]
#[schemars(rename = "Node")]
pub struct NodeSection {
    /// The node's name in logs and journals. Without one it is the machine's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The folder of the database and the artifacts.
    pub data: String,
    /// The folder of the workflow files.
    pub workflows: String,
    /// The folder of the project's own plugins.
    pub plugins: String,
    /// `full`: nothing acknowledged is lost in a power cut. `relaxed`: at most the last second is done again.
    pub durability: Durability,
    /// Free space that artifacts leave on their file system, so that the database can go on; `0B` is none.
    pub min_free: ByteSize,
    /// How many steps run at the same time; 0 is twice the number of cores.
    #[schemars(range(max = 4096))]
    pub max_steps: u32,
    /// How much the node says on standard error.
    pub log: LogLevel,
}

impl Default for NodeSection {
    fn default() -> Self {
        Self {
            name: None,
            data: ".trackside".to_owned(),
            workflows: "workflows".to_owned(),
            plugins: "plugins".to_owned(),
            durability: Durability::default(),
            min_free: ByteSize::from_mib(64),
            max_steps: 0,
            log: LogLevel::default(),
        }
    }
}

/// What a power cut may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing that was acknowledged.
    #[default]
    Full,
    /// The last second, which is done again.
    Relaxed,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The level's name in lower case, as log filters take it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What runs ONNX models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "an [engine] table")]
#[schemars(rename = "Engine")]
pub struct EngineConfig {
    /// Path of ONNX Runtime's library. Without it the usual places are searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnxruntime: Option<String>,
    /// The engine of models that choose none. `auto`: ONNX Runtime where its library is found, otherwise the built-in
    /// one if the model passes its self-test there.
    pub prefer: EngineChoice,
    /// What computes on ONNX Runtime besides the processor, the first that can do an operator doing it: `cuda`, `tensorrt`, `openvino`,
    /// `xnnpack`, `qnn`. The library must have it; where it has not, that is told and the processor computes.
    pub providers: Vec<Provider>,
    /// Memory that loaded models may take together, about: those that were used longest ago leave first, one in use stays. Without it,
    /// half of the box's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
}

/// An execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// NVIDIA's processors.
    Cuda,
    /// NVIDIA's, by way of TensorRT.
    TensorRt,
    /// Intel's.
    OpenVino,
    /// Quick kernels for ARM and x86.
    Xnnpack,
    /// Qualcomm's.
    Qnn,
    /// The processor, by ONNX Runtime's own kernels: always the last.
    Cpu,
}

impl Provider {
    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::Xnnpack => "xnnpack",
            Self::Qnn => "qnn",
            Self::Cpu => "cpu",
        }
    }
}

/// The engine of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// The best one that can run the model.
    #[default]
    Auto,
    /// ONNX Runtime.
    OnnxRuntime,
    /// The built-in engine.
    Rten,
}
