//! JSON Schemas, reference pages and the scaffold, all from the Rust types that parse the files.

mod reference;
mod scaffold;

pub use reference::{node_reference, reference_markdown, workflow_reference};
pub use scaffold::scaffold_workflow;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{config::NodeConfig, workflow::file::WorkflowFile};

/// The JSON Schema (draft 2020-12) of workflow files.
#[must_use]
pub fn workflow_schema() -> Value {
    schema::<WorkflowFile>("urn:trackside:schema:workflow:1")
}

/// The JSON Schema (draft 2020-12) of `trackside.toml`.
#[must_use]
pub fn node_schema() -> Value {
    schema::<NodeConfig>("urn:trackside:schema:node:1")
}

fn schema<T: JsonSchema>(id: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Object(root) = &mut schema {
        root.insert("$id".to_owned(), Value::from(id));
        absent_is_not_null(root);
    }
    schema
}

/// Rust's `Option` is "or null" to the schema generator, but a key without a value is refused: an optional key is
/// simply absent.
fn absent_is_not_null(object: &mut serde_json::Map<String, Value>) {
    let is_null = |value: &Value| value.get("type").and_then(Value::as_str) == Some("null");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf")
        && choices.iter().any(is_null)
    {
        choices.retain(|choice| !is_null(choice));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    for value in object.values_mut() {
        match value {
            Value::Object(inner) => absent_is_not_null(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(absent_is_not_null),
            _ => {}
        }
    }
}
