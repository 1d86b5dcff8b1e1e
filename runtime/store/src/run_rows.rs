//! The rows of runs in one commit: each is written once, at its end, however many journal entries the run got in it. On a
//! busy node many runs begin and end within one commit.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_engine::RunId;

use crate::write::Ended;

/// What becomes of the runs that a commit is about.
#[derive(Debug, Default)]
pub(crate) struct RunRows(BTreeMap<RunId, Row>);

#[derive(Debug, Default)]
struct Row {
    /// Set when the run is accepted in this commit.
    new: Option<New>,
    definition: i64,
    last_entry: i64,
    ended: Option<(i64, Ended)>,
}

#[derive(Debug)]
struct New {
    trigger: String,
    started_ms: i64,
}

impl RunRows {
    /// A run is accepted.
    pub(crate) fn begin(&mut self, run: RunId, definition: i64, trigger: &str, started_ms: i64) {
        let new = New { trigger: trigger.to_owned(), started_ms };
        self.0.insert(run, Row { new: Some(new), definition, ..Row::default() });
    }

    /// The run's definition, and the number of its newest journal entry; 0 when it has none.
    pub(crate) fn head(&mut self, txn: &Transaction<'_>, run: RunId) -> rusqlite::Result<(i64, i64)> {
        if let Some(row) = self.0.get(&run) {
            return Ok((row.definition, row.last_entry));
        }
        let found = txn
            .prepare_cached("SELECT definition, last_entry FROM runs WHERE id = ?1")?
            .query_row([run.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // An entry without its run would be found by nobody.
        let (definition, last_entry) = found.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        self.0.insert(run, Row { definition, last_entry, ..Row::default() });
        Ok((definition, last_entry))
    }

    /// A run has got an entry, and with it perhaps its end.
    pub(crate) fn entered(&mut self, run: RunId, entry: i64, at_ms: i64, ended: Option<&Ended>) {
        let row = self.0.entry(run).or_default();
        row.last_entry = entry;
        if let Some(ended) = ended {
            row.ended = Some((at_ms, ended.clone()));
        }
    }

    /// Writes the rows.
    pub(crate) fn write(self, txn: &Transaction<'_>) -> rusqlite::Result<()> {
        for (run, Row { new, definition, last_entry, ended }) in self.0 {
            let id = run.as_i64();
            let ended_ms = ended.as_ref().map(|(at_ms, _)| *at_ms);
            let (end, error) = ended.map_or((None, None), |(_, ended)| (Some(ended.end.name()), ended.error));
            match new {
                Some(New { trigger, started_ms }) => txn
                    .prepare_cached(
                        "INSERT INTO runs (id, definition, trigger, started_ms, ended_ms, end, error, last_entry)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![id, definition, trigger, started_ms, ended_ms, end, error, last_entry])?,
                None if end.is_none() => txn
                    .prepare_cached("UPDATE runs SET last_entry = ?2 WHERE id = ?1")?
                    .execute(params![id, last_entry])?,
                None => txn
                    .prepare_cached(
                        "UPDATE runs SET last_entry = ?2, ended_ms = ?3, end = ?4, error = ?5 WHERE id = ?1",
                    )?
                    .execute(params![id, last_entry, ended_ms, end, error])?,
            };
        }
        Ok(())
    }
}
