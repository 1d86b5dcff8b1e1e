//! Values between nodes: dense tensors of exactly the type that the model declares.

use std::sync::Arc;

use half::{bf16, f16};

use crate::kernels::nn::plain::{Dense, Made, Misfit, View, misfit};
use crate::proto::data_type;

/// The element types that a value can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Type {
    F32,
    F64,
    F16,
    BF16,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    Text,
}

impl Type {
    /// Every type.
    pub(crate) const ALL: &[Self] = &[
        Self::F32,
        Self::F64,
        Self::F16,
        Self::BF16,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::Bool,
        Self::Text,
    ];

    /// The type with a number of ONNX's `TensorProto.DataType`; `None` for what no value can hold.
    #[must_use]
    pub const fn of(number: i32) -> Option<Self> {
        Some(match number {
            data_type::FLOAT => Self::F32,
            data_type::DOUBLE => Self::F64,
            data_type::FLOAT16 => Self::F16,
            data_type::BFLOAT16 => Self::BF16,
            data_type::INT8 => Self::I8,
            data_type::INT16 => Self::I16,
            data_type::INT32 => Self::I32,
            data_type::INT64 => Self::I64,
            data_type::UINT8 => Self::U8,
            data_type::UINT16 => Self::U16,
            data_type::UINT32 => Self::U32,
            data_type::UINT64 => Self::U64,
            data_type::BOOL => Self::Bool,
            data_type::STRING => Self::Text,
            _ => return None,
        })
    }

    /// Its name, as messages write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::Bool => "boolean",
            Self::Text => "text",
        }
    }

    /// Bytes of one element; a text counts as its handle.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::Text => 16,
        }
    }
}

/// The elements of a value, row-major, shared between whoever holds it.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Data {
    F32(Arc<Vec<f32>>),
    F64(Arc<Vec<f64>>),
    F16(Arc<Vec<f16>>),
    BF16(Arc<Vec<bf16>>),
    I8(Arc<Vec<i8>>),
    I16(Arc<Vec<i16>>),
    I32(Arc<Vec<i32>>),
    I64(Arc<Vec<i64>>),
    U8(Arc<Vec<u8>>),
    U16(Arc<Vec<u16>>),
    U32(Arc<Vec<u32>>),
    U64(Arc<Vec<u64>>),
    Bool(Arc<Vec<bool>>),
    Text(Arc<Vec<Arc<str>>>),
}

/// A tensor. Cloning it and giving it another shape copies no elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    shape: Vec<usize>,
    data: Data,
}

/// Does the same with the elements, whatever their type is: `each!(value.data(), elements => elements.len())`.
macro_rules! each {
    ($data:expr, $elements:ident => $body:expr) => {
        match $data {
            $crate::value::Data::F32($elements) => $body,
            $crate::value::Data::F64($elements) => $body,
            $crate::value::Data::F16($elements) => $body,
            $crate::value::Data::BF16($elements) => $body,
            $crate::value::Data::I8($elements) => $body,
            $crate::value::Data::I16($elements) => $body,
            $crate::value::Data::I32($elements) => $body,
            $crate::value::Data::I64($elements) => $body,
            $crate::value::Data::U8($elements) => $body,
            $crate::value::Data::U16($elements) => $body,
            $crate::value::Data::U32($elements) => $body,
            $crate::value::Data::U64($elements) => $body,
            $crate::value::Data::Bool($elements) => $body,
            $crate::value::Data::Text($elements) => $body,
        }
    };
}
pub(crate) use each;

/// A type that elements have.
pub trait Element: Clone + Send + Sync + PartialEq + std::fmt::Debug + 'static {
    /// Its name.
    const TYPE: Type;
    /// What fills new room.
    fn blank() -> Self;
    /// Wraps elements.
    fn wrap(elements: Arc<Vec<Self>>) -> Data;
    /// The elements, if they are of this type.
    fn unwrap(data: &Data) -> Option<&Arc<Vec<Self>>>;
    /// The elements, if they are of this type.
    fn take(data: Data) -> Result<Arc<Vec<Self>>, Data>;
}

macro_rules! element {
    ($($type:ty, $name:ident, $blank:expr;)+) => {$(
        impl Element for $type {
            const TYPE: Type = Type::$name;
            fn blank() -> Self {
                $blank
            }
            fn wrap(elements: Arc<Vec<Self>>) -> Data {
                Data::$name(elements)
            }
            fn unwrap(data: &Data) -> Option<&Arc<Vec<Self>>> {
                if let Data::$name(elements) = data { Some(elements) } else { None }
            }
            fn take(data: Data) -> Result<Arc<Vec<Self>>, Data> {
                if let Data::$name(elements) = data { Ok(elements) } else { Err(data) }
            }
        }
    )+};
}

