//! How far each consumer of the journal has come.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    error::StoreError,
    read::{JournalRow, Reader},
};

/// A consumer's place in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorRow {
    /// The consumer's name.
    pub consumer: String,
    /// The last entry that it has worked in.
    pub seq: i64,
}

pub(crate) fn set(txn: &Transaction<'_>, consumer: &str, seq: i64) -> rusqlite::Result<()> {
    txn.prepare_cached(
        "INSERT INTO cursors (consumer, seq) VALUES (?1, ?2) ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq",
    )?
    .execute(params![consumer, seq])?;
    Ok(())
}

/// Entries of a batch, and bytes of their events: whichever is reached first ends it.
const BATCH: u32 = 1_000;
const BATCH_BYTES: usize = 4 << 20;

impl Reader {
    /// The last entry that a consumer has worked in; 0 when it has seen none.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn cursor(&self, consumer: &str) -> Result<i64, StoreError> {
        if !self.has_table("cursors")? {
            return Ok(0);
        }
        self.connection
            .prepare_cached("SELECT seq FROM cursors WHERE consumer = ?1")
            .and_then(|mut query| query.query_row([consumer], |row| row.get(0)).optional())
            .map(Option::unwrap_or_default)
            .map_err(StoreError::sqlite("read a consumer's cursor"))
    }

    /// Asks several questions of one state of the database.
    ///
    /// # Errors
    /// When SQLite refuses, and what `ask` gives.
    pub fn snapshot<T>(&self, ask: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let sqlite = |what| StoreError::sqlite(what);
        let txn = self.connection.unchecked_transaction().map_err(sqlite("begin to read"))?;
        let answer = ask(self)?;
        txn.commit().map_err(sqlite("end reading"))?;
        Ok(answer)
    }

    /// All cursors, by name.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn cursors(&self) -> Result<Vec<CursorRow>, StoreError> {
        self.rows("SELECT consumer, seq FROM cursors ORDER BY consumer", [], |row| {
            Ok(CursorRow { consumer: row.get(0)?, seq: row.get(1)? })
        })
    }

    /// The number of the newest entry; 0 when there is none.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn newest_entry(&self) -> Result<i64, StoreError> {
        let newest = self.rows("SELECT coalesce(max(seq), 0) FROM journal", [], |row| row.get(0))?;
        Ok(newest.first().copied().unwrap_or(0))
    }

    /// The next entries after `seq` up to `upto`, oldest first: not more than a consumer can work in at one time, at least one
    /// if there is one.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn journal_batch(&self, seq: i64, upto: i64) -> Result<Vec<JournalRow>, StoreError> {
        let prepare = StoreError::sqlite("read the journal");
        let mut query = self
            .connection
            .prepare_cached(&format!("{} WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3", self.journal))
            .map_err(prepare)?;
        let rows = query
            .query_map(params![seq, upto, BATCH], JournalRow::from_row)
            .map_err(StoreError::sqlite("read the journal"))?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for row in rows {
            let (of, row) = row.map_err(StoreError::sqlite("read the journal"))?;
            let row = self.complete(of, row)?;
            bytes += row.entry.bytes();
            batch.push(row);
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        Ok(batch)
    }

    /// Bytes of events between two entries, the first not among them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn journal_bytes(&self, after: i64, upto: i64) -> Result<u64, StoreError> {
        let sum = self.rows(
            "SELECT coalesce(sum(length(events) + coalesce(length(packed), 0)), 0) FROM journal
             WHERE seq > ?1 AND seq <= ?2",
            params![after, upto],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(sum.first().copied().unwrap_or(0).unsigned_abs())
    }
}
