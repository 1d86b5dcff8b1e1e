//! `requires:` as it is written, and its checks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};
use trackside_rows::field;

use super::{
    bind,
    checker::Checker,
    scope::Place,
    steps::{self, Site},
    words,
};
use crate::{
    config::DriftConfig,
    entries::Short,
    expr::Template,
    json_schema::JsonSchema as Compiled,
    ordered::Ordered,
    plan::{Column, ColumnKind, Contract, ContractDrift, Rows, Severity, Shape},
    units::Duration,
};

const MAX_CONTRACTS: usize = 16;
const MAX_COLUMNS: usize = 1_000;
const MAX_CHOICES: usize = 256;
/// Longest name of a column, in bytes.
const LONGEST_COLUMN: usize = 256;
const MAX_NULLS: usize = 64;
/// Longest text that stands for nothing, in bytes.
const LONGEST_NULL: usize = 256;
/// Size of a compiled regular expression, in bytes.
const PATTERN: usize = 1 << 20;

/// What one input of a step must be like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a contract: a mapping with `of` and `name`")]
#[schemars(rename = "Contract")]
pub(crate) struct ContractFile {
    /// The input: one `${expression}` that gives an artifact or a value.
    pub(crate) of: String,
    /// Its name in messages (lower-case letters, digits and `_`). `requires.NAME` in the step's expressions is the input as
    /// it passed: without the rows that went into quarantine.
    pub(crate) name: String,
    /// What happens when the input does not fit: the step is blocked and the run fails (`error`), the step runs and the
    /// report says so (`warn`), or the rows that do not fit become an artifact of their own and the step gets the others
    /// (`quarantine`).
    #[serde(default)]
    pub(crate) severity: Severity,
    /// A JSON Schema that a JSON document must fit.
    pub(crate) schema: Option<Value>,
    /// The columns that a table (CSV with a header, JSON lines) must have, by name. Other columns may be there.
    pub(crate) columns: Option<Ordered<ColumnFile>>,
    /// Texts of CSV that stand for a missing value, in every column. Without it: nothing in columns of the type `string`;
    /// nothing, `NA`, `N/A`, `NaN`, `nan` and `null` in all others.
    pub(crate) nulls: Option<Vec<String>>,
    /// How many rows a table, or elements a list, must have.
    pub(crate) rows: Option<RowsFile>,
    /// Watches the columns for drift: the dataset's name, or a mapping that says more. Each table counts once, when it is checked.
    pub(crate) drift: Option<Short<ContractDriftFile>>,
}

/// How the columns of a table are watched for drift.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a dataset's name, or a mapping with `name`")]
#[schemars(rename = "ContractDrift")]
pub(crate) struct ContractDriftFile {
    /// The dataset's name: letters, digits, `.`, `_` and `-`. Tables of one name have the same columns.
    pub(crate) name: String,
    /// Whether it is watched.
    pub(crate) enabled: Option<bool>,
    /// Rows of a window: it is closed at the end of the table with which it has so many. 200 without it.
    #[schemars(range(min = 20, max = 1_000_000))]
    pub(crate) rows: Option<u32>,
    /// A window that is as old as this is compared with fewer rows, 50 at least. A day without it.
    pub(crate) time: Option<Duration>,
    /// Rows that the reference is made of, the first ones. 5000 without it.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) reference: Option<u32>,
    /// From which PSI, and which distance of two distribution functions, on a change is worth an alarm. 0.1 without it.
    pub(crate) effect: Option<f64>,
    /// From which change of a share on. 0.01 without it.
    pub(crate) share: Option<f64>,
    /// How often a window of what has not moved may show drift. 0.05 without it.
    pub(crate) level: Option<f64>,
    /// So many of the last `of` windows raise an alarm. 2 without it.
    pub(crate) raise: Option<u32>,
    /// The windows that count. 3 without it.
    pub(crate) of: Option<u32>,
    /// So many windows in a row without drift end it. 3 without it.
    pub(crate) clear: Option<u32>,
    /// Whether a window is compared with the same hour of the week.
    pub(crate) season: Option<bool>,
}

