//! `label:` as it is written, and its checks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    checker::Checker,
    steps::{self, Site},
};
use crate::plan::LabelCall;

/// What would have been right for a prediction of a model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a truth: a mapping with `request` and `value`")]
#[schemars(rename = "Label")]
pub(crate) struct LabelFile {
    /// The request's id, or the run that asked the model, as `RUN` or `RUN/STEP`. It may hold `${expression}`.
    pub(crate) request: String,
    /// The truth: a class's name or number, a label, a number; a list where the request had several rows. It may hold
    /// `${expression}`.
    pub(crate) value: Value,
    /// The model, where several had a request of that id.
    pub(crate) model: Option<String>,
}

pub(super) fn check(file: LabelFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<LabelCall> {
    let LabelFile { request, value, model } = file;
    let mut told = Map::from_iter([("request".to_owned(), Value::String(request)), ("value".to_owned(), value)]);
    told.extend(model.map(|model| ("model".to_owned(), Value::String(model))));
    steps::compile("label", &Value::Object(told), site, checker).map(|told| LabelCall { told })
}
