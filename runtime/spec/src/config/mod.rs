//! `trackside.toml`: the settings of one box.
//!
//! Every key here is one that the node enforces; there are no others. The comments on the fields become the JSON
//! Schema's descriptions and the reference page.

mod drift;
mod feedback;
mod file;
mod found;
mod load;
mod model_limits;
mod models;
mod mqtt;
mod outside;
mod plugins;
mod policy;
mod samples;

pub use drift::DriftConfig;
pub use feedback::{AnswerKind, FeedbackConfig};
pub use file::{Durability, EngineChoice, EngineConfig, LogLevel, NodeConfig, NodeSection, Provider};
pub use found::config_problems;
pub use load::load_node_config;
pub use model_limits::ModelLimitsConfig;
pub use models::{BatchingConfig, BreakerConfig, InferenceConfig, LoadTime, ModelConfig};
pub use mqtt::{MqttConfig, MqttVersion};
pub use outside::{HttpConfig, HttpServerConfig, SecretConfig};
pub use plugins::{PluginsConfig, RegistryConfig};
pub use policy::Policy;
pub use samples::SamplesConfig;
