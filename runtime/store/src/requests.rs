//! Requests that have no identity: which trigger's started which run. Nobody asks whether one has been here before, so they are no
//! rows of the ledger, which is kept for longer than runs are: two numbers each, which go with the run.

use std::collections::HashMap;

use rusqlite::{Row, Transaction, params};
use trackside_engine::RunId;

use crate::{error::StoreError, history::LedgerEntryRow, read::Reader};

/// Rows of senders, each with its trigger and path. There are as many as the definitions had webhooks.
pub(crate) type Senders = HashMap<(String, String), i64>;

pub(crate) fn enter(
    txn: &Transaction<'_>,
    senders: &mut Senders,
    (trigger, path): (&str, &str),
    run: RunId,
) -> rusqlite::Result<()> {
    let key = (trigger.to_owned(), path.to_owned());
    let sender = match senders.get(&key) {
        Some(sender) => *sender,
        None => {
            txn.execute("INSERT INTO senders (trigger, path) VALUES (?1, ?2) ON CONFLICT DO NOTHING", [trigger, path])?;
            let find = "SELECT id FROM senders WHERE trigger = ?1 AND path = ?2";
            let sender = txn.query_row(find, [trigger, path], |row| row.get(0))?;
            senders.insert(key, sender);
            sender
        }
    };
    txn.prepare_cached("INSERT OR IGNORE INTO requests (sender, run) VALUES (?1, ?2)")?
        .execute(params![sender, run.as_i64()])?;
    Ok(())
}

/// These runs are gone.
pub(crate) fn leave(txn: &Transaction<'_>, runs: &[RunId]) -> rusqlite::Result<()> {
    let mut remove = txn.prepare_cached(
        "DELETE FROM requests WHERE run = ?1 AND sender IN (SELECT id FROM senders)
         AND EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND trigger = 'webhook')",
    )?;
    for run in runs {
        remove.execute([run.as_i64()])?;
    }
    Ok(())
}

const REQUEST: &str = "SELECT s.trigger, q.run, s.path, r.started_ms
     FROM requests q JOIN senders s ON s.id = q.sender JOIN runs r ON r.id = q.run WHERE q.sender = ?1";

impl Reader {
    /// Those of a trigger that started runs which are kept, newest first; with `path` only what came in there.
    pub(crate) fn requests(
        &self,
        trigger: &str,
        path: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LedgerEntryRow>, StoreError> {
        let query = format!("{REQUEST} ORDER BY q.run DESC LIMIT ?2");
        let mut found = Vec::new();
        for sender in self.senders(trigger, path)? {
            found.extend(self.rows(&query, params![sender, limit], request)?);
        }
        Ok(found)
    }

    /// The one that started this run.
    pub(crate) fn request_of(&self, trigger: &str, run: RunId) -> Result<Option<LedgerEntryRow>, StoreError> {
        let query = format!("{REQUEST} AND q.run = ?2");
        for sender in self.senders(trigger, None)? {
            if let Some(found) = self.rows(&query, params![sender, run.as_i64()], request)?.pop() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// One for each name that the trigger's page has had.
    fn senders(&self, trigger: &str, path: Option<&str>) -> Result<Vec<i64>, StoreError> {
        // A database that no node of this version has opened yet has them in its ledger.
        if !self.has_table("senders")? {
            return Ok(Vec::new());
        }
        let query = "SELECT id FROM senders WHERE trigger = ?1 AND (?2 IS NULL OR path = ?2)";
        self.rows(query, params![trigger, path], |row| row.get(0))
    }
}

fn request(row: &Row<'_>) -> rusqlite::Result<LedgerEntryRow> {
    Ok(LedgerEntryRow {
        trigger: row.get(0)?,
        identity: String::new(),
        run: Some(RunId::from_i64(row.get(1)?)),
        is_kept: true,
        path: row.get(2)?,
        claimed: false,
        at_ms: row.get(3)?,
    })
}
