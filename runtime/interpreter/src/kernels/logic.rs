//! Comparisons, logic, and bits.

use crate::kernels::elementwise::common_shape;
use crate::kernels::elementwise::{NUMBERS, binary, unary};
use crate::kernels::layout::expanded;
use crate::kernels::nn::plain::Made;
use crate::kernels::number::typed;
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[
    standard("Equal", equal),
    standard("Greater", |node| compare(node, Order::Greater)),
    standard("Less", |node| compare(node, Order::Less)),
    since(12, "GreaterOrEqual", |node| compare(node, Order::GreaterOrEqual)),
    since(12, "LessOrEqual", |node| compare(node, Order::LessOrEqual)),
    standard("And", |node| logic(node, |a, b| a & b)),
    standard("Or", |node| logic(node, |a, b| a | b)),
    standard("Xor", |node| logic(node, |a, b| a ^ b)),
    standard("Not", not),
    since(18, "BitwiseAnd", |node| bits(node, Bits::And)),
    since(18, "BitwiseOr", |node| bits(node, Bits::Or)),
    since(18, "BitwiseXor", |node| bits(node, Bits::Xor)),
    since(18, "BitwiseNot", bits_not),
    since(11, "BitShift", shift),
    since(9, "Where", choose),
];

#[derive(Clone, Copy)]
enum Order {
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

fn equal(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let texts: &[Type] = if node.opset >= 19 { &[Type::Text] } else { &[] };
    let ty = node.one_type(&[&[Type::Bool], NUMBERS, texts].concat())?;
    if ty == Type::Text {
        return Plan::new([Type::Bool], |inputs, run| {
            let shape = common_shape(inputs.get(0)?.shape(), inputs.get(1)?.shape())?;
            let (a, b) = (expanded(inputs.get(0)?, &shape, run.room)?, expanded(inputs.get(1)?, &shape, run.room)?);
            let (a, b) = (a.view::<std::sync::Arc<str>>()?, b.view::<std::sync::Arc<str>>()?);
            let mut out = run.room.tensor(&shape, false)?;
            out.data.iter_mut().zip(a.data.iter().zip(b.data)).for_each(|(out, (a, b))| *out = a == b);
            Ok(vec![Value::of(out)])
        });
    }
    typed!(ty, [Bool bool, F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32,
        U64 u64], T => binary::<T, bool>(|a, b| a == b))
}

fn compare(node: &Node<'_>, order: Order) -> Built {
    node.arity(2, 2, 1)?;
    fn of<T: Element + Copy + PartialOrd>(order: Order) -> Built {
        match order {
            Order::Greater => binary::<T, bool>(|a, b| a > b),
            Order::Less => binary::<T, bool>(|a, b| a < b),
            Order::GreaterOrEqual => binary::<T, bool>(|a, b| a >= b),
            Order::LessOrEqual => binary::<T, bool>(|a, b| a <= b),
        }
    }
    typed!(node.one_type(NUMBERS)?, [F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16,
        U32 u32, U64 u64], T => of::<T>(order))
}

fn logic(node: &Node<'_>, f: fn(bool, bool) -> bool) -> Built {
    node.arity(2, 2, 1)?;
    node.one_type(&[Type::Bool])?;
    binary(f)
}

fn not(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::Bool])?;
    unary(|x: bool| !x)
}

const WORDS: &[Type] = &[Type::I8, Type::I16, Type::I32, Type::I64, Type::U8, Type::U16, Type::U32, Type::U64];

#[derive(Clone, Copy)]
enum Bits {
    And,
    Or,
    Xor,
}

fn bits(node: &Node<'_>, what: Bits) -> Built {
    node.arity(2, 2, 1)?;
    typed!(node.one_type(WORDS)?, [I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64], T => match what {
        Bits::And => binary::<T, T>(|a, b| a & b),
        Bits::Or => binary::<T, T>(|a, b| a | b),
        Bits::Xor => binary::<T, T>(|a, b| a ^ b),
    })
}

fn bits_not(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    typed!(node.ty(0, WORDS)?, [I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64],
        T => unary(|x: T| !x))
}

fn shift(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let left = match node.text("direction")?.as_deref() {
        Some("LEFT") => true,
        Some("RIGHT") => false,
        _ => return unsupported("its direction is neither LEFT nor RIGHT"),
    };
    let words: &[Type] = if node.opset < 28 { &[Type::U8, Type::U32, Type::U64] } else { WORDS };
    // Bits shifted out are gone, also all of them; to the right a sign stays.
    typed!(node.one_type(words)?, [U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64], T => {
        binary::<T, T>(move |a, b| {
            // Signed ones below zero become more than any width.
            #[allow(clippy::cast_lossless, clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "for all of the types")]
            let by = u32::try_from(b as u64).unwrap_or(u32::MAX);
            #[allow(unused_comparisons, clippy::absurd_extreme_comparisons, reason = "the same for types without a sign")]
            let rest: T = if !left && a < 0 { !0 } else { 0 };
            if left { a.checked_shl(by) } else { a.checked_shr(by) }.unwrap_or(rest)
        })
    })
}

fn choose(node: &Node<'_>) -> Built {
    node.arity(3, 3, 1)?;
    node.ty(0, &[Type::Bool])?;
    let ty = node.ty(1, Type::ALL)?;
    node.ty(2, &[ty])?;
    Plan::new([ty], |inputs, run| {
        let shape = common_shape(inputs.get(0)?.shape(), inputs.get(1)?.shape())?;
        let shape = common_shape(&shape, inputs.get(2)?.shape())?;
        let which = expanded(inputs.get(0)?, &shape, run.room)?;
        let yes = expanded(inputs.get(1)?, &shape, run.room)?;
        let no = expanded(inputs.get(2)?, &shape, run.room)?;
        run.room.claim(yes.bytes())?;
        fn chosen<T: Element>(yes: &[T], no: &Value, which: &Value) -> Made<Value> {
            let (no, which) = (no.view::<T>()?, which.view::<bool>()?);
            let picked = which.data.iter().zip(yes.iter().zip(no.data));
            let picked = picked.map(|(which, (yes, no))| if *which { yes.clone() } else { no.clone() }).collect();
            Value::shared(which.shape.to_vec(), T::wrap(std::sync::Arc::new(picked)))
        }
        Ok(vec![each!(yes.data(), elements => chosen(elements, &no, &which))?])
    })
}
