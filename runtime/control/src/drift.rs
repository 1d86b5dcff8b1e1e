//! Drift: what is watched, what has moved, and a reference that is made anew.

use hyper::{Method, body::Bytes};
use serde::{Deserialize, Serialize};
use trackside_codes::{Code, Coded, code};
use trackside_facts::{Subject, SubjectEvent, rfc3339};
use trackside_serving::drift::{KeyKind, ReferenceDocument, Says, WindowDocument};
use trackside_store::{Reader, StoreError, WatchedRow, Write};

use crate::{
    ModelPlace, ModelsError,
    client::{Client, ClientError},
    escape,
    refusal::Refusal,
};

/// Windows of which it is told what they said.
const RECENT: u32 = 30;
/// Longest name of what is watched.
const LONGEST: usize = 256;

/// One that is watched: a version of a model, or a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftDocument {
    /// Its name.
    pub name: String,
    /// `model` or `dataset`.
    pub kind: String,
    /// The version of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// `unknown`, `none`, `warning` or `alarm`.
    pub drift: String,
    /// The alarm that is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<AlarmDocument>,
    /// When it was kept, RFC 3339.
    pub at: String,
    /// What the last windows said, oldest first.
    pub recent: Vec<Says>,
    /// What windows are compared with.
    pub reference: ReferenceDocument,
    /// The newest window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowDocument>,
}

/// An alarm that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmDocument {
    /// The window that raised it.
    pub window: u64,
    /// The columns that have moved, the first ones.
    pub columns: Vec<String>,
    /// What has moved, in words.
    pub words: String,
}

/// A reference that is made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftReset {
    /// Of what.
    pub name: String,
}

/// Why nothing can be said of a name.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// It is not watched, or no row has come.
    #[error("[{code}] nothing is known of the drift of {}: {known}", escape(name), code = self.code())]
    Unknown {
        /// As given.
        name: String,
        /// What is known instead.
        known: String,
    },
}

impl Coded for DriftError {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-1031"),
        }
    }
}

/// All that is watched, or what has this name: models before datasets, versions in order.
///
/// # Errors
/// When the database refuses, or holds what can not be read.
pub fn drift(reader: &Reader, name: Option<&str>) -> Result<Vec<DriftDocument>, StoreError> {
    let rows = match name {
        None => reader.drift(None)?,
        Some(name) => {
            let mut rows = reader.drift(Some(&Subject::Model(name.to_owned()).to_string()))?;
            rows.extend(reader.drift(Some(&Subject::Dataset(name.to_owned()).to_string()))?);
            rows
        }
    };
    let mut documents = rows.into_iter().map(|row| document(reader, row)).collect::<Result<Vec<_>, _>>()?;
    documents.sort_by(|a, b| b.kind.cmp(&a.kind).then_with(|| (&a.name, a.version).cmp(&(&b.name, b.version))));
    Ok(documents)
}

/// What has this name.
///
/// # Errors
/// [`DriftError::Unknown`], or the database's.
pub fn drift_of(reader: &Reader, name: &str) -> Result<Vec<DriftDocument>, ModelsError> {
    let found = drift(reader, Some(name))?;
    if found.is_empty() { Err(unknown(reader, name)?.into()) } else { Ok(found) }
}

fn unknown(reader: &Reader, name: &str) -> Result<DriftError, StoreError> {
    let mut names: Vec<String> = reader.drift(None)?.into_iter().map(|row| split(&row.subject).1.to_owned()).collect();
    names.dedup();
    names.truncate(12);
    let known = if names.is_empty() {
        "nothing is watched yet; a model is from its first answer on, a table from its first rows".to_owned()
    } else {
        format!("it is not watched, or no row of it has come; there is {}", names.join(", "))
    };
    Ok(DriftError::Unknown { name: name.chars().take(LONGEST).collect(), known })
}

/// Kind and name of a subject.
fn split(subject: &str) -> (&str, &str) {
    subject.split_once('/').unwrap_or(("", subject))
}

fn document(reader: &Reader, row: WatchedRow) -> Result<DriftDocument, StoreError> {
    let (kind, name) = split(&row.subject);
    let windows = reader.drift_windows(row.id, 1)?;
    let mut recent = reader.drift_says(row.id, RECENT)?;
    recent.reverse();
    let says = |says: &String| match says.as_str() {
        "drift" => Says::Drift,
        "calm" => Says::Calm,
        _ => Says::Nothing,
    };
    // A document of a later version is shown without what it says there.
    let alarm = row.alarm.as_deref().and_then(|alarm| SubjectEvent::from_entry(alarm).ok()?.pop());
    let alarm = match alarm {
        Some(SubjectEvent::DriftAlarm { window, columns, words, .. }) => Some(AlarmDocument { window, columns, words }),
        _ => None,
    };
    Ok(DriftDocument {
        name: name.to_owned(),
        kind: kind.to_owned(),
        version: (kind == "model").then_some(row.version),
        alarm,
        at: rfc3339(row.at_ms),
        recent: recent.iter().map(says).collect(),
        reference: serde_json::from_str(&row.reference).unwrap_or_default(),
        window: windows.first().and_then(|window| serde_json::from_str(&window.document).ok()),
        drift: row.drift,
    })
}

/// Has the reference of all versions of a model, or of a table, made anew from the next rows. It is on disk when this ends.
///
/// # Errors
/// [`DriftError::Unknown`], or the store's.
pub fn reset_drift(place: &mut ModelPlace, name: &str) -> Result<DriftReset, ModelsError> {
    let found = place.read(|reader| drift(reader, Some(name)))?;
    if found.is_empty() {
        return Err(place.read(|reader| unknown(reader, name))?.into());
    }
    let (at_ms, by) = (place.now_ms(), place.by());
    for (kind, key) in [("model", KeyKind::Model), ("dataset", KeyKind::Dataset)] {
        if found.iter().any(|document| document.kind == kind) {
            let subject = match key {
                KeyKind::Model => Subject::Model(name.to_owned()),
                KeyKind::Dataset => Subject::Dataset(name.to_owned()),
            };
            place.reset_drift(key, name, Write::DriftReset { subject, at_ms, by: by.clone() })?;
        }
    }
    Ok(DriftReset { name: name.to_owned() })
}

impl Client {
    /// Has the node make a reference anew.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn reset_drift(&self, name: &str) -> Result<DriftReset, ClientError> {
        // What would have to be quoted in a path is no name of a model or a dataset.
        let inside = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-' | b'/');
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(inside) {
            let known = "that is no name of a model or a dataset".to_owned();
            let error = DriftError::Unknown { name: name.chars().take(LONGEST).collect(), known };
            return Err(Refusal::new(404, error.code(), error.message()).into());
        }
        let name = name.replace('/', "%2F");
        self.ask(Method::POST, &format!("/v1/drift/{name}/reset"), Bytes::new()).await
    }
}
