//! JSON: nested arrays, innermost dimension last; a scalar is a bare value.
//!
//! Whole numbers may be written with a zero fraction (`3.0`). JSON has no NaN and no infinity: they are written as the
//! strings `"NaN"`, `"Infinity"` and `"-Infinity"`, as protobuf's JSON mapping does, so that a tensor survives its JSON;
//! `null` is refused. A number that its element type cannot hold (300 as uint8, 1e39 as float32) is refused, not clipped.

use serde_json::{Number, Value};
use trackside_codes::Reason;
use trackside_spec::{ElementType, Tensor};

use super::TensorIoError;
use crate::port::Port;

/// Most dimensions.
const MAX_RANK: usize = 32;

/// The tensor that `value` stands for. With a `shape`, `value` is nested arrays of just that shape, or one flat array of
/// all elements in row-major order; without one, the shape is that of the nesting.
///
/// # Errors
/// The place, as indices, and what is wrong there: ragged arrays, a value of another type, a number out of range.
pub fn from_json(value: &Value, element: ElementType, shape: Option<&[u32]>) -> Result<Tensor, TensorIoError> {
    let refuse = |reason: String| TensorIoError::Json { place: String::new(), element: element.name(), reason };
    let found = nesting(value).ok_or_else(|| refuse(format!("it has more than {MAX_RANK} dimensions")))?;
    let flat =
        |shape: &[u32]| shape.len() != 1 && found.len() == 1 && Tensor::count(shape).ok() == Some(found[0] as usize);
    // Without elements nothing tells how the further dimensions are.
    let ends_early = |shape: &[u32]| found.last() == Some(&0) && shape.starts_with(&found);
    let shape = match shape {
        None => found.clone(),
        Some(shape) if found == shape || flat(shape) || ends_early(shape) => shape.to_vec(),
        Some(shape) => {
            return Err(refuse(format!("the shape {shape:?} is declared, the arrays have the shape {found:?}")));
        }
    };
    let mut reader = Reader { found: &found, place: Vec::new(), cells: Cells::new(element) };
    reader.read(value)?;
    reader.cells.tensor(shape)
}

/// The tensor that `value` stands for at an input: [`from_json`], where a list without elements says nothing of the
/// dimensions further in, which are those that the input declares.
///
/// # Errors
/// As [`from_json`].
pub fn from_json_for(port: &Port, value: &Value) -> Result<Tensor, TensorIoError> {
    let found = nesting(value).unwrap_or_default();
    let declared = port.shape.as_ref().filter(|shape| found.last() == Some(&0) && found.len() < shape.len());
    let shape: Option<Vec<u32>> = declared.map(|shape| {
        let further = shape.iter().skip(found.len()).map(|dim| dim.unwrap_or(0));
        found.iter().copied().chain(further).collect()
    });
    from_json(value, port.element, shape.as_deref())
}

/// The shape that the first element of each level suggests; `None` when it is too deep.
fn nesting(mut value: &Value) -> Option<Vec<u32>> {
    let mut shape = Vec::new();
    while let Value::Array(items) = value {
        shape.push(u32::try_from(items.len()).ok()?);
        if shape.len() > MAX_RANK {
            return None;
        }
        match items.first() {
            Some(first) => value = first,
            None => break,
        }
    }
    Some(shape)
}

struct Reader<'a> {
    found: &'a [u32],
    place: Vec<usize>,
    cells: Cells,
}

impl Reader<'_> {
    fn read(&mut self, value: &Value) -> Result<(), TensorIoError> {
        match (self.found.get(self.place.len()), value) {
            (Some(length), Value::Array(items)) => {
                if items.len() != *length as usize {
                    return Err(self
                        .refuse(format!("it has {} elements where the first of its kind has {length}", items.len())));
                }
                for (index, item) in items.iter().enumerate() {
                    self.place.push(index);
                    self.read(item)?;
                    self.place.pop();
                }
                Ok(())
            }
            (Some(_), other) => Err(self.refuse(format!("an array is needed, not {}", kind(other)))),
            (None, Value::Array(_)) => Err(self.refuse("it is nested deeper than the first of its kind".to_owned())),
            (None, value) => self.cells.push(value).map_err(|reason| self.refuse(reason.to_string())),
        }
    }

    fn refuse(&self, reason: String) -> TensorIoError {
        let place = self.place.iter().map(|index| format!("[{index}]")).collect();
        TensorIoError::Json { place, element: self.cells.element.name(), reason }
    }
}

/// Elements of a tensor, one after the other, from JSON values: what a table's cells go into.
#[derive(Debug)]
pub struct Cells {
    element: ElementType,
    data: Vec<u8>,
    text: Vec<String>,
    letters: usize,
}

impl Cells {
    /// None yet, of this type.
    #[must_use]
    pub const fn new(element: ElementType) -> Self {
        Self { element, data: Vec::new(), text: Vec::new(), letters: 0 }
    }

