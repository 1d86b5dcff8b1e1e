//! What there is in the registry, and what there was.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use trackside_facts::SubjectEvent;
use trackside_models::package::{Kept, Manifest, Shelf};
use trackside_node::{Project, rfc3339};
use trackside_spec::{Digest, ModelRef};
use trackside_store::{ModelRow, Reader, ResolvedModel};

use super::ModelsError;

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelDocument {
    /// Its name.
    pub name: String,
    /// Its versions, the newest first.
    pub versions: Vec<VersionDocument>,
    /// What each alias names.
    pub aliases: BTreeMap<String, u32>,
    /// What is wrong with rows of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionDocument {
    /// Its number.
    pub version: u32,
    /// Of its manifest.
    pub digest: Digest,
    /// The aliases that name it.
    pub aliases: Vec<String>,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it was added.
    pub added: String,
    /// Who added it.
    pub by: String,
    /// The engine that it was last tested on.
    pub engine: Option<String>,
    /// How: `sample`, `made-up`, `not`.
    pub tested: Option<String>,
    /// What was wrong then.
    pub problem: Option<String>,
}

impl ModelDocument {
    fn of(row: &ModelRow) -> Self {
        let version = |version: &trackside_store::ModelVersionRow| VersionDocument {
            version: version.version,
            digest: version.digest,
            aliases: row.aliases_of(version.version).map(str::to_owned).collect(),
            bytes: version.bytes,
            added: rfc3339(version.added_ms),
            by: version.added_by.clone(),
            engine: version.tested.as_ref().map(|tested| tested.engine.clone()),
            tested: version.tested.as_ref().map(|tested| tested.how.clone()),
            problem: version.tested.as_ref().and_then(|tested| tested.problem.clone()),
        };
        Self {
            name: row.name.clone(),
            versions: row.versions.iter().rev().map(version).collect(),
            aliases: row.aliases.iter().map(|row| (row.alias.clone(), row.version)).collect(),
            damaged: row.damaged.clone(),
        }
    }
}

/// All models that have a version, by name.
///
/// # Errors
/// When the database can not be read.
pub fn list_models(reader: &Reader) -> Result<Vec<ModelDocument>, ModelsError> {
    let rows = reader.models()?;
    let shown = rows.iter().filter(|row| !row.versions.is_empty() || !row.damaged.is_empty());
    Ok(shown.map(ModelDocument::of).collect())
}

/// One model.
///
/// # Errors
/// When there is none of this name, or the database can not be read.
pub fn show_model(reader: &Reader, name: &str) -> Result<ModelDocument, ModelsError> {
    let reference = ModelRef::of(name)?;
    let row = reader.model(name)?.filter(|row| !row.versions.is_empty() || !row.damaged.is_empty());
    match row {
        Some(row) => Ok(ModelDocument::of(&row)),
        None => match reader.resolve_model(&reference)? {
            Err(unresolved) => Err(unresolved.into()),
            Ok(resolved) => Err(trackside_store::Unresolved::Model { name: resolved.name, known: Vec::new() }.into()),
        },
    }
}

/// What a reference leads to, with its files.
///
/// # Errors
/// When it leads nowhere, or the folder is damaged.
pub fn model_package(
    project: &Project,
    reader: &Reader,
    reference: &ModelRef,
) -> Result<(ResolvedModel, Kept), ModelsError> {
    let resolved = reader.resolve_model(reference)??;
    let kept = Shelf::of(&project.data_dir()).open(&resolved.version.digest)?;
    Ok((resolved, kept))
}

/// Something that happened to a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryDocument {
    /// When.
    pub at: String,
    /// The same, milliseconds since 1970.
    pub at_ms: i64,
    /// What, as the journal has it.
    #[serde(flatten)]
    pub event: SubjectEvent,
}

/// What happened to a model, newest first. Also of one whose versions are all gone.
///
/// # Errors
/// When nothing ever happened to one of this name, or the database can not be read.
pub fn model_history(reader: &Reader, name: &str, limit: u32) -> Result<Vec<EntryDocument>, ModelsError> {
    ModelRef::of(name)?;
    let mut entries = Vec::new();
    for entry in reader.model_history(name, limit)? {
        let facts = entry.facts()?.into_iter().rev();
        entries.extend(facts.map(|event| EntryDocument { at: rfc3339(entry.at_ms), at_ms: entry.at_ms, event }));
    }
    if entries.is_empty() {
        show_model(reader, name)?;
    }
    Ok(entries)
}

