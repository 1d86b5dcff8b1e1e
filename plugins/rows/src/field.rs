//! One value and its type: the same for a field of CSV and a value of JSON, for `csv-check` and for `requires`.

use serde_json::Value;

use crate::{
    number::{NoNumber, Number, TOO_LARGE},
    timestamp::{self, Time},
};

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any finite number.
    Number,
    /// A whole number.
    Integer,
    /// Any text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A date, or a date and time.
    Timestamp,
}

/// A value in the type of its column.
#[derive(Debug, Clone, Copy)]
pub enum Typed<'a> {
    /// Text, as it stands.
    Text(&'a str),
    /// A number; a whole one where the column asks for that.
    Number(Number),
    /// A truth value.
    Truth(bool),
    /// A point in time and how it is written.
    Time(Time, &'a str),
}

/// Texts of CSV that stand for no value where nobody says which do.
pub const NULLS: [&str; 6] = ["", "NA", "N/A", "NaN", "nan", "null"];

/// Whether a text stands for no value at all: one of `nulls`, or of [`NULLS`] where there is no such list. A text column
/// takes its values as they stand, others without the space around them; and only nothing is nothing in a text column
/// without a list, since `NA` is a country and Null a family.
#[must_use]
pub fn is_null(kind: Option<Kind>, text: &str, nulls: Option<&[String]>) -> bool {
    let is_text = kind == Some(Kind::String);
    let text = if is_text { text } else { text.trim() };
    match nulls {
        Some(nulls) => nulls.iter().any(|null| null == text),
        None if is_text => text.is_empty(),
        None => NULLS.contains(&text),
    }
}

/// How much of a column may be missing, from 0 to 1: as it says, else nothing where it is required and all elsewhere. With 0
/// the row without a value is at fault, with more the table as a whole.
#[must_use]
pub fn may_miss(required: bool, max_null_fraction: Option<f64>) -> f64 {
    max_null_fraction.unwrap_or(if required { 0.0 } else { 1.0 })
}

/// Reads a field of text.
///
/// # Errors
/// What is wrong with it.
pub fn read_text(kind: Kind, text: &str) -> Result<Typed<'_>, &'static str> {
    let trimmed = text.trim();
    match kind {
        Kind::String => Ok(Typed::Text(text)),
        Kind::Number | Kind::Integer => match Number::parse(trimmed) {
            Ok(number) => typed(kind, number),
            Err(NoNumber::TooLarge) => Err(TOO_LARGE),
            Err(NoNumber::Other) => Err(not(kind)),
        },
        Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Typed::Truth(true)),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Typed::Truth(false)),
        Kind::Boolean => Err(not(kind)),
        Kind::Timestamp => timestamp::parse(trimmed).map(|time| Typed::Time(time, trimmed)).ok_or(not(kind)),
    }
}

/// Reads a value of a JSON document, which has a type of its own. Null is no value and none of this one's business.
///
/// # Errors
/// What is wrong with it.
pub fn read_json(kind: Kind, value: &Value) -> Result<Typed<'_>, &'static str> {
    match (kind, value) {
        (Kind::String, Value::String(text)) => Ok(Typed::Text(text)),
        (Kind::Boolean, Value::Bool(truth)) => Ok(Typed::Truth(*truth)),
        (Kind::Number | Kind::Integer, Value::Number(number)) => {
            Number::of(number).map_or(Err(not(kind)), |number| typed(kind, number))
        }
        (Kind::Timestamp, Value::String(text)) => {
            timestamp::parse(text.trim()).map(|time| Typed::Time(time, text)).ok_or(not(kind))
        }
        _ => Err(not(kind)),
    }
}

/// A number in a column without a type: JSON's own grammar with a `+` forgiven, so that `007`, `.5`, `1_000` and `inf`
/// stay text. One that would be rounded stays text too.
#[must_use]
pub fn infer_number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let digits = unsigned.strip_prefix('-').unwrap_or(unsigned);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && !(digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit()))
        && !digits.contains(".e")
        && !digits.contains(".E");
    if plain { Number::parse(unsigned).ok() } else { None }
}

fn typed(kind: Kind, number: Number) -> Result<Typed<'static>, &'static str> {
    match (kind, number.whole()) {
        (Kind::Integer, Some(whole)) => Ok(Typed::Number(Number::Whole(whole))),
        (Kind::Integer, None) => Err(not(kind)),
        _ => Ok(Typed::Number(number)),
    }
}

const fn not(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "not a number",
        Kind::Integer => "not a whole number",
        Kind::String => "not a text",
        Kind::Boolean => "neither true nor false",
        Kind::Timestamp => "not a date and time",
    }
}

