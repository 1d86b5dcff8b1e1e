//! From a plugin's name in a workflow to a component that is ready to run.
//!
//! - `source`: what the name means: the lock file, the project's folder, the binary; signatures and the policy
//! - `look`: whether the files behind it have changed, without reading them
//! - `slot`: the component that steps use now, and when another takes its place
//! - `loader`: all of it, and the sandbox

mod bundled;
mod loader;
mod look;
mod problem;
mod slot;
mod source;

pub use bundled::{BUNDLED, bundled};
pub use loader::{Plugins, compiling};
pub use look::Stamp;
pub use problem::PluginProblem;
pub use source::{FoundPlugin, PluginOrigin, PluginSources, proof_beside};
