//! A step's `with` against the input schema of its plugin, as far as that can be known before the run.

use serde_json::{Map, Value};
use trackside_spec::{JsonSchema, Template, nearest};

/// What is wrong with one key.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyProblem {
    /// The key; `with` when one is missing.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Checks the `keys` of `given` and those of its values that hold no expression. `ports` are the plugin's artifact
/// inputs, which need not be in the schema; those that come with `true` must be given.
pub fn check_keys(given: &Template, keys: &[String], schema: &Value, ports: &[(&str, bool)]) -> Vec<KeyProblem> {
    if is_expression(given) {
        return Vec::new();
    }
    let properties = schema["properties"].as_object();
    let mut known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    // A port may stand in the schema, too.
    for (port, _) in ports {
        if !known.contains(port) {
            known.push(port);
        }
    }
    let mut problems = Vec::new();
    if schema["additionalProperties"] == Value::Bool(false) {
        for key in keys.iter().filter(|key| !known.contains(&key.as_str())) {
            let help = nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let help = help.or_else(|| Some(format!("it takes {}", known.join(", "))));
            problems.push(KeyProblem { key: key.clone(), message: format!("the plugin takes no `{key}`"), help });
        }
    }
    let by_schema = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut required: Vec<&str> =
        by_schema.chain(ports.iter().filter(|(_, required)| *required).map(|(name, _)| *name)).collect();
    required.sort_unstable();
    required.dedup();
    for name in required.into_iter().filter(|name| !keys.iter().any(|key| key == name)) {
        problems.push(KeyProblem {
            key: "with".to_owned(),
            message: format!("the plugin needs `{name}`"),
            help: Some(format!("give it in `with`; {}", describe(&schema["properties"][name]))),
        });
    }
    problems.extend(one_of(schema, keys).map(|message| KeyProblem { key: "with".to_owned(), message, help: None }));
    let is_port = |key: &str| ports.iter().any(|(port, _)| *port == key);
    let whole = Parts::new(schema);
    let mut constants = Map::new();
    // A port's constant is the path of a file, whatever the schema says of the artifact.
    for key in keys.iter().filter(|key| !is_port(key)) {
        let Some(value) = given.constant_at(&[key.as_str()]) else { continue };
        let wrong = mismatch(value, &schema["properties"][key.as_str()]).map(|message| format!("`{key}` {message}"));
        let wrong = wrong.or_else(|| whole.problem_of(key, value));
        problems.extend(wrong.map(|message| KeyProblem { key: key.clone(), message, help: None }));
        constants.insert(key.clone(), value.clone());
    }
    // What holds for all keys together can be said where all are known. Of artifacts it is known that they are there.
    let missing = keys.iter().filter(|key| !is_port(key)).any(|key| !constants.contains_key(key));
    if problems.is_empty() && !missing {
        let there = keys.iter().filter(|key| is_port(key));
        problems.extend(whole.problem(constants, there).map(|message| KeyProblem {
            key: "with".to_owned(),
            message,
            help: None,
        }));
    }
    problems
}

/// What is missing where a schema wants one key or another.
fn one_of(schema: &Value, keys: &[String]) -> Option<String> {
    let choices = schema["anyOf"].as_array()?;
    let mut names = Vec::new();
    for choice in choices {
        let choice = choice.as_object().filter(|choice| choice.len() == 1)?;
        let wanted: Vec<&str> = choice.get("required")?.as_array()?.iter().filter_map(Value::as_str).collect();
        if wanted.iter().all(|name| keys.iter().any(|key| key == name)) {
            return None;
        }
        names.push(wanted.join("` with `"));
    }
    Some(format!("the plugin needs one of `{}`", names.join("`, `")))
}

/// A schema, held against parts of a document.
struct Parts<'s> {
    schema: &'s Value,
    /// Only what it says of single keys.
    keys: Option<JsonSchema>,
}

