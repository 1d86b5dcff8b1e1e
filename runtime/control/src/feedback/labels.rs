//! Telling what would have been right.

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_codes::Coded;
use trackside_node::{
    Handle, Label, LabelError, LabelRequest, NodeError, Offline, Project, TellLabels, Telling, check_label,
};
use trackside_spec::NodeConfig;
use trackside_store::{Clock, StoreError, SystemClock, Told};

use crate::{Client, ClientError, refusal::Refusal};

/// The beginning of an id that is told in an answer.
const TOLD: usize = 200;

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
        .map(|one| match check_label(config, &one.id, &one.value, one.model.as_deref()) {
            Ok(()) => Ok(one),
            Err(error) => Err((one.id.chars().take(TOLD).collect(), error)),
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
        Told::Steps(steps) => refused(id.clone(), &LabelError::Steps { id, steps }),
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
