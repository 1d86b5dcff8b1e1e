//! One value against the rules of its column.

use std::collections::HashSet;

use serde_json::Value;
use trackside_rows::{
    field::{self, Kind, Typed},
    number::Number,
};
use trackside_spec::{
    Digest,
    plan::{Column, ColumnKind},
};

use super::row::Cell;

/// Different values that `unique` keeps in mind, all columns of a contract together: 16 bytes each.
pub const MAX_DISTINCT: usize = 500_000;

/// What a value is to its column.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not there.
    Nothing,
    /// It fits; what `unique` remembers of it.
    Value(u128),
}

/// Why a value does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is of another type.
    #[error("{0}")]
    Type(&'static str),
    /// It is none of the column's choices.
    #[error("not one of the allowed values")]
    Choice,
    /// It is too small.
    #[error("below the minimum {0}")]
    Below(Value),
    /// It is too large.
    #[error("above the maximum {0}")]
    Above(Value),
    /// It does not match the column's pattern.
    #[error("does not match `{0}`")]
    Pattern(String),
    /// It is not there, and must be.
    #[error("missing")]
    Missing,
    /// Another row has it, and none may.
    #[error("a value that was there before")]
    Again,
}

/// Holds a value against the rules that need no memory. `nulls` are the texts that stand for nothing, where they are not
/// the usual ones.
pub fn check(column: &Column, cell: Cell<'_>, nulls: Option<&[String]>) -> Result<Found, Unfit> {
    let kind = kind_of(column.kind);
    let typed = match cell {
        Cell::Nothing => return Ok(Found::Nothing),
        Cell::Text(text) if field::is_null(Some(kind), text, nulls) => return Ok(Found::Nothing),
        Cell::Text(text) => field::read_text(kind, text).map_err(Unfit::Type)?,
        Cell::Json(value) => field::read_json(kind, value).map_err(Unfit::Type)?,
    };
    if !column.choices.is_empty() && !column.choices.iter().any(|choice| typed.is(choice)) {
        return Err(Unfit::Choice);
    }
    if let Typed::Number(number) = typed {
        let bound = |bound: &Option<serde_json::Number>| bound.as_ref().and_then(Number::of);
        if let Some(minimum) = bound(&column.minimum).filter(|minimum| number.compare(*minimum).is_lt()) {
            return Err(Unfit::Below(minimum.shown()));
        }
        if let Some(maximum) = bound(&column.maximum).filter(|maximum| number.compare(*maximum).is_gt()) {
            return Err(Unfit::Above(maximum.shown()));
        }
    }
    if let (Typed::Text(text), Some(pattern)) = (typed, &column.pattern)
        && !pattern.is_match(text)
    {
        return Err(Unfit::Pattern(pattern.to_string()));
    }
    Ok(Found::Value(if column.unique { fingerprint(&typed) } else { 0 }))
}

pub const fn kind_of(kind: ColumnKind) -> Kind {
    match kind {
        ColumnKind::String => Kind::String,
        ColumnKind::Number => Kind::Number,
        ColumnKind::Integer => Kind::Integer,
        ColumnKind::Boolean => Kind::Boolean,
    }
}

/// Half of a SHA-256 digest: nobody makes two values that share it.
fn fingerprint(typed: &Typed<'_>) -> u128 {
    let digest = Digest::of(typed.key().as_bytes());
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

    fn check(column: &Column, cell: Cell<'_>) -> Result<Found, Unfit> {
        super::check(column, cell, None)
    }

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
            (
                ColumnKind::Number,
                vec!["1", "-1.5e3", " 2 ", ".5", "5.", "007"],
                vec!["x", "inf", "nil", "1,5", "18446744073709551616"],
            ),
            (ColumnKind::Integer, vec!["1", "-7", "3.0"], vec!["1.5", "x"]),
            (ColumnKind::Boolean, vec!["true", "FALSE"], vec!["1", "yes"]),
        ] {
            good.into_iter().for_each(|text| assert!(fits(kind, text), "{kind:?} {text}"));
            bad.into_iter().for_each(|text| assert!(!fits(kind, text), "{kind:?} {text}"));
        }
        // What stands for nothing is missing, and no number; in a column of texts it is one.
        assert_eq!(check(&column(ColumnKind::Number), Cell::Text("NaN")), Ok(Found::Nothing));
        assert_ne!(check(&column(ColumnKind::String), Cell::Text("NaN")), Ok(Found::Nothing));
    }

    #[test]
    fn json_keeps_its_own_types() {
        assert!(check(&column(ColumnKind::Number), Cell::Json(&json!("1"))).is_err());
        assert!(check(&column(ColumnKind::String), Cell::Json(&json!(1))).is_err());
        assert!(check(&column(ColumnKind::Integer), Cell::Json(&json!(1.0))).is_ok());
    }

    #[test]
    fn bounds_choices_and_patterns_hold() {
        let bounds = Column { minimum: Some(0.into()), maximum: Some(10.into()), ..column(ColumnKind::Number) };
        assert!(check(&bounds, Cell::Text("10")).is_ok());
        assert_eq!(check(&bounds, Cell::Text("10.1")), Err(Unfit::Above(10.into())));
        assert_eq!(check(&bounds, Cell::Text("-1")), Err(Unfit::Below(0.into())));
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