impl From<String> for ContractDriftFile {
    fn from(name: String) -> Self {
        Self { name, ..Self::default() }
    }
}

/// What the values of a column must be like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a column: a mapping with `type`")]
#[schemars(rename = "Column")]
pub(crate) struct ColumnFile {
    /// The type of every value that is there.
    #[serde(rename = "type")]
    pub(crate) kind: ColumnKind,
    /// Whether the column must be there.
    #[serde(default)]
    pub(crate) required: bool,
    /// The smallest number allowed.
    pub(crate) minimum: Option<Number>,
    /// The largest number allowed.
    pub(crate) maximum: Option<Number>,
    /// The only values allowed.
    #[serde(rename = "enum", default)]
    pub(crate) choices: Vec<Value>,
    /// A regular expression that every text must match somewhere; `^` and `$` bind it to the ends.
    pub(crate) pattern: Option<String>,
    /// Whether no value may be there twice.
    #[serde(default)]
    pub(crate) unique: bool,
    /// How many of the values may be missing (null, or what stands for it in CSV), from 0 to 1. Without it none may in a required
    /// column, and all may in any other.
    pub(crate) max_null_fraction: Option<f64>,
}

/// How many rows there must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with minimum or maximum")]
#[schemars(rename = "Rows")]
pub(crate) struct RowsFile {
    /// At least so many.
    pub(crate) minimum: Option<u64>,
    /// At most so many.
    pub(crate) maximum: Option<u64>,
}

/// `place` is that of the contracts' own expressions.
pub(super) fn check(
    files: Vec<ContractFile>,
    place: Place,
    site: Site<'_>,
    checker: &mut Checker<'_, '_>,
) -> Vec<Contract> {
    if files.len() > MAX_CONTRACTS {
        let message = format!("{} contracts; the limit is {MAX_CONTRACTS}", files.len());
        checker.at_key("TS-0108", &site.key("requires"), message, None);
    }
    let mut seen: Vec<String> = Vec::with_capacity(files.len());
    let mut contracts = Vec::with_capacity(files.len());
    for (index, mut file) in files.into_iter().enumerate() {
        let position = index.to_string();
        let mut one = One { path: [site.path[0], site.path[1], "requires", &position], checker };
        if seen.contains(&file.name) {
            one.at("TS-0107", &["name"], format!("`{}` is there twice", file.name));
        }
        seen.push(file.name.clone());
        let of = one.of(&file.of, place, site);
        let drift = file.drift.take().and_then(|drift| one.drift(drift.0, file.columns.is_some()));
        let contract = one.contract(file);
        if let Some((of, (name, severity, shape, nulls, rows))) = of.zip(contract) {
            contracts.push(Contract { name, of, severity, shape, nulls, rows, drift });
        }
    }
    contracts
}

/// Name, severity, shape, texts that stand for nothing, and number of rows.
type Parts = (String, Severity, Shape, Option<Vec<String>>, Rows);

/// One contract and where it is written.
struct One<'a, 'c, 'r, 'f> {
    path: [&'a str; 4],
    checker: &'c mut Checker<'r, 'f>,
}

impl One<'_, '_, '_, '_> {
    fn at(&mut self, code: &'static str, below: &[&str], message: impl Into<String>) {
        let path: Vec<&str> = self.path.iter().chain(below).copied().collect();
        self.checker.at(code, &path, message, None);
    }

    fn at_key(&mut self, code: &'static str, below: &[&str], message: impl Into<String>, help: Option<&str>) {
        let path: Vec<&str> = self.path.iter().chain(below).copied().collect();
        self.checker.at_key(code, &path, message, help.map(str::to_owned));
    }

    fn of(&mut self, text: &str, place: Place, site: Site<'_>) -> Option<Template> {
        let path: Vec<&str> = self.path.iter().copied().chain(["of"]).collect();
        let template = steps::compile_at(&path, &Value::from(text), place, site.names, self.checker)?;
        if template.whole().is_none() {
            self.at("TS-0103", &["of"], "a contract is about one input: a single ${expression}");
        }
        Some(template)
    }

