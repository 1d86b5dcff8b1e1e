//! Inputs that are kept because a label would teach most for them.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_codes::{Code, Coded, Reason, code};
use trackside_facts::{Predicted, rfc3339};
use trackside_node::{Handle, LabelError, NodeError, Offline, check_truth, sample_file};
use trackside_store::{Reader, SampleLabel, SampleRow, StoreError, Write};

use crate::{Client, ClientError, escape, models::quoted};

/// An input that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleDocument {
    /// Its name.
    pub id: String,
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: u32,
    /// What the request was called.
    pub request: Option<String>,
    /// When, RFC 3339.
    pub at: String,
    /// Why it is kept: `confidence`, `drift` or `disagreement`.
    pub reason: String,
    /// What was said of each row.
    pub answers: Vec<AnswerDocument>,
    /// What a candidate said, where that was another answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidate: Vec<AnswerDocument>,
    /// Bytes of its file.
    pub bytes: u64,
    /// Inputs that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// What would have been right, where that was told.
    pub label: Option<Value>,
}

/// What was said of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerDocument {
    /// A class's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// Its name, or a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// How sure the model was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
}

impl From<Predicted> for AnswerDocument {
    fn from(Predicted { class, label, value, confidence }: Predicted) -> Self {
        Self { class, label, value, confidence }
    }
}

impl From<SampleRow> for SampleDocument {
    fn from(row: SampleRow) -> Self {
        // Of a damaged row what can not be read is left out.
        let (answers, candidate): (Vec<Predicted>, Vec<Predicted>) =
            serde_json::from_str(&row.answers).unwrap_or_default();
        Self {
            id: row.id,
            model: row.model,
            version: row.version,
            request: row.request,
            at: rfc3339(row.at_ms),
            reason: row.reason,
            answers: answers.into_iter().map(AnswerDocument::from).collect(),
            candidate: candidate.into_iter().map(AnswerDocument::from).collect(),
            bytes: row.bytes,
            redacted: serde_json::from_str(&row.redacted).unwrap_or_default(),
            label: row.label.and_then(|label| serde_json::from_str(&label).ok()),
        }
    }
}

/// `POST /v1/samples/{id}/label`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSample {
    /// What would have been right.
    pub value: Value,
}

/// A sample that has a label; it is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleLabelled {
    /// Its name.
    pub id: String,
    /// The label.
    pub label: Value,
}

/// Samples in a folder, as a training script takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedSamples {
    /// The folder.
    pub folder: PathBuf,
    /// How many.
    pub samples: u64,
    /// Those of them that have a label.
    pub labelled: u64,
    /// Names of those whose file is gone or damaged.
    pub missing: Vec<String>,
}

/// Why nothing was done about samples.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// There is none of that name.
    #[error("[{code}] there is no sample {}; `trackside samples list` shows them", escape(id), code = self.code())]
    Unknown {
        /// As given.
        id: String,
    },
    /// It is no truth.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Something lies where they should go.
    #[error("[{code}] samples are not exported to {}: there is something already; name a new folder", folder.display(), code = self.code())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk.
    #[error("[{code}] samples are not exported to {}: {reason}", folder.display(), code = self.code())]
    Export {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is going down.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for SampleError {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-1060"),
            Self::Occupied { .. } => code!("TS-1061"),
            Self::Export { .. } => code!("TS-1062"),
            Self::Label(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Node(error) => error.code(),
        }
    }
}

/// Inputs that are kept, of a model or of all, the oldest first.
///
/// # Errors
/// When the database refuses.
pub fn list_samples(reader: &Reader, model: Option<&str>) -> Result<Vec<SampleDocument>, StoreError> {
    Ok(reader.hard_samples(model)?.into_iter().map(SampleDocument::from).collect())
}

/// Says what would have been right for an input that is kept. It is on disk when this ends. It counts for no accuracy: inputs that a model
/// was not sure of say nothing of how often it is right.
///
/// # Errors
/// [`SampleError`].
pub fn label_sample(handle: &Handle, id: &str, value: Value, by: &str) -> Result<SampleLabelled, SampleError> {
    let known = handle.readers().with(|reader| reader.hard_samples(None))?;
    let write = labelled(&known, id, &value, by)?;
    handle.keep(vec![write])?;
    Ok(SampleLabelled { id: id.to_owned(), label: value })
}

/// The same on a data folder that no node has.
///
/// # Errors
/// [`SampleError`].
pub fn label_sample_offline(
    folder: &mut Offline,
    id: &str,
    value: Value,
    by: &str,
) -> Result<SampleLabelled, SampleError> {
    let write = labelled(&folder.reader().hard_samples(None)?, id, &value, by)?;
    folder.keep(vec![write])?;
    Ok(SampleLabelled { id: id.to_owned(), label: value })
}

fn labelled(known: &[SampleRow], id: &str, value: &Value, by: &str) -> Result<Write, SampleError> {
    if !known.iter().any(|row| row.id == id) {
        return Err(SampleError::Unknown { id: id.chars().take(80).collect() });
    }
    check_truth(id, value)?;
    Ok(Write::SampleLabelled(SampleLabel { id: id.to_owned(), label: value.to_string(), by: by.to_owned() }))
}

/// Copies samples into a new folder: `samples.jsonl` with a line for each, and their inputs as safetensors in `inputs/`.
///
/// # Errors
/// [`SampleError`]; what was written so far stays.
pub fn export_samples(
    (reader, data_dir): (&Reader, &Path),
    model: Option<&str>,
    only_labelled: bool,
    folder: &Path,
) -> Result<ExportedSamples, SampleError> {
    let fail = |error: io::Error| SampleError::Export { folder: folder.to_owned(), reason: Reason::disk(error) };
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(SampleError::Occupied { folder: folder.to_owned() }),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(error)),
    }
    fs::create_dir_all(folder.join("inputs")).map_err(fail)?;
    let mut lines = File::create_new(folder.join("samples.jsonl")).map_err(fail)?;
    let mut exported = ExportedSamples { folder: folder.to_owned(), samples: 0, labelled: 0, missing: Vec::new() };
    for sample in list_samples(reader, model)? {
        if only_labelled && sample.label.is_none() {
            continue;
        }
        let inputs = format!("inputs/{}.safetensors", sample.id);
        if let Err(error) = fs::copy(sample_file(data_dir, &sample.id), folder.join(&inputs)) {
            // One that retention took meanwhile, or somebody by hand.
            if error.kind() == io::ErrorKind::NotFound {
                exported.missing.push(sample.id);
                continue;
            }
            return Err(fail(error));
        }
        exported.samples += 1;
        exported.labelled += u64::from(sample.label.is_some());
        let mut line = serde_json::to_value(&sample).unwrap_or_default();
        line["inputs"] = Value::from(inputs);
        writeln!(lines, "{line}").map_err(fail)?;
    }
    lines.sync_all().map_err(fail)?;
    Ok(exported)
}

impl Client {
    /// Has the node take what would have been right for a sample.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn label_sample(&self, id: &str, value: &Value) -> Result<SampleLabelled, ClientError> {
        let body = self.json(&LabelSample { value: value.clone() })?;
        self.ask(Method::POST, &format!("/v1/samples/{}/label", quoted(id)), body).await
    }
}
