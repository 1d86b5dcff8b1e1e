//! Tensors to and from the interpreter's values, type by type.

use std::sync::Arc;
use trackside_codes::{Class, Reason};

use half::{bf16, f16};
use trackside_interpreter::{Data, Element, Misfit, Value};
use trackside_spec::{ElementType, Tensor};

/// A copy of `tensor`: its bytes have no alignment.
pub(super) fn to_value(tensor: &Tensor) -> Result<Value, Reason> {
    fn numbers<T: Element, const N: usize>(tensor: &Tensor, of: fn([u8; N]) -> T) -> Result<Value, Reason> {
        let elements = tensor.data().as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect();
        made(Value::new(shape(tensor), elements))
    }
    fn made(value: Result<Value, Misfit>) -> Result<Value, Reason> {
        value.map_err(|misfit| Reason::by(Class::BadInput, misfit))
    }
    fn shape(tensor: &Tensor) -> Vec<usize> {
        tensor.shape().iter().map(|dim| *dim as usize).collect()
    }
    match tensor.element() {
        ElementType::Boolean => numbers(tensor, |[byte]: [u8; 1]| byte != 0),
        ElementType::Uint8 => made(Value::new(shape(tensor), tensor.data().to_vec())),
        ElementType::Int8 => numbers(tensor, i8::from_le_bytes),
        ElementType::Uint16 => numbers(tensor, u16::from_le_bytes),
        ElementType::Int16 => numbers(tensor, i16::from_le_bytes),
        ElementType::Uint32 => numbers(tensor, u32::from_le_bytes),
        ElementType::Int32 => numbers(tensor, i32::from_le_bytes),
        ElementType::Uint64 => numbers(tensor, u64::from_le_bytes),
        ElementType::Int64 => numbers(tensor, i64::from_le_bytes),
        ElementType::Float16 => numbers(tensor, f16::from_le_bytes),
        ElementType::Bfloat16 => numbers(tensor, bf16::from_le_bytes),
        ElementType::Float32 => numbers(tensor, f32::from_le_bytes),
        ElementType::Float64 => numbers(tensor, f64::from_le_bytes),
        ElementType::Text => {
            let texts = tensor.text().iter().map(|text| Arc::<str>::from(text.as_str())).collect();
            made(Value::new(shape(tensor), texts))
        }
    }
}

/// An output, in the type that the model declares for it.
pub(super) fn to_tensor(value: &Value, declared: ElementType) -> Result<Tensor, Reason> {
    let shape = value.shape().iter().map(|dim| u32::try_from(*dim)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| "an output is too large".to_owned())?;
    let (element, data) = match value.data() {
        Data::F32(elements) => (ElementType::Float32, bytes(elements, f32::to_le_bytes)),
        Data::F64(elements) => (ElementType::Float64, bytes(elements, f64::to_le_bytes)),
        Data::F16(elements) => (ElementType::Float16, bytes(elements, f16::to_le_bytes)),
        Data::BF16(elements) => (ElementType::Bfloat16, bytes(elements, bf16::to_le_bytes)),
        Data::I8(elements) => (ElementType::Int8, bytes(elements, i8::to_le_bytes)),
        Data::I16(elements) => (ElementType::Int16, bytes(elements, i16::to_le_bytes)),
        Data::I32(elements) => (ElementType::Int32, bytes(elements, i32::to_le_bytes)),
        Data::I64(elements) => (ElementType::Int64, bytes(elements, i64::to_le_bytes)),
        Data::U8(elements) => (ElementType::Uint8, elements.to_vec()),
        Data::U16(elements) => (ElementType::Uint16, bytes(elements, u16::to_le_bytes)),
        Data::U32(elements) => (ElementType::Uint32, bytes(elements, u32::to_le_bytes)),
        Data::U64(elements) => (ElementType::Uint64, bytes(elements, u64::to_le_bytes)),
        Data::Bool(elements) => (ElementType::Boolean, bytes(elements, |element| [u8::from(element)])),
        Data::Text(texts) => {
            let texts = texts.iter().map(|text| text.as_ref().to_owned()).collect();
            return Tensor::from_text(shape, texts).map_err(|error| Reason::by(Class::Failed, error));
        }
    };
    if element != declared {
        return Err(format!("an output is declared {} but came as {}", declared.name(), element.name()).into());
    }
    Tensor::from_bytes(element, shape, data).map_err(|error| Reason::by(Class::Failed, error))
}

fn bytes<T: Copy, const N: usize>(elements: &[T], encode: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    // Filled by slots of fixed size, which the compiler turns into wide copies; a flat map is ten times slower.
    let mut bytes = vec![0; elements.len() * N];
    for (slot, element) in bytes.as_chunks_mut::<N>().0.iter_mut().zip(elements) {
        *slot = encode(*element);
    }
    bytes
}
