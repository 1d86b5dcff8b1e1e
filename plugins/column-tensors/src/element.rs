//! One value in the type of its tensor.

use serde::Deserialize;
use serde_json::Value;
use trackside_rows::{
    field::{Kind, Typed},
    json,
};
use trackside_sdk::tensor::Element;

/// What a tensor's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Type {
    /// Elements that have a form in a file.
    Plain(Element),
    /// Texts.
    Text(Text),
}

/// What texts are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Text {
    /// As ONNX calls them.
    #[serde(alias = "text")]
    String,
}

/// A value of a tensor.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// A float, also of single precision.
    Float(f64),
    /// A whole number that fits the type.
    Whole(i128),
    /// A truth value.
    Truth(bool),
    /// Text.
    Text(&'a str),
}

impl Type {
    /// What a field must be.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Text(_) => Kind::String,
            Self::Plain(Element::Boolean) => Kind::Boolean,
            Self::Plain(Element::Float32 | Element::Float64) => Kind::Number,
            Self::Plain(_) => Kind::Integer,
        }
    }

    const fn is_single(self) -> bool {
        matches!(self, Self::Plain(Element::Float32))
    }

    /// The smallest and largest whole number.
    const fn range(self) -> (i128, i128) {
        match self {
            Self::Plain(Element::Int8) => (i8::MIN as i128, i8::MAX as i128),
            Self::Plain(Element::Uint8) => (0, u8::MAX as i128),
            Self::Plain(Element::Int16) => (i16::MIN as i128, i16::MAX as i128),
            Self::Plain(Element::Uint16) => (0, u16::MAX as i128),
            Self::Plain(Element::Int32) => (i32::MIN as i128, i32::MAX as i128),
            Self::Plain(Element::Uint32) => (0, u32::MAX as i128),
            Self::Plain(Element::Int64) => (i64::MIN as i128, i64::MAX as i128),
            _ => (0, u64::MAX as i128),
        }
    }

    /// The value that a field stands for.
    ///
    /// # Errors
    /// When it does not fit the type.
    pub fn cell(self, value: Typed<'_>) -> Result<Cell<'_>, String> {
        Ok(match value {
            Typed::Text(text) | Typed::Time(_, text) => Cell::Text(text),
            Typed::Truth(truth) => Cell::Truth(truth),
            Typed::Number(number) if self.kind() == Kind::Integer => {
                let (least, most) = self.range();
                let whole = number.whole().filter(|whole| (least..=most).contains(whole));
                Cell::Whole(whole.ok_or_else(|| format!("not from {least} to {most}"))?)
            }
            Typed::Number(number) if self.is_single() => {
                let single = number.as_f64() as f32;
                if !single.is_finite() {
                    return Err("beyond a float32".into());
                }
                Cell::Float(single.into())
            }
            Typed::Number(number) => Cell::Float(number.as_f64()),
        })
    }

    /// The value that stands where none is.
    ///
    /// # Errors
    /// When it does not fit the type.
    pub fn fill(self, value: &Value) -> Result<Cell<'_>, String> {
        if value == "NaN" && self.kind() == Kind::Number {
            return Ok(Cell::Float(f64::NAN));
        }
        self.cell(trackside_rows::field::read_json(self.kind(), value)?)
    }

    /// Appends the bytes of a value that is no text.
    pub fn write(self, cell: Cell<'_>, bytes: &mut Vec<u8>) {
        match (cell, self) {
            (Cell::Float(number), _) if self.is_single() => bytes.extend((number as f32).to_le_bytes()),
            (Cell::Float(number), _) => bytes.extend(number.to_le_bytes()),
            // The low bytes of a number that fits are the number, with its sign.
            (Cell::Whole(number), Self::Plain(element)) => {
                bytes.extend(&number.to_le_bytes()[..element.size() as usize]);
            }
            (Cell::Truth(truth), _) => bytes.push(truth.into()),
            (Cell::Whole(_) | Cell::Text(_), _) => {}
        }
    }

    /// As nested lists have it.
    pub fn to_json(self, cell: Cell<'_>) -> Value {
        match cell {
            Cell::Float(number) if self.is_single() => json::single(number as f32),
            Cell::Float(number) => json::float(number),
            Cell::Whole(number) => {
                i64::try_from(number).map(Value::from).unwrap_or_else(|_| Value::from(number as u64))
            }
            Cell::Truth(truth) => truth.into(),
            Cell::Text(text) => text.into(),
        }
    }
}
