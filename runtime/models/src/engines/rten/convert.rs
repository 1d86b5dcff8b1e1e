//! Tensors to and from rten's four element types.

use rten::Value;
use rten_tensor::{Layout, Tensor as Dense};
use trackside_spec::{ElementType, Tensor};

use crate::port::Port;

/// Whether the engine can hold the values of `port` exactly.
pub(super) fn supported(port: &Port) -> Result<(), String> {
    match port.element {
        ElementType::Float32
        | ElementType::Int32
        | ElementType::Int64
        | ElementType::Int8
        | ElementType::Uint8
        | ElementType::Boolean => Ok(()),
        other => Err(format!("{:?} is {}, which the built-in engine cannot hold exactly", port.name, other.name())),
    }
}

/// A copy of `tensor` in rten's types.
pub(super) fn to_value(tensor: &Tensor) -> Result<Value, String> {
    let shape: Vec<usize> = tensor.shape().iter().map(|dim| *dim as usize).collect();
    let data = tensor.data();
    let words = || data.as_chunks::<4>().0.iter();
    match tensor.element() {
        ElementType::Float32 => dense(&shape, words().map(|word| f32::from_le_bytes(*word)).collect::<Vec<_>>()),
        ElementType::Int32 => dense(&shape, words().map(|word| i32::from_le_bytes(*word)).collect::<Vec<_>>()),
        ElementType::Int8 => dense(&shape, data.iter().map(|byte| byte.cast_signed()).collect::<Vec<_>>()),
        ElementType::Uint8 => dense(&shape, data.to_vec()),
        ElementType::Boolean => dense(&shape, data.iter().map(|byte| i32::from(*byte != 0)).collect::<Vec<_>>()),
        ElementType::Int64 => {
            let mut narrow = Vec::with_capacity(tensor.len());
            for (position, bytes) in data.as_chunks::<8>().0.iter().enumerate() {
                let value = i64::from_le_bytes(*bytes);
                let fits = i32::try_from(value);
                narrow.push(fits.map_err(|_| {
                    format!("element {position} is {value}: the built-in engine holds int64 as int32; use ONNX Runtime")
                })?);
            }
            dense(&shape, narrow)
        }
        other => Err(format!("the built-in engine has no {}", other.name())),
    }
}

fn dense<T>(shape: &[usize], data: Vec<T>) -> Result<Value, String>
where
    Value: From<Dense<T>>,
{
    Dense::try_from_data(shape, data).map(Value::from).map_err(|error| format!("{error:?}"))
}

/// An output, in the type that the model declares for it.
pub(super) fn to_tensor(value: Value, port: &Port) -> Result<Tensor, String> {
    let shape = value
        .shape()
        .iter()
        .map(|dim| u32::try_from(*dim))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("its output {:?} is too large", port.name))?;
    let element = port.element;
    let bytes = match (value, element) {
        (Value::FloatTensor(dense), ElementType::Float32) => bytes(dense.into_data(), f32::to_le_bytes),
        (Value::Int32Tensor(dense), ElementType::Int32) => bytes(dense.into_data(), i32::to_le_bytes),
        (Value::Int32Tensor(dense), ElementType::Int64) => {
            bytes(dense.into_data(), |number| i64::from(number).to_le_bytes())
        }
        (Value::Int32Tensor(dense), ElementType::Boolean) => bytes(dense.into_data(), |number| [u8::from(number != 0)]),
        (Value::Int8Tensor(dense), ElementType::Int8) => bytes(dense.into_data(), i8::to_le_bytes),
        (Value::UInt8Tensor(dense), ElementType::Uint8) => dense.into_data(),
        (other, _) => {
            let (name, kind) = (&port.name, other.dtype());
            return Err(format!("its output {name:?} is declared {} but came as {kind}", element.name()));
        }
    };
    Tensor::from_bytes(element, shape, bytes).map_err(|error| error.to_string())
}

fn bytes<T, const N: usize>(data: Vec<T>, encode: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    // Filled by slots of fixed size, which the compiler turns into wide copies; a flat map is ten times slower.
    let mut bytes = vec![0; data.len() * N];
    for (slot, value) in bytes.as_chunks_mut::<N>().0.iter_mut().zip(data) {
        *slot = encode(value);
    }
    bytes
}
