//! Content of small artifacts, which stands in the database beside what counts who names it.

use std::collections::HashSet;

use rusqlite::{Transaction, params};
use trackside_spec::Digest;

use crate::{
    artifacts::Artifacts,
    digests::{BETWEEN, Changes, Look, prefix},
    error::StoreError,
    holdings::signed,
    read::Reader,
};

/// What one batch knows of artifacts.
pub(crate) struct Contents<'a> {
    pub(crate) artifacts: &'a Artifacts,
    /// Those whose rows are there, with their content or a file.
    there: HashSet<Digest>,
    /// Files in the place of what comes into the database. They go after the commit, and not before.
    leftovers: Vec<Digest>,
    /// Rows that come and go.
    changes: Changes,
}

impl<'a> Contents<'a> {
    pub(crate) fn of(artifacts: &'a Artifacts) -> Self {
        Self { artifacts, there: HashSet::new(), leftovers: Vec::new(), changes: Changes::default() }
    }

    /// The row of an artifact, made when there is none and then with so many runs that name it; none where there is no such
    /// artifact.
    pub(crate) fn row(&mut self, txn: &Transaction<'_>, digest: &Digest, refs: i64) -> rusqlite::Result<Option<Row>> {
        if let Some((id, is_file)) = self.find(txn, digest)? {
            // A file that was removed in the meantime, or of a copy that has lost its mode, and the same was made again.
            if is_file
                && self.there.insert(*digest)
                && let Some(content) = self.artifacts.holds().content(digest)
                && self.comes_in(digest)
            {
                txn.prepare_cached("UPDATE artifacts SET content = ?2 WHERE id = ?1")?
                    .execute(params![id, &*content])?;
            }
            self.there.insert(*digest);
            return Ok(Some(Row { id, is_new: false }));
        }
        let content = self.artifacts.holds().content(digest);
        // One copy: what is a file already stays one.
        let content = content.filter(|_| self.comes_in(digest));
        let bytes = match &content {
            Some(content) => content.len() as u64,
            // A parameter that somebody typed, an artifact that was removed before: there is nothing to keep.
            None => match self.artifacts.size_of_file(digest) {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        txn.prepare_cached("INSERT INTO artifacts (digest, bytes, refs, content) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![digest.as_bytes(), signed(bytes), refs, content.as_deref()])?;
        let id = txn.last_insert_rowid();
        self.changes.add(txn, digest, id)?;
        self.there.insert(*digest);
        Ok(Some(Row { id, is_new: true }))
    }

    /// The row of an artifact, and whether it is a file.
    fn find(&self, txn: &Transaction<'_>, digest: &Digest) -> rusqlite::Result<Option<(i64, bool)>> {
        // Who looks for an artifact meanwhile does not wait for the disk.
        let late: Vec<i64> = self.artifacts.late().rows(prefix(digest)).collect();
        self.changes.find(&late, txn, digest)
    }

    /// Removes the row of an artifact that no run names.
    pub(crate) fn remove(&mut self, txn: &Transaction<'_>, digest: &Digest, id: i64) -> rusqlite::Result<()> {
        txn.prepare_cached("DELETE FROM artifacts WHERE id = ?1")?.execute([id])?;
        self.there.remove(digest);
        self.changes.remove(txn, digest, id)
    }

    /// The last that the batch does: new rows are entered where they are looked for.
    pub(crate) fn enter(&mut self, txn: &Transaction<'_>) -> rusqlite::Result<()> {
        let next = self.changes.next(&self.artifacts.late());
        self.changes.enter(txn, next)
    }

    /// Whether no file has it.
    fn comes_in(&mut self, digest: &Digest) -> bool {
        match self.artifacts.has_durable_file(digest) {
            Some(is_file) => !is_file,
            None => {
                self.leftovers.push(*digest);
                true
            }
        }
    }

    /// The batch is on disk.
    pub(crate) fn committed(self) {
        self.artifacts.late().committed(self.changes);
        self.leftovers.iter().for_each(|digest| self.artifacts.remove_leftover(digest));
    }

    /// What the transactions of the batch bring is there after it, also what no entry names: a kept result may, or the one who
    /// holds it.
    pub(crate) fn bring(&mut self, txn: &Transaction<'_>, digest: &Digest) -> rusqlite::Result<()> {
        if self.there.contains(digest) {
            return Ok(());
        }
        let is_small = self.artifacts.holds().content(digest).is_some();
        if is_small {
            self.row(txn, digest, 0)?;
        } else if self.artifacts.size_of_file(digest).is_none() && self.find(txn, digest)?.is_none() {
            tracing::error!(%digest, "[TS-0220] a bug: an artifact was gone before what names it was on disk");
        }
        Ok(())
    }
}

/// The row of an artifact.
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) is_new: bool,
}

impl Reader {
    /// Whether the database is one that has small artifacts.
    pub(crate) fn has_contents(&self) -> Result<bool, StoreError> {
        let query = "SELECT 1 FROM pragma_table_info('artifacts') WHERE name = 'content'";
        Ok(!self.rows(query, [], |_| Ok(()))?.is_empty())
    }

    /// The content of a small artifact.
    pub(crate) fn content(&self, digest: &Digest, look: &Look) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.artifact(digest, look, "content", |row| row.get(0))?.flatten())
    }

    /// The size of a small artifact.
    pub(crate) fn content_size(&self, digest: &Digest, look: &Look) -> Result<Option<u64>, StoreError> {
        let size = self.artifact(digest, look, "length(content)", |row| row.get::<_, Option<i64>>(0))?;
        Ok(size.flatten().map(i64::unsigned_abs))
    }

    /// The small artifacts whose digests' digits begin with `hex`.
    pub(crate) fn contents(&self, hex: &str) -> Result<Vec<Digest>, StoreError> {
        let end = |digit: char| {
            let text: String = hex.chars().chain(std::iter::repeat(digit)).take(64).collect();
            // Digits that are none belong to no digest.
            format!("sha256:{text}").parse().unwrap_or(Digest::from_bytes([0; 32]))
        };
        let (first, last) = (end('0'), end('f'));
        let small = "SELECT digest FROM artifacts WHERE digest BETWEEN ?1 AND ?2 AND content IS NOT NULL";
        let read = |row: &rusqlite::Row<'_>| Ok(Digest::from_bytes(row.get(0)?));
        // Of all of them, or in a database of before, whose rows have an index by digest.
        if hex.is_empty() || !self.has_table("late_digests")? {
            return self.rows(small, [first.as_bytes(), last.as_bytes()], read);
        }
        self.rows(
            &format!("SELECT digest FROM artifacts WHERE {BETWEEN} AND content IS NOT NULL"),
            [first.as_bytes(), last.as_bytes()],
            read,
        )
    }
}
