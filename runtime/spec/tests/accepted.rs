//! Definitions are stored with their runs, and a run that is under way is recovered from its definition: what one version
//! accepted, each later one takes. Files are added to the folder `accepted`, never changed.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Map, Value};
use trackside_spec::{load_workflow, read_yaml, workflow_schema};

/// Name and text of each.
fn accepted() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accepted");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let definitions = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    definitions.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), text(&path))).collect()
}

#[test]
fn what_earlier_versions_accepted_is_taken() {
    let accepted = accepted();
    let mut refused = String::new();
    for (name, source) in &accepted {
        match load_workflow(name, source) {
            Ok(plan) => assert!(!plan.steps.is_empty(), "{name}"),
            Err(error) => refused.push_str(&error.to_string()),
        }
    }
    assert!(refused.is_empty(), "{refused}");
    assert!(accepted.len() >= 35, "{}", accepted.len());
}

#[test]
fn every_key_of_a_workflow_is_used_by_an_accepted_definition() {
    let schema = workflow_schema();
    let (mut known, mut used) = (Keys::default(), Keys::default());
    walk(&schema, ("#", &schema), None, &mut known);
    for (name, source) in accepted() {
        let document: Value = read_yaml(&name, &source).unwrap();
        walk(&schema, ("#", &schema), Some(&document), &mut used);
    }
    let unused: Vec<&(String, String)> = known.properties.difference(&used.properties).collect();
    assert!(unused.is_empty(), "a key that no file in tests/accepted uses: {unused:?}");
    assert!(known.properties.len() > 150, "{}", known.properties.len());
}

#[derive(Default)]
struct Keys {
    /// Where a schema stands, and a property of it.
    properties: BTreeSet<(String, String)>,
    /// Schemas that were walked without a document: they refer to each other.
    seen: BTreeSet<String>,
}

/// Takes down the properties of a schema and of all below it; with a document only those that it has.
fn walk(root: &Value, (place, schema): (&str, &Value), document: Option<&Value>, keys: &mut Keys) {
    let Some(schema) = schema.as_object() else { return };
    if document.is_none() && !keys.seen.insert(place.to_owned()) {
        return;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        walk(root, (target, root.pointer(target.trim_start_matches('#')).unwrap()), document, keys);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        for (number, choice) in schema.get(word).and_then(Value::as_array).into_iter().flatten().enumerate() {
            if document.is_none_or(|document| may_be(root, choice, document)) {
                walk(root, (&format!("{place}/{word}/{number}"), choice), document, keys);
            }
        }
    }
    for word in ["items", "additionalProperties"] {
        let Some(inner) = schema.get(word).filter(|inner| inner.is_object()) else { continue };
        let place = format!("{place}/{word}");
        match (word, document) {
            (_, None) => walk(root, (&place, inner), None, keys),
            ("items", Some(Value::Array(items))) => {
                items.iter().for_each(|item| walk(root, (&place, inner), Some(item), keys));
            }
            ("additionalProperties", Some(Value::Object(fields))) => {
                fields.values().for_each(|field| walk(root, (&place, inner), Some(field), keys));
            }
            _ => {}
        }
    }
    let none = Map::new();
    for (key, inner) in schema.get("properties").and_then(Value::as_object).unwrap_or(&none) {
        let field = document.map(|document| document.get(key));
        if field.is_none_or(|field| field.is_some()) {
            keys.properties.insert((place.to_owned(), key.clone()));
            walk(root, (&format!("{place}/properties/{key}"), inner), field.flatten(), keys);
        }
    }
}

/// Whether this one of several schemas can be meant: an object for an object, with the properties that it must have.
fn may_be(root: &Value, schema: &Value, document: &Value) -> bool {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return may_be(root, root.pointer(target.trim_start_matches('#')).unwrap(), document);
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let is_object = schema.get("properties").is_some();
    (document.is_object() || !is_object) && required.into_iter().all(|key| document.get(key).is_some())
}
