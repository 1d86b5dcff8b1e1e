//! Constants as files hold them, made into values of exactly their type.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use half::{bf16, f16};
use prost::bytes::Bytes;

use crate::kernels::nn::plain::{Made, Misfit, count, misfit};
use crate::proto::{StringStringEntryProto, TensorProto, data_type};
use crate::value::{Element, Type, Value};

/// Weight files beside a model: from a name to the bytes.
pub trait Weights: Sync {
    /// The bytes of a file beside the model.
    fn file(&self, name: &str) -> Option<&[u8]>;
}

/// No weight files.
pub struct NoWeights;

impl Weights for NoWeights {
    fn file(&self, _name: &str) -> Option<&[u8]> {
        None
    }
}

/// The weight files of a model while it is loaded: constants may lie over each other in them, but all together they are
/// no more than twice what the files hold.
pub(crate) struct Files<'a> {
    weights: &'a dyn Weights,
    seen: RefCell<HashSet<String>>,
    left: Cell<usize>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(weights: &'a dyn Weights) -> Self {
        Self { weights, seen: RefCell::default(), left: Cell::new(0) }
    }

    fn bytes(&self, name: &str, offset: usize, length: usize) -> Made<&'a [u8]> {
        let file = self.weights.file(name).ok_or_else(|| format!("there is no weight file {name:?}"))?;
        if self.seen.borrow_mut().insert(name.to_owned()) {
            self.left.set(self.left.get().saturating_add(file.len().saturating_mul(2)));
        }
        let bytes = offset.checked_add(length).and_then(|end| file.get(offset..end));
        let bytes = bytes.ok_or_else(|| format!("{length} bytes from {offset} on lie outside of {name:?}"))?;
        let left = self.left.get().checked_sub(length);
        self.left.set(left.ok_or("the constants of the model lie over each other in their weight files")?);
        Ok(bytes)
    }
}

/// Why a constant of a file can not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadConstant {
    /// Its elements are of a type that no value can hold.
    #[error("the constant {name:?} is {of}")]
    Type { name: String, of: &'static str },
    /// One of its dimensions is below zero.
    #[error("the constant {name:?} has a dimension of {dim}")]
    Dimension { name: String, dim: i64 },
    /// What the file holds for it does not fit its type and shape.
    #[error("the constant {name:?}: {source}")]
    Content { name: String, source: Misfit },
}

/// The value of a constant.
pub(crate) fn value_of(tensor: &TensorProto, weights: &Files<'_>) -> Result<Value, BadConstant> {
    let name = || tensor.name.clone().unwrap_or_default();
    let number = tensor.data_type.unwrap_or_default();
    let Some(ty) = Type::of(number) else {
        return Err(BadConstant::Type { name: name(), of: data_type::name(number) });
    };
    let mut shape = Vec::with_capacity(tensor.dims.len());
    for dim in &tensor.dims {
        shape.push(usize::try_from(*dim).map_err(|_| BadConstant::Dimension { name: name(), dim: *dim })?);
    }
    content(tensor, ty, shape, weights).map_err(|source| BadConstant::Content { name: name(), source })
}

fn content(tensor: &TensorProto, ty: Type, shape: Vec<usize>, weights: &Files<'_>) -> Made<Value> {
    let count = count(&shape)?;
    if tensor.data_location == Some(1) || !tensor.external_data.is_empty() {
        return raw(ty, shape, external(&tensor.external_data, weights, count, ty)?);
    }
    match &tensor.raw_data {
        Some(bytes) if ty != Type::Text => raw(ty, shape, bytes),
        _ => typed(ty, shape, tensor),
    }
}

fn external<'a>(entries: &[StringStringEntryProto], weights: &Files<'a>, count: usize, ty: Type) -> Made<&'a [u8]> {
    let entry = |wanted: &str| {
        let is = |entry: &&StringStringEntryProto| entry.key.as_deref() == Some(wanted.as_bytes());
        entries.iter().find(is).and_then(|entry| entry.value.as_ref())
    };
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let number = |wanted: &str| match entry(wanted).map(text) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| format!("its {wanted} {text:?} is no number")),
    };
    let location = entry("location").map(text).unwrap_or_default();
    let offset = number("offset")?.unwrap_or(0);
    let needed = count.checked_mul(ty.size()).ok_or("it is larger than memory")?;
    let length = number("length")?.unwrap_or(needed);
    if length != needed {
        return misfit(format!("it is said to have {length} bytes, its shape needs {needed}"));
    }
    weights.bytes(&location, offset, length)
}

