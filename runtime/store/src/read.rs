//! Questions about committed data.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use trackside_engine::{Event, RunId, from_entry};
use trackside_facts::{Entry, EntryError, SubjectEvent};

use crate::{digests::Waiting, error::StoreError, samples::Restoring, schema::keep_plans};

/// A connection that sees committed snapshots and can not write.
pub struct Reader {
    pub(crate) connection: Connection,
    /// How the journal is asked for.
    pub(crate) journal: &'static str,
    pub(crate) samples: Restoring,
    pub(crate) waiting: Waiting,
}

/// A run that has not ended.
#[derive(Debug)]
pub struct LiveRun {
    /// Its id.
    pub run: RunId,
    /// The definition's name.
    pub workflow: String,
    /// The definition's text.
    pub source: String,
}

/// One run in a list.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// The definition's digest.
    pub definition: String,
    /// The trigger's kind.
    pub trigger: String,
    /// When it was accepted, milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// `succeeded`, `failed`, `cancelled`; none while it is under way.
    pub end: Option<String>,
    /// One line for people.
    pub error: Option<String>,
}

/// Which runs to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only this workflow's.
    pub workflow: Option<String>,
    /// Only with this end; `running` for those under way.
    pub state: Option<String>,
    /// Only older ones than this.
    pub before: Option<RunId>,
    /// How many at most.
    pub limit: u32,
}

/// One journal entry.
#[derive(Debug, Clone)]
pub struct JournalRow {
    /// Its place in the journal.
    pub seq: i64,
    /// What it is about.
    pub about: About,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Its events.
    pub entry: Entry,
    /// The bytes of that on disk.
    pub stored: usize,
    /// The entry before this one of the same run or subject; 0 when this is the first.
    pub previous: i64,
}

/// What a journal entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A run.
    Run(RunId),
    /// Something else, by its name: `trigger/ID`, `workflow/NAME`.
    Subject(String),
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run {run}"),
            Self::Subject(subject) => f.write_str(subject),
        }
    }
}

impl JournalRow {
    /// Whether the entry can be read, whatever it is about.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the entry's number.
    pub fn look(&self) -> Result<(), StoreError> {
        match self.about {
            About::Run(_) => self.events().map(drop),
            About::Subject(_) => self.facts().map(drop),
        }
    }

    /// The facts of an entry that is about no run.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the entry's number.
    pub fn facts(&self) -> Result<Vec<SubjectEvent>, StoreError> {
        self.entry.read::<Vec<SubjectEvent>>().map_err(|error| self.damage(&error))
    }

    fn damage(&self, error: &EntryError) -> StoreError {
        let reason = format!("entry {} of {}: {error}", self.seq, self.about);
        StoreError::Damaged { table: "journal", reason }
    }

    /// From the columns of [`JOURNAL`], as it lies on disk. The rest is for [`Reader::complete`].
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, Self)> {
        let run: i64 = row.get(1)?;
        let entry = match row.get(5)? {
            Some(packed) => Entry::Packed(packed),
            None => Entry::Json(row.get(3)?),
        };
        let about = if run < 0 { About::Subject(String::new()) } else { About::Run(RunId::from_i64(run)) };
        Ok((
            run,
            Self { seq: row.get(0)?, about, at_ms: row.get(2)?, stored: entry.bytes(), entry, previous: row.get(4)? },
        ))
    }

    /// The run that it is about, if it is about one.
    #[must_use]
    pub const fn run(&self) -> Option<RunId> {
        match self.about {
            About::Run(run) => Some(run),
            About::Subject(_) => None,
        }
    }

    /// The events of the entry. The one way to them: an entry that can not be read is never an entry without events.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the entry's number.
    pub fn events(&self) -> Result<Vec<Event>, StoreError> {
        from_entry(&self.entry).map_err(|error| self.damage(&error))
    }
}

