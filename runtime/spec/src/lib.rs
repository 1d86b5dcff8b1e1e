//! What people write, made exact: workflow YAML and node TOML become a validated [`Plan`] and [`NodeConfig`].
//!
//! Every other room may call this one; it calls none of them. It holds the shared vocabulary (digests, artifact
//! references, tensors, durations, sizes), the expression language, and the JSON Schemas that are generated from the
//! same Rust types that parse the files. It never reads a clock, the network or a folder: callers hand in text.

pub mod artifact;
pub mod config;
pub mod delivery;
mod entries;
pub mod expr;
mod grant;
mod json_schema;
mod limits;
mod media;
mod model_folders;
mod model_ref;
pub mod oci;
mod ordered;
mod origin;
mod outside;
pub mod plan;
mod project_triggers;
mod retention;
mod reuse;
mod role;
pub mod rollout;
pub mod schema;
mod spec_error;
pub mod tensor;
pub mod topic;
mod tree;
pub mod triggers;
pub mod units;
pub mod workflow;

pub use artifact::{ArtifactRef, Digest, DigestError};
pub use config::{NodeConfig, Policy, SecretConfig, load_node_config};
pub use entries::{HttpEntry, Short};
pub use expr::{Each, Expr, ExprError, Name, Scope, Template, TemplateProblem};
pub use grant::{Allow, HttpGrant, SecretGrant};
pub use json_schema::JsonSchema;
pub use limits::{Limits, NodeLimits};
pub use media::media_type;
pub use model_folders::{MODEL_FOLDERS, MODEL_INCOMING, MODEL_REMOVED, model_folder, model_folder_digest};
pub use model_ref::{CHAMPION, ModelRef, ModelRefError, ModelVersion, check_model_alias, check_model_name};
pub use oci::{OciReference, ReferenceError};
pub use origin::{Origin, host_and_port};
pub use outside::{MAX_EVENT, OutsideError, read_outside};
pub use plan::*;
pub use project_triggers::{TriggerProblem, check_triggers};
pub use retention::{Retention, RetentionConfig, Share, ShareError};
pub use reuse::Reuse;
pub use role::{Right, Role, RoleError};
pub use rollout::{
    Gate, PerHour, Promotion, RolloutError, RolloutFile, RolloutMode, RolloutPlan, SubjectKey, load_rollout,
};
pub use schema::{node_schema, reference_markdown, scaffold_workflow, workflow_schema};
pub use spec_error::{Problem, SpecError, nearest, problem_at};
pub use tensor::{ElementType, Tensor, TensorError};
pub use tree::{YamlInput, read_toml, read_yaml};
pub use triggers::*;
pub use units::{ByteSize, Duration, UnitError};
pub use workflow::{ParamProblem, check_project, is_event_name, is_plugin_name, load_workflow, parse_param};
