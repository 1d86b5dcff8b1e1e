//! The largest elements of a tensor, so that a guest that wants a class need not read all scores.

use trackside_codes::Reason;
use trackside_spec::{ElementType, Tensor};

/// The most that one call gives.
const LIMIT: u32 = 10_000;

/// Index in row-major order and value of the `k` largest elements, the largest first; equal values by index. NaN is
/// never among them. Values are rounded to `f32`.
pub(crate) fn top_k(tensor: &Tensor, k: u32) -> Result<Vec<(u32, f32)>, Reason> {
    let Some(read) = reader(tensor.element()) else {
        return Err(format!("top-k needs numbers, not {}", tensor.element().name()).into());
    };
    let size = tensor.element().size().unwrap_or(1);
    let mut scored = tensor
        .data()
        .chunks_exact(size)
        .enumerate()
        .map(|(index, bytes)| (index, read(bytes)))
        .filter(|(_, value)| !value.is_nan())
        .collect::<Vec<_>>();
    let k = (k.min(LIMIT) as usize).min(scored.len());
    let order = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if k > 0 && k < scored.len() {
        scored.select_nth_unstable_by(k - 1, order);
    }
    scored.truncate(k);
    scored.sort_unstable_by(order);
    #[expect(clippy::cast_possible_truncation, reason = "the contract's values are f32")]
    scored
        .into_iter()
        .map(|(index, value)| {
            let index = u32::try_from(index).map_err(|_| "the tensor has more than 2^32 elements")?;
            Ok((index, value as f32))
        })
        .collect()
}

/// How the little-endian bytes of one element become a number.
#[expect(clippy::cast_precision_loss, reason = "the order of 64-bit integers beyond 2^53 is not promised")]
fn reader(element: ElementType) -> Option<fn(&[u8]) -> f64> {
    macro_rules! number {
        ($type:ty) => {
            |bytes| bytes.try_into().map_or(f64::NAN, |bytes| <$type>::from_le_bytes(bytes) as f64)
        };
    }
    Some(match element {
        ElementType::Boolean | ElementType::Uint8 => number!(u8),
        ElementType::Int8 => number!(i8),
        ElementType::Uint16 => number!(u16),
        ElementType::Int16 => number!(i16),
        ElementType::Uint32 => number!(u32),
        ElementType::Int32 => number!(i32),
        ElementType::Uint64 => number!(u64),
        ElementType::Int64 => number!(i64),
        ElementType::Float32 => number!(f32),
        ElementType::Float64 => number!(f64),
        ElementType::Float16 => |bytes| bytes.try_into().map_or(f64::NAN, |bytes| half(u16::from_le_bytes(bytes))),
        ElementType::Bfloat16 => |bytes| {
            // A bfloat16 is the upper half of a float32.
            bytes.try_into().map_or(f64::NAN, |b| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)))
        },
        ElementType::Text => return None,
    })
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_nan_never() {
        let tensor = Tensor::from_f32(vec![5], &[1.0, f32::NAN, 3.0, 3.0, -1.0]).unwrap();
        assert_eq!(top_k(&tensor, 3).unwrap(), [(2, 3.0), (3, 3.0), (0, 1.0)]);
        assert_eq!(top_k(&tensor, 0).unwrap(), []);
        assert_eq!(top_k(&tensor, u32::MAX).unwrap().len(), 4);
    }

    #[test]
    fn half_precision_is_read_as_ieee_writes_it() {
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2f64.powi(-24)), (0, 0.0)] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan() && half(0x7c00).is_infinite());
    }

    #[test]
    fn text_has_no_order_here() {
        let tensor = Tensor::from_text(vec![1], vec!["a".to_owned()]).unwrap();
        assert!(top_k(&tensor, 1).is_err());
    }
}
