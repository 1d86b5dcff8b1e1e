//! One attempt of a step that tells what would have been right. It does nothing itself: the truth goes to the disk with its result.

use serde_json::{Value, json};
use trackside_codes::{Coded as _, Reason};
use trackside_engine::{Outcome, StepError};
use trackside_sandbox::BoxFuture;
use trackside_spec::LabelCall;

use super::{Attempt, Executed, Needed};
use crate::{
    job::StepResult,
    labels::{Label, check_label},
};

impl Executed for LabelCall {
    fn run<'a>(&'a self, attempt: Attempt<'a>) -> BoxFuture<'a, StepResult> {
        Box::pin(async move {
            let Attempt { workshop, job, .. } = attempt;
            match label(&job.input) {
                Ok(label) => {
                    match check_label(&workshop.config, &label.request, &label.truth, label.model.as_deref()) {
                        Ok(()) => {
                            let told = json!({ "request": label.request, "value": label.truth, "model": label.model });
                            // Whoever draws from it looks again a moment later.
                            workshop.models.serving().labelled();
                            StepResult { labels: vec![label], ..StepResult::of(job, Outcome::Succeeded(told)) }
                        }
                        Err(error) => failed(job, error.message()),
                    }
                }
                Err(reason) => failed(job, reason.to_string()),
            }
        })
    }

    fn needs(&self) -> Option<Needed> {
        None
    }
}

fn failed(job: &crate::job::StepJob, words: impl Into<String>) -> StepResult {
    StepResult::of(job, Outcome::Failed(StepError::fatal("bad-label", words.into())))
}

/// What the step was given.
fn label(input: &Value) -> Result<Label, Reason> {
    let request = match input.get("request") {
        Some(Value::String(request)) => request.clone(),
        // An id that is a number in the data is a text in the request.
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err("`request` is no text".into()),
    };
    let model = match input.get("model") {
        None | Some(Value::Null) => None,
        Some(Value::String(model)) => Some(model.clone()),
        Some(_) => return Err("`model` is no text".into()),
    };
    Ok(Label { request, model, truth: input.get("value").cloned().unwrap_or_default() })
}
