//! What a step's inputs must be like before it starts.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{config::DriftConfig, expr::Template, json_schema::JsonSchema};

/// One condition on one input of a step. The node checks it before an attempt starts.
#[derive(Debug)]
pub struct Contract {
    /// Its name in messages; `requires.NAME` in the step's expressions is the input as it passed.
    pub name: String,
    /// The input: an artifact or a value, one expression.
    pub of: Template,
    /// What happens when it does not fit.
    pub severity: Severity,
    /// What it must be like.
    pub shape: Shape,
    /// Texts of CSV that stand for no value, where they are not the usual ones.
    pub nulls: Option<Vec<String>>,
    /// How many rows (lines of data, elements of a list) it must have.
    pub rows: Rows,
    /// Under which name its columns are watched for drift, and how closely; not at all without it.
    pub drift: Option<ContractDrift>,
}

/// How the columns of a contract are watched for drift.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractDrift {
    /// The dataset's name.
    pub name: String,
    /// How closely.
    pub config: DriftConfig,
}

/// What happens when an input does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The step is blocked and the run fails.
    #[default]
    Error,
    /// The step runs; the report says what does not fit.
    Warn,
    /// The rows that do not fit become an artifact of their own; the step gets the others.
    Quarantine,
}

impl Severity {
    /// The word in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What an input must be like.
#[derive(Debug)]
pub enum Shape {
    /// Anything; only the number of rows counts.
    Any,
    /// A JSON document that a schema describes.
    Json {
        /// As it is written.
        source: Value,
        /// Compiled.
        schema: JsonSchema,
    },
    /// A table, CSV with a header or JSON lines: its columns in the order of the file.
    Table(Vec<(String, Column)>),
}

/// What the values of a column must be like.
#[derive(Clone, Debug)]
pub struct Column {
    /// The type of every value that is there.
    pub kind: ColumnKind,
    /// Whether the column must be there.
    pub required: bool,
    /// The smallest number.
    pub minimum: Option<Number>,
    /// The largest number.
    pub maximum: Option<Number>,
    /// The only values; empty = all.
    pub choices: Vec<Value>,
    /// A regular expression that texts must match somewhere.
    pub pattern: Option<regex::Regex>,
    /// Whether no value may be there twice.
    pub unique: bool,
    /// How many of the values may be missing, from 0 to 1: null, or what stands for it in CSV.
    pub max_null_fraction: f64,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are JSON Schema's")]
pub enum ColumnKind {
    String,
    Number,
    Integer,
    Boolean,
}

/// How many rows an input must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// At least.
    pub minimum: Option<u64>,
    /// At most.
    pub maximum: Option<u64>,
}
