//! Models, versions and aliases as they are now.

use std::collections::BTreeMap;

use rusqlite::params;
use trackside_codes::{Code, Coded, code};
use trackside_facts::MODEL;
use trackside_spec::{CHAMPION, Digest, ModelRef, ModelVersion, nearest};

use crate::{error::StoreError, read::Reader};

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// Its name.
    pub name: String,
    /// The largest number that a version of it ever had.
    pub last_version: u32,
    /// Its versions, by number.
    pub versions: Vec<ModelVersionRow>,
    /// Its aliases, by name.
    pub aliases: Vec<ModelAliasRow>,
    /// What is wrong with rows of it; they are left out above.
    pub damaged: Vec<String>,
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersionRow {
    /// Its number.
    pub version: u32,
    /// Of its manifest; names its folder.
    pub digest: Digest,
    /// What its files have together.
    pub bytes: u64,
    /// When it was added, milliseconds since 1970.
    pub added_ms: i64,
    /// Who added it.
    pub added_by: String,
    /// How it did when it was last tested.
    pub tested: Option<TestedRow>,
}

/// How a version did on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedRow {
    /// The engine, as `onnxruntime 1.32.0`.
    pub engine: String,
    /// `sample`, `made-up` or `not`.
    pub how: String,
    /// What was wrong; none where it passed.
    pub problem: Option<String>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// An alias of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAliasRow {
    /// Its name.
    pub alias: String,
    /// What it names.
    pub version: u32,
    /// Since when, milliseconds since 1970.
    pub moved_ms: i64,
    /// Who saw to it.
    pub moved_by: String,
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedModel {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: ModelVersionRow,
    /// The alias that led there, if one did.
    pub alias: Option<String>,
}

/// Why a reference leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No such model.
    #[error("[{code}] the registry has no model `{name}`{}", nearest_model(name, known), code = self.code())]
    Model {
        /// As asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such version.
    #[error(
        "[{code}] the model `{name}` has no version {version}{}; `trackside model list {name}` shows what there is",
        versions(known, *last, *version), code = self.code()
    )]
    Version {
        /// The model.
        name: String,
        /// As asked for.
        version: u32,
        /// What there is.
        known: Vec<u32>,
        /// The largest number that there ever was.
        last: u32,
    },
    /// No such alias.
    #[error(
        "[{code}] the model `{name}` has no alias `{alias}`{}", nearest_alias(name, alias, known), code = self.code()
    )]
    Alias {
        /// The model.
        name: String,
        /// As asked for.
        alias: String,
        /// What there is.
        known: Vec<String>,
    },
}

impl Coded for Unresolved {
    fn code(&self) -> Code {
        match self {
            Self::Model { .. } => code!("TS-0551"),
            Self::Version { .. } | Self::Alias { .. } => code!("TS-0552"),
        }
    }
}

fn nearest_model(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => {
            format!(": it is empty; `trackside model add {name} FILE` makes the first version")
        }
        None => {
            let some: Vec<&str> = known.iter().take(12).map(String::as_str).collect();
            let more = if known.len() > some.len() { ", …" } else { "" };
            format!(": it has {}{more}", some.join(", "))
        }
    }
}

fn versions(known: &[u32], last: u32, wanted: u32) -> String {
    let newest = match known.last() {
        None => "it has none any more".to_owned(),
        Some(newest) => format!("the newest is {newest}"),
    };
    if wanted <= last { format!(" any more: it was removed, and {newest}") } else { format!(": {newest}") }
}

fn nearest_alias(name: &str, alias: &str, known: &[String]) -> String {
    let there = match nearest(alias, known.iter().map(String::as_str)) {
        Some(near) => return format!("; did you mean `{name}@{near}`?"),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("it has {}", known.join(", ")),
    };
    format!(": {there}; `trackside model alias {name} {alias} VERSION` sets it")
}

impl ModelRow {
    /// What of it is meant.
    ///
    /// # Errors
    /// [`Unresolved`] when there is no such version or alias.
    pub fn resolve(&self, version: &ModelVersion) -> Result<ResolvedModel, Unresolved> {
        let (number, alias) = match version {
            ModelVersion::Number(number) => (*number, None),
            ModelVersion::Alias(_) | ModelVersion::Unsaid => {
                let alias = if let ModelVersion::Alias(alias) = version { alias } else { CHAMPION };
                let row = self.aliases.iter().find(|row| row.alias == alias);
                let number = row.map(|row| row.version).ok_or_else(|| Unresolved::Alias {
                    name: self.name.clone(),
                    alias: alias.to_owned(),
                    known: self.aliases.iter().map(|row| row.alias.clone()).collect(),
                })?;
                (number, Some(alias.to_owned()))
            }
        };
        let row = self.version(number).ok_or_else(|| Unresolved::Version {
            name: self.name.clone(),
            version: number,
            known: self.versions.iter().map(|row| row.version).collect(),
            last: self.last_version,
        })?;
        Ok(ResolvedModel { name: self.name.clone(), version: row.clone(), alias })
    }

    /// The version of this number.
    #[must_use]
    pub fn version(&self, number: u32) -> Option<&ModelVersionRow> {
        self.versions.iter().find(|row| row.version == number)
    }

    /// The aliases that name this version.
    pub fn aliases_of(&self, number: u32) -> impl Iterator<Item = &str> {
        self.aliases.iter().filter(move |row| row.version == number).map(|row| row.alias.as_str())
    }
}