/// What the ledger knows of a file.
#[derive(Debug, Clone)]
pub struct LedgerRow {
    /// What makes the file itself.
    pub identity: String,
    /// The run that it started.
    pub run: Option<RunId>,
    /// Where it lay.
    pub path: String,
    /// Size, times and inode, in the trigger's notation.
    pub stat: String,
    /// Whether it was taken out of the folder.
    pub claimed: bool,
    /// When the row was written, milliseconds since 1970.
    pub at_ms: i64,
}

/// An entry of the plugins' state.
#[derive(Debug, Clone)]
pub struct StateRow {
    /// The value.
    pub value: Vec<u8>,
    /// Rises by one with every write.
    pub version: u64,
}

/// What one attempt logged.
#[derive(Debug, Clone)]
pub struct LogRow {
    /// The step's place in its workflow.
    pub step: u16,
    /// Which item of a step with `foreach`.
    pub item: Option<u32>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// JSON lines.
    pub lines: String,
}

/// An effect that waits.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// The row's id: the order of carrying out.
    pub id: i64,
    /// Whose.
    pub run: RunId,
    /// The step's index.
    pub step: u16,
    /// Which item of a step with `foreach`.
    pub item: Option<u32>,
    /// Its place in the step's outbox.
    pub entry: u32,
    /// The carrier's JSON.
    pub body: String,
}

/// The columns of the journal that make a [`JournalRow`].
const JOURNAL: &str = "SELECT seq, run, at_ms, events, previous, packed FROM journal";
/// The same of a database that no node of this version has opened yet.
const OLD_JOURNAL: &str = "SELECT seq, run, at_ms, events, previous, NULL FROM journal";

pub(crate) const RUN_COLUMNS: &str =
    "SELECT r.id, d.name, d.digest, r.trigger, r.started_ms, r.ended_ms, r.end, r.error
     FROM runs r JOIN definitions d ON d.id = r.definition";

