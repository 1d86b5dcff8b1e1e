//! What retention removes. Each is small and stands in a transaction of its own or with others of its kind; none takes
//! anything that a run which is not over may need, whatever it was asked for.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_engine::RunId;
use trackside_spec::Digest;

use crate::{
    contents::Contents, error::StoreError, holdings, read::Reader, references, requests, subjects, write::Known,
};

/// Something to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prune {
    /// Runs that have ended: their rows, journal, logs and references to artifacts. One whose effects wait, or whose newest
    /// entry is the newest of all, is left alone.
    Runs(
        /// Which.
        Vec<RunId>,
    ),
    /// The logs of a run that has ended.
    Logs(
        /// Which.
        RunId,
    ),
    /// The references of a run that has ended to its artifacts.
    Artifacts(
        /// Which.
        RunId,
    ),
    /// The rows of artifacts whose files are gone, unless a run names them again; the rows of small ones with what they hold,
    /// unless somebody holds them by now.
    Files(
        /// Their rows.
        Vec<i64>,
    ),
    /// A ledger row: what it stands for may start a run again.
    Ledger {
        /// The trigger's id.
        trigger: String,
        /// What it stands for.
        identity: String,
    },
    /// Decisions from before this time, so many at most.
    Decisions {
        /// Milliseconds since 1970.
        before_ms: i64,
        /// How many.
        limit: u32,
    },
    /// Entries about subjects that newer ones have superseded. The newest of each subject stays, whatever is asked for.
    Subjects(
        /// Their numbers.
        Vec<i64>,
    ),
    /// Lapsed entries of the plugins' state, so many at most.
    State {
        /// Now, milliseconds since 1970.
        now_ms: i64,
        /// How many.
        limit: u32,
    },
    /// Definitions that no run and no activation has, those in use since the start excepted.
    Definitions(
        /// Their rows.
        Vec<i64>,
    ),
    /// Gives so many free pages back to the file system.
    Pages(
        /// How many.
        u32,
    ),
}

pub(crate) fn prune(
    txn: &Transaction<'_>,
    what: &Prune,
    contents: &mut Contents<'_>,
    known: &mut Known,
) -> rusqlite::Result<()> {
    match what {
        Prune::Runs(runs) => remove_runs(txn, runs)?,
        Prune::Logs(run) => match head(txn, *run)? {
            Some(Head { is_over: true, .. }) => {
                txn.prepare_cached("DELETE FROM logs WHERE run = ?1")?.execute([run.as_i64()])?;
                holdings::without_logs(txn, *run)?;
            }
            Some(_) => {}
            None => holdings::leave(txn, &[*run])?,
        },
        Prune::Artifacts(run) => match head(txn, *run)? {
            Some(Head { is_over: true, .. }) => {
                references::release(txn, *run)?;
                holdings::without_artifacts(txn, *run)?;
            }
            Some(_) => {}
            None => holdings::leave(txn, &[*run])?,
        },
        Prune::Files(rows) => {
            for id in rows {
                let free: Option<([u8; 32], bool)> = txn
                    .prepare_cached("SELECT digest, content IS NULL FROM artifacts WHERE id = ?1 AND refs = 0")?
                    .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let Some((digest, is_file)) = free else { continue };
                let digest = Digest::from_bytes(digest);
                if is_file || contents.artifacts.holds().leaves(&digest) {
                    contents.remove(txn, &digest, *id)?;
                }
            }
        }
        Prune::Ledger { trigger, identity } => {
            txn.prepare_cached("DELETE FROM ledger WHERE trigger = ?1 AND identity = ?2")?
                .execute(params![trigger, identity])?;
        }
        Prune::Decisions { before_ms, limit } => {
            txn.prepare_cached(
                "DELETE FROM decisions WHERE (trigger, seq) IN (
                     SELECT trigger, seq FROM decisions WHERE at_ms < ?1 AND decision <> 'taken' LIMIT ?2)",
            )?
            .execute(params![before_ms, limit])?;
        }
        Prune::Subjects(entries) => subjects::forget(txn, entries)?,
        Prune::State { now_ms, limit } => {
            txn.prepare_cached(
                "DELETE FROM state WHERE (workflow, scope, key) IN (
                     SELECT workflow, scope, key FROM state WHERE expires_ms <= ?1 LIMIT ?2)",
            )?
            .execute(params![now_ms, limit])?;
        }
        Prune::Definitions(rows) => {
            for id in rows {
                if !known.used.contains(id) {
                    txn.prepare_cached("DELETE FROM definitions WHERE id = ?1")?.execute([id])?;
                    known.samples.forget(txn, *id)?;
                }
            }
        }
        Prune::Pages(count) => {
            // Each row that the pragma gives is one page: whoever does not ask for all of them gets one page back.
            let mut query = txn.prepare(&format!("PRAGMA incremental_vacuum({count})"))?;
            let mut rows = query.query([])?;
            while rows.next()?.is_some() {}
        }
    }
    Ok(())
}

struct Head {
    last_entry: i64,
    /// It has ended, nothing of it waits, and nobody waits for it.
    is_over: bool,
}

fn head(txn: &Transaction<'_>, run: RunId) -> rusqlite::Result<Option<Head>> {
    txn.prepare_cached(
        "SELECT last_entry, ended_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox WHERE run = ?1)
         FROM runs WHERE id = ?1",
    )?
    .query_row([run.as_i64()], |row| Ok(Head { last_entry: row.get(0)?, is_over: row.get(1)? }))
    .optional()
}