impl Reader {
    /// All models of the registry, by name, those without a version included. A row that is damaged takes no other away.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn models(&self) -> Result<Vec<ModelRow>, StoreError> {
        self.models_where(None)
    }

    /// A model of the registry; none where it never had a version.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn model(&self, name: &str) -> Result<Option<ModelRow>, StoreError> {
        Ok(self.models_where(Some(name))?.pop())
    }

    fn models_where(&self, name: Option<&str>) -> Result<Vec<ModelRow>, StoreError> {
        // A database that no program of this version has opened yet has no such tables, and no models.
        if !self.has_table("models")? {
            return Ok(Vec::new());
        }
        let ask = |reader: &Self| {
            let mut models: BTreeMap<i64, ModelRow> = BTreeMap::new();
            let rows = reader.rows(
                "SELECT id, name, last_version FROM models WHERE ?1 IS NULL OR name = ?1",
                [name],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?)),
            )?;
            for (id, name, last) in rows {
                let last_version = u32::try_from(last).unwrap_or(u32::MAX);
                let row =
                    ModelRow { name, last_version, versions: Vec::new(), aliases: Vec::new(), damaged: Vec::new() };
                models.insert(id, row);
            }
            for (id, row) in &mut models {
                reader.fill(*id, row)?;
            }
            let mut models: Vec<ModelRow> = models.into_values().collect();
            models.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(models)
        };
        // Of one moment: between two questions an alias may come to name a version that was not there yet.
        if self.connection.is_autocommit() { self.snapshot(ask) } else { ask(self) }
    }

    fn fill(&self, id: i64, model: &mut ModelRow) -> Result<(), StoreError> {
        let versions = self.rows(
            "SELECT version, digest, bytes, added_ms, added_by, engine, tested, problem, tested_ms
             FROM model_versions WHERE model = ?1 ORDER BY version",
            [id],
            |row| {
                let tested = match (row.get(5)?, row.get(6)?, row.get(8)?) {
                    (Some(engine), Some(how), Some(at_ms)) => {
                        Some(TestedRow { engine, how, problem: row.get(7)?, at_ms })
                    }
                    _ => None,
                };
                let (number, digest): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
                let (bytes, added_ms, added_by): (i64, i64, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
                Ok((number, digest, bytes, added_ms, added_by, tested))
            },
        )?;
        for (number, digest, bytes, added_ms, added_by, tested) in versions {
            let length = digest.len();
            match (u32::try_from(number), <[u8; 32]>::try_from(digest)) {
                (Ok(version @ 1..), Ok(digest)) => model.versions.push(ModelVersionRow {
                    version,
                    digest: Digest::from_bytes(digest),
                    bytes: bytes.unsigned_abs(),
                    added_ms,
                    added_by,
                    tested,
                }),
                (Ok(1..), Err(_)) => {
                    model.damaged.push(format!("the digest of version {number} has {length} bytes instead of 32"));
                }
                _ => model.damaged.push(format!("a version has the number {number}")),
            }
        }
        let aliases = self.rows(
            "SELECT alias, version, moved_ms, moved_by FROM model_aliases WHERE model = ?1 ORDER BY alias",
            [id],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?)),
        )?;
        for (alias, number, moved_ms, moved_by) in aliases {
            match u32::try_from(number).ok().filter(|version| model.version(*version).is_some()) {
                Some(version) => model.aliases.push(ModelAliasRow { alias, version, moved_ms, moved_by }),
                None => model.damaged.push(format!("the alias {alias} names version {number}, which can not be used")),
            }
        }
        Ok(())
    }

    /// What a reference leads to now.
    ///
    /// # Errors
    /// The outer one when SQLite refuses, and [`StoreError::Damaged`] where a damaged row may be what is meant; the inner one when
    /// there is no such model, version or alias.
    pub fn resolve_model(&self, reference: &ModelRef) -> Result<Result<ResolvedModel, Unresolved>, StoreError> {
        let found = self.model(&reference.name)?.filter(|row| !row.versions.is_empty() || !row.damaged.is_empty());
        let Some(row) = found else {
            let known = self.models()?.into_iter().filter(|row| !row.versions.is_empty()).map(|row| row.name).collect();
            return Ok(Err(Unresolved::Model { name: reference.name.clone(), known }));
        };
        let resolved = row.resolve(&reference.version);
        match (&resolved, row.damaged.first()) {
            (Err(_), Some(damage)) => Err(StoreError::Damaged {
                table: "model_versions",
                reason: format!("of the model {}: {damage}", row.name),
            }),
            _ => Ok(resolved),
        }
    }

    /// How many versions, of whatever models, lie in the folder of this digest.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn model_versions_with(&self, digest: &Digest) -> Result<u64, StoreError> {
        if !self.has_table("models")? {
            return Ok(0);
        }
        let count =
            self.rows("SELECT count(*) FROM model_versions WHERE digest = ?1", params![digest.as_bytes()], |row| {
                row.get::<_, i64>(0)
            })?;
        Ok(count.first().copied().unwrap_or(0).unsigned_abs())
    }

    /// The newest entry about any model: it rises with every change, and with nothing else. 0 where there never was a model.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn models_changed(&self) -> Result<i64, StoreError> {
        if !self.has_table("subjects")? {
            return Ok(0);
        }
        // `0` follows `/`.
        let newest =
            self.rows("SELECT max(last_entry) FROM subjects WHERE name > ?1 AND name < 'model0'", [MODEL], |row| {
                row.get::<_, Option<i64>>(0)
            })?;
        Ok(newest.first().copied().flatten().unwrap_or(0))
    }
}
