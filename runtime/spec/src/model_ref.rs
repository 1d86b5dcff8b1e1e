//! References to models of the registry: `NAME`, `NAME@alias`, `NAME@3`.

use std::{fmt, str::FromStr};
use trackside_codes::{Code, Coded, code};

use serde::{Deserialize, Serialize};

/// What a name without an alias or a version stands for.
pub const CHAMPION: &str = "champion";

/// Longest name.
const LONGEST_NAME: usize = 100;
/// Longest alias.
const LONGEST_ALIAS: usize = 50;

/// A model of the registry, by its name and what of it is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// Which of its versions.
    pub version: ModelVersion,
}

/// Which version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelVersion {
    /// None is said: the one that is called [`CHAMPION`].
    Unsaid,
    /// The one that an alias names.
    Alias(String),
    /// This one.
    Number(u32),
}

/// Why a text is no [`ModelRef`], no name of a model or no alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{code}] {text:?} is no {what}: {reason}", code = self.code())]
pub struct ModelRefError {
    text: String,
    what: &'static str,
    reason: &'static str,
}

impl Coded for ModelRefError {
    fn code(&self) -> Code {
        code!("TS-0550")
    }
}

impl ModelRefError {
    fn of(text: &str, what: &'static str, reason: &'static str) -> Self {
        Self { text: text.chars().take(120).collect(), what, reason }
    }
}

impl ModelRef {
    /// A model, without saying which version.
    ///
    /// # Errors
    /// When that is no name.
    pub fn of(name: &str) -> Result<Self, ModelRefError> {
        check_model_name(name)?;
        Ok(Self { name: name.to_owned(), version: ModelVersion::Unsaid })
    }

    /// The alias that it goes by; none where it says a number.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        match &self.version {
            ModelVersion::Unsaid => Some(CHAMPION),
            ModelVersion::Alias(alias) => Some(alias),
            ModelVersion::Number(_) => None,
        }
    }
}

/// Whether this can be the name of a model in the registry.
///
/// # Errors
/// What is wrong with it.
pub fn check_model_name(name: &str) -> Result<(), ModelRefError> {
    let wrong = |reason| Err(ModelRefError::of(name, "name of a model", reason));
    if name.len() > LONGEST_NAME {
        return wrong("it has more than 100 characters");
    }
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return wrong("it must begin with a letter or a digit (a to z, A to Z, 0 to 9)");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return wrong("it may hold letters, digits, `.`, `_` and `-` only");
    }
    if name.ends_with(".onnx") {
        return wrong("what ends in .onnx is a file of the project; leave the ending out");
    }
    Ok(())
}

/// Whether this can be an alias of a version.
///
/// # Errors
/// What is wrong with it.
pub fn check_model_alias(alias: &str) -> Result<(), ModelRefError> {
    let wrong = |reason| Err(ModelRefError::of(alias, "alias", reason));
    if alias.len() > LONGEST_ALIAS {
        return wrong("it has more than 50 characters");
    }
    if !alias.starts_with(|first: char| first.is_ascii_lowercase()) {
        return wrong("it must begin with a lower-case letter, such as `champion`");
    }
    if !alias.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return wrong("it may hold lower-case letters, digits and `-` only");
    }
    Ok(())
}

impl FromStr for ModelRef {
    type Err = ModelRefError;

    fn from_str(text: &str) -> Result<Self, ModelRefError> {
        let Some((name, version)) = text.split_once('@') else { return Self::of(text) };
        let wrong = |reason| Err(ModelRefError::of(text, "reference to a model", reason));
        check_model_name(name)?;
        if version.is_empty() {
            return wrong("behind the @ stands an alias or the number of a version, as in NAME@champion or NAME@3");
        }
        let version = if version.bytes().all(|byte| byte.is_ascii_digit()) {
            match version.parse() {
                Ok(0) => return wrong("versions are counted from 1"),
                Ok(_) if version.starts_with('0') => return wrong("the number of a version has no zeros before it"),
                Ok(number) => ModelVersion::Number(number),
                Err(_) => return wrong("no version has such a large number"),
            }
        } else {
            check_model_alias(version)?;
            ModelVersion::Alias(version.to_owned())
        };
        Ok(Self { name: name.to_owned(), version })
    }
}

impl fmt::Display for ModelVersion {
    /// As it stands behind the `@`; nothing where none is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => Ok(()),
            Self::Alias(alias) => f.write_str(alias),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            ModelVersion::Unsaid => f.write_str(&self.name),
            version => write!(f, "{}@{version}", self.name),
        }
    }
}

impl Serialize for ModelRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_shown_as_it_is_written() {
        for text in ["pump", "Pump_2.1-b", "pump@candidate", "pump@3", "0@a-1", "a@4294967295"] {
            assert_eq!(text.parse::<ModelRef>().unwrap().to_string(), text);
        }
        assert_eq!("pump".parse::<ModelRef>().unwrap().alias(), Some(CHAMPION));
        assert_eq!("pump@b".parse::<ModelRef>().unwrap().alias(), Some("b"));
        assert_eq!("pump@3".parse::<ModelRef>().unwrap().version, ModelVersion::Number(3));
        assert_eq!("pump@3".parse::<ModelRef>().unwrap().alias(), None);
        assert_eq!(serde_json::from_str::<ModelRef>("\"pump@3\"").unwrap().to_string(), "pump@3");
    }

    #[test]
    fn what_is_none_says_why() {
        let long = ["a".repeat(101), format!("a@{}", "a".repeat(51))];
        for (text, reason) in [
            ("", "begin with a letter or a digit"),
            ("-a", "begin with a letter or a digit"),
            ("a/b", "letters, digits"),
            ("a b@1", "letters, digits"),
            ("é", "begin with a letter"),
            ("model.onnx", "a file of the project"),
            (&long[0], "more than 100"),
            ("a@", "behind the @"),
            ("a@0", "counted from 1"),
            ("a@01", "no zeros"),
            ("a@4294967296", "such a large number"),
            ("a@1a", "lower-case letter"),
            ("a@Best", "lower-case letter"),
            ("a@a_b", "lower-case letters, digits and `-`"),
            ("a@b@c", "lower-case letters, digits and `-`"),
            (&long[1], "more than 50"),
        ] {
            let error = text.parse::<ModelRef>().unwrap_err().to_string();
            assert!(error.starts_with("[TS-0550]") && error.contains(reason), "{text:?}: {error}");
        }
    }
}