    /// Bytes that they take; texts with their letters.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len() + self.letters + self.text.len() * size_of::<String>()
    }

    /// One more.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push(&mut self, value: &Value) -> Result<(), Reason> {
        macro_rules! whole {
            ($type:ty) => {
                match whole(value).and_then(|number| <$type>::try_from(number).ok()) {
                    Some(number) => self.data.extend_from_slice(&number.to_le_bytes()),
                    None => return Err(unfit(value)),
                }
            };
        }
        match self.element {
            ElementType::Text => match value {
                Value::String(text) => {
                    self.letters += text.len();
                    self.text.push(text.clone());
                }
                _ => return Err(unfit(value)),
            },
            ElementType::Boolean => match (value, whole(value)) {
                (Value::Bool(flag), _) => self.data.push(u8::from(*flag)),
                (_, Some(flag @ (0 | 1))) => self.data.push(u8::from(flag == 1)),
                _ => return Err(unfit(value)),
            },
            ElementType::Uint8 => whole!(u8),
            ElementType::Int8 => whole!(i8),
            ElementType::Uint16 => whole!(u16),
            ElementType::Int16 => whole!(i16),
            ElementType::Uint32 => whole!(u32),
            ElementType::Int32 => whole!(i32),
            ElementType::Uint64 => whole!(u64),
            ElementType::Int64 => whole!(i64),
            ElementType::Float64 => {
                let number = float(value, f64::MAX)?;
                self.data.extend_from_slice(&number.to_le_bytes());
            }
            ElementType::Float32 => {
                let number = float(value, f64::from(f32::MAX))? as f32;
                self.data.extend_from_slice(&number.to_le_bytes());
            }
            ElementType::Float16 => {
                let number = half::f16::from_f64(float(value, half::f16::MAX.to_f64())?);
                self.data.extend_from_slice(&number.to_le_bytes());
            }
            ElementType::Bfloat16 => {
                let number = half::bf16::from_f64(float(value, half::bf16::MAX.to_f64())?);
                self.data.extend_from_slice(&number.to_le_bytes());
            }
        }
        Ok(())
    }

    /// The tensor of this shape.
    ///
    /// # Errors
    /// When the shape has another number of elements.
    pub fn tensor(self, shape: Vec<u32>) -> Result<Tensor, TensorIoError> {
        Ok(match self.element {
            ElementType::Text => Tensor::from_text(shape, self.text),
            _ => Tensor::from_bytes(self.element, shape, self.data),
        }?)
    }
}

