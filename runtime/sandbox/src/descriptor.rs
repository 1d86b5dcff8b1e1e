//! What a plugin says about itself, checked.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_codes::{Class, Reason};

use crate::bindings::exports::trackside::plugin::describe as wit;

const TEXT: usize = 64 * 1024;
const SHORT: usize = 1_024;
const SCHEMA: usize = 256 * 1024;
const PORTS: usize = 64;
const ENTRIES: usize = 64;

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// Its version, for people and records.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Its documentation, Markdown.
    pub docs: String,
    /// JSON Schema of the step's `with:`, an object.
    pub input_schema: Value,
    /// JSON Schema of the result, an object.
    pub output_schema: Value,
    /// Artifacts that it takes.
    pub inputs: Vec<ArtifactPort>,
    /// Artifacts that it makes.
    pub outputs: Vec<ArtifactPort>,
    /// What it asks for. What it gets is the workflow's `allow:`.
    pub wants: Vec<Want>,
    /// It says that equal inputs give equal outputs.
    pub deterministic: bool,
    /// Names and values that this version does not know.
    pub extra: Vec<(String, String)>,
}

/// An artifact that a plugin takes or makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactPort {
    /// Its name, unique on its side.
    pub name: String,
    /// For people.
    pub description: String,
    /// Media types, for people and tools.
    pub media_types: Vec<String>,
    /// A call without it is an error.
    pub required: bool,
    /// It holds any number of artifacts instead of one.
    pub many: bool,
}

/// A capability that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// `http`, `models`, `state`, `deliver`, …
    pub kind: String,
    /// Which one.
    pub value: String,
    /// What for.
    pub reason: String,
    /// It works without.
    pub optional: bool,
}

impl Descriptor {
    /// The input port of this name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&ArtifactPort> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// The output port of this name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&ArtifactPort> {
        self.outputs.iter().find(|port| port.name == name)
    }

    /// Checks what a plugin answered. The reason names the field.
    pub(crate) fn check(raw: wit::Descriptor) -> Result<Self, Reason> {
        if !is_slug(&raw.name, false) {
            return Err(format!(
                "its name `{}` must be 1 to 64 lower-case letters, digits and dashes, beginning with a letter",
                show(&raw.name)
            )
            .into());
        }
        let version_fits = !raw.version.is_empty()
            && raw.version.len() <= 64
            && raw.version.bytes().all(|byte| byte.is_ascii_graphic());
        if !version_fits {
            return Err(format!("its version `{}` must be 1 to 64 printable characters", show(&raw.version)).into());
        }
        for (what, text, limit) in [("summary", &raw.summary, SHORT), ("docs-markdown", &raw.docs_markdown, TEXT)] {
            if text.len() > limit {
                return Err(format!("its {what} has {} bytes; the limit is {limit}", text.len()).into());
            }
        }
        if raw.wants.len() > ENTRIES || raw.extra.len() > ENTRIES {
            return Err(format!("it has more than {ENTRIES} `wants` or `extra` entries").into());
        }
        let wants_fit = raw
            .wants
            .iter()
            .all(|want| want.kind.len() <= 64 && want.value.len() <= SHORT && want.reason.len() <= SHORT);
        let extra_fits = raw.extra.iter().all(|(key, value)| key.len() <= 128 && value.len() <= TEXT);
        if !wants_fit || !extra_fits {
            return Err("an entry of `wants` or `extra` is too long".into());
        }
        Ok(Self {
            name: raw.name,
            version: raw.version,
            summary: raw.summary,
            docs: raw.docs_markdown,
            input_schema: schema("input-schema", &raw.input_schema)?,
            output_schema: schema("output-schema", &raw.output_schema)?,
            inputs: ports("inputs", raw.inputs)?,
            outputs: ports("outputs", raw.outputs)?,
            wants: raw
                .wants
                .into_iter()
                .map(|want| Want { kind: want.kind, value: want.value, reason: want.reason, optional: want.optional })
                .collect(),
            deterministic: raw.deterministic,
            extra: raw.extra,
        })
    }
}

