//! The registry of models: what can be done with it, on a node and on a folder that no node has, and what can be asked.
//!
//! - `given`: from a path on this box to what is added
//! - `place`: where it is done
//! - `add`, `change`: the operations, the same for both places
//! - `ask`: what there is and what there was, on a reader and the folders
//! - `travel`: a model in one file
//! - `verify`: whether the files are still what they were
//! - `signing`: signatures, found, made and looked at
//! - `pull`: models from the registries of plugins
//! - `documents`: what operations and questions answer
//! - `remote`: the operations over the socket
//! - `retest`: golden vectors on another engine
//! - `bounds`: what bounds a model
//! - `served`: what a node has in service, and loading anew

mod add;
mod ask;
mod bounds;
mod change;
mod documents;
mod error;
mod given;
mod place;
mod pull;
mod remote;
mod retest;
mod served;
mod signing;
mod travel;
mod verify;

pub use add::add_model;
pub use ask::{
    Change, DiffDocument, EntryDocument, ModelAtDocument, ModelDocument, VersionDocument, diff_models, list_models,
    model_at, model_history, model_package, show_model,
};
pub use bounds::{ClientBounds, EngineBounds, FileBounds, ModelBounds, StepBounds, model_bounds};
pub use change::{move_model_alias, remove_model, roll_back_model};
pub use documents::{AddModel, AliasMoved, ModelAdded, ModelRemoved, MoveAlias};
pub use error::ModelsError;
pub use given::{GivenVersion, given_archive, given_versions, triton_models, triton_name};
pub use place::ModelPlace;
pub use pull::{PulledModel, pull_model};
pub use retest::{Retested, retest_models};
pub use served::{LoadModelError, ServedLimits, ServedModel, ServedVersion, load_model, served_models};
pub use signing::{MadeSignature, VerifiedModel, VerifiedSignature, sign_model, verify_model};
pub use travel::export_model;
pub use verify::{ModelCheck, ModelFault, check_models};

pub(crate) use remote::quoted;

use std::io::Read;

use trackside_models::package::Draft;

/// A model that is given to the registry.
pub enum GivenModel {
    /// Files of this box.
    Draft(Box<Draft>),
    /// An archive.
    Archive(Box<dyn Read + Send>),
}

impl std::fmt::Debug for GivenModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Draft(draft) => draft.fmt(f),
            Self::Archive(_) => f.write_str("an archive"),
        }
    }
}