/// A float of magnitude at most `most`, or one of the three strings.
fn float(value: &Value, most: f64) -> Result<f64, Reason> {
    let number = match value {
        Value::Number(number) => number.as_f64().filter(|number| number.abs() <= most),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    number.ok_or_else(|| unfit(value))
}

fn unfit(value: &Value) -> Reason {
    let shown: String = match value {
        Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
        scalar => scalar.to_string().chars().take(40).collect(),
    };
    format!("{shown} is not one").into()
}

/// A whole number, also one that is written `3.0`; beyond 2^53 only without a fraction, where JSON keeps it exact.
fn whole(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() <= (1u64 << 53) as f64).then_some(float as i128)
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Most empty arrays that stand for the rows of a tensor without elements.
const MAX_EMPTY_ROWS: usize = 1024;

/// `tensor` as nested arrays. float16, bfloat16 and float32 are written with as few digits as bring them back. A tensor
/// of many rows that are all empty is written as `[]`: its shape says how many, and may say four billion.
#[must_use]
pub fn to_json(tensor: &Tensor) -> Value {
    let rows =
        tensor.shape().iter().take_while(|dim| **dim > 0).fold(1usize, |rows, dim| rows.saturating_mul(*dim as usize));
    if tensor.is_empty() && rows > MAX_EMPTY_ROWS {
        return Value::Array(Vec::new());
    }
    let mut elements = elements(tensor).into_iter();
    nest(tensor.shape(), &mut elements)
}

fn nest(shape: &[u32], elements: &mut impl Iterator<Item = Value>) -> Value {
    match shape.split_first() {
        None => elements.next().unwrap_or(Value::Null),
        Some((length, rest)) => Value::Array((0..*length).map(|_| nest(rest, elements)).collect()),
    }
}

fn elements(tensor: &Tensor) -> Vec<Value> {
    let data = tensor.data();
    macro_rules! numbers {
        ($type:ty, $size:literal) => {
            data.as_chunks::<$size>().0.iter().map(|bytes| Value::from(<$type>::from_le_bytes(*bytes))).collect()
        };
    }
    let chunks = data.as_chunks::<2>().0;
    match tensor.element() {
        ElementType::Text => tensor.text().iter().map(|text| Value::from(text.as_str())).collect(),
        ElementType::Boolean => data.iter().map(|byte| Value::from(*byte != 0)).collect(),
        ElementType::Uint8 => numbers!(u8, 1),
        ElementType::Int8 => numbers!(i8, 1),
        ElementType::Uint16 => numbers!(u16, 2),
        ElementType::Int16 => numbers!(i16, 2),
        ElementType::Uint32 => numbers!(u32, 4),
        ElementType::Int32 => numbers!(i32, 4),
        ElementType::Uint64 => numbers!(u64, 8),
        ElementType::Int64 => numbers!(i64, 8),
        ElementType::Float16 => chunks.iter().map(|bytes| short(half::f16::from_le_bytes(*bytes).to_f32())).collect(),
        ElementType::Bfloat16 => chunks.iter().map(|bytes| short(half::bf16::from_le_bytes(*bytes).to_f32())).collect(),
        ElementType::Float32 => data.as_chunks::<4>().0.iter().map(|bytes| short(f32::from_le_bytes(*bytes))).collect(),
        ElementType::Float64 => {
            data.as_chunks::<8>().0.iter().map(|bytes| double(f64::from_le_bytes(*bytes))).collect()
        }
    }
}

/// The double that has the shortest text which reads back as `number`: 0.1 and not 0.10000000149011612.
pub(crate) fn short(number: f32) -> Value {
    double(number.to_string().parse().unwrap_or_else(|_| f64::from(number)))
}

pub(crate) fn double(number: f64) -> Value {
    Number::from_f64(number).map_or_else(
        || {
            Value::from(if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        },
        Value::Number,
    )
}

/// Whether one of the texts stands in it that are numbers which JSON does not have.
pub(crate) fn has_odd_number(value: &Value) -> bool {
    match value {
        Value::String(text) => matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity"),
        Value::Array(items) => items.iter().any(has_odd_number),
        Value::Object(fields) => fields.values().any(has_odd_number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_element_type_survives_its_json() {
        for (element, value) in [
            (ElementType::Boolean, json!([[true, false]])),
            (ElementType::Uint8, json!([0, 255])),
            (ElementType::Int8, json!([[-128], [127]])),
            (ElementType::Uint16, json!([65535])),
            (ElementType::Int16, json!(-32768)),
            (ElementType::Uint32, json!([4_294_967_295u32])),
            (ElementType::Int32, json!([-2_147_483_648i32])),
            (ElementType::Uint64, json!([u64::MAX])),
            (ElementType::Int64, json!([i64::MIN, i64::MAX])),
            (ElementType::Float16, json!([0.5, "NaN"])),
            (ElementType::Bfloat16, json!([[[1.0]]])),
            (ElementType::Float32, json!([0.1, "Infinity", "-Infinity", -1e-45])),
            (ElementType::Float64, json!([0.1, 1e300])),
            (ElementType::Text, json!([["a", ""]])),
            (ElementType::Float32, json!([])),
            (ElementType::Float32, json!([[], []])),
        ] {
            let tensor = from_json(&value, element, None).unwrap();
            assert_eq!(to_json(&tensor), value, "{element:?}");
        }
    }

    #[test]
    fn a_flat_array_takes_the_declared_shape() {
        let tensor = from_json(&json!([1, 2, 3, 4, 5, 6]), ElementType::Int32, Some(&[2, 3])).unwrap();
        assert_eq!(to_json(&tensor), json!([[1, 2, 3], [4, 5, 6]]));
        assert_eq!(from_json(&json!([7]), ElementType::Int64, Some(&[])).unwrap().shape(), [0u32; 0]);
        let error = from_json(&json!([[1, 2]]), ElementType::Int32, Some(&[2])).unwrap_err().to_string();
        assert!(error.contains("[2]") && error.contains("[1, 2]"), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (element, value, place) in [
            (ElementType::Float32, json!([[1, 2], [3]]), "[1]"),
            (ElementType::Float32, json!([[1, 2], [3, [4]]]), "[1][1]"),
            (ElementType::Float32, json!([[1], 2]), "[1]"),
            (ElementType::Float32, json!([1, null]), "[1]"),
            (ElementType::Float32, json!([1, 1e39]), "[1]"),
            (ElementType::Float16, json!([65520.0, 1]), "[0]"),
            (ElementType::Uint8, json!([300]), "[0]"),
            (ElementType::Int32, json!([1, 2.5]), "[1]"),
            (ElementType::Int64, json!([9_223_372_036_854_775_808u64]), "[0]"),
            (ElementType::Boolean, json!([2]), "[0]"),
            (ElementType::Text, json!([1]), "[0]"),
        ] {
            let error = from_json(&value, element, None).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{place} does not fit")), "{value}: {error}");
        }
        let hollow = Tensor::from_bytes(ElementType::Int8, vec![u32::MAX, 0], vec![]).unwrap();
        assert_eq!(to_json(&hollow), json!([]));
        assert_eq!(to_json(&from_json(&json!([3.0]), ElementType::Uint8, None).unwrap()), json!([3]));
    }
}
