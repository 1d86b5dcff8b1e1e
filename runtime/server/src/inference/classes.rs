//! The classification extension: instead of an output its highest values, as texts `value:index` or `value:index:label`.

use std::cmp::Ordering;

use trackside_spec::{ElementType, Tensor};

use super::failure::Failure;

/// The highest `most` values of each row of `tensor`, as texts: of shape `[n]` for a tensor of one dimension or none, and of
/// `[rows, n]` for one of more, whose first is the rows. Equal values come in the order of their indices, NaN last.
///
/// # Errors
/// When the output is text.
pub(crate) fn top(tensor: &Tensor, most: u32, name: &str, labels: Option<&[String]>) -> Result<Tensor, Failure> {
    let values = Values::of(tensor).ok_or_else(|| {
        Failure::invalid(format!("output {name:?} is text (BYTES), which has no classification; ask for it without"))
    })?;
    let (rows, width) = match tensor.shape() {
        [] | [_] => (None, values.len()),
        [rows, ..] => (Some(*rows), values.len().checked_div(*rows as usize).unwrap_or(0)),
    };
    let kept = width.min(most as usize);
    let mut texts = Vec::with_capacity(rows.map_or(1, |rows| rows as usize) * kept);
    let mut order: Vec<usize> = Vec::with_capacity(width);
    for row in 0..rows.map_or(1, |rows| rows as usize) {
        order.clear();
        order.extend(0..width);
        let first = row * width;
        order.sort_by(|one, other| values.descending(first + one, first + other));
        texts.extend(order.iter().take(kept).map(|index| {
            let value = values.shown(first + index);
            match labels.and_then(|labels| labels.get(*index)) {
                Some(label) => format!("{value}:{index}:{label}"),
                None => format!("{value}:{index}"),
            }
        }));
    }
    // Both are at most what the tensor's own shape held.
    let kept = u32::try_from(kept).unwrap_or(u32::MAX);
    let shape = rows.map_or_else(|| vec![kept], |rows| vec![rows, kept]);
    Tensor::from_text(shape, texts).map_err(|error| Failure::invalid(format!("output {name:?}: {error}")))
}

/// The values of a tensor: floats compared as floats, whole numbers exactly.
enum Values {
    Float(Vec<f64>, bool),
    Whole(Vec<i128>),
}

impl Values {
    fn of(tensor: &Tensor) -> Option<Self> {
        let data = tensor.data();
        macro_rules! whole {
            ($type:ty, $size:literal) => {
                Self::Whole(data.as_chunks::<$size>().0.iter().map(|b| <$type>::from_le_bytes(*b).into()).collect())
            };
        }
        let pairs = data.as_chunks::<2>().0.iter();
        Some(match tensor.element() {
            ElementType::Text => return None,
            ElementType::Boolean | ElementType::Uint8 => whole!(u8, 1),
            ElementType::Int8 => whole!(i8, 1),
            ElementType::Uint16 => whole!(u16, 2),
            ElementType::Int16 => whole!(i16, 2),
            ElementType::Uint32 => whole!(u32, 4),
            ElementType::Int32 => whole!(i32, 4),
            ElementType::Uint64 => whole!(u64, 8),
            ElementType::Int64 => whole!(i64, 8),
            ElementType::Float16 => Self::Float(pairs.map(|b| half::f16::from_le_bytes(*b).to_f64()).collect(), true),
            ElementType::Bfloat16 => Self::Float(pairs.map(|b| half::bf16::from_le_bytes(*b).to_f64()).collect(), true),
            ElementType::Float32 => {
                Self::Float(data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect(), true)
            }
            ElementType::Float64 => {
                Self::Float(data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(), false)
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Float(values, _) => values.len(),
            Self::Whole(values) => values.len(),
        }
    }

    fn descending(&self, one: usize, other: usize) -> Ordering {
        match self {
            Self::Float(values, _) => {
                let (one, other) = (values[one], values[other]);
                one.is_nan().cmp(&other.is_nan()).then(other.partial_cmp(&one).unwrap_or(Ordering::Equal))
            }
            Self::Whole(values) => values[other].cmp(&values[one]),
        }
    }

    /// With as few digits as bring it back.
    fn shown(&self, index: usize) -> String {
        match self {
            Self::Float(values, true) => (values[index] as f32).to_string(),
            Self::Float(values, false) => values[index].to_string(),
            Self::Whole(values) => values[index].to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_own_highest() {
        let tensor = Tensor::from_f32(vec![2, 3], &[0.1, 0.7, 0.2, 0.5, 0.5, f32::NAN]).unwrap();
        let labels = ["cat", "dog"].map(str::to_owned);
        let top = top(&tensor, 2, "p", Some(&labels)).unwrap();
        assert_eq!(top.shape(), [2, 2]);
        assert_eq!(top.text(), ["0.7:1:dog", "0.2:2", "0.5:0:cat", "0.5:1:dog"]);
    }

    #[test]
    fn one_row_has_one_dimension_and_no_more_than_there_are() {
        let bytes = [i64::MAX, i64::MAX - 1].iter().rev().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = Tensor::from_bytes(ElementType::Int64, vec![2], bytes).unwrap();
        let all = top(&tensor, 9, "p", None).unwrap();
        assert_eq!(
            (all.shape(), all.text()),
            (&[2][..], &[format!("{}:1", i64::MAX), format!("{}:0", i64::MAX - 1)][..])
        );
        let none = Tensor::from_f32(vec![0, 3], &[]).unwrap();
        assert_eq!(top(&none, 1, "p", None).unwrap().shape(), [0, 0]);
        let text = Tensor::from_text(vec![1], vec![String::new()]).unwrap();
        assert!(top(&text, 1, "p", None).unwrap_err().to_string().contains("BYTES"));
    }
}
