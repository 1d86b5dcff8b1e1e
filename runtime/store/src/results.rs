//! Results that are kept for the next time.

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_engine::RunId;
use trackside_spec::Digest;

use crate::{error::StoreError, read::Reader};

/// Results that are kept.
pub const RESULTS_KEPT: i64 = 1_000;
/// Bytes of all outputs that are kept.
pub const RESULT_BYTES_KEPT: i64 = 64 << 20;
/// A larger output is not kept.
pub const LARGEST_RESULT: usize = 4 << 20;

/// A result of a pure step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRow {
    /// The run that made it.
    pub run: RunId,
    /// The output as JSON.
    pub output: String,
    /// Artifacts in it.
    pub artifacts: Vec<Digest>,
}

pub(crate) fn keep(txn: &Transaction<'_>, key: &Digest, row: &ResultRow) -> rusqlite::Result<()> {
    if row.output.len() > LARGEST_RESULT {
        return Ok(());
    }
    let artifacts: Vec<String> = row.artifacts.iter().map(ToString::to_string).collect();
    txn.prepare_cached(
        "INSERT OR REPLACE INTO results (key, run, output, artifacts, bytes, used)
         VALUES (?1, ?2, ?3, ?4, ?5, 1 + coalesce((SELECT max(used) FROM results), 0))",
    )?
    .execute(params![
        key.as_bytes(),
        row.run.as_i64(),
        row.output,
        artifacts.join(" "),
        row.output.len() as i64
    ])?;
    // The newest come first; the place where the sum or the number is too large ends what is kept.
    txn.prepare_cached(
        "DELETE FROM results WHERE used <= (
             SELECT max(used) FROM (
                 SELECT used, row_number() OVER newest AS place, sum(bytes) OVER newest AS sum
                 FROM results WINDOW newest AS (ORDER BY used DESC)
             ) WHERE place > ?1 OR sum > ?2)",
    )?
    .execute(params![RESULTS_KEPT, RESULT_BYTES_KEPT])?;
    Ok(())
}

pub(crate) fn used(txn: &Transaction<'_>, key: &Digest) -> rusqlite::Result<()> {
    txn.prepare_cached("UPDATE results SET used = 1 + (SELECT max(used) FROM results) WHERE key = ?1")?
        .execute([key.as_bytes()])?;
    Ok(())
}

impl Reader {
    /// The result that is kept under a key.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn kept_result(&self, key: &Digest) -> Result<Option<ResultRow>, StoreError> {
        self.connection
            .prepare_cached("SELECT run, output, artifacts FROM results WHERE key = ?1")
            .and_then(|mut query| {
                query
                    .query_row([key.as_bytes()], |row| {
                        let artifacts: String = row.get(2)?;
                        Ok(ResultRow {
                            run: RunId::from_i64(row.get(0)?),
                            output: row.get(1)?,
                            artifacts: artifacts.split(' ').filter_map(|digest| digest.parse().ok()).collect(),
                        })
                    })
                    .optional()
            })
            .map_err(StoreError::sqlite("find a kept result"))
    }
}