fn schema(what: &str, text: &str) -> Result<Value, Reason> {
    if text.len() > SCHEMA {
        return Err(format!("its {what} has {} bytes; the limit is {SCHEMA}", text.len()).into());
    }
    match serde_json::from_str(text) {
        Ok(schema @ Value::Object(_)) => Ok(schema),
        Ok(_) => Err(format!("its {what} must be a JSON object").into()),
        Err(error) => Err(Reason::because(Class::BadInput, format!("its {what} is not JSON: {error}"), error)),
    }
}

fn ports(side: &str, raw: Vec<wit::ArtifactPort>) -> Result<Vec<ArtifactPort>, Reason> {
    if raw.len() > PORTS {
        return Err(format!("it has {} {side}; the limit is {PORTS}", raw.len()).into());
    }
    let mut ports: Vec<ArtifactPort> = Vec::with_capacity(raw.len());
    for port in raw {
        if !is_slug(&port.name, true) {
            return Err(format!(
                "the name `{}` among its {side} must be 1 to 64 lower-case letters, digits, dashes and underscores, \
                 beginning with a letter",
                show(&port.name)
            )
            .into());
        }
        if ports.iter().any(|other| other.name == port.name) {
            return Err(format!("its {side} have two ports named `{}`", port.name).into());
        }
        let media_types_fit = port.media_types.len() <= 32 && port.media_types.iter().all(|text| text.len() <= 255);
        if port.description.len() > SHORT * 4 || !media_types_fit {
            return Err(format!("the texts of port `{}` are too long", port.name).into());
        }
        ports.push(ArtifactPort {
            name: port.name,
            description: port.description,
            media_types: port.media_types,
            required: port.required,
            many: port.many,
        });
    }
    Ok(ports)
}

fn is_slug(text: &str, underscore: bool) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || (underscore && byte == b'_')
        })
}

fn show(text: &str) -> String {
    crate::recorder::one_line(&text.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> wit::Descriptor {
        wit::Descriptor {
            name: "csv-check".into(),
            version: "1.0.0".into(),
            summary: String::new(),
            docs_markdown: String::new(),
            input_schema: "{}".into(),
            output_schema: r#"{"type":"object"}"#.into(),
            inputs: vec![port("file")],
            outputs: vec![port("rows"), port("bad_rows")],
            wants: vec![],
            deterministic: true,
            extra: vec![],
        }
    }

    fn port(name: &str) -> wit::ArtifactPort {
        wit::ArtifactPort {
            name: name.into(),
            description: String::new(),
            media_types: vec![],
            required: true,
            many: false,
        }
    }

    #[test]
    fn a_good_descriptor_is_kept_as_it_is() {
        let descriptor = Descriptor::check(raw()).unwrap();
        assert!(descriptor.input("file").is_some() && descriptor.output("file").is_none());
    }

    #[test]
    fn every_bad_field_is_named() {
        type Break = fn(&mut wit::Descriptor);
        let cases: [(&str, Break); 8] = [
            ("name", |raw| raw.name = "../x".into()),
            ("version", |raw| raw.version = "1\n".into()),
            ("input-schema", |raw| raw.input_schema = "[]".into()),
            ("output-schema", |raw| raw.output_schema = "{".into()),
            ("inputs", |raw| raw.inputs.push(port("file"))),
            ("outputs", |raw| raw.outputs.push(port("Rows"))),
            ("summary", |raw| raw.summary = "x".repeat(2_000)),
            ("wants", |raw| raw.extra = vec![(String::new(), String::new()); 65]),
        ];
        for (field, damage) in cases {
            let mut raw = raw();
            damage(&mut raw);
            let error = Descriptor::check(raw).unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
    }
}
