//! How a step's `inputs` say what goes into its model: tensors, or the rows of tables.

use serde_json::{Map, Value};
use trackside_codes::Reason;
use trackside_engine::StepError;
use trackside_models::ModelInfo;
use trackside_rows::form::{self, Form};
use trackside_spec::{ArtifactRef, plan::ROWS_KEYS};

/// A table, and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    /// A list of objects, or an artifact.
    pub(super) rows: Value,
    /// Which columns go into which input, or into the only one that the table is for.
    pub(super) columns: Option<Value>,
    /// What stands where a value is missing.
    pub(super) fill: Map<String, Value>,
    /// The texts that stand for nothing, where they are not the usual ones.
    pub(super) nulls: Option<Vec<String>>,
    /// Which columns come back beside what the model says; `None` = all.
    pub(super) keep: Option<Vec<String>>,
}

impl Source {
    fn plain(rows: &Value) -> Self {
        Self { rows: rows.clone(), columns: None, fill: Map::new(), nulls: None, keep: None }
    }

    /// Of an object with the key `rows`.
    fn of(fields: &Map<String, Value>) -> Result<Self, Reason> {
        if let Some(other) = fields.keys().find(|key| !ROWS_KEYS.contains(&key.as_str())) {
            return Err(format!("beside `rows` there may be columns, fill, nulls and keep, not `{other}`").into());
        }
        let texts = |key: &str| -> Result<Option<Vec<String>>, Reason> {
            let Some(value) = fields.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
            let list =
                value.as_array().and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
            list.map(Some).ok_or_else(|| format!("`{key}` must be a list of texts").into())
        };
        let fill = match fields.get("fill") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(fill)) => fill.clone(),
            Some(_) => return Err("`fill` must say a value for each column: { age: NaN }".into()),
        };
        Ok(Self {
            rows: fields.get("rows").cloned().unwrap_or_default(),
            columns: fields.get("columns").filter(|value| !value.is_null()).cloned(),
            fill,
            nulls: texts("nulls")?,
            keep: texts("keep")?,
        })
    }

    /// Whether both read the same rows.
    pub(super) fn is_same_table(&self, other: &Self) -> bool {
        self.rows == other.rows && self.nulls == other.nulls
    }
}

/// What a step's `inputs` are.
pub(super) enum Asked<'i> {
    /// One table for all inputs.
    Whole(Box<Source>),
    /// Each input by its name.
    Each(Vec<(&'i str, One<'i>)>),
}

/// What one input is given.
pub(super) enum One<'i> {
    /// A tensor: nested lists or an artifact.
    Tensor(&'i Value),
    /// Columns of a table.
    Rows(Box<Source>),
}

/// What the inputs of a step mean to this model.
pub(super) fn asked<'i>(input: &'i Value, info: &ModelInfo) -> Result<Asked<'i>, StepError> {
    let bad = |reason: String| StepError::fatal("bad-tensor", reason);
    let fields = match input {
        Value::Array(_) => return Ok(Asked::Whole(Box::new(Source::plain(input)))),
        Value::Object(_) if ArtifactRef::from_json(input).is_some() => {
            return Ok(Asked::Whole(Box::new(Source::plain(input))));
        }
        Value::Object(fields) => fields,
        _ => return Err(bad("`inputs` must be an object of input name to tensor, or rows".to_owned())),
    };
    let has = |name: &str| info.inputs.iter().any(|port| port.name == name);
    if fields.contains_key("rows") && !has("rows") {
        return Source::of(fields)
            .map(|source| Asked::Whole(Box::new(source)))
            .map_err(|reason| bad(format!("`inputs`: {reason}")));
    }
    let one = |(name, value): (&'i String, &'i Value)| {
        let source = match value {
            Value::Array(items) if items.first().is_some_and(Value::is_object) => Some(Source::plain(value)),
            Value::Object(_) if ArtifactRef::from_json(value).is_some_and(|artifact| is_table(&artifact)) => {
                Some(Source::plain(value))
            }
            Value::Object(fields) if fields.contains_key("rows") => {
                Some(Source::of(fields).map_err(|reason| bad(format!("input `{name}`: {reason}")))?)
            }
            _ => None,
        };
        Ok((name.as_str(), source.map_or(One::Tensor(value), |source| One::Rows(Box::new(source)))))
    };
    fields.iter().map(one).collect::<Result<_, _>>().map(Asked::Each)
}

/// Whether name or media type say that an artifact is a table. A JSON document is a tensor of texts there, unless it is under
/// the key `rows`.
fn is_table(artifact: &ArtifactRef) -> bool {
    matches!(form::by_name(&artifact.name, &artifact.media_type), Some(Form::Csv(_) | Form::Lines))
}
