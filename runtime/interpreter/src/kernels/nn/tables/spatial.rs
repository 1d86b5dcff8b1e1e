//! Convolutions and pools.

use super::read::{count, counts, flag, text};
use crate::kernels::nn::conv::conv;
use crate::kernels::nn::conv_integer::{conv_integer, qlinear_conv};
use crate::kernels::nn::conv_transpose::{TransposeSpec, conv_transpose};
use crate::kernels::nn::integer::Quantised;
use crate::kernels::nn::plain::{Made, misfit};
use crate::kernels::nn::pool::{Whole, average_pool, global_pool, lp_pool, max_pool, max_pool_indices};
use crate::kernels::nn::window::{AutoPad, WindowSpec};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Conv", convolution),
    standard("ConvTranspose", transposed),
    since(10, "ConvInteger", integer),
    since(10, "QLinearConv", qlinear),
    standard("MaxPool", largest),
    standard("AveragePool", average),
    standard("LpPool", lp),
    standard("GlobalMaxPool", |node| whole(node, |_| Ok(Whole::Max))),
    standard("GlobalAveragePool", |node| whole(node, |_| Ok(Whole::Average))),
    standard("GlobalLpPool", |node| whole(node, |node| Ok(Whole::Lp(power(node)?)))),
];

/// The attribute `p` of a norm.
fn power(node: &Node<'_>) -> Result<i32, Unsupported> {
    let p = node.int("p")?.unwrap_or(2);
    i32::try_from(p).ok().filter(|p| *p > 0).ok_or_else(|| format!("a norm of power {p} is not known").into())
}

fn auto_pad(node: &Node<'_>) -> Result<AutoPad, Unsupported> {
    match text(node, "auto_pad", "NOTSET")?.as_str() {
        "NOTSET" | "" => Ok(AutoPad::Given),
        "VALID" => Ok(AutoPad::Valid),
        "SAME_UPPER" => Ok(AutoPad::SameUpper),
        "SAME_LOWER" => Ok(AutoPad::SameLower),
        other => unsupported(format!("auto_pad {other:?} is not known")),
    }
}

fn window(node: &Node<'_>) -> Result<WindowSpec, Unsupported> {
    let spec = WindowSpec {
        strides: counts(node, "strides")?,
        dilations: counts(node, "dilations")?,
        pads: counts(node, "pads")?,
        auto_pad: auto_pad(node)?,
        ceil: false,
    };
    let dilated = spec.dilations.iter().any(|dilation| *dilation != 1);
    if dilated && matches!(spec.auto_pad, AutoPad::SameUpper | AutoPad::SameLower) {
        return unsupported("dilations with auto_pad SAME are not computed alike everywhere");
    }
    Ok(spec)
}

/// The window of a pool, which has a kernel of its own, and pads such that every window touches the input.
fn pool(node: &Node<'_>) -> Result<(WindowSpec, Vec<usize>), Unsupported> {
    let mut spec = window(node)?;
    spec.ceil = node.flag("ceil_mode")?;
    let kernel = counts(node, "kernel_shape")?;
    if kernel.is_empty() {
        return unsupported("kernel_shape is missing");
    }
    let same = matches!(spec.auto_pad, AutoPad::SameUpper | AutoPad::SameLower);
    if same && spec.strides.iter().zip(&kernel).any(|(stride, kernel)| stride > kernel) {
        return unsupported("auto_pad SAME with a stride beyond the window is not computed alike everywhere");
    }
    if spec.pads.iter().zip(kernel.iter().cycle()).any(|(pad, kernel)| pad >= kernel) {
        return unsupported("a padding is as large as the window");
    }
    Ok((spec, kernel))
}

/// Checks the attribute against the weights, where it is given.
fn kernel_fits(kernel: &[usize], weights: &[usize]) -> Made<()> {
    if kernel.is_empty() || weights.get(2..) == Some(kernel) {
        return Ok(());
    }
    misfit(format!("kernel_shape {kernel:?} does not fit weights of shape {weights:?}"))
}

fn convolution(node: &Node<'_>) -> Built {
    node.arity(2, 3, 1)?;
    node.one_type(&[Type::F32])?;
    let (spec, groups, kernel) = (window(node)?, count(node, "group", 1)?, counts(node, "kernel_shape")?);
    Plan::new([Type::F32], move |inputs, run| {
        let w = inputs.view(1)?;
        kernel_fits(&kernel, w.shape)?;
        let bias = inputs.optional_view(2)?;
        Ok(vec![Value::of(conv(run.room, inputs.view(0)?, w, bias, groups, &spec)?)])
    })
}

fn transposed(node: &Node<'_>) -> Built {
    node.arity(2, 3, 1)?;
    node.one_type(&[Type::F32])?;
    let spec = TransposeSpec {
        strides: counts(node, "strides")?,
        dilations: counts(node, "dilations")?,
        pads: counts(node, "pads")?,
        output_padding: counts(node, "output_padding")?,
        output_shape: counts(node, "output_shape")?,
        auto_pad: auto_pad(node)?,
        groups: count(node, "group", 1)?,
    };
    let kernel = counts(node, "kernel_shape")?;
    Plan::new([Type::F32], move |inputs, run| {
        let w = inputs.view(1)?;
        kernel_fits(&kernel, w.shape)?;
        let bias = inputs.optional_view(2)?;
        Ok(vec![Value::of(conv_transpose(run.room, inputs.view(0)?, w, bias, &spec)?)])
    })
}

