//! From one type to another, as ONNX Runtime converts on x86-64: the answer must not depend on the processor, so what
//! C++ leaves open (floats beyond the range of an integer) is spelled out.

use std::sync::Arc;

use half::{bf16, f16};

use crate::kernel::{Inputs, Run};
use crate::kernels::nn::plain::{Made, misfit};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Data, Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[standard("Cast", cast), since(15, "CastLike", cast_like)];

fn cast(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let number = node.int("to")?.ok_or("it does not say to which type")?;
    let to = i32::try_from(number).ok().and_then(Type::of);
    let to = to.ok_or_else(|| format!("the type number {number} is not proved"))?;
    build(node, to)
}

fn cast_like(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let to = node.ty(1, Type::ALL)?;
    build(node, to)
}

fn build(node: &Node<'_>, to: Type) -> Built {
    // Only float8 saturates.
    if node.opset >= 19 {
        node.int("saturate")?;
    }
    let from = node.ty(0, Type::ALL)?;
    if from == Type::Text && matches!(to, Type::Bool | Type::BF16) {
        return unsupported(format!("it casts texts to {}", to.name()));
    }
    Plan::new([to], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let value = inputs.take(0)?;
        if from == to {
            return Ok(vec![value]);
        }
        run.room.claim(value.len().saturating_mul(to.size()))?;
        Ok(vec![converted(&value, to)?])
    })
}

/// What a number is before it is made into another type: nothing is lost on the way here.
#[derive(Clone, Copy)]
enum Wide {
    Whole(i64),
    Natural(u64),
    Real(f64),
}

/// A float as an integer: the fraction is cut off; what does not fit is the smallest number, as the processor gives it.
#[expect(clippy::cast_possible_truncation, reason = "its range was looked at")]
pub(crate) fn whole64(x: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x) { x as i64 } else { i64::MIN }
}

#[expect(clippy::cast_possible_truncation, reason = "its range was looked at")]
pub(crate) fn whole32(x: f64) -> i32 {
    if x > -2_147_483_649.0 && x < 2_147_483_648.0 { x as i32 } else { i32::MIN }
}

fn natural64(x: f64) -> u64 {
    if x < 9_223_372_036_854_775_808.0 {
        return whole64(x).cast_unsigned();
    }
    whole64(x - 9_223_372_036_854_775_808.0).cast_unsigned() ^ (1 << 63)
}

/// The elements as another type.
pub(crate) fn converted(value: &Value, to: Type) -> Made<Value> {
    fn through<T: Copy>(value: &Value, elements: &[T], to: Type, wide: impl Fn(T) -> Wide) -> Made<Value> {
        fn made<T: Copy, U: Element>(value: &Value, elements: &[T], f: impl Fn(T) -> U) -> Made<Value> {
            let out: Vec<U> = elements.iter().map(|element| f(*element)).collect();
            Value::shared(value.shape().to_vec(), U::wrap(Arc::new(out)))
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "integers wrap around")]
        #[expect(clippy::cast_possible_wrap, clippy::cast_precision_loss, reason = "integers wrap around")]
        match to {
            Type::F32 => made(value, elements, |x| single(wide(x))),
            Type::F64 => made(value, elements, |x| match wide(x) {
                Wide::Whole(x) => x as f64,
                Wide::Natural(x) => x as f64,
                Wide::Real(x) => x,
            }),
            Type::F16 => made(value, elements, |x| f16::from_f32(single(wide(x)))),
            Type::BF16 => made(value, elements, |x| bf16::from_f32(single(wide(x)))),
            Type::I8 => made(value, elements, |x| narrow(wide(x)) as i8),
            Type::I16 => made(value, elements, |x| narrow(wide(x)) as i16),
            Type::I32 => made(value, elements, |x| narrow(wide(x))),
            Type::U8 => made(value, elements, |x| narrow(wide(x)) as u8),
            Type::U16 => made(value, elements, |x| narrow(wide(x)) as u16),
            Type::U32 => made(value, elements, |x| match wide(x) {
                Wide::Whole(x) => x as u32,
                Wide::Natural(x) => x as u32,
                Wide::Real(x) => whole64(x) as u32,
            }),
            Type::I64 => made(value, elements, |x| match wide(x) {
                Wide::Whole(x) => x,
                Wide::Natural(x) => x as i64,
                Wide::Real(x) => whole64(x),
            }),
            Type::U64 => made(value, elements, |x| match wide(x) {
                Wide::Whole(x) => x as u64,
                Wide::Natural(x) => x,
                Wide::Real(x) => natural64(x),
            }),
            Type::Bool => made(value, elements, |x| match wide(x) {
                Wide::Whole(x) => x != 0,
                Wide::Natural(x) => x != 0,
                // What is no number is not zero.
                Wide::Real(x) => x != 0.0,
            }),
            Type::Text => made(value, elements, |x| {
                Arc::<str>::from(match wide(x) {
                    Wide::Whole(x) => x.to_string(),
                    Wide::Natural(x) => x.to_string(),
                    Wide::Real(x) => eight_digits(x),
                })
            }),
        }
    }
    match value.data() {
        Data::F32(elements) => through(value, elements, to, |x| Wide::Real(f64::from(x))),
        Data::F64(elements) => through(value, elements, to, Wide::Real),
        Data::F16(elements) => through(value, elements, to, |x| Wide::Real(x.to_f64())),
        Data::BF16(elements) => through(value, elements, to, |x| Wide::Real(x.to_f64())),
        Data::I8(elements) => through(value, elements, to, |x| Wide::Whole(x.into())),
        Data::I16(elements) => through(value, elements, to, |x| Wide::Whole(x.into())),
        Data::I32(elements) => through(value, elements, to, |x| Wide::Whole(x.into())),
        Data::I64(elements) => through(value, elements, to, Wide::Whole),
        Data::U8(elements) => through(value, elements, to, |x| Wide::Natural(x.into())),
        Data::U16(elements) => through(value, elements, to, |x| Wide::Natural(x.into())),
        Data::U32(elements) => through(value, elements, to, |x| Wide::Natural(x.into())),
        Data::U64(elements) => through(value, elements, to, Wide::Natural),
        Data::Bool(elements) => through(value, elements, to, |x| Wide::Natural(x.into())),
        Data::Text(texts) => read(value, texts, to),
    }
}

