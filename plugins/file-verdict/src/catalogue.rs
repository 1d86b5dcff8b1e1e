//! What Magika knows of content types, and what its model's configuration says about trusting a score.
//!
//! Both are the JSON files that the Python package ships, unchanged: `content_types_kb.min.json` and
//! `config.min.json`. Keys that other parts use are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One content type.
#[derive(Debug, Clone, Deserialize)]
pub struct ContentType {
    /// IANA media type; `None` means `text/plain` or `application/octet-stream`.
    pub mime_type: Option<String>,
    /// Coarse kind (`image`, `executable`, …); `None` means `unknown`.
    pub group: Option<String>,
    /// For people; `None` means the label itself.
    pub description: Option<String>,
    /// Extensions in use, without the dot; may be empty and may hold upper-case letters.
    pub extensions: Vec<String>,
    /// Whether people can read it.
    pub is_text: bool,
}

impl ContentType {
    /// The media type with the Python package's default.
    #[must_use]
    pub fn mime_type(&self) -> &str {
        let default = if self.is_text { "text/plain" } else { "application/octet-stream" };
        self.mime_type.as_deref().unwrap_or(default)
    }

    /// The group with the Python package's default.
    #[must_use]
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or("unknown")
    }
}

/// All content types by label.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(BTreeMap<String, ContentType>);

/// The part of the model's configuration that turns scores into a label.
#[derive(Debug, Clone, Deserialize)]
pub struct ModelConfig {
    /// Label of each output of the model, in order.
    pub target_labels_space: Vec<String>,
    /// Score from which a label is believed when `thresholds` has no entry for it.
    pub medium_confidence_threshold: f64,
    /// Score from which one label is believed.
    pub thresholds: BTreeMap<String, f64>,
    /// Labels that are reported as another.
    pub overwrite_map: BTreeMap<String, String>,
}

/// Why the two files cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not JSON, or a key is missing.
    #[error("{file} cannot be read: {reason}; give the file that ships in the magika package beside the model")]
    Unreadable {
        /// Which of the two.
        file: &'static str,
        /// The parser's words.
        reason: String,
    },
    /// The configuration names a label that the catalogue lacks.
    #[error(
        "the model configuration names the content type {0:?}, which the catalogue lacks; take both files from the same magika version"
    )]
    UnknownLabel(String),
    /// No label at all.
    #[error("the model configuration has no labels; give the config.min.json that ships beside the model")]
    NoLabels,
}

impl Catalogue {
    /// Reads the catalogue and makes sure that it has the labels that need no model.
    ///
    /// # Errors
    /// When it is not the JSON of content types.
    pub fn from_json(text: &[u8]) -> Result<Self, CatalogueError> {
        let catalogue: Self = serde_json::from_slice(text).map_err(|error| CatalogueError::Unreadable {
            file: "the content type catalogue",
            reason: error.to_string(),
        })?;
        match ["txt", "unknown", "empty"].into_iter().find(|label| catalogue.get(label).is_none()) {
            Some(missing) => Err(CatalogueError::UnknownLabel(missing.to_owned())),
            None => Ok(catalogue),
        }
    }

    /// The content type with this label.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&ContentType> {
        self.0.get(label)
    }

    /// Every content type that lists this extension (any case).
    pub fn with_extension<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = (&'a str, &'a ContentType)> {
        self.0
            .iter()
            .filter(move |(_, kind)| kind.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)))
            .map(|(label, kind)| (label.as_str(), kind))
    }
}

impl ModelConfig {
    /// Reads the configuration and checks its labels against `catalogue`.
    ///
    /// # Errors
    /// When it is not a model configuration, or names labels that the catalogue lacks.
    pub fn from_json(text: &[u8], catalogue: &Catalogue) -> Result<Self, CatalogueError> {
        let config: Self = serde_json::from_slice(text).map_err(|error| CatalogueError::Unreadable {
            file: "the model configuration",
            reason: error.to_string(),
        })?;
        if config.target_labels_space.is_empty() {
            return Err(CatalogueError::NoLabels);
        }
        let labels = config.target_labels_space.iter().chain(config.overwrite_map.values());
        match labels.into_iter().find(|label| catalogue.get(label).is_none()) {
            Some(missing) => Err(CatalogueError::UnknownLabel(missing.clone())),
            None => Ok(config),
        }
    }
}
