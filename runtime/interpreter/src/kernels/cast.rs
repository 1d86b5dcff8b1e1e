//! From one element type to another. What C++ leaves undefined (a float beyond the integer's range, NaN) is an error.

use crate::kernels::nn::plain::{Dense, Made, Room, View, misfit};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[standard("Cast", cast), since(15, "CastLike", cast_like)];

/// Types that are cast from and to.
const CAST: &[Type] = &[
    Type::F32,
    Type::F64,
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::Bool,
];

fn cast(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let from = node.ty(0, CAST)?;
    let number = node.int("to")?.and_then(|number| i32::try_from(number).ok()).unwrap_or(0);
    // Only for 8-bit floats, which are refused.
    node.int("saturate")?;
    let to = Type::of(number).filter(|to| CAST.contains(to));
    let to = to.ok_or_else(|| format!("it casts to {}", crate::proto::data_type::name(number)))?;
    between(from, to)
}

fn cast_like(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    node.int("saturate")?;
    between(node.ty(0, CAST)?, node.ty(1, CAST)?)
}

/// A number between two types: integers exactly, in 128 bits; floats as they are.
#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Single(f32),
    Double(f64),
}

trait Castable: Element + Copy {
    fn number(self) -> Number;
    fn of_number(number: Number) -> Option<Self>;
}

macro_rules! whole {
    ($($type:ty),+) => {$(
        impl Castable for $type {
            fn number(self) -> Number {
                Number::Whole(i128::from(self))
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "integers wrap, floats are checked")]
            fn of_number(number: Number) -> Option<Self> {
                let float = match number {
                    Number::Whole(whole) => return Some(whole as Self),
                    Number::Single(single) => f64::from(single),
                    Number::Double(double) => double,
                };
                let whole = float.is_finite().then_some(float.trunc())? as i128;
                Self::try_from(whole).ok()
            }
        }
    )+};
}

whole!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Castable for bool {
    fn number(self) -> Number {
        Number::Whole(i128::from(self))
    }
    fn of_number(number: Number) -> Option<Self> {
        Some(match number {
            Number::Whole(whole) => whole != 0,
            Number::Single(single) => single != 0.0,
            Number::Double(double) => double != 0.0,
        })
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the nearest value is wanted")]
impl Castable for f32 {
    fn number(self) -> Number {
        Number::Single(self)
    }
    fn of_number(number: Number) -> Option<Self> {
        Some(match number {
            Number::Whole(whole) => whole as Self,
            Number::Single(single) => single,
            Number::Double(double) => double as Self,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "the nearest value is wanted")]
impl Castable for f64 {
    fn number(self) -> Number {
        Number::Double(self)
    }
    fn of_number(number: Number) -> Option<Self> {
        Some(match number {
            Number::Whole(whole) => whole as Self,
            Number::Single(single) => Self::from(single),
            Number::Double(double) => double,
        })
    }
}

fn converted<T: Castable, U: Castable>(x: View<'_, T>, room: Room<'_>) -> Made<Dense<U>> {
    let mut out = room.tensor(x.shape, U::blank())?;
    for (place, (out, x)) in out.data.iter_mut().zip(x.data).enumerate() {
        match U::of_number(x.number()) {
            Some(fits) => *out = fits,
            None => return misfit(format!("element {place} is {x:?}, which no {} is", U::TYPE.name())),
        }
    }
    Ok(out)
}

fn between(from: Type, to: Type) -> Built {
    fn plan<T: Castable, U: Castable>() -> Built {
        Plan::new([U::TYPE], |inputs, run| {
            if T::TYPE == U::TYPE {
                return Ok(vec![inputs.take(0)?]);
            }
            Ok(vec![Value::of(converted::<T, U>(inputs.view(0)?, run.room)?)])
        })
    }
    fn onto<T: Castable>(to: Type) -> Built {
        match to {
            Type::F32 => plan::<T, f32>(),
            Type::F64 => plan::<T, f64>(),
            Type::I8 => plan::<T, i8>(),
            Type::I16 => plan::<T, i16>(),
            Type::I32 => plan::<T, i32>(),
            Type::I64 => plan::<T, i64>(),
            Type::U8 => plan::<T, u8>(),
            Type::U16 => plan::<T, u16>(),
            Type::U32 => plan::<T, u32>(),
            Type::U64 => plan::<T, u64>(),
            Type::Bool => plan::<T, bool>(),
            other => Err(format!("it casts to {}", other.name())),
        }
    }
    match from {
        Type::F32 => onto::<f32>(to),
        Type::F64 => onto::<f64>(to),
        Type::I8 => onto::<i8>(to),
        Type::I16 => onto::<i16>(to),
        Type::I32 => onto::<i32>(to),
        Type::I64 => onto::<i64>(to),
        Type::U8 => onto::<u8>(to),
        Type::U16 => onto::<u16>(to),
        Type::U32 => onto::<u32>(to),
        Type::U64 => onto::<u64>(to),
        Type::Bool => onto::<bool>(to),
        other => Err(format!("it casts from {}", other.name())),
    }
}
