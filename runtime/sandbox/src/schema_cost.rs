//! What a check against a plugin's own schema costs. The schema is the plugin's, the time is the node's, and no limit of
//! the guest holds for it: so a schema that can take very long is refused before it is ever used.
//!
//! Counted is how many subschemas look at one and the same value of a document. References that come back to where they
//! started without going deeper into the document never end; references that double on every level of it double the
//! work with every level.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// Looks at one path of a document, from its root to a leaf.
const LOOKS: u64 = 20_000;
/// Levels of a document: no output is deeper.
const DEPTH: u32 = 64;
/// Levels of the schema itself.
const NESTING: usize = 128;

/// Keywords whose schemas look at the same value as the schema that they stand in.
const IN_PLACE: [&str; 12] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
];
/// Keywords whose schemas look at every item.
const EACH_ITEM: [&str; 5] = ["items", "additionalItems", "contains", "unevaluatedItems", "prefixItems"];
/// Keywords whose schemas look at every member.
const EACH_MEMBER: [&str; 5] =
    ["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"];

/// Why a schema must not be used, in a sentence.
pub(crate) fn problem(schema: &Value) -> Option<String> {
    if nesting(schema) > NESTING {
        return Some(format!("it is nested deeper than {NESTING} levels"));
    }
    let mut counter = Counter { root: schema, known: HashMap::new(), open: HashSet::new() };
    match counter.looks(schema, DEPTH) {
        Err(reason) => Some(reason),
        Ok(Looks { item, member }) if item.max(member) > LOOKS => Some(format!(
            "a check against it may take more than {LOOKS} looks at one value: it refers to itself too often"
        )),
        Ok(_) => None,
    }
}

fn nesting(value: &Value) -> usize {
    // With a list of its own in place of recursion: the document's depth is what is in question.
    let (mut deepest, mut todo) = (0, vec![(value, 1)]);
    while let Some((value, depth)) = todo.pop() {
        deepest = deepest.max(depth);
        match value {
            Value::Array(items) => todo.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => todo.extend(members.values().map(|member| (member, depth + 1))),
            _ => {}
        }
    }
    deepest
}

/// Looks at a value and everything on one path below it, when it is a list and when it is an object.
#[derive(Clone, Copy, Default)]
struct Looks {
    item: u64,
    member: u64,
}

impl Looks {
    fn add(&mut self, other: Self) {
        self.item = self.item.saturating_add(other.item);
        self.member = self.member.saturating_add(other.member);
    }

    fn most(self) -> u64 {
        self.item.max(self.member)
    }
}

struct Counter<'s> {
    root: &'s Value,
    /// By the schema's address and the levels that are left.
    known: HashMap<(*const Value, u32), Looks>,
    /// Schemas that are being counted for the same value.
    open: HashSet<(*const Value, u32)>,
}

impl<'s> Counter<'s> {
    fn looks(&mut self, schema: &'s Value, depth: u32) -> Result<Looks, String> {
        let Value::Object(keywords) = schema else { return Ok(Looks { item: 1, member: 1 }) };
        let key = (std::ptr::from_ref(schema), depth);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        // Below such a name references mean other places than they do here.
        if !std::ptr::eq(schema, self.root)
            && ["$id", "id"].iter().any(|name| keywords.get(*name).is_some_and(Value::is_string))
        {
            return Err("it has a part with an `$id` of its own; only the whole schema may have one".to_owned());
        }
        if !self.open.insert(key) {
            return Err("it refers to itself in a circle that never ends".to_owned());
        }
        let mut looks = Looks { item: 1, member: 1 };
        for keyword in IN_PLACE {
            for schema in self.schemas(keywords, keyword)? {
                looks.add(self.looks(schema, depth)?);
            }
        }
        if let Some(below) = depth.checked_sub(1) {
            for keyword in EACH_ITEM {
                let all = self.schemas(keywords, keyword)?;
                looks.item = looks.item.saturating_add(self.most(&all, below)?);
            }
            for keyword in EACH_MEMBER {
                let all = self.schemas(keywords, keyword)?;
                let of_one = match keyword {
                    // Several patterns may fit one name; of properties one does.
                    "patternProperties" => {
                        let mut sum = 0u64;
                        for schema in all {
                            sum = sum.saturating_add(self.looks(schema, below)?.most());
                        }
                        sum
                    }
                    _ => self.most(&all, below)?,
                };
                looks.member = looks.member.saturating_add(of_one);
            }
        }
        self.open.remove(&key);
        self.known.insert(key, looks);
        Ok(looks)
    }

    fn most(&mut self, schemas: &[&'s Value], depth: u32) -> Result<u64, String> {
        let mut most = 0;
        for schema in schemas {
            most = most.max(self.looks(schema, depth)?.most());
        }
        Ok(most)
    }

    /// The schemas that stand under a keyword.
    fn schemas(&self, keywords: &'s Map<String, Value>, keyword: &str) -> Result<Vec<&'s Value>, String> {
        let Some(value) = keywords.get(keyword) else { return Ok(Vec::new()) };
        Ok(match (keyword, value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => vec![self.referred(reference)?],
            (_, Value::Array(schemas)) => schemas.iter().collect(),
            ("properties" | "patternProperties" | "dependentSchemas" | "dependencies", Value::Object(named)) => {
                named.values().collect()
            }
            (_, schema) => vec![schema],
        })
    }

    fn referred(&self, reference: &str) -> Result<&'s Value, String> {
        let pointer = reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let pointer = pointer.map(|pointer| pointer.replace("%25", "%").replace("%22", "\""));
        let found = pointer.and_then(|pointer| self.root.pointer(&pointer));
        let shown = || crate::recorder::one_line(&reference.chars().take(100).collect::<String>());
        found.ok_or_else(|| {
            format!("`$ref` to `{}`: only places of the same schema can be referred to, as `#/…`", shown())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_that_people_write_pass() {
        for good in [
            json!({}),
            json!(true),
            json!({ "type": "object", "properties": { "rows": { "type": "integer", "minimum": 0 } } }),
            json!({ "$defs": { "json": { "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "$ref": "#/$defs/json" } },
                { "type": "object", "additionalProperties": { "$ref": "#/$defs/json" } },
            ] } }, "$ref": "#/$defs/json" }),
            json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" } } }),
            json!({ "$defs": { "a~b/c": {} }, "$ref": "#/$defs/a~0b~1c" }),
        ] {
            assert_eq!(problem(&good), None, "{good}");
        }
    }

    #[test]
    fn schemas_that_never_end_or_double_are_refused() {
        let deep = (0..200).fold(json!({}), |inner, _| json!({ "not": inner }));
        for bad in [
            json!({ "$ref": "#" }),
            json!({ "allOf": [{ "$ref": "#" }] }),
            json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
            json!({ "anyOf": [{ "items": { "$ref": "#" } }, { "items": { "$ref": "#" } }] }),
            json!({ "$ref": "https://example.org/x" }),
            json!({ "$ref": "#nowhere" }),
            json!({ "$dynamicAnchor": "a", "not": { "$dynamicRef": "#a" } }),
            json!({ "allOf": [{ "$id": "urn:x", "$ref": "#/$defs/a" }], "$defs": { "a": {} } }),
            deep,
        ] {
            assert!(problem(&bad).is_some(), "{bad}");
        }
    }
}
