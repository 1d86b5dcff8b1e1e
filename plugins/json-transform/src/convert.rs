//! Between JSON and the filter's values.

use jaq_json::{Num, Val, read};
use serde_json::{Map, Number, Value};
use trackside_rows::{json::clip, number::TOO_LARGE};
use trackside_sdk::StepError;

/// The deepest nesting, in and out. The filter's own parser recurses; the host takes outputs no deeper than this.
const MAX_DEPTH: usize = 60;

/// The document of a step without one.
pub fn null() -> Val {
    Val::Null
}

/// Reads JSON text that came from `what`.
///
/// # Errors
/// `bad-json` when it is none, `too-deep`.
pub fn from_json(text: &[u8], what: &str) -> Result<Val, StepError> {
    if depth(text) > MAX_DEPTH {
        return Err(StepError::fatal("too-deep", format!("{what}: nested deeper than {MAX_DEPTH} levels")));
    }
    read::parse_single(text).map_err(|error| StepError::fatal("bad-json", format!("{what}: {error}")))
}

/// The result as JSON.
///
/// # Errors
/// What JSON cannot hold, as a message.
pub fn to_json(value: &Val) -> Result<Value, String> {
    convert(value, 0)
}

fn convert(value: &Val, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("the result is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Num(number) => convert_number(number)?,
        Val::TStr(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
        Val::BStr(_) => return Err("the result holds a byte string, which JSON has no form for".into()),
        Val::Arr(items) => Value::Array(items.iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?),
        Val::Obj(entries) => {
            let mut object = Map::new();
            for (key, item) in entries.iter() {
                let Val::TStr(key) = key else {
                    return Err("the result holds an object with a key that is no text".into());
                };
                object.insert(String::from_utf8_lossy(key).into_owned(), convert(item, depth + 1)?);
            }
            Value::Object(object)
        }
    })
}

/// Infinities and not-a-number become null, as in most JSON writers. A whole number that 64 bits do not hold would be
/// rounded by whoever reads it next.
fn convert_number(number: &Num) -> Result<Value, String> {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    Ok(match number {
        Num::Int(number) => Value::from(*number as i64),
        Num::Float(number) => float(*number),
        Num::BigInt(number) => {
            let text = number.to_string();
            let whole = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
            whole.map_err(|_| format!("the result {} is {TOO_LARGE}", clip(&text, 40)))?
        }
        Num::Dec(text) => float(text.parse().unwrap_or(f64::NAN)),
    })
}

/// A list of documents as one.
pub fn list(items: Vec<Val>) -> Val {
    Val::Arr(items.into())
}

/// The deepest nesting of brackets outside of strings; right for JSON, an upper bound for anything else.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings() {
        assert_eq!(depth(br#"{"a[[[\"[": [[1], 2]}"#), 3);
        assert!(from_json("[".repeat(100_000).as_bytes(), "x").is_err());
    }

    #[test]
    fn large_whole_numbers_keep_their_digits() {
        let value = from_json(b"[9007199254740993, 18446744073709551615, 1.5, -1e400]", "x").unwrap();
        assert_eq!(to_json(&value).unwrap().to_string(), "[9007199254740993,18446744073709551615,1.5,null]");
        for text in ["18446744073709551616", "-9223372036854775809"] {
            let value = from_json(text.as_bytes(), "x").unwrap();
            assert!(to_json(&value).unwrap_err().contains("beyond 64 bits"), "{text}");
        }
    }
}