    fn contract(&mut self, file: ContractFile) -> Option<Parts> {
        if let Err((message, help)) = words::identifier(&file.name) {
            let path: Vec<&str> = self.path.iter().copied().chain(["name"]).collect();
            self.checker.at("TS-0103", &path, message, help);
        }
        let rows = file.rows.as_ref().map(|rows| Rows { minimum: rows.minimum, maximum: rows.maximum });
        if let Some(Rows { minimum: Some(minimum), maximum: Some(maximum) }) = rows
            && minimum > maximum
        {
            self.at("TS-0103", &["rows", "minimum"], format!("the minimum {minimum} is above the maximum {maximum}"));
        }
        if file.severity == Severity::Quarantine && file.columns.is_none() {
            let message = "only the rows of a table can go into quarantine: this contract has no `columns`";
            self.at("TS-0103", &["severity"], message);
        }
        if let Some(nulls) = &file.nulls {
            self.nulls(nulls, file.columns.is_some());
        }
        let shape = match (file.schema, file.columns) {
            (Some(_), Some(_)) => {
                let help = Some("make two contracts of it");
                self.at_key("TS-0103", &["columns"], "a contract has a `schema` or `columns`, not both", help);
                return None;
            }
            (Some(source), None) => match Compiled::compile(&source) {
                Ok(schema) => Shape::Json { source, schema },
                Err(reason) => {
                    self.at("TS-0103", &["schema"], format!("this is no JSON Schema: {reason}"));
                    return None;
                }
            },
            (None, Some(columns)) => Shape::Table(self.columns(columns)),
            (None, None) if rows.is_some() => Shape::Any,
            (None, None) => {
                let help = Some("add `schema`, `columns` or `rows`");
                self.at_key("TS-0102", &["name"], "the contract asks for nothing", help);
                return None;
            }
        };
        Some((file.name, file.severity, shape, file.nulls, rows.unwrap_or_default()))
    }

    fn drift(&mut self, file: ContractDriftFile, table: bool) -> Option<ContractDrift> {
        let short = [self.path[0], self.path[1], self.path[2], self.path[3], "drift"];
        let is_long = self.checker.root.at([&short[..], &["name"]].concat()).is_some();
        if !words::is_model_name(&file.name) {
            let below: &[&str] = if is_long { &["drift", "name"] } else { &["drift"] };
            let message = "a dataset's name is made of letters, digits, `.`, `_` and `-`, at most 64";
            self.at("TS-0103", below, message);
        }
        if !table {
            let message = "only the columns of a table are watched: this contract has no `columns`";
            self.at_key("TS-0103", &["drift"], message, None);
        }
        let usual = DriftConfig::default();
        let config = DriftConfig {
            enabled: file.enabled.unwrap_or(usual.enabled),
            rows: file.rows.unwrap_or(usual.rows),
            time: file.time.unwrap_or(usual.time),
            reference: file.reference.unwrap_or(usual.reference),
            effect: file.effect.unwrap_or(usual.effect),
            share: file.share.unwrap_or(usual.share),
            level: file.level.unwrap_or(usual.level),
            raise: file.raise.unwrap_or(usual.raise),
            of: file.of.unwrap_or(usual.of),
            clear: file.clear.unwrap_or(usual.clear),
            season: file.season.unwrap_or(usual.season),
            ..usual
        };
        for (key, reason) in config.problems() {
            self.at("TS-0103", &["drift", key], reason);
        }
        config.enabled.then_some(ContractDrift { name: file.name, config })
    }

    fn nulls(&mut self, nulls: &[String], table: bool) {
        if !table {
            self.at_key("TS-0103", &["nulls"], "`nulls` is for tables: this contract has no `columns`", None);
        }
        if nulls.len() > MAX_NULLS {
            let message = format!("{} texts; the limit is {MAX_NULLS}", nulls.len());
            self.at_key("TS-0108", &["nulls"], message, None);
        }
        if let Some(index) = nulls.iter().position(|null| null.len() > LONGEST_NULL) {
            let message = format!("a text that stands for nothing has at most {LONGEST_NULL} bytes");
            self.at("TS-0103", &["nulls", &index.to_string()], message);
        }
    }

