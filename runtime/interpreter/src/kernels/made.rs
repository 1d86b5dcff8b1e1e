//! Values out of nothing, or out of a shape.

use std::sync::Arc;

use half::f16;

use crate::kernels::cast::whole64;
use crate::kernels::layout::{WHOLE, sizes};
use crate::kernels::nn::plain::{Dense, Made, Room, axis_of, count, misfit, must};
use crate::kernels::number::{Number, typed};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Data, Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[
    standard("Constant", constant),
    since(9, "ConstantOfShape", filled),
    standard("Shape", shape),
    standard("Size", size),
    since(11, "Range", range),
    since(9, "EyeLike", eye),
    since(9, "OneHot", one_hot),
    since(9, "NonZero", non_zero),
    since(14, "Trilu", triangle),
];

fn constant(node: &Node<'_>) -> Built {
    node.arity(0, 0, 1)?;
    let list = |len: usize| vec![len];
    let mut given = Vec::new();
    given.extend(node.tensor("value")?);
    if node.opset >= 12 {
        given.extend(node.int("value_int")?.map(Value::scalar));
        given.extend(node.float("value_float")?.map(Value::scalar));
        given.extend(node.text("value_string")?.map(|text| Value::scalar(Arc::<str>::from(text))));
        if let Some(values) = node.ints("value_ints")? {
            given.push(Value::new(list(values.len()), values.to_vec())?);
        }
        if let Some(values) = node.floats("value_floats")? {
            given.push(Value::new(list(values.len()), values.to_vec())?);
        }
        if let Some(values) = node.texts("value_strings")? {
            given.push(Value::new(list(values.len()), values.into_iter().map(Arc::<str>::from).collect())?);
        }
    }
    let (Some(value), true) = (given.pop(), given.is_empty()) else {
        return unsupported("it does not hold exactly one value");
    };
    Plan::new([value.ty()], move |_, _| Ok(vec![value.clone()]))
}

/// Many of one element.
fn repeated(value: &Value, shape: Vec<usize>, room: Room<'_>) -> Made<Value> {
    fn many<T: Element>(elements: &[T], shape: Vec<usize>, room: Room<'_>) -> Made<Value> {
        let Some(element) = elements.first() else { return misfit("its value has no element") };
        let data = room.fill(count(&shape)?, element.clone())?;
        Ok(Value::of(Dense { shape, data }))
    }
    each!(value.data(), elements => many(elements, shape, room))
}

fn filled(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, WHOLE)?;
    let value = node.tensor("value")?.unwrap_or_else(|| Value::scalar(0.0_f32));
    if value.len() != 1 || matches!(value.ty(), Type::Text | Type::BF16) {
        return unsupported("its value is not one number");
    }
    Plan::new([value.ty()], move |inputs, run| {
        let wanted = inputs.view::<i64>(0)?;
        must!(wanted.rank() == 1, "a shape has one axis");
        Ok(vec![repeated(&value, sizes(wanted.data)?, run.room)?])
    })
}

fn whole(number: usize) -> Made<i64> {
    i64::try_from(number).or_else(|_| misfit("it is larger than int64"))
}

fn shape(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, Type::ALL)?;
    let (from, to) = if node.opset >= 15 { (node.int("start")?.unwrap_or(0), node.int("end")?) } else { (0, None) };
    Plan::new([Type::I64], move |inputs, _| {
        let dims = inputs.get(0)?.shape();
        let rank = whole(dims.len())?;
        let place = |at: i64| usize::try_from(if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank));
        let (Ok(from), Ok(to)) = (place(from), place(to.unwrap_or(rank))) else {
            return Ok(misfit("its part of the shape is none")?);
        };
        let dims = dims.get(from..to).unwrap_or_default().iter().map(|dim| whole(*dim)).collect::<Made<Vec<_>>>()?;
        Ok(vec![Value::of(Dense { shape: vec![dims.len()], data: dims })])
    })
}

fn size(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, Type::ALL)?;
    Plan::new([Type::I64], |inputs, _| Ok(vec![Value::scalar(whole(inputs.get(0)?.len())?)]))
}

fn range(node: &Node<'_>) -> Built {
    node.arity(3, 3, 1)?;
    /// How many, as ONNX Runtime counts: in float64, rounded up.
    fn of<T: Number>(wide: fn(T) -> f64) -> Built {
        Plan::new([T::TYPE], move |inputs, run| {
            let one = |input: usize| inputs.view::<T>(input)?.one("what Range takes");
            let (mut at, limit, step) = (one(0)?, one(1)?, one(2)?);
            must!(step != T::zero(), "its delta is 0");
            let steps = ((wide(limit) - wide(at)) / wide(step)).ceil();
            must!(steps < 1e12, "it would have {steps} elements");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to its range")]
            let steps = steps.max(0.0) as usize;
            let mut out = run.room.fill(steps, at)?;
            for place in &mut out {
                *place = at;
                at = at.plus(step);
            }
            Ok(vec![Value::of(Dense { shape: vec![out.len()], data: out })])
        })
    }
    match node.one_type(&[Type::F32, Type::F64, Type::I16, Type::I32, Type::I64])? {
        Type::F64 => of::<f64>(|x| x),
        Type::I16 => of::<i16>(f64::from),
        Type::I32 => of::<i32>(f64::from),
        #[expect(clippy::cast_precision_loss, reason = "as ONNX Runtime does")]
        Type::I64 => of::<i64>(|x| x as f64),
        _ => of::<f32>(f64::from),
    }
}

