//! One value against the rules of its column.

use std::collections::HashSet;

use serde_json::Value;
use trackside_spec::{
    Digest,
    plan::{Column, ColumnKind},
};

use super::row::Cell;

/// Different values that `unique` keeps in mind, all columns of a contract together: 16 bytes each.
pub const MAX_DISTINCT: usize = 500_000;

/// A value in the type of its column.
#[derive(Debug, Clone, Copy)]
enum Typed<'a> {
    Text(&'a str),
    Number(f64),
    Truth(bool),
}

/// What a value is to its column.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not there.
    Nothing,
    /// It fits; what `unique` remembers of it.
    Value(u128),
}

/// Holds a value against the rules that need no memory.
pub fn check(column: &Column, cell: Cell<'_>) -> Result<Found, String> {
    let typed = match (cell, column.kind) {
        (Cell::Nothing, _) => return Ok(Found::Nothing),
        (Cell::Bytes, _) => return Err("not UTF-8".to_owned()),
        (Cell::Text(text), kind) => read_text(kind, text)?,
        (Cell::Json(Value::String(text)), ColumnKind::String) => Typed::Text(text),
        (Cell::Json(Value::Bool(truth)), ColumnKind::Boolean) => Typed::Truth(*truth),
        (Cell::Json(Value::Number(number)), kind @ (ColumnKind::Number | ColumnKind::Integer)) => {
            number_of(kind, number.as_f64())?
        }
        (Cell::Json(_), kind) => return Err(not(kind).to_owned()),
    };
    if !column.choices.is_empty() && !column.choices.iter().any(|choice| same(choice, typed)) {
        return Err("not one of the allowed values".to_owned());
    }
    if let Typed::Number(number) = typed {
        if let Some(minimum) = column.minimum.filter(|minimum| number < *minimum) {
            return Err(format!("below the minimum {minimum}"));
        }
        if let Some(maximum) = column.maximum.filter(|maximum| number > *maximum) {
            return Err(format!("above the maximum {maximum}"));
        }
    }
    if let (Typed::Text(text), Some(pattern)) = (typed, &column.pattern)
        && !pattern.is_match(text)
    {
        return Err(format!("does not match `{pattern}`"));
    }
    Ok(Found::Value(if column.unique { fingerprint(typed, cell) } else { 0 }))
}

fn read_text(kind: ColumnKind, text: &str) -> Result<Typed<'_>, String> {
    match kind {
        ColumnKind::String => Ok(Typed::Text(text)),
        ColumnKind::Number | ColumnKind::Integer => number_of(kind, text.trim().parse().ok()),
        ColumnKind::Boolean if text.trim().eq_ignore_ascii_case("true") => Ok(Typed::Truth(true)),
        ColumnKind::Boolean if text.trim().eq_ignore_ascii_case("false") => Ok(Typed::Truth(false)),
        ColumnKind::Boolean => Err(not(kind).to_owned()),
    }
}

fn number_of(kind: ColumnKind, number: Option<f64>) -> Result<Typed<'static>, String> {
    let fits = |number: &f64| number.is_finite() && (kind == ColumnKind::Number || number.fract() == 0.0);
    number.filter(fits).map(Typed::Number).ok_or_else(|| not(kind).to_owned())
}

const fn not(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::String => "not a string",
        ColumnKind::Number => "not a number",
        ColumnKind::Integer => "not an integer",
        ColumnKind::Boolean => "neither true nor false",
    }
}

fn same(choice: &Value, typed: Typed<'_>) -> bool {
    match typed {
        Typed::Text(text) => choice.as_str() == Some(text),
        Typed::Number(number) => choice.as_f64() == Some(number),
        Typed::Truth(truth) => choice.as_bool() == Some(truth),
    }
}

