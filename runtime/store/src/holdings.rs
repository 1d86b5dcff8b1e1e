//! What the runs that have ended hold, by workflow: what retention goes by.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_engine::RunId;

use crate::{error::StoreError, read::Reader};

/// A run that has ended, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    /// Which.
    pub run: RunId,
    /// Its holding's number; 0 while it has none.
    pub holding: i64,
    /// When it ended, milliseconds since 1970.
    pub ended_ms: i64,
    /// The run that started it and may still ask how it ended.
    pub parent: Option<RunId>,
    /// Bytes of its journal entries.
    pub row_bytes: u64,
    /// Bytes of its logs.
    pub log_bytes: u64,
    /// Bytes of the artifacts that it names, those that other runs name, too, among them.
    pub artifact_bytes: u64,
}

impl EndedRun {
    /// All of it.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.row_bytes.saturating_add(self.log_bytes).saturating_add(self.artifact_bytes)
    }
}

/// What the ended runs of one workflow hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Its number.
    pub id: i64,
    /// The workflow's name.
    pub workflow: String,
    /// How many ended runs there are.
    pub runs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Enters runs of a workflow that have ended, or adds what has come since: journal entries add up, logs and artifacts are as
/// given.
pub(crate) fn enter(txn: &Transaction<'_>, workflow: &str, ended: &[EndedRun]) -> rusqlite::Result<()> {
    txn.prepare_cached("INSERT INTO holdings (workflow, runs, bytes) VALUES (?1, 0, 0) ON CONFLICT DO NOTHING")?
        .execute([workflow])?;
    let holding: i64 =
        txn.prepare_cached("SELECT id FROM holdings WHERE workflow = ?1")?.query_row([workflow], |row| row.get(0))?;
    let mut find =
        txn.prepare_cached("SELECT row_bytes, row_bytes + log_bytes + artifact_bytes FROM ended_runs WHERE run = ?1")?;
    let mut begin = txn.prepare_cached(
        "INSERT OR IGNORE INTO ended_runs (run, holding, ended_ms, parent, row_bytes, log_bytes, artifact_bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut keep = txn.prepare_cached(
        "INSERT OR REPLACE INTO ended_runs (run, holding, ended_ms, parent, row_bytes, log_bytes, artifact_bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (mut runs, mut grown) = (0, 0);
    for one in ended {
        let run = one.run.as_i64();
        let (log_bytes, artifact_bytes) = (signed(one.log_bytes), signed(one.artifact_bytes));
        let parent = one.parent.map(RunId::as_i64);
        let row_bytes = signed(one.row_bytes);
        // Nearly all are new.
        if begin.execute(params![run, holding, one.ended_ms, parent, row_bytes, log_bytes, artifact_bytes])? > 0 {
            runs += 1;
            grown += row_bytes + log_bytes + artifact_bytes;
            continue;
        }
        let (rows_before, bytes_before): (i64, i64) = find.query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let row_bytes = rows_before + row_bytes;
        keep.execute(params![run, holding, one.ended_ms, parent, row_bytes, log_bytes, artifact_bytes])?;
        grown += row_bytes + log_bytes + artifact_bytes - bytes_before;
    }
    grow(txn, holding, runs, grown)
}

/// These runs are gone.
pub(crate) fn leave(txn: &Transaction<'_>, runs: &[RunId]) -> rusqlite::Result<()> {
    let mut remove = txn.prepare_cached(
        "DELETE FROM ended_runs WHERE run = ?1 RETURNING holding, row_bytes + log_bytes + artifact_bytes",
    )?;
    let mut gone: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for run in runs {
        let one: Option<(i64, i64)> =
            remove.query_row([run.as_i64()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((holding, bytes)) = one {
            let sum = gone.entry(holding).or_default();
            *sum = (sum.0 + 1, sum.1 + bytes);
        }
    }
    gone.into_iter().try_for_each(|(holding, (runs, bytes))| grow(txn, holding, -runs, -bytes))
}

/// The run's logs are gone.
pub(crate) fn without_logs(txn: &Transaction<'_>, run: RunId) -> rusqlite::Result<()> {
    shrink(
        txn,
        run,
        "SELECT holding, log_bytes FROM ended_runs WHERE run = ?1",
        "UPDATE ended_runs SET log_bytes = 0 WHERE run = ?1",
    )
}

/// The run names no artifact any more.
pub(crate) fn without_artifacts(txn: &Transaction<'_>, run: RunId) -> rusqlite::Result<()> {
    shrink(
        txn,
        run,
        "SELECT holding, artifact_bytes FROM ended_runs WHERE run = ?1",
        "UPDATE ended_runs SET artifact_bytes = 0 WHERE run = ?1",
    )
}

fn shrink(txn: &Transaction<'_>, run: RunId, find: &str, clear: &str) -> rusqlite::Result<()> {
    let found: Option<(i64, i64)> =
        txn.prepare_cached(find)?.query_row([run.as_i64()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((holding, bytes)) = found else { return Ok(()) };
    txn.prepare_cached(clear)?.execute([run.as_i64()])?;
    grow(txn, holding, 0, -bytes)
}

fn grow(txn: &Transaction<'_>, holding: i64, runs: i64, bytes: i64) -> rusqlite::Result<()> {
    txn.prepare_cached("UPDATE holdings SET runs = runs + ?2, bytes = bytes + ?3 WHERE id = ?1")?
        .execute(params![holding, runs, bytes])?;
    Ok(())
}

/// As SQLite keeps it; no sum of a few of them goes beyond 64 bits.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// Which ended runs of a holding are wanted; oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those that still have logs.
    WithLogs,
    /// Those that still have artifacts.
    WithArtifacts,
}

impl Reader {
    /// What the ended runs of each workflow hold, by name.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn holdings(&self) -> Result<Vec<Holding>, StoreError> {
        if !self.has_table("holdings")? {
            return Ok(Vec::new());
        }
        self.rows("SELECT id, workflow, runs, bytes FROM holdings ORDER BY workflow", [], |row| {
            Ok(Holding {
                id: row.get(0)?,
                workflow: row.get(1)?,
                runs: row.get::<_, i64>(2)?.unsigned_abs(),
                bytes: row.get::<_, i64>(3)?.unsigned_abs(),
            })
        })
    }

    /// Ended runs of a holding after `after`, oldest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn ended_runs(
        &self,
        holding: i64,
        which: Which,
        after: RunId,
        limit: u32,
    ) -> Result<Vec<EndedRun>, StoreError> {
        let also = match which {
            Which::All => "",
            Which::WithLogs => "AND log_bytes > 0",
            Which::WithArtifacts => "AND artifact_bytes > 0",
        };
        self.rows(
            &format!("{ENDED} WHERE holding = ?1 AND run > ?2 {also} ORDER BY run LIMIT ?3"),
            params![holding, after.as_i64(), limit],
            ended_row,
        )
    }

    /// Ended runs of all holdings after `after`, oldest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn all_ended_runs(&self, after: RunId, limit: u32) -> Result<Vec<EndedRun>, StoreError> {
        if !self.has_table("ended_runs")? {
            return Ok(Vec::new());
        }
        self.rows(&format!("{ENDED} WHERE run > ?1 ORDER BY run LIMIT ?2"), params![after.as_i64(), limit], ended_row)
    }

    /// The newest ended run of a holding.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn newest_ended(&self, holding: i64) -> Result<Option<RunId>, StoreError> {
        let found = self.rows("SELECT max(run) FROM ended_runs WHERE holding = ?1", [holding], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        Ok(found.first().copied().flatten().map(RunId::from_i64))
    }

    /// The workflows of these runs and their ends; runs that are gone are not among them.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn owners_of(&self, runs: impl IntoIterator<Item = RunId>) -> Result<HashMap<RunId, RunOwner>, StoreError> {
        self.owners(runs).map_err(StoreError::sqlite("find runs"))
    }

    fn owners(&self, runs: impl IntoIterator<Item = RunId>) -> rusqlite::Result<HashMap<RunId, RunOwner>> {
        let mut find = self.connection.prepare_cached("SELECT definition, ended_ms FROM runs WHERE id = ?1")?;
        let mut name = self.connection.prepare_cached("SELECT name FROM definitions WHERE id = ?1")?;
        // Many runs have few definitions.
        let mut names: HashMap<i64, Arc<str>> = HashMap::new();
        let mut owners = HashMap::new();
        for run in runs {
            let Entry::Vacant(owner) = owners.entry(run) else { continue };
            let found = find.query_row([run.as_i64()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
            let Some((definition, ended_ms)) = found else { continue };
            let workflow = match names.entry(definition) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => {
                    let Some(name) = name.query_row([definition], |row| row.get(0)).optional()? else { continue };
                    new.insert(name).clone()
                }
            };
            owner.insert(RunOwner { workflow, ended_ms });
        }
        Ok(owners)
    }

    /// What a run holds beside its entries.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn held_by(&self, run: RunId) -> Result<HeldBeside, StoreError> {
        let found = self.rows(
            "SELECT EXISTS (SELECT 1 FROM ended_runs WHERE run = ?1),
                 (SELECT coalesce(sum(octet_length(lines)), 0) FROM logs WHERE run = ?1),
                 (SELECT coalesce(sum(a.bytes), 0) FROM artifact_refs f JOIN artifacts a ON a.id = f.artifact
                  WHERE f.run = ?1)",
            [run.as_i64()],
            |row| {
                Ok(HeldBeside {
                    is_entered: row.get(0)?,
                    log_bytes: row.get::<_, i64>(1)?.unsigned_abs(),
                    artifact_bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                })
            },
        )?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// Whether something still needs this run: it or its parent is under way, its effects wait, a consumer has not come to
    /// its newest entry (`seen` is the last that all have), or that is the newest entry of all.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn is_needed(&self, ended: &EndedRun, seen: i64) -> Result<bool, StoreError> {
        let found = self.rows(
            "SELECT ended_ms IS NULL OR last_entry > ?2 OR last_entry = (SELECT max(seq) FROM journal)
                 OR EXISTS (SELECT 1 FROM outbox WHERE run = ?1)
                 OR EXISTS (SELECT 1 FROM runs WHERE id = ?3 AND ended_ms IS NULL)
             FROM runs WHERE id = ?1",
            params![ended.run.as_i64(), seen, ended.parent.map(RunId::as_i64)],
            |row| row.get(0),
        )?;
        Ok(found.first().copied().unwrap_or(false))
    }
}

/// Whose a run is, and whether it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOwner {
    /// Its workflow's name.
    pub workflow: Arc<str>,
    /// When it ended; none while it is under way.
    pub ended_ms: Option<i64>,
}

/// What a run holds beside its entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeldBeside {
    /// Whether it is among the ended runs of its workflow's holding already.
    pub is_entered: bool,
    /// Bytes of its logs.
    pub log_bytes: u64,
    /// Bytes of the artifacts that it names.
    pub artifact_bytes: u64,
}

const ENDED: &str = "SELECT run, holding, ended_ms, parent, row_bytes, log_bytes, artifact_bytes FROM ended_runs";

fn ended_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<EndedRun> {
    let bytes = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(EndedRun {
        run: RunId::from_i64(row.get(0)?),
        holding: row.get(1)?,
        ended_ms: row.get(2)?,
        parent: row.get::<_, Option<i64>>(3)?.map(RunId::from_i64),
        row_bytes: bytes(4)?,
        log_bytes: bytes(5)?,
        artifact_bytes: bytes(6)?,
    })
}
