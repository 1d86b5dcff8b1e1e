//! Which definitions are in use, since when, and who saw to that.

use std::sync::Arc;

use rusqlite::{Transaction, params};
use trackside_facts::{Subject, SubjectEvent};
use trackside_spec::{Digest, Plan};

use crate::{error::StoreError, read::Reader, subjects};

/// Rows that are kept of one workflow.
pub const ACTIVATIONS_KEPT: i64 = 100;

/// A definition is in use from now on, or a workflow is not any more.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The workflow's name.
    pub workflow: String,
    /// Its file, relative to the project.
    pub file: String,
    /// What is in use; none when the workflow was taken out.
    pub plan: Option<Arc<Plan>>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who saw to it: a user, a signal, the start, or the folder itself.
    pub by: String,
}

/// An [`Activation`] as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRow {
    /// The workflow's name.
    pub workflow: String,
    /// Its file, relative to the project.
    pub file: String,
    /// The definition's digest; none when the workflow was taken out.
    pub digest: Option<Digest>,
    /// The definition's text.
    pub source: Option<String>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who saw to it.
    pub by: String,
}

pub(crate) fn keep(txn: &Transaction<'_>, activation: &Activation, definition: Option<i64>) -> rusqlite::Result<()> {
    let Activation { workflow, file, at_ms, by, .. } = activation;
    txn.prepare_cached(
        "INSERT INTO activations (workflow, seq, at_ms, file, definition, by)
         VALUES (?1, 1 + coalesce((SELECT max(seq) FROM activations WHERE workflow = ?1), 0), ?2, ?3, ?4, ?5)",
    )?
    .execute(params![workflow, at_ms, file, definition, by])?;
    txn.prepare_cached(
        "DELETE FROM activations
         WHERE workflow = ?1 AND seq <= (SELECT max(seq) FROM activations WHERE workflow = ?1) - ?2",
    )?
    .execute(params![workflow, ACTIVATIONS_KEPT])?;
    let event = SubjectEvent::Activated {
        file: file.clone(),
        definition: activation.plan.as_ref().map(|plan| plan.digest),
        by: activation.by.clone(),
    };
    subjects::enter(txn, &Subject::Workflow(workflow.clone()), *at_ms, &event)
}

const COLUMNS: &str = "SELECT a.workflow, a.file, d.digest, d.source, a.at_ms, a.by
     FROM activations a LEFT JOIN definitions d ON d.id = a.definition";

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<ActivationRow> {
    let digest: Option<String> = row.get(2)?;
    Ok(ActivationRow {
        workflow: row.get(0)?,
        file: row.get(1)?,
        digest: digest.and_then(|text| text.parse().ok()),
        source: row.get(3)?,
        at_ms: row.get(4)?,
        by: row.get(5)?,
    })
}

impl Reader {
    /// What is in use, by the workflow's name.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn in_use(&self) -> Result<Vec<ActivationRow>, StoreError> {
        if !self.knows_activations()? {
            return Ok(Vec::new());
        }
        let newest = "WHERE a.definition IS NOT NULL
             AND a.seq = (SELECT max(seq) FROM activations WHERE workflow = a.workflow) ORDER BY a.workflow";
        self.rows(&format!("{COLUMNS} {newest}"), [], row)
    }

    /// What was in use of one workflow, newest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn activations(&self, workflow: &str, limit: u32) -> Result<Vec<ActivationRow>, StoreError> {
        if !self.knows_activations()? {
            return Ok(Vec::new());
        }
        let query = format!("{COLUMNS} WHERE a.workflow = ?1 ORDER BY a.seq DESC LIMIT ?2");
        self.rows(&query, params![workflow, limit], row)
    }

    /// A database that no node of this version has opened yet has no such table.
    fn knows_activations(&self) -> Result<bool, StoreError> {
        self.has_table("activations")
    }
}