fn raw(ty: Type, shape: Vec<usize>, bytes: &[u8]) -> Made<Value> {
    fn numbers<T: Element, const N: usize>(shape: Vec<usize>, bytes: &[u8], of: fn([u8; N]) -> T) -> Made<Value> {
        let (words, rest) = bytes.as_chunks::<N>();
        if !rest.is_empty() {
            return misfit(format!("its {} bytes are no whole number of elements", bytes.len()));
        }
        Value::new(shape, words.iter().map(|word| of(*word)).collect())
    }
    match ty {
        Type::F32 => numbers(shape, bytes, f32::from_le_bytes),
        Type::F64 => numbers(shape, bytes, f64::from_le_bytes),
        Type::F16 => numbers(shape, bytes, f16::from_le_bytes),
        Type::BF16 => numbers(shape, bytes, bf16::from_le_bytes),
        Type::I8 => numbers(shape, bytes, i8::from_le_bytes),
        Type::I16 => numbers(shape, bytes, i16::from_le_bytes),
        Type::I32 => numbers(shape, bytes, i32::from_le_bytes),
        Type::I64 => numbers(shape, bytes, i64::from_le_bytes),
        Type::U8 => numbers(shape, bytes, u8::from_le_bytes),
        Type::U16 => numbers(shape, bytes, u16::from_le_bytes),
        Type::U32 => numbers(shape, bytes, u32::from_le_bytes),
        Type::U64 => numbers(shape, bytes, u64::from_le_bytes),
        Type::Bool => numbers(shape, bytes, |[byte]: [u8; 1]| byte != 0),
        Type::Text => misfit("texts can not be raw bytes"),
    }
}

fn typed(ty: Type, shape: Vec<usize>, tensor: &TensorProto) -> Made<Value> {
    fn narrow<S: Copy + std::fmt::Display, T: Element + TryFrom<S>>(shape: Vec<usize>, given: &[S]) -> Made<Value> {
        let fit = |number: &S| {
            T::try_from(*number).map_err(|_| format!("its element {number} does not fit in {}", T::TYPE.name()))
        };
        Value::new(shape, given.iter().map(fit).collect::<Result<Vec<_>, _>>()?)
    }
    let words = &tensor.int32_data;
    match ty {
        Type::F32 => Value::new(shape, tensor.float_data.clone()),
        Type::F64 => Value::new(shape, tensor.double_data.clone()),
        Type::I64 => Value::new(shape, tensor.int64_data.clone()),
        Type::U64 => Value::new(shape, tensor.uint64_data.clone()),
        Type::U32 => narrow::<u64, u32>(shape, &tensor.uint64_data),
        Type::I32 => Value::new(shape, words.clone()),
        Type::I16 => narrow::<i32, i16>(shape, words),
        Type::I8 => narrow::<i32, i8>(shape, words),
        Type::U16 => narrow::<i32, u16>(shape, words),
        Type::U8 => narrow::<i32, u8>(shape, words),
        Type::Bool => Value::new(shape, words.iter().map(|word| *word != 0).collect()),
        Type::F16 | Type::BF16 => {
            let bits = |word: &i32| u16::try_from(*word).map_err(|_| format!("its element {word} is no 16 bits"));
            let bits = words.iter().map(bits).collect::<Result<Vec<_>, _>>()?;
            if ty == Type::F16 {
                return Value::new(shape, bits.into_iter().map(f16::from_bits).collect());
            }
            Value::new(shape, bits.into_iter().map(bf16::from_bits).collect())
        }
        Type::Text => {
            let text = |bytes: &Bytes| std::str::from_utf8(bytes).map(Arc::<str>::from);
            let texts: Result<Vec<_>, _> = tensor.string_data.iter().map(text).collect();
            Value::new(shape, texts.map_err(|_| "one of its texts is not UTF-8".to_owned())?)
        }
    }
}
