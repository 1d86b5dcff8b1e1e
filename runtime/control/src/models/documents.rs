//! What the operations on models take and answer, over the socket and in process.

use serde::{Deserialize, Serialize};
use trackside_models::ProbeWarning;
use trackside_packages::ModelSigner;
use trackside_spec::Digest;

/// `POST /v1/models/{name}/versions`: what is said besides the archive, in the query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddModel {
    /// The model's name.
    pub name: String,
    /// The aliases that name the version from now on.
    pub aliases: Vec<String>,
}

/// The answer to [`AddModel`]: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelAdded {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Of its manifest.
    pub digest: Digest,
    /// Bytes of its files.
    pub bytes: u64,
    /// Whether it is a new one; the same content has one version of a name.
    pub added: bool,
    /// The aliases that name another version than before.
    pub moved: Vec<AliasMoved>,
    /// The engine that it was tested on; none where it was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// How it was tested: `sample`, `made-up`, `not`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<String>,
    /// Who has signed it, of those who count here; none where nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<ModelSigner>,
    /// What an operator should know.
    #[serde(default)]
    pub caveats: Vec<String>,
    /// What may make its numbers wrong on this box.
    #[serde(default)]
    pub warnings: Vec<ProbeWarning>,
}

/// `POST /v1/models/{name}/aliases/{alias}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveAlias {
    /// What it names from now on; null removes it.
    pub version: Option<u32>,
}

/// The answer to [`MoveAlias`] and to a roll back: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasMoved {
    /// The model's name.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// What it named before.
    pub from: Option<u32>,
    /// What it names now.
    pub to: Option<u32>,
}

/// The answer to `POST /v1/models/{name}/versions/{version}/remove`: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRemoved {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Of its manifest.
    pub digest: Digest,
}
