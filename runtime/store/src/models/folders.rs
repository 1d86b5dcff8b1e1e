//! Folders of models, and what a crash left among them.
//!
//! A folder is there before its row, and goes after it. So one without a row is of a crash between the two, or of one that was under
//! way, and is removed when the data folder is opened for writing: nothing else can write there then.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, params};
use trackside_spec::{Digest, MODEL_FOLDERS, MODEL_INCOMING, MODEL_REMOVED, model_folder_digest};

use crate::error::StoreError;

/// Removes what has no row. What it can not remove is told and stays: it harms nobody.
pub(crate) fn sweep(data_dir: &Path, database: &Connection) -> Result<(), StoreError> {
    let folder = data_dir.join(MODEL_FOLDERS);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io("read", folder)(error)),
    };
    let born: i64 = database
        .query_row("SELECT at_ms FROM born", [], |row| row.get(0))
        .map_err(StoreError::sqlite("find when it was made"))?;
    for entry in entries {
        let entry = entry.map_err(StoreError::io("read", &folder))?;
        let (name, path) = (entry.file_name(), entry.path());
        let Some(name) = name.to_str() else { continue };
        let is_orphan = if name.starts_with(MODEL_INCOMING) || name.starts_with(MODEL_REMOVED) {
            true
        } else if let Some(digest) = model_folder_digest(name) {
            // Of a database that lay here before, and was lost: whoever puts it back finds its models again.
            !has_row(database, &digest)? && is_younger(&path, born)
        } else {
            false
        };
        if is_orphan && let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(folder = %path.display(), %error, "what a crash left of a model can not be removed now");
        }
    }
    Ok(())
}

fn has_row(database: &Connection, digest: &Digest) -> Result<bool, StoreError> {
    database
        .prepare_cached("SELECT 1 FROM model_versions WHERE digest = ?1")
        .and_then(|mut query| query.exists(params![digest.as_bytes()]))
        .map_err(StoreError::sqlite("look for a model"))
}

fn is_younger(path: &Path, born_ms: i64) -> bool {
    let Ok(changed) = fs::symlink_metadata(path).and_then(|found| found.modified()) else { return false };
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i64::try_from(since(changed)).unwrap_or(i64::MAX) >= born_ms
}
