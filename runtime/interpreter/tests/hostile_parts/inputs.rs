//! Inputs of the types that a program declares, with shapes and elements that break things.

use std::sync::Arc;

use half::{bf16, f16};
use trackside_interpreter::{Program, Type, Value};

use super::random::Random;
use crate::archive::{Cell, Tensor};

/// Inputs like those of the cell, changed here and there.
pub fn inputs(random: &mut Random, cell: &Cell, program: &Program) -> Vec<Option<Value>> {
    let mut given = Vec::new();
    for input in program.inputs() {
        if input.default.is_some() && random.one_in(2) {
            given.push(None);
            continue;
        }
        let tensor = cell.inputs.iter().find(|tensor| tensor.name == input.name).or(cell.inputs.first());
        let mut shape: Vec<usize> =
            tensor.map_or_else(|| vec![2, 3], |tensor| tensor.shape.iter().map(|dim| *dim as usize).collect());
        if random.one_in(3) {
            change(random, &mut shape);
        }
        if shape.iter().product::<usize>() > 1 << 20 {
            shape = vec![2, 2];
        }
        let keep = if random.one_in(3) { None } else { tensor };
        given.push(Some(value(random, input.ty, shape, keep)));
    }
    given
}

fn change(random: &mut Random, shape: &mut Vec<usize>) {
    match random.below(6) {
        0 => shape.clear(),
        1 => shape.push(random.pick(&[0, 1, 2, 5])),
        2 => {
            shape.pop();
        }
        3 => *shape = (0..random.below(7)).map(|_| random.pick(&[0, 1, 1, 2, 3])).collect(),
        _ => {
            let at = random.below(shape.len());
            if let Some(dim) = shape.get_mut(at) {
                *dim = random.pick(&[0, 1, 2, 3, 4, 7, 64, 1000]);
            }
        }
    }
}

/// Elements of the tensor where it has enough, else numbers that break things.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any number does")]
fn value(random: &mut Random, ty: Type, shape: Vec<usize>, like: Option<&Tensor>) -> Value {
    let count: usize = shape.iter().product();
    macro_rules! numbers {
        ($type:ty, $of:expr) => {{
            let kept = like.map_or(&[][..], |tensor| tensor.data.as_chunks::<{ size_of::<$type>() }>().0);
            let calm = random.one_in(2);
            let one = random.whole();
            let element = |at: usize| match kept.get(at) {
                Some(bytes) => <$type>::from_le_bytes(*bytes),
                None if calm => $of((at % 5) as i64, (at % 7) as f32),
                None => {
                    let whole = if random.one_in(3) { one } else { random.whole() };
                    let float = random.float();
                    $of(whole, float)
                }
            };
            Value::new(shape, (0..count).map(element).collect::<Vec<$type>>()).unwrap()
        }};
    }
    match ty {
        Type::F32 => numbers!(f32, |_: i64, float: f32| float),
        Type::F64 => numbers!(f64, |_: i64, float: f32| f64::from(float)),
        Type::F16 => numbers!(f16, |_: i64, float: f32| f16::from_f32(float)),
        Type::BF16 => numbers!(bf16, |_: i64, float: f32| bf16::from_f32(float)),
        Type::I8 => numbers!(i8, |whole: i64, _: f32| whole as i8),
        Type::I16 => numbers!(i16, |whole: i64, _: f32| whole as i16),
        Type::I32 => numbers!(i32, |whole: i64, _: f32| whole as i32),
        Type::I64 => numbers!(i64, |whole: i64, _: f32| whole),
        Type::U8 => numbers!(u8, |whole: i64, _: f32| whole as u8),
        Type::U16 => numbers!(u16, |whole: i64, _: f32| whole as u16),
        Type::U32 => numbers!(u32, |whole: i64, _: f32| whole as u32),
        Type::U64 => numbers!(u64, |whole: i64, _: f32| whole as u64),
        Type::Bool => Value::new(shape, (0..count).map(|_| random.one_in(2)).collect()).unwrap(),
        Type::Text => {
            let text = |_| Arc::<str>::from(random.pick(&["", "a", "b", "é", "a long text of some letters"]));
            Value::new(shape, (0..count).map(text).collect()).unwrap()
        }
    }
}
