//! Artifacts that nothing refers to any more.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use trackside_store::{Artifacts, Reader, StoreError};

/// Files that are removed in one go.
const FILES: u32 = 256;
/// A file that no entry names may belong to something under way in a process of before, or be looked at by a person.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);

/// Artifacts that go.
#[derive(Debug, Default)]
pub(super) struct Freed {
    /// Their rows: those of files that are gone, and of small ones, which go with theirs.
    pub(super) rows: Vec<i64>,
    /// All bytes.
    pub(super) bytes: u64,
    /// Those that were files.
    pub(super) file_bytes: u64,
}

/// Removes files whose artifacts no run names, and finds the small ones. None when there is nothing to remove now.
///
/// # Errors
/// When the database refuses.
pub(super) fn remove_free(
    reader: &Reader,
    artifacts: &Artifacts,
    told: &mut bool,
) -> Result<Option<Freed>, StoreError> {
    // Until all are counted, one that nobody seems to name may have its name in an entry of before.
    if reader.uncounted()? > 0 {
        return Ok(None);
    }
    let (mut freed, mut after) = (Freed::default(), 0);
    let mut results = None;
    while freed.rows.is_empty() {
        let free = reader.free_artifacts(after, FILES)?;
        let Some(last) = free.last() else { return Ok(None) };
        after = last.id;
        let kept = match &results {
            Some(kept) => kept,
            None => results.insert(reader.artifacts_of_results()?),
        };
        for one in free.iter().filter(|one| !kept.contains(&one.digest)) {
            if one.is_small {
                // Asked again when the row goes.
                if !artifacts.is_held(&one.digest) {
                    freed.rows.push(one.id);
                    freed.bytes += one.bytes;
                }
                continue;
            }
            match artifacts.remove(&one.digest, reader) {
                Ok(true) => {
                    freed.rows.push(one.id);
                    freed.bytes += one.bytes;
                    freed.file_bytes += one.bytes;
                }
                // Somebody is about to refer to it.
                Ok(false) => {}
                Err(_) if *told => {}
                Err(error) => {
                    *told = true;
                    tracing::warn!(artifact = %one.digest, %error, "[TS-0213] the file of an artifact that nothing refers to can not be removed");
                }
            }
        }
    }
    Ok(Some(freed))
}

/// Removes files of one of the 256 folders that no entry names, of attempts that failed or were cut off. Gives how many and
/// their bytes.
///
/// # Errors
/// When the database refuses.
pub(super) fn remove_orphans(reader: &Reader, artifacts: &Artifacts, shard: u8) -> Result<(u64, u64), StoreError> {
    let files = match artifacts.list_shard(shard) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(shard, %error, "a folder of artifacts can not be read");
            return Ok((0, 0));
        }
    };
    let since_ms = u64::try_from(reader.counts_since()?).unwrap_or(0);
    let Some(since) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since_ms)) else { return Ok((0, 0)) };
    let (mut count, mut bytes) = (0, 0);
    // Asked for all of them: one at a time each question would go through what the index does not have yet.
    let named = if files.is_empty() { HashSet::new() } else { reader.named_in(shard)? };
    let mut results = None;
    for (digest, changed) in files {
        let is_young = SystemTime::now().duration_since(changed).is_ok_and(|age| age < ORPHAN_AGE);
        // What was there before this database may be another's, which somebody puts back.
        if is_young || changed < since || named.contains(&digest) {
            continue;
        }
        let kept = match &results {
            Some(kept) => kept,
            None => results.insert(reader.artifacts_of_results()?),
        };
        let size = artifacts.size_of(&digest).unwrap_or(0);
        if !kept.contains(&digest) && artifacts.remove(&digest, reader).unwrap_or(false) {
            count += 1;
            bytes += size;
        }
    }
    Ok((count, bytes))
}
