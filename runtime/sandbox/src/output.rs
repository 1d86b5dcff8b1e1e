//! Is what a step returned a document that others can work with?

use serde_json::Value;
use trackside_codes::{Class, Reason};
use trackside_spec::{JsonSchema, OutsideError, read_outside};

use crate::call::CallLimits;

/// What is wrong with an output.
#[derive(Debug)]
pub(crate) enum Bad {
    TooLarge {
        size: usize,
        limit: usize,
    },
    /// What is wrong with it.
    Document(Reason),
}

/// Checks that `text` is JSON within the limits and fits `schema`.
pub(crate) fn check(text: &str, limits: &CallLimits, schema: &JsonSchema) -> Result<(), Bad> {
    match schema.problem(&parse(text, limits)?) {
        Some(problem) => {
            Err(Bad::Document(format!("the output does not fit the plugin's own output schema: {problem}").into()))
        }
        None => Ok(()),
    }
}

/// The JSON document that `text` is, if it is one within the limits.
pub(crate) fn parse(text: &str, limits: &CallLimits) -> Result<Value, Bad> {
    let (limit, deepest) = (limits.output_bytes, limits.output_depth);
    if text.len() > limit {
        return Err(Bad::TooLarge { size: text.len(), limit });
    }
    // Before the parser sees it, so that no parser's own recursion is ever in question.
    if depth(text) > deepest {
        return Err(Bad::Document(format!("the output is nested deeper than {deepest} levels").into()));
    }
    read_outside(text.as_bytes()).map_err(|error| {
        let words = match &error {
            OutsideError::Json(error) => {
                let shown = crate::recorder::one_line(&text.chars().take(60).collect::<String>());
                format!("the output is not JSON: {error}; it begins with `{shown}`")
            }
            OutsideError::Lossy(problem) => format!("the output can not be kept: {problem}"),
        };
        Bad::Document(Reason::because(Class::BadInput, words, error))
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limits(output_bytes: usize) -> CallLimits {
        CallLimits { output_bytes, ..CallLimits::default() }
    }

    fn any() -> JsonSchema {
        JsonSchema::compile(&json!({})).unwrap()
    }

    #[test]
    fn only_json_passes() {
        for good in ["{}", "null", "[1, 2.5e3]", r#"{"a": "[[["}"#] {
            assert!(check(good, &limits(100), &any()).is_ok(), "{good}");
        }
        for bad in ["", "rubbish", "{} {}", "NaN", "{'a': 1}", "[1,]", "\u{1b}[31m"] {
            assert!(check(bad, &limits(100), &any()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_whole_number_that_would_be_rounded_is_refused() {
        let Err(Bad::Document(reason)) = check("[1, 18446744073709551616]", &limits(100), &any()) else {
            panic!("it passed")
        };
        assert!(reason.to_string().contains("18446744073709551616 is a whole number beyond 64 bits"), "{reason}");
        assert!(check("[18446744073709551615, 100000000000000000000]", &limits(100), &any()).is_ok());
    }

    #[test]
    fn size_and_depth_are_bounded_before_the_parser_runs() {
        assert!(matches!(check("[1234]", &limits(5), &any()), Err(Bad::TooLarge { size: 6, limit: 5 })));
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(&nested(64), &limits(1_000), &any()).is_ok());
        assert!(check(&nested(65), &limits(1_000), &any()).is_err());
        assert!(check(&"[".repeat(1_000_000), &limits(2_000_000), &any()).is_err());
    }

    #[test]
    fn the_whole_schema_holds() {
        let schema = json!({ "type": "object", "required": ["rows"], "properties": { "rows": { "minimum": 0 } } });
        let schema = JsonSchema::compile(&schema).unwrap();
        assert!(check(r#"{"rows": 1}"#, &limits(100), &schema).is_ok());
        for bad in ["[]", r#"{"row": 1}"#, r#"{"rows": -1}"#] {
            assert!(check(bad, &limits(100), &schema).is_err(), "{bad}");
        }
    }
}