fn eye(node: &Node<'_>) -> Built {
    const TYPES: &[Type] = &[Type::F32, Type::F64, Type::F16, Type::I32, Type::I64, Type::U64];
    node.arity(1, 1, 1)?;
    let given = node.ty(0, TYPES)?;
    let offset = node.int("k")?.unwrap_or(0);
    let ty = match node.int("dtype")? {
        None => given,
        Some(number) => i32::try_from(number).ok().and_then(Type::of).ok_or("its dtype is not known")?,
    };
    typed!(ty, [F32 f32, F64 f64, F16 f16, I32 i32, I64 i64, U64 u64], T => Plan::new([ty], move |inputs, run| {
        let shape = inputs.get(0)?.shape();
        let &[rows, columns] = shape else { return Ok(misfit("EyeLike takes a matrix")?) };
        let mut out = run.room.tensor(shape, T::zero())?;
        for row in 0..if columns == 0 { 0 } else { rows } {
            let column = whole(row)?.checked_add(offset).and_then(|column| usize::try_from(column).ok());
            if let Some(column) = column.filter(|column| *column < columns) {
                out.data[row * columns + column] = T::one();
            }
        }
        Ok(vec![Value::of(out)])
    }))
}

/// Indices of any type; the fraction of a float is cut off.
fn indices_of(value: &Value) -> Made<Vec<i64>> {
    match value.data() {
        Data::F32(elements) => Ok(elements.iter().map(|x| whole64(f64::from(*x))).collect()),
        _ => value.whole(),
    }
}

fn one_hot(node: &Node<'_>) -> Built {
    const TYPES: &[Type] = &[Type::F32, Type::I32, Type::I64, Type::Text];
    node.arity(3, 3, 1)?;
    node.ty(0, &[Type::I32, Type::I64, Type::F32])?;
    node.ty(1, &[Type::I32, Type::I64, Type::F32])?;
    let axis = node.int("axis")?.unwrap_or(-1);
    let ty = node.ty(2, TYPES)?;
    typed!(ty, [F32 f32, I32 i32, I64 i64, Text Arc<str>], T => one_hot_of::<T>(axis))
}

fn one_hot_of<T: Element>(axis: i64) -> Built {
    Plan::new([T::TYPE], move |inputs, run| {
        let (indices, given) = (indices_of(inputs.get(0)?)?, inputs.get(0)?.shape().to_vec());
        let &[depth] = indices_of(inputs.get(1)?)?.as_slice() else { return Ok(misfit("its depth is not one value")?) };
        must!(depth > 0, "its depth is {depth}");
        let [off, on] = inputs.view::<T>(2)?.data else { return Ok(misfit("its values are not two")?) };
        let at = axis_of(axis, given.len() + 1)?;
        let mut shape = given.clone();
        let Ok(classes) = usize::try_from(depth) else { return Ok(misfit("its depth is too large")?) };
        shape.insert(at, classes);
        let mut out = run.room.tensor(&shape, off.clone())?;
        let inner = count(&given[at..])?;
        for (place, index) in indices.iter().enumerate() {
            let class = if *index < 0 { index.saturating_add(depth) } else { *index };
            if let Some(class) = usize::try_from(class).ok().filter(|class| *class < classes) {
                out.data[(place / inner * classes + class) * inner + place % inner] = on.clone();
            }
        }
        Ok(vec![Value::of(out)])
    })
}

fn non_zero(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, &[Type::F32, Type::I32, Type::I64, Type::U8, Type::Bool])?;
    typed!(ty, [F32 f32, I32 i32, I64 i64, U8 u8, Bool bool], T => Plan::new([Type::I64], move |inputs, run| {
        let x = inputs.view::<T>(0)?;
        let zero = T::blank();
        let found: Vec<usize> =
            x.data.iter().enumerate().filter(|(_, element)| **element != zero).map(|(place, _)| place).collect();
        // A scalar counts as a list of one.
        let dims = if x.shape.is_empty() { &[1] } else { x.shape };
        let mut out = run.room.tensor(&[dims.len(), found.len()], 0_i64)?;
        let mut below = 1_usize;
        for (axis, dim) in dims.iter().enumerate().rev() {
            for (column, place) in found.iter().enumerate() {
                out.data[axis * found.len() + column] = whole(place / below % dim)?;
            }
            below = below.saturating_mul(*dim);
        }
        Ok(vec![Value::of(out)])
    }))
}

fn triangle(node: &Node<'_>) -> Built {
    node.arity(1, 2, 1)?;
    let ty = node.ty(0, &[Type::F32, Type::F64, Type::I32, Type::I64, Type::Bool])?;
    node.optional(1, WHOLE)?;
    let upper = node.int("upper")?.unwrap_or(1) != 0;
    typed!(ty, [F32 f32, F64 f64, I32 i32, I64 i64, Bool bool], T => Plan::new([ty], move |inputs, _| {
        let offset = match inputs.optional_view::<i64>(1)? {
            Some(offset) => offset.one("its k")?,
            None => 0,
        };
        let mut x = inputs.take(0)?.into_dense::<T>()?;
        let &[.., rows, columns] = x.shape.as_slice() else { return Ok(misfit("Trilu takes matrices")?) };
        for (place, element) in x.data.iter_mut().enumerate() {
            let (row, column) = (whole(place / columns % rows)?, whole(place % columns)?);
            let diagonal = row.saturating_add(offset);
            if (upper && column < diagonal) || (!upper && column > diagonal) {
                *element = T::blank();
            }
        }
        Ok(vec![Value::of(x)])
    }))
}
