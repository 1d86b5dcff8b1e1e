//! One value: its type and whether it keeps the contract.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use serde_json::{Number, Value};
use trackside_rows::{json::number, timestamp};
use trackside_sdk::StepError;

use crate::contract::{Column, Kind};

/// How many different values `unique` keeps in mind: 16 bytes each.
const MAX_DISTINCT: usize = 500_000;

/// Hashes the same way in every run: the default one is seeded by chance.
type Deterministic = BuildHasherDefault<DefaultHasher>;

/// A column's rules and what was seen of it so far.
#[derive(Default)]
pub struct Watch {
    /// Its rules; all default for a column that the contract does not name.
    pub rule: Column,
    /// Values that were missing.
    pub nulls: u64,
    /// Smallest and largest number.
    pub range: Option<(f64, f64)>,
    /// The type of all values so far; `None` before the first.
    pub seen: Option<Kind>,
    last: Option<f64>,
    distinct: HashSet<u128, Deterministic>,
}

/// What is wrong with a value.
pub type Reason = String;

impl Watch {
    /// Watches a column under these rules.
    pub fn new(rule: Column) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Reads a field of text. `nulls` are the texts that stand for nothing.
    pub fn read_text(&self, text: &str, nulls: &[String]) -> Result<Value, Reason> {
        let trimmed = text.trim();
        if nulls.iter().any(|null| null == trimmed) {
            return Ok(Value::Null);
        }
        match self.rule.kind {
            None => Ok(parse_number(trimmed).map_or_else(|| Value::String(text.to_owned()), Value::Number)),
            Some(Kind::String) => Ok(Value::String(text.to_owned())),
            Some(Kind::Number) => parse_number(trimmed).map(Value::Number).ok_or_else(|| "not a number".into()),
            Some(Kind::Integer) => parse_number(trimmed)
                .and_then(|number| as_integer(&number))
                .map(Value::from)
                .ok_or_else(|| "not a whole number".into()),
            Some(Kind::Boolean) => match trimmed.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("neither true nor false".into()),
            },
            Some(Kind::Timestamp) => match timestamp::parse(trimmed) {
                Some(_) => Ok(Value::String(trimmed.to_owned())),
                None => Err("not a date and time".into()),
            },
        }
    }

    /// Reads a value of a JSON object.
    pub fn read_json(&self, value: Value) -> Result<Value, Reason> {
        let fits = match (self.rule.kind, &value) {
            (None, Value::Array(_) | Value::Object(_)) => return Err("a list or object, not a single value".into()),
            (None, _) | (_, Value::Null) => true,
            (Some(Kind::Number), Value::Number(_))
            | (Some(Kind::String), Value::String(_))
            | (Some(Kind::Boolean), Value::Bool(_)) => true,
            (Some(Kind::Integer), Value::Number(number)) => match as_integer(number) {
                Some(whole) => return Ok(Value::from(whole)),
                None => return Err("not a whole number".into()),
            },
            (Some(Kind::Timestamp), Value::String(text)) => timestamp::parse(text).is_some(),
            _ => false,
        };
        match self.rule.kind {
            Some(kind) if !fits => Err(format!("not a {}", kind.name())),
            _ => Ok(value),
        }
    }

    /// Holds a value against the rules that need no memory.
    pub fn check(&self, value: &Value) -> Result<(), Reason> {
        if value.is_null() {
            return if self.rule.required { Err("missing".into()) } else { Ok(()) };
        }
        if !self.rule.choices.is_empty() && !self.rule.choices.iter().any(|choice| same(choice, value)) {
            return Err("not one of the allowed values".into());
        }
        let order = self.order(value);
        if let Some(number) = value.as_f64() {
            if let Some(min) = self.rule.min.filter(|&min| number < min) {
                return Err(format!("below {min}"));
            }
            if let Some(max) = self.rule.max.filter(|&max| number > max) {
                return Err(format!("above {max}"));
            }
        }
        if self.rule.increasing
            && let (Some(last), Some(order)) = (self.last, order)
            && order <= last
        {
            return Err("not after the value before".into());
        }
        if self.rule.unique && self.distinct.contains(&fingerprint(value)) {
            return Err("a value that was there before".into());
        }
        Ok(())
    }

    /// Remembers a value of a good row.
    ///
    /// # Errors
    /// `too-many-distinct` when `unique` would need more memory than it may have.
    pub fn keep(&mut self, value: &Value) -> Result<(), StepError> {
        if value.is_null() {
            self.nulls += 1;
            return Ok(());
        }
        if let Some(number) = value.as_f64() {
            let (low, high) = self.range.unwrap_or((number, number));
            self.range = Some((low.min(number), high.max(number)));
        }
        self.seen = widen(self.seen, value);
        if self.rule.increasing {
            self.last = self.order(value);
        }
        if self.rule.unique {
            if self.distinct.len() == MAX_DISTINCT {
                let message = format!(
                    "column `{}`: unique is checked for up to {MAX_DISTINCT} rows; for larger files use `increasing`",
                    self.rule.name
                );
                return Err(StepError::fatal("too-many-distinct", message));
            }
            self.distinct.insert(fingerprint(value));
        }
        Ok(())
    }

    /// The type for reports: as declared, else as seen.
    pub fn kind(&self) -> Option<Kind> {
        self.rule.kind.or(self.seen)
    }

    /// Its place in the column's order.
    fn order(&self, value: &Value) -> Option<f64> {
        match value {
            Value::String(text) if self.rule.increasing => timestamp::parse(text).map(|ms| ms as f64),
            _ => value.as_f64(),
        }
    }
}