impl<'s> Parts<'s> {
    fn new(schema: &'s Value) -> Self {
        let mut keys = Map::new();
        for name in ["$schema", "$id", "$defs", "definitions", "properties", "patternProperties"] {
            if let Some(part) = schema.get(name) {
                keys.insert(name.to_owned(), part.clone());
            }
        }
        Self { schema, keys: JsonSchema::compile(&Value::Object(keys)).ok() }
    }

    fn problem_of(&self, key: &str, value: &Value) -> Option<String> {
        self.keys.as_ref()?.problem(&Value::Object(Map::from_iter([(key.to_owned(), value.clone())])))
    }

    fn problem<'k>(
        &self,
        mut document: Map<String, Value>,
        artifacts: impl Iterator<Item = &'k String>,
    ) -> Option<String> {
        let mut schema = self.schema.clone();
        for key in artifacts {
            if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                properties.insert(key.clone(), Value::Bool(true));
            }
            document.insert(key.clone(), Value::Object(Map::new()));
        }
        JsonSchema::compile(&schema).ok()?.problem(&Value::Object(document))
    }
}

/// Whether the document as a whole is made by an expression: then nothing is known of it before the run.
fn is_expression(given: &Template) -> bool {
    let mut whole = false;
    given.each_expression(&mut |path, _, _| whole |= path.is_empty());
    whole
}

/// Why a constant is not what a property's schema asks for, by its type and its choices.
fn mismatch(value: &Value, property: &Value) -> Option<String> {
    if let Some(choices) = property["enum"].as_array()
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        return Some(format!("is {value}, not one of {}", choices.join(", ")));
    }
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    let kinds: Vec<&str> = match &property["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    if kinds.iter().any(|kind| is(kind)) {
        None
    } else {
        Some(format!("is {value}, not of type {}", kinds.join(" or ")))
    }
}

fn describe(property: &Value) -> String {
    property["description"].as_str().map_or_else(|| "see `trackside plugin inspect`".to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(with: Value) -> Vec<String> {
        let schema = json!({
            "properties": {
                "window": { "type": "integer", "description": "Rows." },
                "gaps": { "enum": ["skip", "fill"] },
                "rows": { "type": "object" },
            },
            "required": ["rows", "window"],
            "additionalProperties": false,
        });
        let keys: Vec<String> = with.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        let problems = check_keys(&Template::compile(&with).unwrap(), &keys, &schema, &[("rows", true)]);
        problems
            .into_iter()
            .map(|problem| {
                problem.message + problem.help.as_deref().map(|help| format!(" | {help}")).unwrap_or_default().as_str()
            })
            .collect()
    }

    #[test]
    fn what_fits_is_accepted() {
        assert!(found(json!({"rows": "a.jsonl", "window": 12, "gaps": "skip"})).is_empty());
        assert!(found(json!({"rows": "${steps.a.rows}", "window": "${params.n}"})).is_empty());
        assert!(found(json!("${steps.a.all}")).is_empty(), "nobody knows yet");
    }

    #[test]
    fn what_does_not_fit_is_told_with_a_remedy() {
        assert_eq!(
            found(json!({"rows": "a", "window": 1, "gasp": "skip"})),
            ["the plugin takes no `gasp` | did you mean `gaps`?"]
        );
        assert_eq!(found(json!({"rows": "a"})), ["the plugin needs `window` | give it in `with`; Rows."]);
        assert_eq!(found(json!({"rows": "a", "window": "12"})), ["`window` is \"12\", not of type integer"]);
        assert_eq!(
            found(json!({"rows": "a", "window": 1, "gaps": "x"})),
            ["`gaps` is \"x\", not one of \"skip\", \"fill\""]
        );
    }

    #[test]
    fn what_it_takes_is_told_once_each() {
        let told = found(json!({"rows": "a", "window": 1, "unrelated": 1}));
        assert_eq!(told, ["the plugin takes no `unrelated` | it takes window, gaps, rows"]);
    }

    #[test]
    fn keys_with_expressions_are_checked_too() {
        assert_eq!(
            found(json!({"rows": "${a}", "window": 1, "widnow": "${b}"})),
            ["the plugin takes no `widnow` | did you mean `window`?"]
        );
    }
}
