//! Short notes about JSON values: what a step gave, at a glance.

use serde_json::{Map, Value};
use trackside_spec::ArtifactRef;

use super::{escape, units};

/// Longest note.
const WIDTH: usize = 72;
/// Most fields of a note.
const FIELDS: usize = 4;

/// A few words about a step's output: its numbers, flags and short texts, and the artifacts that it made.
pub fn note(output: &Value) -> String {
    let Some(fields) = output.as_object() else { return value(output).unwrap_or_default() };
    // A model's own outputs say more than its name and digest.
    if let Some(outputs) = fields.get("outputs").and_then(Value::as_object).filter(|_| fields.contains_key("engine")) {
        return join(outputs);
    }
    join(fields)
}

fn join(fields: &Map<String, Value>) -> String {
    let (plain, made): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, field)| ArtifactRef::from_json(field).is_none());
    let mut text = String::new();
    let notes = plain.into_iter().chain(made).filter_map(|(name, field)| {
        let field = value(field)?;
        Some(if name == "value" { field } else { format!("{} {field}", escape(name)) })
    });
    for note in notes.take(FIELDS) {
        if text.chars().count() + note.chars().count() > WIDTH {
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&note);
    }
    text
}

/// A value in a few characters; nothing for what is empty or too large to say.
fn value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(self::number(number)),
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(shorten(&escape(text), 40)),
        Value::Array(items) => list(items),
        Value::Object(_) => {
            let artifact = ArtifactRef::from_json(value)?;
            Some(format!("{} ({})", shorten(&escape(&artifact.name), 40), units::bytes(artifact.size)))
        }
    }
}

/// A tensor or list: its only element, or how many there are and the largest.
fn list(items: &[Value]) -> Option<String> {
    let mut numbers = Vec::new();
    flatten(items, &mut numbers, 0)?;
    match numbers.as_slice() {
        [] => None,
        [only] => Some(rounded(*only)),
        many => {
            let largest = many.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Some(format!("{} values, max {}", many.len(), rounded(largest)))
        }
    }
}

/// The numbers of nested arrays; nothing when there is anything else in them.
fn flatten(items: &[Value], numbers: &mut Vec<f64>, depth: usize) -> Option<()> {
    for item in items {
        match item {
            Value::Number(number) => numbers.push(number.as_f64()?),
            Value::Array(inner) if depth < 8 => flatten(inner, numbers, depth + 1)?,
            _ => return None,
        }
    }
    Some(())
}

fn number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => rounded(value),
        _ => number.to_string(),
    }
}

/// Four significant digits are enough for a glance.
fn rounded(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// At most `width` characters, with an ellipsis for what is left out.
pub fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_note_tells_what_matters() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (output, expected) in [
            (json!({"rows": 24, "bad_rows": 0}), "rows 24, bad_rows 0"),
            (json!({"value": "Hello, hello!"}), "Hello, hello!"),
            (
                json!({"outputs": {"score": [[0.123_456]]}, "model": "m", "digest": digest, "engine": "rten 0.27"}),
                "score 0.1235",
            ),
            (json!({"outputs": {"score": [1.0, 171.6]}, "engine": "e"}), "score 2 values, max 171.6"),
            (
                json!({"file": {"artifact": digest, "name": "a.csv", "size": 2048}, "ok": true}),
                "ok true, file a.csv (2.0 KiB)",
            ),
            (json!({"nested": {"a": 1}, "mixed": [1, "a"], "none": null}), ""),
            (json!("\u{1b}[31mred"), "\\u{1b}[31mred"),
            (json!(null), ""),
        ] {
            assert_eq!(note(&output), expected);
        }
    }

    #[test]
    fn a_note_is_never_long() {
        let long = Value::Object((0..50).map(|i| (format!("field_number_{i}"), json!("x".repeat(300)))).collect());
        assert!(note(&long).chars().count() <= WIDTH + 2 * FIELDS);
    }

    #[test]
    fn numbers_keep_four_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (171.64, "171.6"),
            (0.000_123_45, "0.0001234"),
            (1e20, "1.000e20"),
            (123_456.7, "123457"),
        ] {
            assert_eq!(rounded(value), text);
        }
    }
}
