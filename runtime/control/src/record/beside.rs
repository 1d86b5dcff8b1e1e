//! Where the artifacts of a case go: into it, or into files beside it.

use std::{fs, io::Read};

use serde_json::{Value, json};
use trackside_engine::RunId;
use trackside_node::Project;
use trackside_spec::{ArtifactRef, Digest};
use trackside_store::Artifacts;

use super::RecordError;

/// Artifacts up to this many bytes that are text stand in the case itself.
const INLINE: u64 = 2048;
/// Larger artifacts are not copied into a plugin's source tree.
const LARGEST: u64 = 64 << 20;

/// Keeps a file of a case, under a path beside that.
pub type KeepFile<'k, E> = dyn FnMut(&str, &[u8]) -> Result<(), E> + 'k;

/// Takes what a case needs.
pub(super) struct Beside<'k, E> {
    /// The run that it is made of.
    pub(super) run: RunId,
    /// The name of the case.
    pub(super) name: &'k str,
    pub(super) project: &'k Project,
    pub(super) store: Artifacts,
    pub(super) keep: &'k mut KeepFile<'k, E>,
}

impl<E: From<RecordError>> Beside<'_, E> {
    fn artifact(&mut self, artifact: &ArtifactRef) -> Result<Value, E> {
        let gone = |error| RecordError::Artifact { digest: artifact.digest, error };
        let file = self.store.open_artifact(&artifact.digest).map_err(gone)?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(gone)?;
        self.content(&bytes, &artifact.name, &artifact.media_type)
    }

    pub(super) fn content(&mut self, bytes: &[u8], name: &str, media_type: &str) -> Result<Value, E> {
        let size = bytes.len() as u64;
        if size > LARGEST {
            let reason = format!("its artifact `{name}` is larger than {LARGEST} bytes; record a run of smaller data");
            return Err(RecordError::NoCase { run: self.run, reason }.into());
        }
        let mut content = json!({ "name": name, "media_type": media_type });
        match std::str::from_utf8(bytes) {
            Ok(text) if size <= INLINE => content["text"] = text.into(),
            _ => {
                let safe: String =
                    name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
                let digest = Digest::of(bytes);
                let file = format!("{}/{}-{}", self.name, digest.short(), safe.trim_start_matches('.'));
                (self.keep)(&file, bytes)?;
                content["file"] = file.into();
            }
        }
        Ok(content)
    }

    /// An input port's value: artifacts of the store, or a file of the project that is named as it is.
    pub(super) fn port(&mut self, value: &Value) -> Result<Option<Value>, E> {
        if let Some(artifact) = ArtifactRef::from_json(value) {
            return self.artifact(&artifact).map(Some);
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                let artifacts: Option<Vec<ArtifactRef>> = items.iter().map(ArtifactRef::from_json).collect();
                let Some(artifacts) = artifacts else { return Ok(None) };
                let contents: Result<Vec<Value>, E> =
                    artifacts.iter().map(|artifact| self.artifact(artifact)).collect();
                contents.map(|contents| Some(contents.into()))
            }
            Value::String(path) => {
                let full = self.project.root.join(path);
                let Ok(bytes) = fs::read(&full) else { return Ok(None) };
                let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.content(&bytes, &name, "application/octet-stream").map(Some)
            }
            _ => Ok(None),
        }
    }
}
