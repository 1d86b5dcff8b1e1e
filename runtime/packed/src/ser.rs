//! Writing.

use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
        SerializeTupleVariant, Serializer,
    },
};

use crate::{error::Error, tag, varint, words};

/// The packed form of a value.
///
/// # Errors
/// What the value's own `Serialize` says; a member's name that is no text; a value that is nested too deep.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer = Writer { bytes: Vec::with_capacity(256), depth: 0 };
    writer.bytes.push(tag::VERSION);
    value.serialize(&mut writer)?;
    Ok(writer.bytes)
}

struct Writer {
    bytes: Vec<u8>,
    depth: u8,
}

impl Writer {
    fn positive(&mut self, number: u64) {
        match u8::try_from(number) {
            Ok(small) if small < tag::SMALL_NUMBERS => self.bytes.push(tag::SMALL + small),
            _ => {
                self.bytes.push(tag::POSITIVE);
                varint::put(&mut self.bytes, number);
            }
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(number) = words::number_of(text) {
            match number.checked_sub(tag::FREQUENT) {
                None => self.bytes.push(tag::WORD + number as u8),
                Some(rare) => self.bytes.extend([tag::RARE_WORD, rare as u8]),
            }
            return;
        }
        if let Some(digest) = digest_of(text) {
            self.bytes.push(tag::DIGEST);
            self.bytes.extend(digest);
            return;
        }
        if text.len() < tag::SHORT {
            self.bytes.push(tag::SHORT_TEXT + text.len() as u8);
        } else {
            self.bytes.push(tag::TEXT);
            varint::put(&mut self.bytes, text.len() as u64);
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn begin(&mut self, what: u8) -> Result<(), Error> {
        if self.depth >= tag::DEEPEST {
            return Err(Error::Deep);
        }
        self.depth += 1;
        self.bytes.push(what);
        Ok(())
    }

    fn end(&mut self) {
        self.depth -= 1;
        self.bytes.push(tag::END);
    }
}

fn digest_of(text: &str) -> Option<[u8; tag::DIGEST_BYTES]> {
    let digits = text.strip_prefix(tag::DIGEST_PREFIX)?.as_bytes();
    if digits.len() != 2 * tag::DIGEST_BYTES {
        return None;
    }
    let mut digest = [0; tag::DIGEST_BYTES];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(digest)
}

/// Lower case only: what is read must be what was written.
const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A list or an object that is being written.
struct Open<'w> {
    writer: &'w mut Writer,
    /// How many have to be ended: two for a variant with members.
    ends: u8,
}

impl Open<'_> {
    fn close(self) {
        (0..self.ends).for_each(|_| self.writer.end());
    }
}

/// Numbers that are written as wider ones.
macro_rules! widened {
    ($($put:ident $number:ident $wide:ident),*) => {$(
        fn $put(self, value: $number) -> Result<(), Error> {
            self.$wide(value.into())
        }
    )*};
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'w>;
    type SerializeTuple = Open<'w>;
    type SerializeTupleStruct = Open<'w>;
    type SerializeTupleVariant = Open<'w>;
    type SerializeMap = Open<'w>;
    type SerializeStruct = Open<'w>;
    type SerializeStructVariant = Open<'w>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.bytes.push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    widened!(serialize_i8 i8 serialize_i64, serialize_i16 i16 serialize_i64, serialize_i32 i32 serialize_i64);
    widened!(serialize_u8 u8 serialize_u64, serialize_u16 u16 serialize_u64, serialize_u32 u32 serialize_u64);

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        match u64::try_from(value) {
            Ok(positive) => self.positive(positive),
            Err(_) => {
                self.bytes.push(tag::NEGATIVE);
                varint::put(&mut self.bytes, !value as u64);
            }
        }
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.positive(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        if value.is_finite() {
            self.bytes.push(tag::DOUBLE);
            self.bytes.extend(value.to_le_bytes());
        } else {
            // As JSON has it.
            self.bytes.push(tag::NULL);
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.begin(tag::LIST)?;
        value.iter().for_each(|byte| self.positive((*byte).into()));
        self.end();
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.bytes.push(tag::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.begin(tag::OBJECT)?;
        self.text(variant);
        value.serialize(&mut *self)?;
        self.end();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'w>, Error> {
        self.begin(tag::LIST)?;
        Ok(Open { writer: self, ends: 1 })
    }

    fn serialize_tuple(self, length: usize) -> Result<Open<'w>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Open<'w>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w>, Error> {
        self.begin(tag::OBJECT)?;
        self.text(variant);
        self.begin(tag::LIST)?;
        Ok(Open { writer: self, ends: 2 })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'w>, Error> {
        self.begin(tag::OBJECT)?;
        Ok(Open { writer: self, ends: 1 })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'w>, Error> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w>, Error> {
        self.begin(tag::OBJECT)?;
        self.text(variant);
        self.begin(tag::OBJECT)?;
        Ok(Open { writer: self, ends: 2 })
    }
}

macro_rules! values {
    ($($kind:ident $put:ident),*) => {$(
        impl $kind for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                value.serialize(&mut *self.writer)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}
values!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field);

macro_rules! members {
    ($($kind:ident),*) => {$(
        impl $kind for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.writer.text(name);
                value.serialize(&mut *self.writer)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}
members!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let begin = self.writer.bytes.len();
        key.serialize(&mut *self.writer)?;
        match self.writer.bytes.get(begin) {
            Some(&what) if is_text(what) => Ok(()),
            _ => Err(Error::Name),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

const fn is_text(what: u8) -> bool {
    matches!(what, tag::TEXT..=tag::DIGEST | tag::SHORT_TEXT..tag::SMALL | tag::WORD..)
}
