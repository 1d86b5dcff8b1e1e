//! The workflow file: from YAML text to a [`Plan`](crate::Plan), with every check.
//!
//! - `file`: the Rust types of the file as it is written, the one source of schema and reference;
//! - `trigger_file`: the same for what stands under `triggers`;
//! - `load`: reads the text, runs the checks in order, builds the plan;
//! - `params`, `triggers`, `steps`, `graph`, `scope`: one kind of check each;
//! - `needs`, `foreach`, `retry`, `waiting` (approvals, groups, mutexes), `contract`: one key of a step each, its file
//!   types and its checks;
//! - `project`: what can only be seen with all workflows of a project at hand;
//! - `allow_file`: what a step may do, its file types and its checks;
//! - `bind`: parameter values of one run against the plan, `payload`: those that a message brings;
//! - `trigger_names`: what expressions may read of `trigger`;
//! - `checker`: reports problems at the place where they are written.

pub(crate) mod allow_file;
mod bind;
mod checker;
mod command;
pub(crate) mod contract;
pub(crate) mod file;
mod foreach;
mod graph;
mod label;
mod load;
pub(crate) mod needs;
mod params;
mod payload;
mod project;
pub(crate) mod retry;
mod scope;
mod steps;
pub(crate) mod trigger_file;
mod trigger_names;
mod triggers;
pub(crate) mod wait;
mod waiting;
pub(crate) mod words;

pub(crate) use allow_file::folder_problem;
pub use bind::{ParamProblem, parse_param};
pub use load::load_workflow;
pub use project::check_project;
pub(crate) use wait::EVENT_NAME;
pub use wait::is_event_name;
pub use words::is_slug as is_plugin_name;