const BYTES: &[Type] = &[Type::U8, Type::I8];

fn integer(node: &Node<'_>) -> Built {
    node.arity(2, 4, 1)?;
    let (spec, groups, kernel) = (window(node)?, count(node, "group", 1)?, counts(node, "kernel_shape")?);
    let (x, w) = (node.ty(0, BYTES)?, node.ty(1, BYTES)?);
    node.optional(2, &[x])?;
    node.optional(3, &[w])?;
    macro_rules! of {
        ($x:ty, $w:ty) => {
            Plan::new([Type::I32], move |inputs, run| {
                let weights = inputs.view::<$w>(1)?;
                kernel_fits(&kernel, weights.shape)?;
                let (x_zero, w_zero) = (inputs.optional_view::<$x>(2)?, inputs.optional_view::<$w>(3)?);
                let x = inputs.view::<$x>(0)?;
                Ok(vec![Value::of(conv_integer(run.room, x, weights, x_zero, w_zero, groups, &spec)?)])
            })
        };
    }
    match (x, w) {
        (Type::U8, Type::U8) => of!(u8, u8),
        (Type::U8, _) => of!(u8, i8),
        (_, Type::U8) => of!(i8, u8),
        _ => of!(i8, i8),
    }
}

fn qlinear(node: &Node<'_>) -> Built {
    node.arity(8, 9, 1)?;
    let (spec, groups, kernel) = (window(node)?, count(node, "group", 1)?, counts(node, "kernel_shape")?);
    let (x, w) = (node.ty(0, BYTES)?, node.ty(3, BYTES)?);
    for (input, ty) in [(1, Type::F32), (2, x), (4, Type::F32), (5, w), (6, Type::F32), (7, x)] {
        node.ty(input, &[ty])?;
    }
    node.optional(8, &[Type::I32])?;
    macro_rules! of {
        ($x:ty, $w:ty) => {
            Plan::new([<$x>::TYPE], move |inputs, run| {
                let weights = inputs.view::<$w>(3)?;
                kernel_fits(&kernel, weights.shape)?;
                let x =
                    Quantised { values: inputs.view::<$x>(0)?, scale: inputs.view(1)?, zero: Some(inputs.view(2)?) };
                let w = Quantised { values: weights, scale: inputs.view(4)?, zero: Some(inputs.view(5)?) };
                let (y_scale, y_zero) = (inputs.view(6)?.one("y_scale")?, inputs.view(7)?.one("y_zero_point")?);
                let bias = inputs.optional_view(8)?;
                Ok(vec![Value::of(qlinear_conv(run.room, x, w, y_scale, y_zero, bias, groups, &spec)?)])
            })
        };
    }
    match (x, w) {
        (Type::U8, Type::U8) => of!(u8, u8),
        (Type::U8, _) => of!(u8, i8),
        (_, Type::I8) => of!(i8, i8),
        _ => unsupported("int8 values with uint8 weights are not proved"),
    }
}

fn largest(node: &Node<'_>) -> Built {
    node.arity(1, 1, 2)?;
    let (spec, kernel) = pool(node)?;
    let column_major = node.flag("storage_order")?;
    let indices = node.asks(1);
    macro_rules! of {
        ($type:ty) => {
            Plan::new(types::<$type>(indices), move |inputs, run| {
                let x = inputs.view::<$type>(0)?;
                let mut made = vec![Value::of(max_pool(run.room, x, &kernel, &spec, <$type>::MIN)?)];
                if indices {
                    made.push(Value::of(max_pool_indices(run.room, x, &kernel, &spec, column_major)?));
                }
                Ok(made)
            })
        };
    }
    match node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::U8])? {
        Type::F64 => of!(f64),
        Type::I8 => of!(i8),
        Type::U8 => of!(u8),
        _ => of!(f32),
    }
}

fn types<T: Element>(indices: bool) -> Vec<Type> {
    if indices { vec![T::TYPE, Type::I64] } else { vec![T::TYPE] }
}

fn average(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let (spec, kernel) = pool(node)?;
    let count_pads = flag(node, "count_include_pad", false)?;
    Plan::new([Type::F32], move |inputs, run| {
        Ok(vec![Value::of(average_pool(run.room, inputs.view::<f32>(0)?, &kernel, &spec, count_pads)?)])
    })
}

fn lp(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let (spec, kernel) = pool(node)?;
    let p = power(node)?;
    Plan::new([Type::F32], move |inputs, run| {
        Ok(vec![Value::of(lp_pool(run.room, inputs.view::<f32>(0)?, &kernel, &spec, p)?)])
    })
}

fn whole(node: &Node<'_>, read: impl Fn(&Node<'_>) -> Result<Whole, Unsupported>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let kind = read(node)?;
    Plan::new([Type::F32], move |inputs, run| Ok(vec![Value::of(global_pool(run.room, inputs.view::<f32>(0)?, kind)?)]))
}
