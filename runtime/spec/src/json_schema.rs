//! JSON Schemas that others wrote, compiled for checking documents that others made.

use std::{fmt, sync::Arc};
use trackside_codes::{Class, Reason};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Problems that one answer names.
const NAMED: usize = 3;
/// Length of one problem's text; a message repeats the value that it is about.
const CLIPPED: usize = 200;
/// Size of a compiled regular expression, in bytes.
const PATTERN: usize = 1 << 20;

/// A compiled schema (draft 2020-12 unless it names another). References outside the document are refused, and regular
/// expressions take time linear in the text, so that neither side can make the check slow.
#[derive(Clone)]
pub struct JsonSchema(Arc<Validator>);

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonSchema")
    }
}

impl JsonSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn compile(schema: &Value) -> Result<Self, Reason> {
        let patterns = PatternOptions::regex().size_limit(PATTERN).dfa_size_limit(PATTERN);
        let compiled = jsonschema::options().with_pattern_options(patterns).build(schema);
        compiled.map(|validator| Self(Arc::new(validator))).map_err(|error| {
            let text = describe(&error);
            Reason::by(Class::BadInput, error.to_owned()).told(|_| text)
        })
    }

    /// Why the document does not fit, naming the first few places; `None` when it fits.
    #[must_use]
    pub fn problem(&self, document: &Value) -> Option<String> {
        if self.0.is_valid(document) {
            return None;
        }
        let problems: Vec<String> = self.0.iter_errors(document).take(NAMED).map(|error| describe(&error)).collect();
        Some(problems.join("; "))
    }
}

fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    let text = error.to_string();
    let mut clipped: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CLIPPED).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    match error.instance_path().as_str() {
        "" => clipped,
        place => format!("`{}`: {clipped}", place.chars().take(CLIPPED).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_that_does_not_fit_is_told_where_and_why() {
        let schema = JsonSchema::compile(&json!({
            "type": "object",
            "properties": { "rows": { "type": "integer", "minimum": 1 } },
            "required": ["rows", "name"],
        }))
        .unwrap();
        assert_eq!(schema.problem(&json!({ "rows": 3, "name": "x" })), None);
        let problem = schema.problem(&json!({ "rows": 0 })).unwrap();
        assert!(problem.contains("\"name\" is a required property"), "{problem}");
        assert!(problem.contains("`/rows`: 0 is less than the minimum of 1"), "{problem}");
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for bad in [
            json!({ "type": "strin" }),
            json!({ "$ref": "https://example.org/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "pattern": "(" }),
            json!({ "pattern": "((a{1000}){1000}){1000}" }),
        ] {
            assert!(JsonSchema::compile(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hostile_schemas_end() {
        for turning in [json!({ "$ref": "#" }), json!({ "allOf": [{ "$ref": "#" }], "not": { "$ref": "#" } })] {
            let _ = JsonSchema::compile(&turning).unwrap().problem(&json!({ "a": [1, 2] }));
        }
        let slow = JsonSchema::compile(&json!({ "pattern": "^(a+)+$" })).unwrap();
        assert!(slow.problem(&json!(format!("{}!", "a".repeat(100_000)))).unwrap().len() < 1_000);
    }
}