fn remove_runs(txn: &Transaction<'_>, runs: &[RunId]) -> rusqlite::Result<()> {
    let newest: i64 = txn.prepare_cached("SELECT max(seq) FROM journal")?.query_row([], |row| row.get(0))?;
    let mut gone = Vec::with_capacity(runs.len());
    // One table after the other: rows of runs that came one after the other share their pages.
    for run in runs {
        match head(txn, *run)? {
            // The number of the newest entry would be given to another, and a consumer that has seen it would miss that one.
            Some(head) if !head.is_over || head.last_entry == newest => {}
            Some(head) => {
                remove_entries(txn, *run, head.last_entry)?;
                gone.push(*run);
            }
            None => gone.push(*run),
        }
    }
    let mut logs = txn.prepare_cached("DELETE FROM logs WHERE run = ?1")?;
    let mut rows = txn.prepare_cached("DELETE FROM runs WHERE id = ?1")?;
    for run in &gone {
        logs.execute([run.as_i64()])?;
    }
    for run in &gone {
        references::release(txn, *run)?;
    }
    requests::leave(txn, &gone)?;
    for run in &gone {
        rows.execute([run.as_i64()])?;
    }
    holdings::leave(txn, &gone)
}

fn remove_entries(txn: &Transaction<'_>, run: RunId, last_entry: i64) -> rusqlite::Result<()> {
    let mut before = txn.prepare_cached("SELECT previous FROM journal WHERE seq = ?1 AND run = ?2")?;
    let mut remove = txn.prepare_cached("DELETE FROM journal WHERE seq = ?1")?;
    let mut next = last_entry;
    while next > 0 {
        let previous: Option<i64> = before.query_row(params![next, run.as_i64()], |row| row.get(0)).optional()?;
        // A chain that is damaged ends here; what was before it stays and belongs to nobody.
        let Some(previous) = previous else { break };
        remove.execute([next])?;
        next = if previous < next { previous } else { 0 };
    }
    Ok(())
}

/// How the database file is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSpace {
    /// Bytes of a page.
    pub page: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages of them that hold nothing.
    pub free: u64,
}

impl DatabaseSpace {
    /// Bytes of the pages that hold something.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.pages.saturating_sub(self.free).saturating_mul(self.page)
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn file(&self) -> u64 {
        self.pages.saturating_mul(self.page)
    }
}

/// A ledger row that is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldLedgerRow {
    /// The trigger's id.
    pub trigger: String,
    /// What it stands for.
    pub identity: String,
    /// Where it lay.
    pub path: String,
    /// Whether it was taken out of the folder.
    pub claimed: bool,
}

/// Digests that kept results need, whether or not a run still names them.
const KEPT: &str = "SELECT artifacts FROM results WHERE artifacts <> ''";

impl Reader {
    /// How the database file is filled.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn space(&self) -> Result<DatabaseSpace, StoreError> {
        let number = |pragma: &str| -> Result<u64, StoreError> {
            let found = self.rows(pragma, [], |row| row.get::<_, i64>(0))?;
            Ok(found.first().copied().unwrap_or(0).unsigned_abs())
        };
        Ok(DatabaseSpace {
            page: number("PRAGMA page_size")?,
            pages: number("PRAGMA page_count")?,
            free: number("PRAGMA freelist_count")?,
        })
    }

    /// Artifacts that kept results need, whether or not a run still names them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn artifacts_of_results(&self) -> Result<HashSet<Digest>, StoreError> {
        let lists = self.rows(KEPT, [], |row| row.get::<_, String>(0))?;
        Ok(lists.iter().flat_map(|list| list.split(' ')).filter_map(|digest| digest.parse().ok()).collect())
    }

    /// Ledger rows from before this time, after the row `after`, in their order. They may still lie where they lay.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn old_ledger_rows(
        &self,
        before_ms: i64,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<OldLedgerRow>, StoreError> {
        self.rows(
            "SELECT trigger, identity, path, claimed FROM ledger
             WHERE (trigger, identity) > (?1, ?2) AND at_ms < ?3 ORDER BY trigger, identity LIMIT ?4",
            params![after.0, after.1, before_ms, limit],
            |row| {
                Ok(OldLedgerRow {
                    trigger: row.get(0)?,
                    identity: row.get(1)?,
                    path: row.get(2)?,
                    claimed: row.get(3)?,
                })
            },
        )
    }

    /// Definitions that no run and no activation has. Looks through all runs.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn unused_definitions(&self) -> Result<Vec<i64>, StoreError> {
        self.rows(
            "SELECT id FROM definitions WHERE id NOT IN (SELECT definition FROM runs)
             AND id NOT IN (SELECT definition FROM activations WHERE definition IS NOT NULL)",
            [],
            |row| row.get(0),
        )
    }

    /// Whether there are lapsed entries of the plugins' state.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn has_lapsed_state(&self, now_ms: i64) -> Result<bool, StoreError> {
        Ok(!self.rows("SELECT 1 FROM state WHERE expires_ms <= ?1 LIMIT 1", [now_ms], |_| Ok(()))?.is_empty())
    }

    /// Whether there are decisions from before this time.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn has_old_decisions(&self, before_ms: i64) -> Result<bool, StoreError> {
        let query = "SELECT 1 FROM decisions WHERE at_ms < ?1 AND decision <> 'taken' LIMIT 1";
        Ok(!self.rows(query, [before_ms], |_| Ok(()))?.is_empty())
    }
}
