//! Operators that move values about.

use super::read::{count, text};
use crate::kernels::nn::rearrange::{depth_to_space, reverse_sequence, space_to_depth};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("DepthToSpace", |node| blocks(node, true)),
    standard("SpaceToDepth", |node| blocks(node, false)),
    since(10, "ReverseSequence", reversed),
];

fn blocks(node: &Node<'_>, up: bool) -> Built {
    node.arity(1, 1, 1)?;
    let block = count(node, "blocksize", 0)?;
    let crd = match if up { text(node, "mode", "DCR")? } else { "DCR".to_owned() }.as_str() {
        "DCR" => false,
        "CRD" if node.opset >= 11 => true,
        other => return unsupported(format!("the mode {other:?} is not known")),
    };
    fn of<T: Element + Copy + Default>(block: usize, crd: bool, up: bool) -> Built {
        Plan::new([T::TYPE], move |inputs, run| {
            let x = inputs.view::<T>(0)?;
            let made = if up { depth_to_space(run.room, x, block, crd)? } else { space_to_depth(run.room, x, block)? };
            Ok(vec![Value::of(made)])
        })
    }
    match node.ty(0, &[Type::F32, Type::F64, Type::U8])? {
        Type::F64 => of::<f64>(block, crd, up),
        Type::U8 => of::<u8>(block, crd, up),
        _ => of::<f32>(block, crd, up),
    }
}

fn reversed(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    node.ty(1, &[Type::I64])?;
    let time_first = match (node.int("time_axis")?.unwrap_or(0), node.int("batch_axis")?.unwrap_or(1)) {
        (0, 1) => true,
        (1, 0) => false,
        (time, batch) => return unsupported(format!("time on axis {time} and batch on axis {batch} are not known")),
    };
    macro_rules! of {
        ($($name:ident $type:ty),+) => {
            match node.ty(0, &[$(Type::$name),+])? {
                $(Type::$name => Plan::new([Type::$name], move |inputs, run| {
                    let x = inputs.view::<$type>(0)?;
                    Ok(vec![Value::of(reverse_sequence(run.room, x, inputs.view(1)?, time_first)?)])
                }),)+
                other => unsupported(format!("the type {} is not known", other.name())),
            }
        };
    }
    of!(F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, Bool bool)
}