/// A float as C++ writes it with `%.8g`.
fn eight_digits(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "NaN"
        } else if x > 0.0 {
            "INF"
        } else {
            "-INF"
        }
        .to_owned();
    }
    let text = format!("{x:.7e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let bare = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    match usize::try_from(7 - exponent) {
        Ok(decimals) if exponent >= -4 => bare(&format!("{x:.decimals$}")),
        _ => format!("{}e{}{:02}", bare(digits), if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// Texts as numbers; one that is no number of the type is an error.
fn read(value: &Value, texts: &[Arc<str>], to: Type) -> Made<Value> {
    fn parsed<T: Element + std::str::FromStr>(value: &Value, texts: &[Arc<str>]) -> Made<Value> {
        let number = |text: &Arc<str>| {
            let read = text.trim().parse();
            read.or_else(|_| misfit(format!("the text {:?} is no {}", &**text, T::TYPE.name())))
        };
        let out: Vec<T> = texts.iter().map(number).collect::<Made<_>>()?;
        Value::shared(value.shape().to_vec(), T::wrap(Arc::new(out)))
    }
    match to {
        Type::F64 => parsed::<f64>(value, texts),
        Type::F16 => converted(&parsed::<f32>(value, texts)?, to),
        Type::I8 => parsed::<i8>(value, texts),
        Type::I16 => parsed::<i16>(value, texts),
        Type::I32 => parsed::<i32>(value, texts),
        Type::I64 => parsed::<i64>(value, texts),
        Type::U8 => parsed::<u8>(value, texts),
        Type::U16 => parsed::<u16>(value, texts),
        Type::U32 => parsed::<u32>(value, texts),
        Type::U64 => parsed::<u64>(value, texts),
        Type::F32 => parsed::<f32>(value, texts),
        other => misfit(format!("it reads texts as {}", other.name())),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the nearest value is wanted")]
fn single(wide: Wide) -> f32 {
    match wide {
        Wide::Whole(x) => x as f32,
        Wide::Natural(x) => x as f32,
        Wide::Real(x) => x as f32,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "integers wrap around")]
fn narrow(wide: Wide) -> i32 {
    match wide {
        Wide::Whole(x) => x as i32,
        Wide::Natural(x) => x as i32,
        Wide::Real(x) => whole32(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast<T: Element>(elements: Vec<T>, to: Type) -> Data {
        let value = Value::new(vec![elements.len()], elements).unwrap();
        converted(&value, to).unwrap().into_parts().1
    }

    #[test]
    fn booleans_are_what_is_not_zero() {
        let given = vec![3.0_f32, 0.0, 0.5, -2.0, f32::NAN, -0.0];
        assert_eq!(cast(given, Type::Bool), bool::wrap(Arc::new(vec![true, false, true, true, true, false])));
    }

    #[test]
    fn integers_keep_their_low_bits() {
        assert_eq!(cast(vec![300_i64, -1, 1 << 40], Type::U8), u8::wrap(Arc::new(vec![44, 255, 0])));
        assert_eq!(cast(vec![(1_i64 << 40) + 7], Type::I32), i32::wrap(Arc::new(vec![7])));
        assert_eq!(cast(vec![i64::MAX], Type::U64), u64::wrap(Arc::new(vec![i64::MAX.cast_unsigned()])));
    }

    #[test]
    fn floats_are_written_with_eight_digits() {
        let texts =
            [(1e-5_f32, "9.9999997e-06"), (-0.0, "-0"), (100.0, "100"), (0.1, "0.1"), (f32::MAX, "3.4028235e+38")];
        for (float, text) in texts {
            assert_eq!(eight_digits(f64::from(float)), text);
        }
        assert_eq!(eight_digits(1.23e8), "1.23e+08");
    }

    #[test]
    fn floats_are_cut_off() {
        assert_eq!(cast(vec![2.9_f32, -2.9], Type::I64), i64::wrap(Arc::new(vec![2, -2])));
        assert_eq!(cast(vec![3e9_f64, f64::NAN], Type::I32), i32::wrap(Arc::new(vec![i32::MIN, i32::MIN])));
        assert_eq!(cast(vec![1e19_f64], Type::U64), u64::wrap(Arc::new(vec![10_000_000_000_000_000_000])));
    }
}
