//! Parameter values of one run.

use std::{cmp::Ordering, fmt};

use serde_json::{Map, Number, Value};
use trackside_rows::number::Number as Exact;

use crate::{
    outside::{OutsideError, read_outside},
    plan::{Param, ParamKind, Plan},
    spec_error::suggest,
};

/// Why a run's parameter is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    /// The parameter.
    pub name: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do, if that is known.
    pub help: Option<String>,
}

impl fmt::Display for ParamProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter `{}`: {}", self.name, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParamProblem {}

impl Plan {
    /// The complete `params` document of a run that was given `given`: defaults filled in, everything checked.
    ///
    /// # Errors
    /// One problem for every name that is not declared, every value that does not fit, every required parameter that
    /// is absent.
    pub fn bind_params(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Vec<ParamProblem>> {
        let mut problems = Vec::new();
        let known: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
        for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
            problems.push(ParamProblem {
                name: name.clone(),
                message: format!("workflow `{}` has no such parameter", self.name),
                help: suggest(name, &known),
            });
        }
        let mut bound = Map::with_capacity(self.params.len());
        for param in &self.params {
            match (given.get(&param.name), &param.default) {
                (Some(value), _) => match check_value(param, value) {
                    Ok(()) => drop(bound.insert(param.name.clone(), value.clone())),
                    Err(bad) => {
                        problems.push(ParamProblem { name: param.name.clone(), message: bad.to_string(), help: None })
                    }
                },
                (None, Some(default)) => drop(bound.insert(param.name.clone(), default.clone())),
                (None, None) => problems.push(ParamProblem {
                    name: param.name.clone(),
                    message: "it is required".to_owned(),
                    help: Some(format!("give it with -p {}=VALUE", param.name)),
                }),
            }
        }
        if problems.is_empty() { Ok(bound) } else { Err(problems) }
    }
}

/// The value of `param` that somebody wrote as `text` on a command line: a string as it is, everything else as JSON.
///
/// # Errors
/// When `text` is no value of the parameter's type, or outside of its bounds and choices.
pub fn parse_param(param: &Param, text: &str) -> Result<Value, ParamProblem> {
    let refuse = |message: String| ParamProblem { name: param.name.clone(), message, help: None };
    let value = match param.kind {
        ParamKind::String => Value::String(text.to_owned()),
        kind => read_outside(text.trim().as_bytes()).map_err(|error| match error {
            OutsideError::Json(_) => refuse(format!("{:?} is not {}", clip(text), kind_name(kind))),
            OutsideError::Lossy(problem) => refuse(problem),
        })?,
    };
    check_value(param, &value).map_err(|bad| refuse(bad.to_string()))?;
    Ok(value)
}

/// Why a value does not fit its parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadValue {
    /// It is of another type.
    #[error("{value} is not {wanted}")]
    Type { value: String, wanted: &'static str },
    /// It is too small.
    #[error("{value} is below the minimum {minimum}")]
    Below { value: String, minimum: String },
    /// It is too large.
    #[error("{value} is above the maximum {maximum}")]
    Above { value: String, maximum: String },
    /// It is none of those that there are to choose from; the first of them.
    #[error("{value} is not one of {choices}")]
    NoChoice { value: String, choices: String },
}

/// Type, bounds and choices.
pub(super) fn check_value(param: &Param, value: &Value) -> Result<(), BadValue> {
    check_type(param, value)?;
    check_bounds(param, value)?;
    if param.choices.is_empty() || param.choices.iter().any(|choice| same(choice, value)) {
        return Ok(());
    }
    let choices: Vec<String> = param.choices.iter().take(20).map(Value::to_string).collect();
    Err(BadValue::NoChoice { value: clip(&value.to_string()), choices: choices.join(", ") })
}

pub(super) fn check_type(param: &Param, value: &Value) -> Result<(), BadValue> {
    let fits = match param.kind {
        ParamKind::String => value.is_string(),
        ParamKind::Number => value.is_number(),
        // As JSON Schema has it, 2.0 is an integer.
        ParamKind::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        ParamKind::Boolean => value.is_boolean(),
        ParamKind::Object => value.is_object(),
        ParamKind::Array => value.is_array(),
    };
    if fits {
        return Ok(());
    }
    Err(BadValue::Type { value: clip(&value.to_string()), wanted: kind_name(param.kind) })
}

pub(super) fn check_bounds(param: &Param, value: &Value) -> Result<(), BadValue> {
    let Value::Number(number) = value else { return Ok(()) };
    match (&param.minimum, &param.maximum) {
        (Some(minimum), _) if order(number, minimum).is_lt() => {
            Err(BadValue::Below { value: value.to_string(), minimum: shown(minimum).to_string() })
        }
        (_, Some(maximum)) if order(number, maximum).is_gt() => {
            Err(BadValue::Above { value: value.to_string(), maximum: shown(maximum).to_string() })
        }
        _ => Ok(()),
    }
}

/// Equal, with 1 and 1.0 the same.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order(left, right).is_eq(),
        _ => left == right,
    }
}

/// How two numbers compare, to the last digit: as doubles, 9007199254740993 and the whole number before it would be the same.
pub(super) fn order(left: &Number, right: &Number) -> Ordering {
    match (Exact::of(left), Exact::of(right)) {
        (Some(left), Some(right)) => left.compare(right),
        // No JSON number is neither whole nor a double.
        _ => Ordering::Equal,
    }
}

/// A bound for people: 10.0 is 10.
pub(super) fn shown(number: &Number) -> Value {
    Exact::of(number).map_or(Value::Null, Exact::shown)
}

pub(super) fn kind_name(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "a string",
        ParamKind::Number => "a number",
        ParamKind::Integer => "an integer",
        ParamKind::Boolean => "true or false",
        ParamKind::Object => "a JSON object",
        ParamKind::Array => "a JSON array",
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
