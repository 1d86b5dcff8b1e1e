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
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clip("größe", 3), "grö…");
        assert_eq!(clip("ab", 3), "ab");
    }
}
