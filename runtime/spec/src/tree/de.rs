//! `serde::Deserializer` over [`Node`]; every error knows the node it is about.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
    value::{StrDeserializer, StringDeserializer},
};

use super::{Data, Key, Node};
use crate::spec_error::suggest;

/// What is wrong, and with which node.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The id of the node or key; 0 until the innermost deserializer that sees the error sets it.
    pub(super) node: u32,
    pub(super) kind: FaultKind,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    UnknownKey,
    MissingKey,
    Value,
}

impl Fault {
    fn new(kind: FaultKind, message: String, help: Option<String>) -> Self {
        Self { node: 0, kind, message, help }
    }

    fn at(mut self, id: u32) -> Self {
        if self.node == 0 {
            self.node = id;
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(FaultKind::Value, message.to_string(), None)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let expected = match expected.as_str() {
            "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
            "f32" | "f64" => "a number",
            "a string" => "a text",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "a map" => "a mapping",
            other => other,
        };
        Self::new(FaultKind::Value, format!("expected {expected}, found {}", described(&found)), None)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(FaultKind::UnknownKey, format!("there is no key `{field}` here"), suggest(field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(FaultKind::Value, format!("`{variant}` is not possible here"), suggest(variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(FaultKind::MissingKey, format!("the key `{field}` is missing"), None)
    }
}

fn described(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Bool(truth) => format!("the boolean {truth}"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.data {
            Data::Null => Unexpected::Unit,
            Data::Bool(truth) => Unexpected::Bool(*truth),
            Data::Int(number) => Unexpected::Signed(*number),
            Data::UInt(number) => Unexpected::Unsigned(*number),
            Data::Float(number) => Unexpected::Float(*number),
            Data::Text(text) => Unexpected::Str(text),
            Data::List(_) => Unexpected::Seq,
            Data::Map(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(truth) => visitor.visit_bool(*truth),
            Data::Int(number) => visitor.visit_i64(*number),
            Data::UInt(number) => visitor.visit_u64(*number),
            Data::Float(number) => visitor.visit_f64(*number),
            Data::Text(text) => visitor.visit_borrowed_str(text),
            Data::List(items) => visitor.visit_seq(Items(items.iter())),
            Data::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        }
        .map_err(|fault| fault.at(self.id))
    }

    /// A key without a value is a slip and not a wish for the default, so null is never an absent option.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    /// Derived structs would take a list for their fields in order; nobody writes that on purpose.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.data {
            Data::Map(_) => self.deserialize_any(visitor),
            _ => Err(Fault::invalid_type(self.unexpected(), &visitor).at(self.id)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.data {
            Data::Text(text) => visitor
                .visit_enum(Variant { id: self.id, name: text, content: None })
                .map_err(|fault| fault.at(self.id)),
            Data::Map(entries) => match entries.as_slice() {
                [(key, content)] => visitor
                    .visit_enum(Variant { id: key.id, name: &key.text, content: Some(content) })
                    .map_err(|fault| fault.at(self.id)),
                _ => {
                    let one_of = format!("expected exactly one of the keys {}", variants.join(", "));
                    Err(Fault::new(FaultKind::Value, one_of, None).at(self.id))
                }
            },
            _ => Err(Fault::invalid_type(self.unexpected(), &OneOf(variants)).at(self.id)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct OneOf(&'static [&'static str]);

impl Expected for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.0.join(", "))
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let text: StringDeserializer<Fault> = key.text.clone().into_deserializer();
        seed.deserialize(text).map(Some).map_err(|fault| fault.at(key.id))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(node) => seed.deserialize(node).map_err(|fault| fault.at(node.id)),
            None => Err(Fault::custom("a value without a key")),
        }
    }
}

struct Variant<'de> {
    id: u32,
    name: &'de str,
    content: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Fault> {
        let name: StrDeserializer<'de, Fault> = self.name.into_deserializer();
        let variant = seed.deserialize(name).map_err(|fault| fault.at(self.id))?;
        Ok((variant, Content { id: self.id, node: self.content }))
    }
}

struct Content<'de> {
    id: u32,
    node: Option<&'de Node>,
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.node {
            None => Ok(()),
            Some(node) => Err(Fault::invalid_type(node.unexpected(), &"no settings").at(node.id)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.node {
            Some(node) => seed.deserialize(node),
            None => Err(Fault::new(FaultKind::Value, "its settings are missing".to_owned(), None).at(self.id)),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Some(node) => node.deserialize_any(visitor),
            None => Err(Fault::new(FaultKind::Value, "its settings are missing".to_owned(), None).at(self.id)),
        }
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.tuple_variant(fields.len(), visitor)
    }
}