/// A number in JSON's own grammar, so that `007`, `1_000`, `0x10` and `inf` stay text; a leading `+` is forgiven.
/// Written again as it was where it is whole.
fn parse_number(text: &str) -> Option<Number> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') || !text.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A whole number, also when it is written `5.0`.
fn as_integer(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    })
}

/// Equal as values: 1 and 1.0 are.
fn same(choice: &Value, value: &Value) -> bool {
    choice == value || (choice.is_number() && choice.as_f64() == value.as_f64())
}

fn widen(seen: Option<Kind>, value: &Value) -> Option<Kind> {
    let now = match value {
        Value::Number(number) if number.is_f64() => Kind::Number,
        Value::Number(_) => Kind::Integer,
        Value::Bool(_) => Kind::Boolean,
        _ => Kind::String,
    };
    match (seen, now) {
        (None, now) => Some(now),
        (Some(before), now) if before == now => Some(now),
        (Some(Kind::Integer | Kind::Number), Kind::Integer | Kind::Number) => Some(Kind::Number),
        _ => Some(Kind::String),
    }
}

/// 128 bits of a value: two of them are equal by chance once in 10^27 files of half a million rows.
fn fingerprint(value: &Value) -> u128 {
    let text = match value {
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), |value| number(value).to_string()),
        other => other.to_string(),
    };
    let half = |salt: u8| u128::from(Deterministic::default().hash_one((salt, &text)));
    half(1) << 64 | half(2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn watch(rule: Value) -> Watch {
        Watch::new(serde_json::from_value(rule).unwrap())
    }

    #[test]
    fn only_json_numbers_are_inferred_as_numbers() {
        let free = watch(json!({}));
        for (text, value) in [
            ("12", json!(12)),
            (" -1.5e3 ", json!(-1500.0)),
            ("+3", json!(3)),
            ("007", json!("007")),
            ("1.", json!("1.")),
            ("inf", json!("inf")),
            ("1 2", json!("1 2")),
            ("1e999", json!("1e999")),
            ("", json!(null)),
        ] {
            assert_eq!(free.read_text(text, &[String::new()]).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn integers_may_be_written_as_floats() {
        let whole = watch(json!({"type": "integer"}));
        assert_eq!(whole.read_text("5.0", &[]).unwrap(), json!(5));
        assert!(whole.read_text("5.5", &[]).is_err());
        assert_eq!(whole.read_json(json!(5.0)).unwrap(), json!(5));
    }

    #[test]
    fn rules_say_what_is_wrong() {
        let bounded = watch(json!({"type": "number", "min": 0, "max": 10, "required": true}));
        assert_eq!(bounded.check(&json!(-1)).unwrap_err(), "below 0");
        assert_eq!(bounded.check(&json!(11)).unwrap_err(), "above 10");
        assert_eq!(bounded.check(&json!(null)).unwrap_err(), "missing");
        let listed = watch(json!({"enum": [1, "b"]}));
        assert!(listed.check(&json!(1.0)).is_ok());
        assert!(listed.check(&json!("c")).is_err());
        let mut rising = watch(json!({"type": "timestamp", "increasing": true, "unique": true}));
        rising.keep(&json!("2024-01-02")).unwrap();
        assert!(rising.check(&json!("2024-01-01T10:00")).is_err());
        assert!(rising.check(&json!("2024-01-02T00:00:01")).is_ok());
    }

    #[test]
    fn types_widen_as_values_come() {
        let mut column = watch(json!({}));
        column.keep(&json!(1)).unwrap();
        assert_eq!(column.kind(), Some(Kind::Integer));
        column.keep(&json!(1.5)).unwrap();
        assert_eq!(column.kind(), Some(Kind::Number));
        column.keep(&json!("x")).unwrap();
        assert_eq!(column.kind(), Some(Kind::String));
    }
}
