//! Whether a tensor is the one that must come.

use half::{bf16, f16};
use serde_json::Value;

use crate::archive::Tensor;

/// How far a value may be off: relative, absolute. None for what must agree exactly.
fn tolerance(kind: &str) -> Option<(f64, f64)> {
    match kind {
        "float64" => Some((1e-6, 1e-9)),
        "float32" => Some((1e-3, 1e-5)),
        "float16" => Some((3e-3, 1e-3)),
        "bfloat16" => Some((1.6e-2, 1e-3)),
        _ => None,
    }
}

/// What differs, if anything does.
pub fn difference(given: &Tensor, expected: &Tensor) -> Option<String> {
    if given.r#type != expected.r#type || given.shape != expected.shape {
        let form = |tensor: &Tensor| format!("{}{:?}", tensor.r#type, tensor.shape);
        return Some(format!("{} came, {} is right", form(given), form(expected)));
    }
    let Some((relative, absolute)) = tolerance(&given.r#type) else {
        return exactly(given, expected);
    };
    for (place, (a, b)) in floats(given).into_iter().zip(floats(expected)).enumerate() {
        // NaN and infinities must stand where they are expected: the tolerance of an infinity would allow everything.
        let same = a == b || (a.is_nan() && b.is_nan());
        let near = b.is_finite() && (a - b).abs() <= absolute + relative * b.abs();
        if !same && !near {
            return Some(format!("element {place} is {a}, right is {b}"));
        }
    }
    None
}

/// What differs between what is no tensor, if anything does: numbers are float32.
pub fn json_difference(given: &Value, expected: &Value) -> Option<String> {
    let (relative, absolute) = (1e-3, 1e-5);
    match (given, expected) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(place, (a, b))| Some(format!("[{place}]{}", json_difference(a, b)?)))
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => b.iter().find_map(|(key, b)| match a.get(key) {
            None => Some(format!(": the key {key:?} is missing")),
            Some(a) => Some(format!("[{key:?}]{}", json_difference(a, b)?)),
        }),
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64()?, b.as_f64()?);
            ((a - b).abs() > absolute + relative * b.abs()).then(|| format!(" is {a}, right is {b}"))
        }
        _ => (given != expected).then(|| format!(" is {given}, right is {expected}")),
    }
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    fn of<const N: usize>(data: &[u8], number: fn([u8; N]) -> f64) -> Vec<f64> {
        data.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
    }
    match &*tensor.r#type {
        "float64" => of(&tensor.data, f64::from_le_bytes),
        "float32" => of(&tensor.data, |bytes| f64::from(f32::from_le_bytes(bytes))),
        "float16" => of(&tensor.data, |bytes| f16::from_le_bytes(bytes).to_f64()),
        _ => of(&tensor.data, |bytes| bf16::from_le_bytes(bytes).to_f64()),
    }
}

/// Where two tensors of whole numbers, booleans or texts differ first.
fn exactly(given: &Tensor, expected: &Tensor) -> Option<String> {
    if let Some(place) = given.text.iter().zip(&expected.text).position(|(a, b)| a != b) {
        return Some(format!("element {place} is {:?}, right is {:?}", given.text[place], expected.text[place]));
    }
    let size = match &*given.r#type {
        "int16" | "uint16" => 2,
        "int32" | "uint32" => 4,
        "int64" | "uint64" => 8,
        _ => 1,
    };
    let number = |bytes: &[u8]| {
        // Sign-extended, or the bits of a type without a sign.
        let negative = given.r#type.starts_with("int") && bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        i128::from_le_bytes(wide)
    };
    let (a, b) = (given.data.chunks(size), expected.data.chunks(size));
    let first = a.zip(b).enumerate().find(|(_, (a, b))| a != b);
    first.map(|(place, (a, b))| format!("element {place} is {}, right is {}", number(a), number(b)))
}
