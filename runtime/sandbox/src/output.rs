//! Is what a step returned a document that others can work with?

use serde::de::IgnoredAny;
use serde_json::Value;

/// Deepest nesting.
const DEPTH: usize = 64;

/// What is wrong with an output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    TooLarge {
        size: usize,
        limit: usize,
    },
    /// A sentence.
    Document(String),
}

/// Checks that `text` is JSON within the limits and, as far as two keywords tell, fits `schema`.
///
/// Only `type` and `required` at the top of the schema are looked at: enough to catch a step that returns something
/// else altogether. Full validation is the business of data contracts.
pub(crate) fn check(text: &str, limit: usize, schema: &Value) -> Result<(), Bad> {
    if text.len() > limit {
        return Err(Bad::TooLarge { size: text.len(), limit });
    }
    // Before the parser sees it, so that no parser's own recursion is ever in question.
    if depth(text) > DEPTH {
        return Err(Bad::Document(format!("the output is nested deeper than {DEPTH} levels")));
    }
    let not_json = |error: serde_json::Error| {
        let shown = crate::recorder::one_line(&text.chars().take(60).collect::<String>());
        Bad::Document(format!("the output is not JSON: {error}; it begins with `{shown}`"))
    };
    let types = types(schema);
    let required = schema.get("required").and_then(Value::as_array).filter(|names| !names.is_empty());
    if types.is_empty() && required.is_none() {
        return serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(not_json);
    }
    let value: Value = serde_json::from_str(text).map_err(not_json)?;
    if !types.is_empty() && !types.iter().any(|kind| is(&value, kind)) {
        let wanted = types.join(" or ");
        return Err(Bad::Document(format!("the output is {}, and the plugin's schema says {wanted}", name(&value))));
    }
    if let (Some(required), Some(object)) = (required, value.as_object()) {
        let missing = required.iter().filter_map(Value::as_str).find(|key| !object.contains_key(*key));
        if let Some(missing) = missing {
            return Err(Bad::Document(format!("the output lacks `{missing}`, which the plugin's schema requires")));
        }
    }
    Ok(())
}

/// The deepest nesting of brackets outside strings.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        // JSON Schema counts 1.0 as an integer.
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        kind => name(value) == kind,
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_json_passes() {
        for good in ["{}", "null", "[1, 2.5e3]", r#"{"a": "[[["}"#] {
            assert_eq!(check(good, 100, &json!({})), Ok(()), "{good}");
        }
        for bad in ["", "rubbish", "{} {}", "NaN", "{'a': 1}", "[1,]", "\u{1b}[31m"] {
            assert!(check(bad, 100, &json!({})).is_err(), "{bad}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded_before_the_parser_runs() {
        assert_eq!(check("[1234]", 5, &json!({})), Err(Bad::TooLarge { size: 6, limit: 5 }));
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(check(&nested(64), 1_000, &json!({})), Ok(()));
        assert!(check(&nested(65), 1_000, &json!({})).is_err());
        assert!(check(&"[".repeat(1_000_000), 2_000_000, &json!({})).is_err());
    }

    #[test]
    fn type_and_required_of_the_schema_hold() {
        let schema = json!({ "type": "object", "required": ["rows"] });
        assert_eq!(check(r#"{"rows": 1}"#, 100, &schema), Ok(()));
        for bad in ["[]", r#"{"row": 1}"#] {
            assert!(check(bad, 100, &schema).is_err(), "{bad}");
        }
        assert_eq!(check("3.0", 100, &json!({ "type": ["integer", "null"] })), Ok(()));
        assert!(check("3.5", 100, &json!({ "type": "integer" })).is_err());
    }
}