impl Typed<'_> {
    /// The same text for equal values of a column, and for no others.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Number(number) => number.key(),
            Self::Truth(truth) => truth.to_string(),
            // One instant may be written in many ways.
            Self::Time(time, _) => timestamp::format(*time),
        }
    }

    /// Whether it is this value of a contract's list: 1 and 1.0 are the same.
    #[must_use]
    pub fn is(&self, choice: &Value) -> bool {
        match (self, choice) {
            (Self::Text(text) | Self::Time(_, text), choice) => choice.as_str() == Some(text),
            (Self::Number(number), Value::Number(choice)) => {
                Number::of(choice).is_some_and(|choice| choice.compare(*number).is_eq())
            }
            (Self::Truth(truth), choice) => choice.as_bool() == Some(*truth),
            (Self::Number(_), _) => false,
        }
    }

    /// For JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) | Self::Time(_, text) => Value::String((*text).to_owned()),
            Self::Number(number) => number.to_json(),
            Self::Truth(truth) => Value::Bool(*truth),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(kind: Kind, text: &str) -> Result<String, &'static str> {
        read_text(kind, text).map(|typed| typed.to_json().to_string())
    }

    #[test]
    fn a_field_takes_the_type_of_its_column() {
        for (kind, field, json) in [
            (Kind::String, " x ", "\" x \""),
            (Kind::Number, "\t2.50 ", "2.5"),
            (Kind::Integer, "3.0", "3"),
            (Kind::Integer, "18446744073709551615", "18446744073709551615"),
            (Kind::Boolean, " TRUE", "true"),
            (Kind::Timestamp, " 2024-02-29 ", "\"2024-02-29\""),
        ] {
            assert_eq!(text(kind, field).unwrap(), json, "{kind:?} {field:?}");
        }
        for (kind, field, reason) in [
            (Kind::Number, "1,5", "not a number"),
            (Kind::Number, "99999999999999999999", TOO_LARGE),
            (Kind::Integer, "1.5", "not a whole number"),
            // Its neighbours share its double.
            (Kind::Integer, "9007199254740994.0", "not a whole number"),
            (Kind::Boolean, "1", "neither true nor false"),
            (Kind::Timestamp, "1709067600", "not a date and time"),
        ] {
            assert_eq!(text(kind, field).unwrap_err(), reason, "{kind:?} {field:?}");
        }
    }

    #[test]
    fn json_keeps_its_own_types() {
        assert!(read_json(Kind::Number, &json!("1")).is_err() && read_json(Kind::String, &json!(1)).is_err());
        assert!(read_json(Kind::Integer, &json!(1.0)).is_ok() && read_json(Kind::Integer, &json!(1.5)).is_err());
        assert!(read_json(Kind::Boolean, &json!(true)).is_ok() && read_json(Kind::Timestamp, &json!(1)).is_err());
    }

    #[test]
    fn without_a_type_only_json_numbers_are_numbers() {
        for (field, json) in [("12", "12"), ("-1.5e3", "-1500.0"), ("+3", "3"), ("0", "0"), ("-0.5", "-0.5")] {
            assert_eq!(infer_number(field).unwrap().to_json().to_string(), json, "{field}");
        }
        for field in ["007", "-01", "1.", ".5", "1.e5", "inf", "1 2", "1e999", "", "+", "18446744073709551616", "0x1"] {
            assert!(infer_number(field).is_none(), "{field}");
        }
    }

    #[test]
    fn values_are_the_same_whatever_their_text() {
        let key = |kind, field| read_text(kind, field).unwrap().key();
        assert_eq!(key(Kind::Number, "1.0"), key(Kind::Number, "01"));
        assert_ne!(key(Kind::Integer, "9007199254740993"), key(Kind::Integer, "9007199254740992"));
        assert_eq!(key(Kind::Timestamp, "2024-01-01T01:00+01"), key(Kind::Timestamp, "2024-01-01"));
        assert!(read_text(Kind::Number, "1.0").unwrap().is(&json!(1)));
        assert!(!read_text(Kind::Integer, "9007199254740993").unwrap().is(&json!(9_007_199_254_740_992_u64)));
    }

    #[test]
    fn what_stands_for_nothing_is_said_or_usual() {
        let minus = ["-".to_owned()];
        for (kind, field, nulls, null) in [
            (Some(Kind::Number), "  ", None, true),
            (Some(Kind::Number), " NA ", None, true),
            (Some(Kind::Timestamp), "null", None, true),
            (None, "N/A", None, true),
            (Some(Kind::String), "", None, true),
            (Some(Kind::String), "  ", None, false),
            (Some(Kind::String), "NA", None, false),
            (Some(Kind::Number), "NULL", None, false),
            (Some(Kind::String), "-", Some(&minus[..]), true),
            (Some(Kind::String), " -", Some(&minus[..]), false),
            (Some(Kind::Integer), " -", Some(&minus[..]), true),
            (Some(Kind::Integer), "", Some(&minus[..]), false),
            (None, "", Some(&[][..]), false),
        ] {
            assert_eq!(is_null(kind, field, nulls), null, "{kind:?} {field:?} {nulls:?}");
        }
        assert_eq!((may_miss(true, None), may_miss(false, None), may_miss(true, Some(0.5))), (0.0, 1.0, 0.5));
    }
}
