//! What would have been right: which truth is taken at all, whoever tells it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_codes::{Code, Coded, code};
use trackside_facts::LONGEST_LABEL;
use trackside_spec::NodeConfig;

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

/// What would have been right.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// What the request was called, or the run that asked, as `RUN` or `RUN/STEP`.
    pub request: String,
    /// The model; none is whichever had such a request.
    pub model: Option<String>,
    /// The truth.
    pub truth: Value,
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

/// Why a label is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No request is called that.
    #[error("[{code}] {} can not be the id of a request whose prediction is kept: {reason}", shown(id), code = self.code())]
    Id {
        /// As given, its beginning.
        id: String,
        /// Why.
        reason: String,
    },
    /// It is no truth of this prediction, or of any.
    #[error("[{code}] the label of {} is not taken: {reason}", shown(id), code = self.code())]
    Unfit {
        /// The request.
        id: String,
        /// Why.
        reason: String,
    },
    /// No predictions of this model are kept.
    #[error(
        "[{code}] no predictions of the model `{}` are kept, so that none can be labelled; a table [models.NAME.feedback] in \
         trackside.toml keeps them{}", shown(model), known(models), code = self.code()
    )]
    NotKept {
        /// The model.
        model: String,
        /// Those whose predictions are kept.
        models: Vec<String>,
    },
    /// It may be another model's.
    #[error(
        "[{code}] several models had a request {}: {}; say which with `model`, or `--model`", shown(id), models.join(", "),
        code = self.code()
    )]
    Several {
        /// The request.
        id: String,
        /// The models.
        models: Vec<String>,
    },
    /// The run asked models in several steps.
    #[error("[{code}] the run {} asked models in several steps: {}; say RUN/STEP", shown(id), steps.join(", "), code = self.code())]
    Steps {
        /// The run.
        id: String,
        /// The steps, each behind its run.
        steps: Vec<String>,
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
            Self::Steps { .. } => code!("TS-1059"),
        }
    }
}

fn known(models: &[String]) -> String {
    if models.is_empty() { String::new() } else { format!("; those of {} are", models.join(", ")) }
}

/// Whether this can be the truth about a prediction that is kept.
///
/// # Errors
/// [`LabelError`], in words.
pub fn check_label(config: &NodeConfig, id: &str, value: &Value, model: Option<&str>) -> Result<(), LabelError> {
    let no_id = |reason: String| LabelError::Id { id: id.chars().take(40).collect(), reason };
    if !(1..=LONGEST_ID).contains(&id.len()) {
        return Err(no_id(format!("it has {} bytes; there are 1 to {LONGEST_ID}", id.len())));
    }
    if id.chars().any(char::is_control) {
        return Err(no_id("it has characters that nobody sees".to_owned()));
    }
    let keeps = |name: &str| config.models.get(name).is_some_and(|model| model.feedback.is_some());
    let kept = || config.models.keys().filter(|name| keeps(name)).take(12).cloned().collect();
    if let Some(model) = model.filter(|model| !keeps(model)) {
        return Err(LabelError::NotKept { model: model.chars().take(80).collect(), models: kept() });
    }
    if !config.models.keys().any(|name| keeps(name)) {
        return Err(LabelError::NotKept { model: model.unwrap_or("*").to_owned(), models: Vec::new() });
    }
    check_truth(id, value)
}

/// Whether this can be a truth at all.
///
/// # Errors
/// [`LabelError::Unfit`], in words.
pub fn check_truth(id: &str, value: &Value) -> Result<(), LabelError> {
    let unfit = |reason: String| LabelError::Unfit { id: id.to_owned(), reason };
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

/// A text from outside, without what nobody sees.
fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}
