//! Which artifacts the journal names. Counted in the transaction of the entry that names them, so that the count is never
//! behind what is on disk.

use std::collections::HashSet;

use rusqlite::{Transaction, params};
use trackside_engine::RunId;
use trackside_spec::Digest;

use crate::{
    contents::Contents,
    digests::{BETWEEN, Look},
    error::StoreError,
    read::Reader,
};

/// An artifact that no run names any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeArtifact {
    /// Its row.
    pub id: i64,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// Whether it stands in the database, and is no file.
    pub is_small: bool,
}

/// Counts what an entry or an effect of the run names.
pub(crate) fn count(
    txn: &Transaction<'_>,
    contents: &mut Contents<'_>,
    run: RunId,
    named: impl IntoIterator<Item = Digest>,
) -> rusqlite::Result<()> {
    for digest in named {
        let Some(row) = contents.row(txn, &digest, 1)? else { continue };
        let new = txn
            .prepare_cached("INSERT INTO artifact_refs (run, artifact) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![run.as_i64(), row.id])?;
        if new > 0 && !row.is_new {
            txn.prepare_cached("UPDATE artifacts SET refs = refs + 1 WHERE id = ?1")?.execute([row.id])?;
        }
    }
    Ok(())
}

/// The run names nothing any more.
pub(crate) fn release(txn: &Transaction<'_>, run: RunId) -> rusqlite::Result<()> {
    let mut named = txn.prepare_cached("DELETE FROM artifact_refs WHERE run = ?1 RETURNING artifact")?;
    let named: Vec<i64> = named.query_map([run.as_i64()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for id in named {
        txn.prepare_cached("UPDATE artifacts SET refs = refs - 1 WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

impl Reader {
    /// Artifacts that no run names, from the row `after` on. Kept results may still need them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn free_artifacts(&self, after: i64, limit: u32) -> Result<Vec<FreeArtifact>, StoreError> {
        if !self.has_table("artifacts")? {
            return Ok(Vec::new());
        }
        let is_small = if self.has_contents()? { "content IS NOT NULL" } else { "0" };
        self.rows(
            &format!(
                "SELECT id, digest, bytes, {is_small} FROM artifacts WHERE refs = 0 AND id > ?1 ORDER BY id LIMIT ?2"
            ),
            params![after, limit],
            |row| {
                Ok(FreeArtifact {
                    id: row.get(0)?,
                    digest: Digest::from_bytes(row.get(1)?),
                    bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                    is_small: row.get(3)?,
                })
            },
        )
    }

    /// The artifacts that the journal names and whose digests begin with this byte.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn named_in(&self, shard: u8) -> Result<HashSet<Digest>, StoreError> {
        let place = if self.has_table("late_digests")? { BETWEEN } else { "digest BETWEEN ?1 AND ?2" };
        let end = |byte| {
            let mut digest = [byte; 32];
            digest[0] = shard;
            digest
        };
        let query = format!("SELECT digest FROM artifacts WHERE {place}");
        let named = self.rows(&query, [end(0), end(u8::MAX)], |row| Ok(Digest::from_bytes(row.get(0)?)))?;
        Ok(named.into_iter().collect())
    }

    /// Whether a run refers to this artifact.
    pub(crate) fn is_referred_to(&self, digest: &Digest, look: &Look) -> Result<bool, StoreError> {
        Ok(self.artifact(digest, look, "refs > 0", |row| row.get(0))?.unwrap_or(false))
    }

    /// Since when this database counts artifacts, milliseconds since 1970: a file that nothing names and that is older may
    /// belong to another database that lay here before.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn counts_since(&self) -> Result<i64, StoreError> {
        let found = self.rows("SELECT at_ms FROM born", [], |row| row.get(0))?;
        Ok(found.first().copied().unwrap_or(i64::MAX))
    }

    /// Bytes of all files of artifacts that the journal names. Small artifacts are among the database's own bytes.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn artifact_file_bytes(&self) -> Result<u64, StoreError> {
        if !self.has_table("artifacts")? {
            return Ok(0);
        }
        let files = if self.has_contents()? { "WHERE content IS NULL" } else { "" };
        let query = format!("SELECT coalesce(sum(bytes), 0) FROM artifacts {files}");
        let sum = self.rows(&query, [], |row| row.get::<_, i64>(0))?;
        Ok(sum.first().copied().unwrap_or(0).unsigned_abs())
    }

    /// The artifacts that the journal names, each with the oldest run that does. Those that entries up to
    /// [`Reader::uncounted`] name may not be among them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn named_artifacts(&self) -> Result<Vec<(Digest, RunId)>, StoreError> {
        if !self.has_table("artifact_refs")? {
            return Ok(Vec::new());
        }
        self.rows(
            "SELECT a.digest, min(f.run) FROM artifact_refs f JOIN artifacts a ON a.id = f.artifact GROUP BY f.artifact",
            [],
            |row| Ok((Digest::from_bytes(row.get(0)?), RunId::from_i64(row.get(1)?))),
        )
    }

    /// Up to which entry the artifacts that the journal names are still to be counted; 0 when all are.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn uncounted(&self) -> Result<i64, StoreError> {
        if !self.has_table("uncounted")? {
            return Ok(i64::MAX);
        }
        let found = self.rows("SELECT seq FROM uncounted", [], |row| row.get(0))?;
        Ok(found.first().copied().unwrap_or(0))
    }
}
