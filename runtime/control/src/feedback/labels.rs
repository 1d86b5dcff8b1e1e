//! Telling what would have been right.

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_codes::{Code, Coded, code};
use trackside_facts::LONGEST_LABEL;
use trackside_node::{Handle, Label, NodeError, Offline, Project, Telling};
use trackside_spec::NodeConfig;
use trackside_store::{Clock, StoreError, SystemClock, Told};

use crate::{Client, ClientError, escape, refusal::Refusal};

/// Most labels that are told at once.
pub const MOST_LABELS: usize = 1000;
/// The longest id of a request, bytes.
const LONGEST_ID: usize = 200;
/// Most rows of a truth.
const MOST_ROWS: usize = 64;

/// `POST /v1/labels`: what would have been right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TellLabels {
    /// Of each request.
    pub labels: Vec<LabelRequest>,
}

/// What would have been right for one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// What the request was called.
    pub id: String,
    /// The truth: a class's name or number, a label, a number; a list where the request had several rows.
    pub value: Value,
    /// The model, where several had a request of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What became of labels. All but those that were refused are on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelsTold {
    /// In the order in which they were told.
    pub labels: Vec<LabelTold>,
}

/// What became of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelTold {
    /// What the request was called.
    pub id: String,
    /// What became of it.
    pub outcome: LabelOutcome,
    /// The model, where the prediction is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The version that had answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How many of its answers were right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<u32>,
    /// Of how many whose truth is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// What was told before, where this corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
}

/// What became of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelOutcome {
    /// It is held against its prediction.
    Taken,
    /// So it is, in place of another one.
    Corrected,
    /// The same was told before.
    Repeated,
    /// There is no such prediction; it waits for it.
    Waits,
    /// It was not taken.
    Refused,
}

/// Why a label is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No request is called that.
    #[error("[{code}] {} can not be the id of a request whose prediction is kept: {reason}", escape(id), code = self.code())]
    Id {
        /// As given, its beginning.
        id: String,
        /// Why.
        reason: String,
    },
    /// It is no truth of this prediction, or of any.
    #[error("[{code}] the label of {} is not taken: {reason}", escape(id), code = self.code())]
    Unfit {
        /// The request.
        id: String,
        /// Why.
        reason: String,
    },
    /// No predictions of this model are kept.
    #[error(
        "[{code}] no predictions of the model `{}` are kept, so that none can be labelled; a table [models.NAME.feedback] in \
         trackside.toml keeps them{}", escape(model), known(models), code = self.code()
    )]
    NotKept {
        /// The model.
        model: String,
        /// Those whose predictions are kept.
        models: Vec<String>,
    },
    /// It may be another model's.
    #[error(
        "[{code}] several models had a request {}: {}; say which with `model`, or `--model`", escape(id), models.join(", "),
        code = self.code()
    )]
    Several {
        /// The request.
        id: String,
        /// The models.
        models: Vec<String>,
    },
    /// There are too many.
    #[error("[{code}] {given} labels at once; the limit is {MOST_LABELS}: send them in parts", code = self.code())]
    TooMany {
        /// So many.
        given: usize,
    },
}

impl Coded for LabelError {
    fn code(&self) -> Code {
        match self {
            Self::Id { .. } => code!("TS-1051"),
            Self::Unfit { .. } => code!("TS-1052"),
            Self::NotKept { .. } => code!("TS-1053"),
            Self::Several { .. } => code!("TS-1054"),
            Self::TooMany { .. } => code!("TS-1055"),
        }
    }
}

fn known(models: &[String]) -> String {
    if models.is_empty() { String::new() } else { format!("; those of {} are", models.join(", ")) }
}

/// Tells what would have been right. What is taken is on disk when this ends. For a thread that may block.
///
/// # Errors
/// [`NodeError::Closed`] when the node is going down: what was written is then not known, and may be told again.
pub fn tell_labels(handle: &Handle, asked: TellLabels, by: &str) -> Result<LabelsTold, NodeError> {
    let config = handle.workshop().config.clone();
    with(&config, asked, |labels| if labels.is_empty() { Ok(Vec::new()) } else { handle.label(labels, by) })
}

/// The same on a data folder that no node has.
///
/// # Errors
/// When the database refuses; nothing was changed then.
pub fn tell_labels_offline(
    project: &Project,
    folder: &mut Offline,
    asked: TellLabels,
    by: &str,
) -> Result<LabelsTold, StoreError> {
    with(&project.config, asked, |labels| {
        if labels.is_empty() {
            return Ok(Vec::new());
        }
        let (writes, telling) = Telling::of(labels, by, SystemClock.now_ms());
        folder.keep(writes)?;
        Ok(telling.told())
    })
}

fn with<E>(
    config: &NodeConfig,
    asked: TellLabels,
    tell: impl FnOnce(Vec<Label>) -> Result<Vec<Told>, E>,
) -> Result<LabelsTold, E> {
    let checked: Vec<Result<LabelRequest, (String, LabelError)>> = asked
        .labels
        .into_iter()
        .map(|one| match check(config, &one) {
            Ok(()) => Ok(one),
            Err(error) => Err((one.id.chars().take(LONGEST_ID).collect(), error)),
        })
        .collect();
    let fit = checked.iter().flatten().map(|LabelRequest { id, value, model }| Label {
        request: id.clone(),
        model: model.clone(),
        truth: value.clone(),
    });
    let mut told = tell(fit.collect())?.into_iter();
    let labels = checked.into_iter().map(|one| match one {
        Ok(LabelRequest { id, .. }) => became(id, told.next().unwrap_or(Told::Early)),
        Err((id, error)) => refused(id, &error),
    });
    Ok(LabelsTold { labels: labels.collect() })
}

