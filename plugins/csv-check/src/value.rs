//! One value: its type and whether it keeps the contract.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use serde_json::Value;
use trackside_rows::{
    field::{self, Typed},
    number::Number,
    timestamp::{self, Time},
};
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
    pub range: Option<(Number, Number)>,
    /// The type of all values so far; `None` before the first.
    pub seen: Option<Kind>,
    last: Option<Place>,
    distinct: HashSet<u128, Deterministic>,
}

/// A value's place in the order of its column.
enum Place {
    Number(Number),
    Time(Time),
}

impl Place {
    fn is_after(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Number(now), Self::Number(before)) => now.compare(*before).is_gt(),
            (Self::Time(now), Self::Time(before)) => now > before,
            // A column has one type.
            _ => false,
        }
    }
}

/// What is wrong with a value.
pub type Reason = String;

impl Watch {
    /// Watches a column under these rules.
    pub fn new(rule: Column) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Reads a field of text. `nulls` are the texts that stand for nothing, where they are not the usual ones.
    pub fn read_text(&self, text: &str, nulls: Option<&[String]>) -> Result<Value, Reason> {
        let kind = self.rule.kind.map(Kind::of_field);
        if field::is_null(kind, text, nulls) {
            return Ok(Value::Null);
        }
        match kind {
            None => {
                let number = field::infer_number(text.trim());
                Ok(number.map_or_else(|| Value::String(text.to_owned()), Number::to_json))
            }
            Some(kind) => Ok(field::read_text(kind, text)?.to_json()),
        }
    }

    /// Reads a value of a JSON object.
    pub fn read_json(&self, value: Value) -> Result<Value, Reason> {
        match (self.rule.kind, &value) {
            (None, Value::Array(_) | Value::Object(_)) => Err("a list or object, not a single value".into()),
            (None, _) | (_, Value::Null) => Ok(value),
            (Some(kind), _) => Ok(field::read_json(kind.of_field(), &value)?.to_json()),
        }
    }

    /// Holds a value against the rules that need no memory.
    pub fn check(&self, value: &Value) -> Result<(), Reason> {
        if value.is_null() {
            // No value at all may be missing: the row is at fault, not the whole.
            return if self.rule.may_miss() <= 0.0 { Err("missing".into()) } else { Ok(()) };
        }
        let typed = self.typed(value);
        if !self.rule.choices.is_empty() && !self.rule.choices.iter().any(|choice| is(typed, value, choice)) {
            return Err("not one of the allowed values".into());
        }
        if let Some(Typed::Number(number)) = typed {
            let bound = |bound: &Option<serde_json::Number>| bound.as_ref().and_then(Number::of);
            if let Some(min) = bound(&self.rule.min).filter(|min| number.compare(*min).is_lt()) {
                return Err(format!("below {}", min.shown()));
            }
            if let Some(max) = bound(&self.rule.max).filter(|max| number.compare(*max).is_gt()) {
                return Err(format!("above {}", max.shown()));
            }
        }
        if self.rule.increasing
            && let (Some(last), Some(place)) = (&self.last, place(typed))
            && !place.is_after(last)
        {
            return Err("not after the value before".into());
        }
        if self.rule.unique && self.distinct.contains(&fingerprint(typed, value)) {
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
        let (at, print) = {
            let typed = self.typed(value);
            if let Some(Typed::Number(number)) = typed {
                let (low, high) = self.range.unwrap_or((number, number));
                let low = if number.compare(low).is_lt() { number } else { low };
                let high = if number.compare(high).is_gt() { number } else { high };
                self.range = Some((low, high));
            }
            (place(typed), self.rule.unique.then(|| fingerprint(typed, value)))
        };
        self.seen = widen(self.seen, value);
        if self.rule.increasing {
            self.last = at;
        }
        if let Some(print) = print {
            if self.distinct.len() == MAX_DISTINCT {
                let message = format!(
                    "column `{}`: unique is checked for up to {MAX_DISTINCT} rows; for larger files use `increasing`",
                    self.rule.name
                );
                return Err(StepError::fatal("too-many-distinct", message));
            }
            self.distinct.insert(print);
        }
        Ok(())
    }

    /// The type for reports: as declared, else as seen.
    pub fn kind(&self) -> Option<Kind> {
        self.rule.kind.or(self.seen)
    }

    /// A value that was read, in its type again.
    fn typed<'v>(&self, value: &'v Value) -> Option<Typed<'v>> {
        match value {
            Value::String(text) if self.rule.kind == Some(Kind::Timestamp) => {
                timestamp::parse(text.trim()).map(|time| Typed::Time(time, text))
            }
            Value::String(text) => Some(Typed::Text(text)),
            Value::Number(number) => Number::of(number).map(Typed::Number),
            Value::Bool(truth) => Some(Typed::Truth(*truth)),
            _ => None,
        }
    }
}

fn place(typed: Option<Typed<'_>>) -> Option<Place> {
    match typed? {
        Typed::Number(number) => Some(Place::Number(number)),
        Typed::Time(time, _) => Some(Place::Time(time)),
        Typed::Text(_) | Typed::Truth(_) => None,
    }
}

/// Equal as values: 1 and 1.0 are.
fn is(typed: Option<Typed<'_>>, value: &Value, choice: &Value) -> bool {
    choice == value || typed.is_some_and(|typed| typed.is(choice))
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

/// 128 bits of a value: two of them are equal by chance once in 10^27 files of half a million rows. Texts and numbers of a
/// column without a type are told apart.
fn fingerprint(typed: Option<Typed<'_>>, value: &Value) -> u128 {
    let text = typed.as_ref().map_or_else(|| value.to_string(), Typed::key);
    let half = |salt: u8| u128::from(Deterministic::default().hash_one((salt, value.is_string(), &text)));
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
            assert_eq!(free.read_text(text, Some(&[String::new()])).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn integers_may_be_written_as_floats() {
        let whole = watch(json!({"type": "integer"}));
        assert_eq!(whole.read_text("5.0", None).unwrap(), json!(5));
        assert!(whole.read_text("5.5", None).is_err());
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
        assert!(rising.check(&json!("2024-01-02T00:00:00.000000001")).is_ok());
        assert_eq!(rising.check(&json!("2024-01-02T01:00+01")).unwrap_err(), "not after the value before");
    }

    #[test]
    fn whole_numbers_keep_their_last_digit() {
        let rule = json!({"type": "integer", "increasing": true, "unique": true, "max": 9_007_199_254_740_995_u64});
        let mut ids = watch(rule);
        for id in [9_007_199_254_740_992_u64, 9_007_199_254_740_993, 9_007_199_254_740_995] {
            let id = ids.read_text(&id.to_string(), None).unwrap();
            ids.check(&id).unwrap();
            ids.keep(&id).unwrap();
        }
        assert!(ids.check(&json!(9_007_199_254_740_996_u64)).is_err());
        assert_eq!(ids.range.unwrap().1.to_json(), json!(9_007_199_254_740_995_u64));
        assert!(ids.read_text("18446744073709551616", None).is_err());
        assert_eq!(watch(json!({})).read_text("18446744073709551616", None).unwrap(), json!("18446744073709551616"));
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