impl Reader {
    /// Opens the database of a data folder; works beside a running node.
    ///
    /// # Errors
    /// When there is none or it can not be read.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(data_dir.join("trackside.db"), flags).map_err(StoreError::sqlite("open"))?;
        connection
            .execute_batch("PRAGMA cache_size = -512; PRAGMA busy_timeout = 5000;")
            .map_err(StoreError::sqlite("set its pragmas"))?;
        keep_plans(&connection)?;
        let is_old = connection.prepare("SELECT packed FROM journal").is_err();
        Ok(Self {
            connection,
            journal: if is_old { OLD_JOURNAL } else { JOURNAL },
            samples: Restoring::default(),
            waiting: Waiting::default(),
        })
    }

    /// Asks several questions of one snapshot: nothing is committed between them, and the locks are taken once.
    ///
    /// # Errors
    /// When SQLite refuses, or the questions' own.
    pub fn at_one_moment<T>(&self, ask: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // Its end is a rollback, of nothing.
        let _snapshot = self.connection.unchecked_transaction().map_err(StoreError::sqlite("begin to read"))?;
        ask(self)
    }

    /// The newest run's id.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn latest_run(&self) -> Result<Option<RunId>, StoreError> {
        let id: Option<i64> = self
            .connection
            .query_row("SELECT max(id) FROM runs", [], |row| row.get(0))
            .map_err(StoreError::sqlite("find the newest run"))?;
        Ok(id.map(RunId::from_i64))
    }

    /// The runs that are not over, oldest first: those that have not ended, and those whose effects still wait.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn open_runs(&self) -> Result<Vec<LiveRun>, StoreError> {
        self.rows(
            "SELECT r.id, d.name, d.source FROM runs r JOIN definitions d ON d.id = r.definition
             WHERE r.id IN (SELECT id FROM runs WHERE id >= (SELECT run FROM live_from) AND ended_ms IS NULL
                            UNION SELECT run FROM outbox) ORDER BY r.id",
            [],
            |row| Ok(LiveRun { run: run_id(row, 0)?, workflow: row.get(1)?, source: row.get(2)? }),
        )
    }

    /// The journal of one run, oldest entry first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn journal(&self, run: RunId) -> Result<Vec<JournalRow>, StoreError> {
        let last = self.last_entry(run)?;
        let mut rows = self.chain(run.as_i64(), last, u32::MAX)?;
        rows.reverse();
        Ok(rows)
    }

    /// The place of a run's newest entry; 0 where there is no such run.
    fn last_entry(&self, run: RunId) -> Result<i64, StoreError> {
        let last = self.rows("SELECT last_entry FROM runs WHERE id = ?1", [run.as_i64()], |row| row.get(0))?;
        Ok(last.first().copied().unwrap_or(0))
    }

    /// The places in the journal of a run's entries, oldest first.
    ///
    /// # Errors
    /// When SQLite refuses, or the chain of the entries is broken.
    pub fn places(&self, run: RunId) -> Result<Vec<i64>, StoreError> {
        let last = self.last_entry(run)?;
        let broken = |reason| StoreError::Damaged { table: "journal", reason };
        let mut query = self
            .connection
            .prepare_cached("SELECT run, previous FROM journal WHERE seq = ?1")
            .map_err(StoreError::sqlite("read the journal"))?;
        let (mut places, mut next) = (Vec::new(), last);
        while next > 0 {
            let found: Option<(i64, i64)> = query
                .query_row([next], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(StoreError::sqlite("read the journal"))?;
            let Some((of, previous)) = found else {
                return Err(broken(format!("entry {next} of {} is missing", owner(run.as_i64()))));
            };
            if of != run.as_i64() || previous >= next {
                return Err(broken(format!("entry {next} is not of {}", owner(run.as_i64()))));
            }
            places.push(next);
            next = previous;
        }
        places.reverse();
        Ok(places)
    }

    /// The entries at these places of a run's, until they have so many bytes together; one in any case.
    ///
    /// # Errors
    /// When SQLite refuses, or an entry is not there any more.
    pub fn entries_at(
        &self,
        run: RunId,
        places: impl IntoIterator<Item = i64>,
        bytes: usize,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let (mut rows, mut size) = (Vec::new(), 0);
        for place in places {
            if size >= bytes {
                break;
            }
            let found = self.chain(run.as_i64(), place, 1)?;
            size += found.iter().map(|row| row.entry.bytes()).sum::<usize>();
            rows.extend(found);
        }
        Ok(rows)
    }

    /// The entries of one run or subject from `last` backwards, so many at most. What retention removed of a subject ends
    /// it.
    pub(crate) fn chain(&self, of: i64, last: i64, limit: u32) -> Result<Vec<JournalRow>, StoreError> {
        let mut rows = Vec::new();
        let mut next = last;
        while next > 0 && rows.len() < limit as usize {
            let found = self
                .connection
                .prepare_cached(&format!("{} WHERE seq = ?1", self.journal))
                .and_then(|mut query| query.query_row([next], JournalRow::from_row).optional())
                .map_err(StoreError::sqlite("read the journal"))?;
            let (found_of, row) = match found {
                Some(found) => found,
                None if of < 0 => break,
                None => {
                    let reason = format!("entry {next} of {} is missing", owner(of));
                    return Err(StoreError::Damaged { table: "journal", reason });
                }
            };
            if found_of != of || row.previous >= next {
                return Err(StoreError::Damaged {
                    table: "journal",
                    reason: format!("entry {next} is not of {}", owner(of)),
                });
            }
            next = row.previous;
            rows.push(self.complete(of, row)?);
        }
        Ok(rows)
    }

    /// Journal entries of all runs after `seq`, oldest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn journal_after(&self, seq: i64, limit: u32) -> Result<Vec<JournalRow>, StoreError> {
        let query = format!("{} WHERE seq > ?1 ORDER BY seq LIMIT ?2", self.journal);
        // With the samples of the same moment: retention may remove both between two questions.
        self.snapshot(|_| {
            let rows = self.rows(&query, params![seq, limit], JournalRow::from_row)?;
            rows.into_iter().map(|(of, row)| self.complete(of, row)).collect()
        })
    }

    /// Gives an entry the form in which it was handed over, and says what one without a run is about: databases of before have no
    /// such entries, and no names for them.
    pub(crate) fn complete(&self, of: i64, mut row: JournalRow) -> Result<JournalRow, StoreError> {
        if let Entry::Packed(bytes) = &mut row.entry {
            *bytes = self.restored(std::mem::take(bytes)).map_err(StoreError::sqlite("read a sample of entries"))?;
        }
        if of >= 0 {
            return Ok(row);
        }
        let names = self.rows("SELECT name FROM subjects WHERE id = ?1", [-of], |row| row.get(0))?;
        let name = names.into_iter().next().unwrap_or_else(|| owner(of));
        Ok(JournalRow { about: About::Subject(name), ..row })
    }

    /// Whether the database has this table: one that no node of this version has opened yet lacks the newer ones.
    pub(crate) fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        Ok(!self.rows("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", [name], |_| Ok(()))?.is_empty())
    }

    /// One run.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn run(&self, run: RunId) -> Result<Option<RunRow>, StoreError> {
        let found = self.rows(&format!("{RUN_COLUMNS} WHERE r.id = ?1"), [run.as_i64()], run_row)?;
        Ok(found.into_iter().next())
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        if let (Some(workflow), None | Some("succeeded")) = (&filter.workflow, filter.state.as_deref())
            && let Some(runs) = self.runs_of_workflow(workflow, filter)?
        {
            return Ok(runs);
        }
        // Ends that are not good have an index of their own; runs under way are all behind a mark.
        let of_state = match filter.state.as_deref() {
            None => "?3 IS NULL",
            Some("running") => "r.end IS NULL AND ?3 IS NOT NULL AND r.id >= (SELECT run FROM live_from)",
            Some("succeeded") => "r.end = ?3",
            Some(_) => "r.end = ?3 AND r.end <> 'succeeded'",
        };
        let sql = format!(
            "{RUN_COLUMNS} WHERE r.id < ?1 AND (?2 IS NULL OR d.name = ?2) AND {of_state} ORDER BY r.id DESC LIMIT ?4"
        );
        let before = filter.before.map_or(i64::MAX, RunId::as_i64);
        self.rows(&sql, params![before, filter.workflow, filter.state, filter.limit], run_row)
    }

    /// The definition text that a run started with.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn definition_of(&self, run: RunId) -> Result<Option<String>, StoreError> {
        self.connection
            .prepare_cached("SELECT d.source FROM runs r JOIN definitions d ON d.id = r.definition WHERE r.id = ?1")
            .and_then(|mut query| query.query_row([run.as_i64()], |row| row.get(0)).optional())
            .map_err(StoreError::sqlite("read a definition"))
    }

    /// What the ledger knows of a file's identity.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn ledger(&self, trigger: &str, identity: &str) -> Result<Option<LedgerRow>, StoreError> {
        let found = self.rows(
            "SELECT identity, run, path, stat, claimed, at_ms FROM ledger WHERE trigger = ?1 AND identity = ?2",
            params![trigger, identity],
            ledger_row,
        )?;
        Ok(found.into_iter().next())
    }

    /// What the ledger knows of a path, newest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn ledger_by_path(&self, trigger: &str, path: &str) -> Result<Vec<LedgerRow>, StoreError> {
        // Left to choose, SQLite walks through all rows of the trigger along the primary key, once for each file: for a
        // ledger of 20,000 that is most of what a file costs.
        self.rows(
            "SELECT identity, run, path, stat, claimed, at_ms FROM ledger INDEXED BY ledger_path
             WHERE trigger = ?1 AND path = ?2 AND substr(identity, 1, 2) <> 'r:' ORDER BY at_ms DESC LIMIT 16",
            params![trigger, path],
            ledger_row,
        )
    }

    /// How far a trigger has come.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn position(&self, trigger: &str) -> Result<Option<i64>, StoreError> {
        self.connection
            .prepare_cached("SELECT position_ms FROM triggers WHERE trigger = ?1")
            .and_then(|mut query| query.query_row([trigger], |row| row.get(0)).optional())
            .map_err(StoreError::sqlite("read a trigger's position"))
    }

    /// One entry of the plugins' state, unless it has lapsed.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn state(&self, workflow: &str, scope: &str, key: &str, now_ms: i64) -> Result<Option<StateRow>, StoreError> {
        self.connection
            .prepare_cached(
                "SELECT value, version FROM state WHERE workflow = ?1 AND scope = ?2 AND key = ?3
                 AND (expires_ms IS NULL OR expires_ms > ?4)",
            )
            .and_then(|mut query| {
                query
                    .query_row(params![workflow, scope, key, now_ms], |row| {
                        Ok(StateRow { value: row.get(0)?, version: row.get::<_, i64>(1)?.unsigned_abs() })
                    })
                    .optional()
            })
            .map_err(StoreError::sqlite("read a plugin's state"))
    }

    /// Keys of the plugins' state that start with `prefix` and come after `after`, in order.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn state_keys(
        &self,
        workflow: &str,
        scope: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        now_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        self.rows(
            "SELECT key FROM state WHERE workflow = ?1 AND scope = ?2 AND key >= ?3 AND substr(key, 1, length(?3)) = ?3
             AND (?4 IS NULL OR key > ?4) AND (expires_ms IS NULL OR expires_ms > ?5) ORDER BY key LIMIT ?6",
            params![workflow, scope, prefix, after, now_ms, limit],
            |row| row.get(0),
        )
    }

    /// Effects that wait, in the order of carrying out.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn outbox(&self, after: i64, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.rows(
            "SELECT id, run, step, item, entry, body FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2",
            params![after, limit],
            |row| {
                Ok(OutboxRow {
                    id: row.get(0)?,
                    run: run_id(row, 1)?,
                    step: row.get(2)?,
                    item: row.get(3)?,
                    entry: row.get(4)?,
                    body: row.get(5)?,
                })
            },
        )
    }

    /// How many effects of a run still wait.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn outbox_of(&self, run: RunId) -> Result<u64, StoreError> {
        self.connection
            .prepare_cached("SELECT count(*) FROM outbox WHERE run = ?1")
            .and_then(|mut query| query.query_row([run.as_i64()], |row| row.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(StoreError::sqlite("count waiting effects"))
    }

    /// What the attempts of a run logged, in the order of steps, items and attempts.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn logs(&self, run: RunId) -> Result<Vec<LogRow>, StoreError> {
        self.rows(
            "SELECT step, nullif(item, -1), attempt, lines FROM logs WHERE run = ?1 ORDER BY step, item, attempt",
            [run.as_i64()],
            |row| Ok(LogRow { step: row.get(0)?, item: row.get(1)?, attempt: row.get(2)?, lines: row.get(3)? }),
        )
    }

    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut query = self.connection.prepare_cached(sql).map_err(StoreError::sqlite("prepare a query"))?;
        let rows = query.query_map(params, map).map_err(StoreError::sqlite("run a query"))?;
        rows.collect::<Result<_, _>>().map_err(StoreError::sqlite("read a row"))
    }
}

fn run_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RunId> {
    row.get(column).map(RunId::from_i64)
}

fn owner(of: i64) -> String {
    if of < 0 { format!("subject {}", -of) } else { format!("run {}", RunId::from_i64(of)) }
}

pub(crate) fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        run: run_id(row, 0)?,
        workflow: row.get(1)?,
        definition: row.get(2)?,
        trigger: row.get(3)?,
        started_ms: row.get(4)?,
        ended_ms: row.get(5)?,
        end: row.get(6)?,
        error: row.get(7)?,
    })
}

fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    Ok(LedgerRow {
        identity: row.get(0)?,
        run: row.get::<_, Option<i64>>(1)?.map(RunId::from_i64),
        path: row.get(2)?,
        stat: row.get(3)?,
        claimed: row.get(4)?,
        at_ms: row.get(5)?,
    })
}
