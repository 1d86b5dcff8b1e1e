//! Values out of nothing: Constant, ConstantOfShape, Range, Shape, Size.

use std::sync::Arc;

use crate::kernels::control::ALL;
use crate::kernels::nn::plain::{Dense, Made, Room, misfit, must};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[
    standard("Constant", constant),
    since(9, "ConstantOfShape", filled),
    since(11, "Range", range),
    standard("Shape", shape),
    standard("Size", size),
];

fn constant(node: &Node<'_>) -> Built {
    node.arity(0, 0, 1)?;
    let list = |count: usize| vec![count];
    let value = if let Some(value) = node.tensor("value")? {
        value
    } else if let Some(value) = node.float("value_float")? {
        Value::scalar(value)
    } else if let Some(value) = node.int("value_int")? {
        Value::scalar(value)
    } else if let Some(values) = node.floats("value_floats")? {
        Value::new(list(values.len()), values.to_vec())?
    } else if let Some(values) = node.ints("value_ints")? {
        Value::new(list(values.len()), values.to_vec())?
    } else {
        return Err("it holds no value that can be carried".to_owned());
    };
    Plan::new([value.ty()], move |_, _| Ok(vec![value.clone()]))
}

fn filled(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::I64])?;
    let value = node.tensor("value")?.unwrap_or_else(|| Value::scalar(0.0_f32));
    if value.len() != 1 {
        return Err("its value is not one element".to_owned());
    }
    Plan::new([value.ty()], move |inputs, run| {
        let shape = crate::kernels::layout::sizes(inputs.view::<i64>(0)?.data)?;
        fn of<T: Element>(elements: &Arc<Vec<T>>, shape: &[usize], room: Room<'_>) -> Made<Value> {
            let element = elements.first().cloned().unwrap_or_else(T::blank);
            room.tensor(shape, element).map(Value::of)
        }
        Ok(vec![each!(value.data(), elements => of(elements, &shape, run.room))?])
    })
}

fn range(node: &Node<'_>) -> Built {
    node.arity(3, 3, 1)?;
    macro_rules! whole {
        ($type:ty) => {
            Plan::new([<$type>::TYPE], |inputs, run| {
                let one = |input: usize| inputs.view::<$type>(input)?.one("a bound of Range");
                let (start, limit, delta) = (i128::from(one(0)?), i128::from(one(1)?), i128::from(one(2)?));
                must!(delta != 0, "its step is 0");
                let distance = if delta > 0 { limit - start } else { start - limit };
                let count = if distance <= 0 { 0 } else { (distance - 1) / delta.abs() + 1 };
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let mut out = run.room.tensor(&[count], 0)?;
                let mut next = start;
                for element in &mut out.data {
                    *element = <$type>::try_from(next).unwrap_or_default();
                    next += delta;
                }
                Ok(vec![Value::of(out)])
            })
        };
    }
    match node.one_type(&[Type::F32, Type::I16, Type::I32, Type::I64])? {
        Type::I16 => whole!(i16),
        Type::I32 => whole!(i32),
        Type::I64 => whole!(i64),
        _ => Plan::new([Type::F32], |inputs, run| {
            let one = |input: usize| inputs.view::<f32>(input)?.one("a bound of Range");
            let (start, limit, delta) = (one(0)?, one(1)?, one(2)?);
            let count = (f64::from(limit - start) / f64::from(delta)).ceil();
            must!(count.is_finite(), "its bounds and step give no end");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite, and bounded by room")]
            let count = count.max(0.0) as usize;
            let mut out = run.room.tensor(&[count], 0.0_f32)?;
            let mut next = start;
            for element in &mut out.data {
                *element = next;
                next += delta;
            }
            Ok(vec![Value::of(out)])
        }),
    }
}

fn shape(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, ALL)?;
    let (start, end) = if node.opset < 15 { (0, None) } else { (node.int("start")?.unwrap_or(0), node.int("end")?) };
    Plan::new([Type::I64], move |inputs, _| {
        let shape = inputs.get(0)?.shape();
        let rank = i64::try_from(shape.len()).unwrap_or(i64::MAX);
        let at =
            |place: i64| usize::try_from((if place < 0 { place + rank } else { place }).clamp(0, rank)).unwrap_or(0);
        let (from, to) = (at(start), end.map_or(shape.len(), at));
        let part = shape.get(from..to.max(from)).unwrap_or_default();
        let data: Vec<i64> = part.iter().map(|dim| i64::try_from(*dim).unwrap_or(i64::MAX)).collect();
        Ok(vec![Value::of(Dense { shape: vec![data.len()], data })])
    })
}

fn size(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, ALL)?;
    Plan::new([Type::I64], |inputs, _| match i64::try_from(inputs.get(0)?.len()) {
        Ok(size) => Ok(vec![Value::scalar(size)]),
        Err(_) => Ok(misfit("its size is no int64")?),
    })
}
