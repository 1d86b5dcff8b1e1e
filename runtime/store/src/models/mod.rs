//! The registry of models: names, versions, aliases, and where the files of a version lie.
//!
//! - `rows`: what is written, each row with its entry of the journal
//! - `ask`: models, versions and aliases as they are now
//! - `past`: what the journal says of a model
//! - `folders`: what a crash left among the folders of models

mod ask;
mod folders;
mod past;
mod pulls;
mod rows;

pub use ask::{ModelAliasRow, ModelRow, ModelVersionRow, ResolvedModel, TestedRow, Unresolved};
pub use past::{AliasAt, ModelAt};
pub use rows::{AddedModel, MovedAlias, TestedModel};

pub(crate) use folders::sweep;
pub(crate) use pulls::sweep as sweep_pulls;
pub use pulls::{PULL_FOLDER, PullTurn, clear_pulls, pull_turn};
pub(crate) use rows::{add, move_alias, remove, tested};