element! {
    f32, F32, 0.0;
    f64, F64, 0.0;
    f16, F16, f16::ZERO;
    bf16, BF16, bf16::ZERO;
    i8, I8, 0;
    i16, I16, 0;
    i32, I32, 0;
    i64, I64, 0;
    u8, U8, 0;
    u16, U16, 0;
    u32, U32, 0;
    u64, U64, 0;
    bool, Bool, false;
    Arc<str>, Text, Arc::from("");
}

impl Value {
    /// A tensor of that shape.
    ///
    /// # Errors
    /// When the number of elements is another one.
    pub fn new<T: Element>(shape: Vec<usize>, elements: Vec<T>) -> Result<Self, Misfit> {
        Self::shared(shape, T::wrap(Arc::new(elements)))
    }

    /// The same elements in another shape.
    pub(crate) fn shared(shape: Vec<usize>, data: Data) -> Made<Self> {
        let wanted = crate::kernels::nn::plain::count(&shape)?;
        let have = each!(&data, elements => elements.len());
        if wanted == have {
            return Ok(Self { shape, data });
        }
        misfit(format!("{have} elements do not fit into the shape {shape:?}"))
    }

    /// What a kernel made.
    pub(crate) fn of<T: Element>(dense: Dense<T>) -> Self {
        Self { shape: dense.shape, data: T::wrap(Arc::new(dense.data)) }
    }

    /// A scalar.
    pub(crate) fn scalar<T: Element>(element: T) -> Self {
        Self { shape: Vec::new(), data: T::wrap(Arc::new(vec![element])) }
    }

    /// The element type.
    #[must_use]
    pub const fn ty(&self) -> Type {
        match &self.data {
            Data::F32(_) => Type::F32,
            Data::F64(_) => Type::F64,
            Data::F16(_) => Type::F16,
            Data::BF16(_) => Type::BF16,
            Data::I8(_) => Type::I8,
            Data::I16(_) => Type::I16,
            Data::I32(_) => Type::I32,
            Data::I64(_) => Type::I64,
            Data::U8(_) => Type::U8,
            Data::U16(_) => Type::U16,
            Data::U32(_) => Type::U32,
            Data::U64(_) => Type::U64,
            Data::Bool(_) => Type::Bool,
            Data::Text(_) => Type::Text,
        }
    }

    /// The size of each dimension, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(&self.data, elements => elements.len())
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements.
    #[must_use]
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Shape and elements apart.
    #[must_use]
    pub fn into_parts(self) -> (Vec<usize>, Data) {
        (self.shape, self.data)
    }

    /// Bytes of its elements; texts with their letters.
    pub(crate) fn bytes(&self) -> usize {
        match &self.data {
            Data::Text(texts) => {
                texts.iter().fold(0, |sum: usize, text| sum.saturating_add(text.len() + Type::Text.size()))
            }
            _ => self.len() * self.ty().size(),
        }
    }

    /// Whether somebody else holds the elements too.
    pub(crate) fn is_shared(&self) -> bool {
        each!(&self.data, elements => Arc::strong_count(elements) > 1)
    }

    /// The elements of a type that was settled when the model was loaded.
    pub(crate) fn view<T: Element>(&self) -> Made<View<'_, T>> {
        match T::unwrap(&self.data) {
            Some(elements) => Ok(View { shape: &self.shape, data: elements }),
            None => misfit(format!("it is {}, not {}", self.ty().name(), T::TYPE.name())),
        }
    }

    /// The elements to be changed in place: the value's own ones when nobody else holds them, else a copy. Claim the
    /// room of a copy before when that matters.
    pub(crate) fn into_dense<T: Element>(self) -> Made<Dense<T>> {
        let Self { shape, data } = self;
        match T::take(data) {
            Ok(elements) => {
                let data = Arc::try_unwrap(elements).unwrap_or_else(|shared| (*shared).clone());
                Ok(Dense { shape, data })
            }
            Err(_) => misfit(format!("it is not {}", T::TYPE.name())),
        }
    }

    /// The same elements in another shape.
    pub(crate) fn reshaped(self, shape: Vec<usize>) -> Made<Self> {
        Self::shared(shape, self.data)
    }

    /// int32 or int64 elements as int64: shapes, axes, indices.
    pub(crate) fn whole(&self) -> Made<Vec<i64>> {
        match &self.data {
            Data::I64(elements) => Ok(elements.to_vec()),
            Data::I32(elements) => Ok(elements.iter().map(|element| i64::from(*element)).collect()),
            _ => misfit(format!("it is {}, not int64 or int32", self.ty().name())),
        }
    }
}
