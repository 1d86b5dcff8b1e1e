//! How one file stands with a trigger.

use std::path::Path;

use serde::{Deserialize, Serialize};
use trackside_node::Handle;

use crate::client::{Client, ClientError};

/// `POST /v1/triggers/sight`: how a file stands with a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SightOf {
    /// The trigger's id.
    pub trigger: String,
    /// The file or folder, below the trigger's folder; empty for that itself.
    #[serde(default)]
    pub path: String,
}

/// The answer to [`SightOf`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightDocument {
    /// The trigger's id.
    pub trigger: String,
    /// The path that was asked about.
    pub path: String,
    /// One word: `watched`, `unwatched`, `polled`, `unreadable`, `missing`, `settling`, `under-way`, `left-alone`,
    /// `outside`, `crowded`.
    /// None when the node watches no folder for such a trigger, or is too busy to say.
    pub sight: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
}

/// How the file at this path below the folder of a trigger stands with the node.
pub async fn sight(handle: &Handle, trigger: &str, path: &str) -> SightDocument {
    let sight = handle.sight(trigger, Path::new(path)).await;
    let (sight, detail) = sight.map(|sight| (sight.name().to_owned(), sight.to_string())).unzip();
    SightDocument { trigger: trigger.to_owned(), path: path.to_owned(), sight, detail }
}

impl Client {
    /// How the file at this path below the folder of a trigger stands with the node.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn sight(&self, trigger: &str, path: &str) -> Result<SightDocument, ClientError> {
        let body = self.json(&SightOf { trigger: trigger.to_owned(), path: path.to_owned() })?;
        self.quick("/v1/triggers/sight", body).await
    }
}