    fn columns(&mut self, files: Ordered<ColumnFile>) -> Vec<(String, Column)> {
        if files.0.is_empty() {
            self.at_key("TS-0102", &["columns"], "no column is named", None);
        }
        if files.0.len() > MAX_COLUMNS {
            let message = format!("{} columns; the limit is {MAX_COLUMNS}", files.0.len());
            self.at_key("TS-0108", &["columns"], message, None);
        }
        let mut columns = Vec::with_capacity(files.0.len());
        for (name, file) in files.0 {
            if !(1..=LONGEST_COLUMN).contains(&name.len()) {
                let message = format!("the name of a column has 1 to {LONGEST_COLUMN} bytes");
                self.at_key("TS-0103", &["columns", &name], message, None);
            }
            let column = self.column(&name, file);
            columns.push((name, column));
        }
        columns
    }

    fn column(&mut self, name: &str, file: ColumnFile) -> Column {
        let numeric = matches!(file.kind, ColumnKind::Number | ColumnKind::Integer);
        for (key, bound) in [("minimum", &file.minimum), ("maximum", &file.maximum)] {
            if bound.is_some() && !numeric {
                self.at_key("TS-0103", &["columns", name, key], format!("`{key}` is for numbers and integers"), None);
            }
        }
        if let (Some(minimum), Some(maximum)) = (&file.minimum, &file.maximum)
            && bind::order(minimum, maximum).is_gt()
        {
            let (minimum, maximum) = (bind::shown(minimum), bind::shown(maximum));
            let message = format!("the minimum {minimum} is above the maximum {maximum}");
            self.at("TS-0103", &["columns", name, "minimum"], message);
        }
        if file.choices.len() > MAX_CHOICES {
            let message = format!("{} values; the limit is {MAX_CHOICES}", file.choices.len());
            self.at_key("TS-0108", &["columns", name, "enum"], message, None);
        }
        for (index, choice) in file.choices.iter().enumerate().filter(|(_, choice)| !fits(file.kind, choice)) {
            let message = format!("{} is not {}", crate::plan::described(choice), kind_name(file.kind));
            self.at("TS-0103", &["columns", name, "enum", &index.to_string()], message);
        }
        let fraction = field::may_miss(file.required, file.max_null_fraction);
        if !(0.0..=1.0).contains(&fraction) {
            self.at("TS-0103", &["columns", name, "max_null_fraction"], "a fraction is between 0 and 1");
        }
        Column {
            kind: file.kind,
            required: file.required,
            minimum: file.minimum,
            maximum: file.maximum,
            choices: file.choices,
            pattern: file.pattern.and_then(|pattern| self.pattern(name, file.kind, &pattern)),
            unique: file.unique,
            max_null_fraction: fraction,
        }
    }

    fn pattern(&mut self, name: &str, kind: ColumnKind, pattern: &str) -> Option<regex::Regex> {
        if kind != ColumnKind::String {
            self.at_key("TS-0103", &["columns", name, "pattern"], "`pattern` is for strings", None);
        }
        let built = regex::RegexBuilder::new(pattern).size_limit(PATTERN).dfa_size_limit(PATTERN).build();
        match built {
            Ok(regex) => Some(regex),
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                self.at("TS-0103", &["columns", name, "pattern"], format!("this is no regular expression: {reason}"));
                None
            }
        }
    }
}

fn fits(kind: ColumnKind, value: &Value) -> bool {
    match kind {
        ColumnKind::String => value.is_string(),
        ColumnKind::Number => value.is_number(),
        ColumnKind::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        ColumnKind::Boolean => value.is_boolean(),
    }
}

fn kind_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::String => "a string",
        ColumnKind::Number => "a number",
        ColumnKind::Integer => "an integer",
        ColumnKind::Boolean => "true or false",
    }
}