fn check(config: &NodeConfig, one: &LabelRequest) -> Result<(), LabelError> {
    let LabelRequest { id, value, model } = one;
    let no_id = |reason: String| LabelError::Id { id: id.chars().take(40).collect(), reason };
    if !(1..=LONGEST_ID).contains(&id.len()) {
        return Err(no_id(format!("it has {} bytes; there are 1 to {LONGEST_ID}", id.len())));
    }
    if id.chars().any(char::is_control) {
        return Err(no_id("it has characters that nobody sees".to_owned()));
    }
    let keeps = |name: &str| config.models.get(name).is_some_and(|model| model.feedback.is_some());
    let kept = || config.models.keys().filter(|name| keeps(name)).take(12).cloned().collect();
    if let Some(model) = model.as_ref().filter(|model| !keeps(model)) {
        return Err(LabelError::NotKept { model: model.chars().take(80).collect(), models: kept() });
    }
    if !config.models.keys().any(|name| keeps(name)) {
        return Err(LabelError::NotKept { model: model.clone().unwrap_or_else(|| "*".to_owned()), models: Vec::new() });
    }
    let unfit = |reason: String| LabelError::Unfit { id: id.clone(), reason };
    let one_of = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => Err("the truth is a text, a number, true or false".to_owned()),
        Value::String(text) if text.len() > LONGEST_LABEL => {
            Err(format!("a text of {} bytes; at most {LONGEST_LABEL} are kept", text.len()))
        }
        Value::String(text) if text.chars().any(char::is_control) => {
            Err("its text has characters that nobody sees".to_owned())
        }
        _ => Ok(()),
    };
    match value {
        Value::Null => Err(unfit("it says nothing".to_owned())),
        Value::Array(rows) if rows.is_empty() || rows.len() > MOST_ROWS => {
            Err(unfit(format!("a list of {}; predictions have 1 to {MOST_ROWS} rows", rows.len())))
        }
        Value::Array(rows) => rows.iter().try_for_each(one_of).map_err(unfit),
        one => one_of(one).map_err(unfit),
    }
}

fn became(id: String, told: Told) -> LabelTold {
    let blank = |id, outcome| LabelTold {
        id,
        outcome,
        model: None,
        version: None,
        right: None,
        of: None,
        was: None,
        error: None,
    };
    match told {
        Told::Taken { model, version, right: (right, of), was } => LabelTold {
            model: Some(model),
            version: Some(version),
            right: Some(right),
            of: Some(of),
            was: was.as_ref().and_then(|was| serde_json::from_str(was).ok()),
            ..blank(id, if was.is_some() { LabelOutcome::Corrected } else { LabelOutcome::Taken })
        },
        Told::Repeated { model, version } => {
            LabelTold { model: Some(model), version: Some(version), ..blank(id, LabelOutcome::Repeated) }
        }
        Told::Early => blank(id, LabelOutcome::Waits),
        Told::Several(models) => refused(id.clone(), &LabelError::Several { id, models }),
        Told::Unfit(reason) => refused(id.clone(), &LabelError::Unfit { id, reason }),
    }
}

fn refused(id: String, error: &LabelError) -> LabelTold {
    LabelTold {
        id,
        outcome: LabelOutcome::Refused,
        model: None,
        version: None,
        right: None,
        of: None,
        was: None,
        error: Some(Refusal::new(0, error.code(), error.message())),
    }
}

impl LabelsTold {
    /// Why the only label was refused, where it was.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        if let [one] = self.labels.as_slice() { one.error.as_ref() } else { None }
    }
}

impl TellLabels {
    /// Of a body: one label, or a list of them under `labels`.
    ///
    /// # Errors
    /// [`LabelError::Unfit`] where it is neither, [`LabelError::TooMany`].
    pub fn of(body: Value) -> Result<Self, LabelError> {
        let read = if body.get("labels").is_some() {
            serde_json::from_value::<Self>(body)
        } else {
            serde_json::from_value::<LabelRequest>(body).map(|one| Self { labels: vec![one] })
        };
        let read = read.map_err(|error| LabelError::Unfit {
            id: "a request".to_owned(),
            reason: format!("the body must be JSON such as {{\"id\": \"r-17\", \"value\": \"cat\"}}: {error}"),
        })?;
        if read.labels.len() > MOST_LABELS {
            return Err(LabelError::TooMany { given: read.labels.len() });
        }
        Ok(read)
    }
}

impl Client {
    /// Has the node take what would have been right.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn label(&self, asked: &TellLabels) -> Result<LabelsTold, ClientError> {
        // No time limit: a disk that refuses commits is told elsewhere.
        self.ask(Method::POST, "/v1/labels", self.json(asked)?).await
    }
}
