//! Documents with places: what YAML and TOML are read into before they become Rust types.
//!
//! Both readers make the same [`Node`]s and [`read`] turns them into any `Deserialize` type, so that a workflow and a
//! node config get the same errors: place, snippet, nearest name.

mod de;
mod read;
mod toml;
mod yaml;
mod yaml_input;

pub(crate) use read::read;
pub(crate) use toml::parse as parse_toml;
pub(crate) use yaml::parse as parse_yaml;
pub use yaml_input::YamlInput;

use serde::de::DeserializeOwned;

use crate::spec_error::{Place, Report, SpecError};

/// Largest file.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 32;
/// Most values and keys in a file.
pub(crate) const MAX_NODES: usize = 20_000;

/// Reads a YAML document of any type, with the errors of workflow files.
///
/// # Errors
/// Every problem with its place.
pub fn read_yaml<T: DeserializeOwned>(file_name: &str, text: &str) -> Result<T, SpecError> {
    read_text(file_name, text, parse_yaml)
}

/// Reads a TOML document of any type, with the errors of the node's config.
///
/// # Errors
/// Every problem with its place.
pub fn read_toml<T: DeserializeOwned>(file_name: &str, text: &str) -> Result<T, SpecError> {
    read_text(file_name, text, parse_toml)
}

fn read_text<T: DeserializeOwned>(
    file_name: &str,
    text: &str,
    parse: fn(&str, &mut Report<'_>) -> Option<Node>,
) -> Result<T, SpecError> {
    let mut report = Report::new(file_name, text);
    let value = parse(text, &mut report).and_then(|root| read(&root, &mut report));
    report.finish()?;
    value.ok_or_else(|| SpecError::unexplained(file_name))
}

/// A value and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Unique in its document; keys have ids too.
    pub(crate) id: u32,
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: u32,
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Node {
    /// The value below `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Key and value below `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|(known, _)| known.text == key).map(|(key, node)| (key, node)),
            _ => None,
        }
    }

    /// The value at `path`: keys, and decimal indices for lists.
    pub(crate) fn at<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Option<&Node> {
        path.into_iter().try_fold(self, |node, segment| match &node.data {
            Data::Map(_) => node.get(segment),
            Data::List(items) => items.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The place of the value at `path`, or of the nearest thing around it that exists.
    pub(crate) fn place_at<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Place {
        let mut node = self;
        for segment in path {
            match node.at([segment]) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        node.place
    }

    /// The place of the key at the end of `path`, or of the nearest thing around it.
    pub(crate) fn key_place(&self, path: &[&str]) -> Place {
        let Some((last, way)) = path.split_last() else { return self.place };
        match self.at(way.iter().copied()).and_then(|node| node.entry(last)) {
            Some((key, _)) => key.place,
            None => self.place_at(way.iter().copied()),
        }
    }
}