/// Half of a SHA-256 digest: nobody makes two values that share it. Large integers count as written, they would be the
/// same as their neighbours when they are rounded.
fn fingerprint(typed: Typed<'_>, cell: Cell<'_>) -> u128 {
    let exact = match cell {
        Cell::Text(text) => text.trim().parse::<i128>().ok(),
        Cell::Json(value) => value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)),
        Cell::Nothing | Cell::Bytes => None,
    };
    let text = match typed {
        Typed::Text(text) => text.to_owned(),
        Typed::Number(number) => match exact {
            Some(exact) => exact.to_string(),
            // Written like an integer where it is one: 1.0 is 1.
            None => number.to_string(),
        },
        Typed::Truth(truth) => truth.to_string(),
    };
    let digest = Digest::of(text.as_bytes());
    digest.as_bytes()[..16].iter().fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

/// What the rules that look at more than one row remember of a column.
#[derive(Debug, Default)]
pub struct Memory {
    /// Rows without a value.
    pub nulls: u64,
    /// Whether any row had one.
    pub seen: bool,
    distinct: HashSet<u128>,
}

impl Memory {
    /// Whether this value was there before.
    pub fn knows(&self, fingerprint: u128) -> bool {
        self.distinct.contains(&fingerprint)
    }

    /// Remembers a value; says whether that took room.
    pub fn remember(&mut self, fingerprint: u128) -> bool {
        self.distinct.insert(fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn column(kind: ColumnKind) -> Column {
        Column {
            kind,
            required: false,
            minimum: None,
            maximum: None,
            choices: Vec::new(),
            pattern: None,
            unique: true,
            max_null_fraction: 1.0,
        }
    }

    #[test]
    fn text_is_read_as_the_type_of_its_column() {
        let fits = |kind, text| check(&column(kind), Cell::Text(text)).is_ok();
        for (kind, good, bad) in [
            (ColumnKind::String, vec!["x", "1"], vec![]),
            (ColumnKind::Number, vec!["1", "-1.5e3", " 2 "], vec!["x", "inf", "NaN", "1,5"]),
            (ColumnKind::Integer, vec!["1", "-7", "3.0"], vec!["1.5", "x"]),
            (ColumnKind::Boolean, vec!["true", "FALSE"], vec!["1", "yes"]),
        ] {
            good.into_iter().for_each(|text| assert!(fits(kind, text), "{kind:?} {text}"));
            bad.into_iter().for_each(|text| assert!(!fits(kind, text), "{kind:?} {text}"));
        }
    }

    #[test]
    fn json_keeps_its_own_types() {
        assert!(check(&column(ColumnKind::Number), Cell::Json(&json!("1"))).is_err());
        assert!(check(&column(ColumnKind::String), Cell::Json(&json!(1))).is_err());
        assert!(check(&column(ColumnKind::Integer), Cell::Json(&json!(1.0))).is_ok());
    }

    #[test]
    fn bounds_choices_and_patterns_hold() {
        let bounds = Column { minimum: Some(0.0), maximum: Some(10.0), ..column(ColumnKind::Number) };
        assert!(check(&bounds, Cell::Text("10")).is_ok());
        assert_eq!(check(&bounds, Cell::Text("10.1")), Err("above the maximum 10".to_owned()));
        assert_eq!(check(&bounds, Cell::Text("-1")), Err("below the minimum 0".to_owned()));
        let choices = Column { choices: vec![json!(1), json!(2)], ..column(ColumnKind::Integer) };
        assert!(check(&choices, Cell::Text("2")).is_ok() && check(&choices, Cell::Text("3")).is_err());
        let pattern = Column { pattern: regex::Regex::new("^M[0-9]+$").ok(), ..column(ColumnKind::String) };
        assert!(check(&pattern, Cell::Text("M12")).is_ok() && check(&pattern, Cell::Text("xM12")).is_err());
    }

    #[test]
    fn equal_values_share_their_fingerprint_and_neighbours_do_not() {
        let print = |kind, text: &str| check(&column(kind), Cell::Text(text)).unwrap();
        assert_eq!(print(ColumnKind::Number, "1.0"), print(ColumnKind::Number, "1"));
        // The same number when they are rounded.
        assert_ne!(print(ColumnKind::Integer, "9007199254740993"), print(ColumnKind::Integer, "9007199254740992"));
    }
}