/// How a model stood at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelAtDocument {
    /// Its name.
    pub name: String,
    /// The time.
    pub at: String,
    /// The versions that there were.
    pub versions: BTreeSet<u32>,
    /// What each alias named.
    pub aliases: BTreeMap<String, AliasAtDocument>,
}

/// What an alias named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasAtDocument {
    /// The version.
    pub version: u32,
    /// Since when.
    pub since: String,
    /// Who had moved it there.
    pub by: String,
}

/// How a model stood at a time: which version each alias named, and who had seen to it.
///
/// # Errors
/// When there never was one of this name, or the database can not be read.
pub fn model_at(reader: &Reader, name: &str, at_ms: i64) -> Result<ModelAtDocument, ModelsError> {
    model_history(reader, name, 1)?;
    let state = reader.model_at(name, at_ms)?.unwrap_or_default();
    let alias = |(alias, at): (String, trackside_store::AliasAt)| {
        (alias, AliasAtDocument { version: at.version, since: rfc3339(at.since_ms), by: at.by })
    };
    Ok(ModelAtDocument {
        name: name.to_owned(),
        at: rfc3339(at_ms),
        versions: state.versions,
        aliases: state.aliases.into_iter().map(alias).collect(),
    })
}

/// How two versions differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffDocument {
    /// The first, with its number.
    pub before: String,
    /// The second, with its number.
    pub after: String,
    /// What differs.
    pub changes: Vec<Change>,
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What: `file model.onnx`, `input x`, `licence` …
    pub what: String,
    /// As the first has it; null where it has none.
    pub before: Value,
    /// As the second has it; null where it has none.
    pub after: Value,
}

/// How two versions differ: files, inputs and outputs, what is said about them.
///
/// # Errors
/// When one leads nowhere, or is damaged.
pub fn diff_models(
    project: &Project,
    reader: &Reader,
    before: &ModelRef,
    after: &ModelRef,
) -> Result<DiffDocument, ModelsError> {
    let number = |resolved: &ResolvedModel| format!("{}@{}", resolved.name, resolved.version.version);
    let (before, old) = model_package(project, reader, before)?;
    let (after, new) = model_package(project, reader, after)?;
    let (old, new) = (facts_of(&old.manifest), facts_of(&new.manifest));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |facts: &BTreeMap<String, Value>, name: &str| facts.get(name).cloned().unwrap_or(Value::Null);
    let changes = names.into_iter().filter(|name| old.get(*name) != new.get(*name)).map(|name| Change {
        what: name.clone(),
        before: value(&old, name),
        after: value(&new, name),
    });
    Ok(DiffDocument { before: number(&before), after: number(&after), changes: changes.collect() })
}

/// All that a manifest says, each under a name of its own.
fn facts_of(manifest: &Manifest) -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    let mut fact = |name: String, value: Value| {
        if !value.is_null() {
            facts.insert(name, value);
        }
    };
    let json = |value: &dyn erased::Json| value.to_json();
    fact("model".to_owned(), json(&manifest.model));
    for file in &manifest.files {
        let value = serde_json::json!({ "size": file.size, "digest": file.digest });
        fact(format!("file {}", file.path), value);
    }
    if let Some(signature) = &manifest.signature {
        signature.inputs.iter().for_each(|port| fact(format!("input {}", port.name), json(port)));
        signature.outputs.iter().for_each(|port| fact(format!("output {}", port.name), json(port)));
        signature.opsets.iter().for_each(|set| fact(format!("opset {}", set.domain), json(&set.version)));
        fact("ir version".to_owned(), json(&signature.ir_version));
        fact("producer".to_owned(), json(&signature.producer));
        signature.metadata.iter().for_each(|(key, value)| fact(format!("metadata {key}"), json(value)));
    }
    fact("golden vectors".to_owned(), json(&manifest.golden));
    manifest.labels.iter().for_each(|(output, file)| fact(format!("labels of {output}"), json(file)));
    fact("max batch".to_owned(), json(&manifest.max_batch));
    fact("engine".to_owned(), json(&manifest.engine));
    fact("licence".to_owned(), json(&manifest.licence));
    fact("origin".to_owned(), json(&manifest.origin));
    fact("description".to_owned(), json(&manifest.description));
    facts
}

mod erased {
    //! Values of many types, as JSON.

    use serde::Serialize;
    use serde_json::Value;

    pub(super) trait Json {
        fn to_json(&self) -> Value;
    }

    impl<T: Serialize> Json for T {
        fn to_json(&self) -> Value {
            serde_json::to_value(self).unwrap_or_default()
        }
    }
}
