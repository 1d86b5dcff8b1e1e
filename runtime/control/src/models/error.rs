//! Why the registry was left as it is.

use trackside_codes::{Class, Code, Coded, code};
use trackside_models::{ProbeError, package::PackageError};
use trackside_node::NodeError;
use trackside_packages::{RegistryError, oms::OmsError};
use trackside_spec::ModelRefError;
use trackside_store::{StoreError, Unresolved};

use crate::{drift::DriftError, tokens::TokenError};

/// Why the registry of models was left as it is, or a question about it has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A name, an alias or a reference that is none.
    #[error(transparent)]
    Reference(#[from] ModelRefError),
    /// There is no such model, version or alias.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The files.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its signature.
    #[error(transparent)]
    Signature(#[from] OmsError),
    /// The registry that it comes from.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The model itself.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The project declares it.
    #[error(
        "[{code}] trackside.toml declares the model `{name}` with a path, and a name means one of the two; take another name, or \
         take the table [models.{name}] out first", code = self.code()
    )]
    Declared {
        /// The name.
        name: String,
    },
    /// Aliases name the version that was to be removed.
    #[error(
        "[{code}] version {version} of the model `{name}` is not removed: {} {} it; move {} first: `trackside model alias {name} {} \
         VERSION`, or `--delete` instead of the version", list(aliases), if aliases.len() == 1 { "names" } else { "name" },
        if aliases.len() == 1 { "that alias" } else { "those aliases" }, aliases.first().map_or("", String::as_str),
        code = self.code()
    )]
    Named {
        /// The model.
        name: String,
        /// The version.
        version: u32,
        /// What names it.
        aliases: Vec<String>,
    },
    /// A rollout needs the version.
    #[error(
        "[{code}] version {version} of the model `{name}` is not removed: rollout {rollout} needs it; `trackside rollout abort {name}` \
         ends that", code = self.code()
    )]
    InRollout {
        /// The model.
        name: String,
        /// The version.
        version: u32,
        /// Which rollout.
        rollout: i64,
    },
    /// There is nothing to go back to.
    #[error("[{code}] the alias `{alias}` of the model `{name}` can not be moved back: {reason}", code = self.code())]
    NothingBefore {
        /// The model.
        name: String,
        /// The alias.
        alias: String,
        /// Why.
        reason: String,
    },
    /// A token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Drift.
    #[error(transparent)]
    Drift(#[from] DriftError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is going down.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl ModelsError {
    fn inner(&self) -> Option<&dyn Coded> {
        Some(match self {
            Self::Reference(error) => error,
            Self::Unresolved(error) => error,
            Self::Package(error) => error,
            Self::Signature(error) => error,
            Self::Registry(error) => error,
            Self::Probe(error) => error,
            Self::Token(error) => error,
            Self::Drift(error) => error,
            Self::Store(error) => error,
            Self::Node(error) => error,
            Self::Declared { .. } | Self::Named { .. } | Self::InRollout { .. } | Self::NothingBefore { .. } => {
                return None;
            }
        })
    }
}

impl Coded for ModelsError {
    fn code(&self) -> Code {
        match self {
            Self::Declared { .. } => code!("TS-0554"),
            Self::Named { .. } => code!("TS-0553"),
            Self::InRollout { .. } => code!("TS-1008"),
            Self::NothingBefore { .. } => code!("TS-0560"),
            _ => self.inner().map_or(code!("TS-0720"), Coded::code),
        }
    }

    fn class(&self) -> Class {
        self.inner().map_or_else(|| self.code().class(), Coded::class)
    }
}

fn list(aliases: &[String]) -> String {
    let names: Vec<String> = aliases.iter().map(|alias| format!("`{alias}`")).collect();
    names.join(", ")
}
