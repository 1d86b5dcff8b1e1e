//! What a plugin's author works with: a project is made from a template, built into a component, and tested against
//! cases in files, with fakes for everything that the node would give it.
//!
//! The CLI calls this room. It knows the sandbox and the vocabulary, and nothing of the node: what passes here passes
//! there because both run the plugin in the same sandbox.

mod build;
pub mod case;
mod compare;
mod encode;
mod error;
mod fakes;
mod manifest;
mod run;
mod script;
mod template;
mod watch;

pub use build::{Built, build, install_file};
pub use case::Case;
pub use encode::{Encoded, Kind, encode};
pub use error::KitError;
pub use manifest::{MANIFEST, Manifest};
pub use run::{CaseResult, run_case};
pub use template::{Language, NewProject, create};
pub use watch::Sources;
