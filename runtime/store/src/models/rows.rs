//! What is written about models. Whoever submits it has looked first that it fits, one after the other; what does not fit all
//! the same changes nothing, because a transaction that fails holds up all others, and is told as the defect that it is.

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_facts::{Subject, SubjectEvent};
use trackside_spec::Digest;

use crate::{drift_rows, subjects::enter};

/// A new version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedModel {
    /// The model's name.
    pub name: String,
    /// The number after the last one.
    pub version: u32,
    /// Of its manifest.
    pub digest: Digest,
    /// What its files have together.
    pub bytes: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub by: String,
}

/// An alias that names another version, a new one, or one that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedAlias {
    /// The model's name.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// What it names from now on; none to remove it.
    pub to: Option<u32>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub by: String,
}

/// How a version did on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedModel {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The engine, as `onnxruntime 1.32.0`.
    pub engine: String,
    /// `sample`, `made-up` or `not`.
    pub how: String,
    /// What was wrong; none where it passed.
    pub problem: Option<String>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub by: String,
}

fn model_id(txn: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<i64>> {
    txn.prepare_cached("SELECT id FROM models WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

fn does_not_fit(name: &str, what: &str) {
    tracing::error!(model = name, "[TS-0208] a bug: {what}; the registry was left as it is");
}

pub(crate) fn add(txn: &Transaction<'_>, added: &AddedModel) -> rusqlite::Result<()> {
    let AddedModel { name, version, digest, bytes, at_ms, by } = added;
    txn.prepare_cached("INSERT INTO models (name, last_version) VALUES (?1, 0) ON CONFLICT DO NOTHING")?
        .execute([name])?;
    let counted = txn
        .prepare_cached("UPDATE models SET last_version = ?2 WHERE name = ?1 AND last_version = ?2 - 1")?
        .execute(params![name, version])?;
    let Some(model) = model_id(txn, name)?.filter(|_| counted == 1) else {
        does_not_fit(name, &format!("version {version} is not the next one"));
        return Ok(());
    };
    txn.prepare_cached(
        "INSERT INTO model_versions (model, version, digest, bytes, added_ms, added_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![model, version, digest.as_bytes(), i64::try_from(*bytes).unwrap_or(i64::MAX), at_ms, by])?;
    let event = SubjectEvent::ModelAdded { version: *version, digest: *digest, by: by.clone() };
    enter(txn, &Subject::Model(name.clone()), *at_ms, &event)
}

pub(crate) fn move_alias(txn: &Transaction<'_>, moved: &MovedAlias) -> rusqlite::Result<()> {
    let MovedAlias { name, alias, to, at_ms, by } = moved;
    let Some(model) = model_id(txn, name)? else {
        does_not_fit(name, &format!("the alias {alias} is one of no model"));
        return Ok(());
    };
    let from: Option<u32> = txn
        .prepare_cached("SELECT version FROM model_aliases WHERE model = ?1 AND alias = ?2")?
        .query_row(params![model, alias], |row| row.get(0))
        .optional()?;
    if from == *to {
        return Ok(());
    }
    match to {
        Some(version) => {
            let there = txn
                .prepare_cached("SELECT 1 FROM model_versions WHERE model = ?1 AND version = ?2")?
                .exists(params![model, version])?;
            if !there {
                does_not_fit(name, &format!("the alias {alias} was to name version {version}, which there is not"));
                return Ok(());
            }
            txn.prepare_cached(
                "INSERT INTO model_aliases (model, alias, version, moved_ms, moved_by) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (model, alias) DO UPDATE
                 SET version = excluded.version, moved_ms = excluded.moved_ms, moved_by = excluded.moved_by",
            )?
            .execute(params![model, alias, version, at_ms, by])?;
        }
        None => {
            txn.prepare_cached("DELETE FROM model_aliases WHERE model = ?1 AND alias = ?2")?
                .execute(params![model, alias])?;
        }
    }
    let event = SubjectEvent::ModelAliasMoved { alias: alias.clone(), from, to: *to, by: by.clone() };
    enter(txn, &Subject::Model(name.clone()), *at_ms, &event)
}

pub(crate) fn remove(txn: &Transaction<'_>, name: &str, version: u32, at_ms: i64, by: &str) -> rusqlite::Result<()> {
    let row: Option<(i64, Vec<u8>)> = txn
        .prepare_cached(
            "SELECT m.id, v.digest FROM models m JOIN model_versions v ON v.model = m.id
             WHERE m.name = ?1 AND v.version = ?2",
        )?
        .query_row(params![name, version], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((model, digest)) = row else { return Ok(()) };
    let named = txn
        .prepare_cached("SELECT 1 FROM model_aliases WHERE model = ?1 AND version = ?2")?
        .exists(params![model, version])?;
    if named {
        does_not_fit(name, &format!("version {version}, which was to be removed, has an alias"));
        return Ok(());
    }
    txn.prepare_cached("DELETE FROM model_versions WHERE model = ?1 AND version = ?2")?
        .execute(params![model, version])?;
    drift_rows::remove(txn, &Subject::Model(name.to_owned()).to_string(), Some(version))?;
    // One whose digest is damaged can be removed, too; the entry then says zeros.
    let digest = Digest::from_bytes(digest.try_into().unwrap_or([0; 32]));
    let event = SubjectEvent::ModelRemoved { version, digest, by: by.to_owned() };
    enter(txn, &Subject::Model(name.to_owned()), at_ms, &event)
}

pub(crate) fn tested(txn: &Transaction<'_>, tested: &TestedModel) -> rusqlite::Result<()> {
    let TestedModel { name, version, engine, how, problem, at_ms, by } = tested;
    let known = txn
        .prepare_cached(
            "UPDATE model_versions SET engine = ?3, tested = ?4, problem = ?5, tested_ms = ?6
             WHERE version = ?2 AND model = (SELECT id FROM models WHERE name = ?1)",
        )?
        .execute(params![name, version, engine, how, problem, at_ms])?;
    // It was removed while it was tested.
    if known == 0 {
        return Ok(());
    }
    let event = SubjectEvent::ModelTested {
        version: *version,
        engine: engine.clone(),
        how: how.clone(),
        problem: problem.clone(),
        by: by.clone(),
    };
    enter(txn, &Subject::Model(name.clone()), *at_ms, &event)
}
