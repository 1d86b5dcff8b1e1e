//! Reading.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor},
    forward_to_deserialize_any,
};

use crate::{
    error::Error,
    tag, varint,
    words::{self, WORDS},
};

/// Reads a packed value. Texts can be borrowed from the bytes, except for digests.
///
/// # Errors
/// When the bytes are none of a packed value, or the type does not take what they say.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    let mut reader = Reader { bytes, at: 0, depth: 0 };
    let found = reader.byte()?;
    if found != tag::VERSION {
        return Err(Error::Version { found });
    }
    let value = T::deserialize(&mut reader)?;
    if reader.at < bytes.len() {
        return Err(Error::Trailing { at: reader.at });
    }
    Ok(value)
}

/// Whether a packed value may say this word: a quick look that is wrong only in saying yes. Of texts that are none of the
/// [`WORDS`] it says yes.
#[must_use]
pub fn may_have(bytes: &[u8], word: &str) -> bool {
    match words::number_of(word) {
        Some(number) if number < tag::FREQUENT => bytes.contains(&(tag::WORD + number as u8)),
        Some(number) => has(bytes, [tag::RARE_WORD, (number - tag::FREQUENT) as u8]),
        None => true,
    }
}

/// The digests that are members of this name, one of the first 64 [`WORDS`], as texts in their order; up to the damage, where there is
/// one.
#[must_use]
pub fn digests_named(bytes: &[u8], name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let number = words::number_of(name).filter(|number| *number < tag::FREQUENT);
    // A quick look: most values have none.
    if number.is_some_and(|number| has(bytes, [tag::WORD + number as u8, tag::DIGEST])) {
        let mut reader = Reader { bytes, at: 1, depth: 0 };
        // Of each object that is open whether a name comes next; a list has no names.
        let (mut open, mut is_named) = (Vec::new(), false);
        while let Ok(value) = reader.next() {
            if let (Some(Some(is_name @ true)), false) = (open.last_mut(), matches!(value, Value::End)) {
                *is_name = false;
                is_named = matches!(value, Value::Text(text) if text == name);
                continue;
            }
            if let Some(Some(is_name)) = open.last_mut() {
                *is_name = true;
            }
            match value {
                Value::Digest(text) if is_named => found.extend(std::str::from_utf8(&text).map(str::to_owned)),
                Value::List => open.push(None),
                Value::Object => open.push(Some(true)),
                Value::End => drop(open.pop()),
                _ => {}
            }
            is_named = false;
        }
    }
    found
}

fn has(bytes: &[u8], wanted: [u8; 2]) -> bool {
    bytes.windows(2).any(|pair| pair == wanted)
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: u8,
}

/// What begins.
enum Value<'de> {
    Null,
    Bool(bool),
    Positive(u64),
    Negative(i64),
    Double(f64),
    Text(&'de str),
    Digest([u8; DIGEST_TEXT]),
    List,
    Object,
    End,
}

const DIGEST_TEXT: usize = tag::DIGEST_PREFIX.len() + 2 * tag::DIGEST_BYTES;

impl<'de> Reader<'de> {
    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.bytes.get(self.at).copied().ok_or(Error::Short { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], Error> {
        let short = Error::Short { at: self.bytes.len() };
        let end = self.at.checked_add(count).ok_or(short.clone())?;
        let taken = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| Error::Short { at })
    }

    fn varint(&mut self) -> Result<u64, Error> {
        varint::take(self.bytes, &mut self.at)
    }

    fn text(&mut self, length: usize) -> Result<&'de str, Error> {
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| Error::Utf8 { at })
    }

    fn next(&mut self) -> Result<Value<'de>, Error> {
        let at = self.at;
        let word = |number: usize| WORDS.get(number).copied().ok_or(Error::Word { at });
        Ok(match self.byte()? {
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::POSITIVE => Value::Positive(self.varint()?),
            tag::NEGATIVE => {
                let number = i64::try_from(self.varint()?).map_err(|_| Error::Number { at })?;
                Value::Negative(!number)
            }
            tag::DOUBLE => Value::Double(f64::from_le_bytes(self.array()?)),
            tag::TEXT => {
                let length = usize::try_from(self.varint()?).map_err(|_| Error::Short { at })?;
                Value::Text(self.text(length)?)
            }
            tag::RARE_WORD => Value::Text(word(tag::FREQUENT + usize::from(self.byte()?))?),
            tag::DIGEST => Value::Digest(digest_text(&self.array()?)),
            tag::LIST => Value::List,
            tag::OBJECT => Value::Object,
            tag::END => Value::End,
            short @ tag::SHORT_TEXT..tag::SMALL => Value::Text(self.text((short - tag::SHORT_TEXT).into())?),
            small @ tag::SMALL..tag::WORD => Value::Positive((small - tag::SMALL).into()),
            frequent @ tag::WORD.. => Value::Text(word((frequent - tag::WORD).into())?),
            found => return Err(Error::Unknown { found, at }),
        })
    }

    fn is_end(&self) -> bool {
        self.bytes.get(self.at) == Some(&tag::END)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= tag::DEEPEST {
            return Err(Error::Deep);
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        // What the type did not want to see of it.
        while !self.is_end() {
            serde::de::IgnoredAny::deserialize(&mut *self)?;
        }
        self.at += 1;
        Ok(value)
    }
}

fn digest_text(digest: &[u8; tag::DIGEST_BYTES]) -> [u8; DIGEST_TEXT] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; DIGEST_TEXT];
    let (prefix, digits) = text.split_at_mut(tag::DIGEST_PREFIX.len());
    prefix.copy_from_slice(tag::DIGEST_PREFIX.as_bytes());
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let at = self.at;
        match self.next()? {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Positive(number) => visitor.visit_u64(number),
            Value::Negative(number) => visitor.visit_i64(number),
            Value::Double(number) => visitor.visit_f64(number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Digest(text) => visitor.visit_str(std::str::from_utf8(&text).map_err(|_| Error::Utf8 { at })?),
            Value::List => self.deeper(|reader| visitor.visit_seq(Members(reader))),
            Value::Object => self.deeper(|reader| visitor.visit_map(Members(reader))),
            Value::End => Err(Error::Unknown { found: tag::END, at }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.bytes.get(self.at) == Some(&tag::NULL) {
            self.at += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let at = self.at;
        match self.next()? {
            Value::Text(variant) => visitor.visit_enum(variant.into_deserializer()),
            Value::Object => self.deeper(|reader| visitor.visit_enum(Members(reader))),
            _ => Err(Error::Type(format!("a variant was expected at byte {at}"))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// What stands in a list or an object, up to its end.
struct Members<'r, 'de>(&'r mut Reader<'de>);

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.0.is_end() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.0).map(Some)
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.0)
    }
}

impl<'de> EnumAccess<'de> for Members<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(&mut *self.0)?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Members<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
}
