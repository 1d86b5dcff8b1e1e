//! Numbers in JSON.

use serde_json::{Number, Value};

/// A JSON number; null for what JSON cannot hold (infinities, not-a-number). Whole numbers that a double holds exactly
/// are written without a fraction.
#[must_use]
pub fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    // Negative zero has no whole form.
    if value.fract() == 0.0 && value.abs() <= EXACT && !(value == 0.0 && value.is_sign_negative()) {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The same for a value of a tensor: what JSON cannot hold is a text, `NaN`, `Infinity` or `-Infinity`, as in models' outputs.
#[must_use]
pub fn float(value: f64) -> Value {
    match value {
        _ if value.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ => number(value),
    }
}

/// The same for single precision: as few digits as bring it back.
#[must_use]
pub fn single(value: f32) -> Value {
    float(value.to_string().parse().unwrap_or_else(|_| f64::from(value)))
}

/// The first `max` characters of a text, for messages.
#[must_use]
pub fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_expect() {
        assert_eq!(number(3.0).to_string(), "3");
        assert_eq!(number(0.1).to_string(), "0.1");
        assert_eq!(number(f64::NAN), Value::Null);
        assert_eq!(number(1e300).to_string(), "1e+300");
        assert_eq!(single(0.1).to_string(), "0.1");
        assert_eq!(single(f32::MAX).to_string(), "3.4028235e+38");
        for (value, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")] {
            assert_eq!((float(value), single(value as f32)), (text.into(), text.into()));
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clip("größe", 3), "grö…");
        assert_eq!(clip("ab", 3), "ab");
    }
}
