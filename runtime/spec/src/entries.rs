//! Entries of grant lists as they are written: a text, or a mapping where more is to be said.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Serialize,
    de::{Deserializer, Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use trackside_codes::Reason;

use crate::{grant::HttpGrant, origin::Origin};

/// Most methods of one entry.
const METHODS: usize = 16;

/// Requests to an origin: `https://host[:port][/path-prefix]`, or a mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an origin, or a mapping with `origin`")]
#[schemars(rename = "HttpGrant")]
pub struct HttpEntry {
    /// The origin: `scheme://host[:port][/path-prefix]`.
    pub origin: String,
    /// The only methods. Without this key all are meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The path that a request must be at or below; it can also stand in `origin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether the host may have an address in a private network (loopback, local addresses).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl HttpEntry {
    /// What the entry grants.
    ///
    /// # Errors
    /// The key and a sentence when it makes no sense.
    pub fn grant(&self) -> Result<HttpGrant, (&'static str, Reason)> {
        let mut origin = Origin::parse(&self.origin)
            .map_err(|reason| ("origin", reason.told(|reason| format!("this is no origin: {reason}"))))?;
        if let Some(path) = &self.path {
            if !origin.covers_path("/") {
                return Err(("path", "the path stands in `origin` already".into()));
            }
            origin = origin.with_path(path).map_err(|reason| ("path", reason))?;
        }
        if self.methods.len() > METHODS {
            return Err(("methods", format!("{} methods; the limit is {METHODS}", self.methods.len()).into()));
        }
        let mut methods = Vec::with_capacity(self.methods.len());
        for method in &self.methods {
            let plain = (1..=32).contains(&method.len())
                && method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
            let upper = method.to_ascii_uppercase();
            if !plain || matches!(upper.as_str(), "CONNECT" | "TRACE") {
                let words = format!("`{}` is no method that a step may use", method.escape_debug());
                return Err(("methods", words.into()));
            }
            methods.push(upper);
        }
        Ok(HttpGrant { origin, methods, private: self.private })
    }
}

impl From<String> for HttpEntry {
    fn from(origin: String) -> Self {
        Self { origin, ..Self::default() }
    }
}

/// A secret by name, or a mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a name, or a mapping with `name`")]
#[schemars(rename = "SecretGrant")]
pub(crate) struct SecretEntry {
    /// The secret's name in `[secrets]` of trackside.toml.
    pub(crate) name: String,
    /// Whether the plugin may see the value itself. The node's own `reveal` must say so, too.
    #[serde(default)]
    pub(crate) reveal: bool,
}

impl From<String> for SecretEntry {
    fn from(name: String) -> Self {
        Self { name, reveal: false }
    }
}

/// An entry of a list that may be written as a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Short<T>(pub T);

impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for Either<T> {
            type Value = Short<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a mapping")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Short<T>, E> {
                Ok(Short(T::from(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Short<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Short)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Short<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text_or_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "string" }, full] })
    }
}
