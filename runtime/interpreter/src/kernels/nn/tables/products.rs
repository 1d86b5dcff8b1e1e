//! Products of matrices, and what quantised networks need around them.

use half::f16;

use super::read::{count, float, text};
use crate::kernels::nn::einsum::{Equation, einsum};
use crate::kernels::nn::gemm::Product;
use crate::kernels::nn::integer::{Quantised, matmul_integer, qlinear_matmul};
use crate::kernels::nn::matmul::{GemmSpec, gemm, matmul};
use crate::kernels::nn::nbits::{self, Packed};
use crate::kernels::nn::plain::{Real, must};
use crate::kernels::nn::quantize::{Small, dequantize, dynamic, quantize};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, of_set, since, standard};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("MatMul", product),
    standard("Gemm", general),
    since(12, "Einsum", summed),
    since(10, "MatMulInteger", integer),
    since(10, "QLinearMatMul", qlinear),
    since(10, "QuantizeLinear", quantized),
    since(10, "DequantizeLinear", dequantized),
    since(11, "DynamicQuantizeLinear", chosen),
    of_set("com.microsoft", 1, 1, "MatMulNBits", four_bits),
];

/// Since this version of the set `QuantizeLinear` of float16 is no longer by way of float32.
pub(crate) const HALF_QUOTIENT: i64 = 23;

/// The types in which ONNX Runtime multiplies.
const FACTORS: &[Type] = &[Type::F32, Type::F64, Type::I32, Type::I64, Type::U32, Type::U64];

fn product(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    fn of<T: Element + Product>() -> Built {
        Plan::new([T::TYPE], |inputs, run| {
            Ok(vec![Value::of(matmul(run.room, inputs.view::<T>(0)?, inputs.view(1)?)?)])
        })
    }
    match node.one_type(FACTORS)? {
        Type::F64 => of::<f64>(),
        Type::I32 => of::<i32>(),
        Type::I64 => of::<i64>(),
        Type::U32 => of::<u32>(),
        Type::U64 => of::<u64>(),
        _ => of::<f32>(),
    }
}

fn general(node: &Node<'_>) -> Built {
    node.arity(if node.opset < 11 { 3 } else { 2 }, 3, 1)?;
    let spec = GemmSpec {
        alpha: float(node, "alpha", 1.0)?,
        beta: float(node, "beta", 1.0)?,
        transpose_a: node.flag("transA")?,
        transpose_b: node.flag("transB")?,
    };
    fn of<T: Element + Product + Real>(node: &Node<'_>, spec: GemmSpec) -> Built {
        // Constant weights are turned once, here.
        let turned = match node.prepared(1).filter(|value| spec.transpose_b && value.rank() == 2) {
            Some(value) => {
                let view = value.view::<T>()?;
                let data = crate::kernels::nn::gemm::transposed(view.shape[0], view.shape[1], view.data);
                Some(Value::new(vec![view.shape[1], view.shape[0]], data)?)
            }
            None => None,
        };
        let spec = GemmSpec { transpose_b: spec.transpose_b && turned.is_none(), ..spec };
        Plan::new([T::TYPE], move |inputs, run| {
            let b = match &turned {
                Some(value) => value.view::<T>()?,
                None => inputs.view(1)?,
            };
            let c = inputs.optional_view(2)?;
            Ok(vec![Value::of(gemm(run.room, inputs.view(0)?, b, c, spec)?)])
        })
    }
    match node.one_type(&[Type::F32, Type::F64])? {
        Type::F64 => of::<f64>(node, spec),
        _ => of::<f32>(node, spec),
    }
}

fn summed(node: &Node<'_>) -> Built {
    let equation = Equation::read(&text(node, "equation", "")?)?;
    let operands = equation.operands();
    node.arity(operands, operands, 1)?;
    macro_rules! of {
        ($type:ty, $add:expr) => {
            Plan::new([<$type>::TYPE], move |inputs, run| {
                let operands: Result<Vec<_>, _> = (0..operands).map(|at| inputs.view::<$type>(at)).collect();
                Ok(vec![Value::of(einsum(run.room, &equation, &operands?, $add)?)])
            })
        };
    }
    match node.one_type(&[Type::F32, Type::F64, Type::I32, Type::I64])? {
        Type::F64 => of!(f64, |a, b| a + b),
        Type::I32 => of!(i32, i32::wrapping_add),
        Type::I64 => of!(i64, i64::wrapping_add),
        _ => of!(f32, |a, b| a + b),
    }
}

const BYTES: &[Type] = &[Type::U8, Type::I8];

fn integer(node: &Node<'_>) -> Built {
    node.arity(2, 4, 1)?;
    let (a, b) = (node.ty(0, BYTES)?, node.ty(1, BYTES)?);
    node.optional(2, &[a])?;
    node.optional(3, &[b])?;
    fn of<A: Element + Small, B: Element + Small>() -> Built {
        Plan::new([Type::I32], |inputs, run| {
            let (a, b) = (inputs.view::<A>(0)?, inputs.view::<B>(1)?);
            let (a_zero, b_zero) = (inputs.optional_view(2)?, inputs.optional_view(3)?);
            Ok(vec![Value::of(matmul_integer(run.room, a, b, a_zero, b_zero)?)])
        })
    }
    match (a, b) {
        (Type::U8, Type::U8) => of::<u8, u8>(),
        (Type::U8, _) => of::<u8, i8>(),
        (_, Type::U8) => of::<i8, u8>(),
        _ => of::<i8, i8>(),
    }
}

fn qlinear(node: &Node<'_>) -> Built {
    node.arity(8, 8, 1)?;
    let (a, b) = (node.ty(0, BYTES)?, node.ty(3, BYTES)?);
    for (input, ty) in [(1, Type::F32), (2, a), (4, Type::F32), (5, b), (6, Type::F32), (7, a)] {
        node.ty(input, &[ty])?;
    }
    fn of<A: Element + Small, B: Element + Small>() -> Built {
        Plan::new([A::TYPE], |inputs, run| {
            let a = Quantised { values: inputs.view::<A>(0)?, scale: inputs.view(1)?, zero: Some(inputs.view(2)?) };
            let b = Quantised { values: inputs.view::<B>(3)?, scale: inputs.view(4)?, zero: Some(inputs.view(5)?) };
            let (y_scale, y_zero) = (inputs.view(6)?.one("y_scale")?, inputs.view(7)?.one("y_zero_point")?);
            Ok(vec![Value::of(qlinear_matmul(run.room, a, b, y_scale, y_zero)?)])
        })
    }
    match (a, b) {
        (Type::U8, Type::U8) => of::<u8, u8>(),
        (Type::U8, _) => of::<u8, i8>(),
        (_, Type::I8) => of::<i8, i8>(),
        _ => unsupported("int8 values with uint8 weights are not proved"),
    }
}

/// Axis and block of a quantisation.
fn along(node: &Node<'_>) -> Result<(i64, usize), Unsupported> {
    let axis = node.int("axis")?.unwrap_or(1);
    Ok((axis, count(node, "block_size", 0)?))
}

fn quantized(node: &Node<'_>) -> Built {
    node.arity(2, 3, 1)?;
    // From this version on ONNX Runtime divides float16 as such; before, `half` has made it float32.
    let half = node.opset >= HALF_QUOTIENT && node.ty(0, &[Type::F32, Type::F16])? == Type::F16;
    let source = if half { Type::F16 } else { Type::F32 };
    node.ty(0, &[source])?;
    node.ty(1, &[source])?;
    let (axis, block) = along(node)?;
    // What it says of rounding beyond eight bits, and of float8, is not proved.
    let wanted = match node.int("output_dtype")? {
        None | Some(0) => None,
        Some(number) => i32::try_from(number).ok().and_then(Type::of),
    };
    node.int("saturate")?;
    if !matches!(node.int("precision")?, None | Some(0)) {
        return unsupported("the attribute \"precision\" is not proved");
    }
    let proved = &[Type::U8, Type::I8, Type::U16, Type::I16];
    let zero = node.optional(2, proved)?;
    if let (Some(wanted), Some(zero)) = (wanted, zero)
        && wanted != zero
    {
        return unsupported("output_dtype and the zero point are of different types");
    }
    fn of<Q: Element + Small>(axis: i64, block: usize, half: bool) -> Built {
        Plan::new([Q::TYPE], move |inputs, run| {
            let zero = inputs.optional_view::<Q>(2)?;
            let made = if half {
                quantize::<Q, f16>(run.room, inputs.view(0)?, inputs.view(1)?, zero, axis, block)?
            } else {
                quantize::<Q, f32>(run.room, inputs.view(0)?, inputs.view(1)?, zero, axis, block)?
            };
            Ok(vec![Value::of(made)])
        })
    }
    match zero.or(wanted).unwrap_or(Type::U8) {
        Type::U8 => of::<u8>(axis, block, half),
        Type::I8 => of::<i8>(axis, block, half),
        Type::U16 => of::<u16>(axis, block, half),
        Type::I16 => of::<i16>(axis, block, half),
        other => unsupported(format!("values can not be quantised to {}", other.name())),
    }
}

fn dequantized(node: &Node<'_>) -> Built {
    node.arity(2, 3, 1)?;
    let ty = node.ty(0, &[Type::U8, Type::I8, Type::U16, Type::I16, Type::I32])?;
    node.ty(1, &[Type::F32])?;
    node.optional(2, &[ty])?;
    let (axis, block) = along(node)?;
    if !matches!(node.int("output_dtype")?, None | Some(0 | 1)) {
        return unsupported("the attribute \"output_dtype\" is not proved");
    }
    fn of<Q: Element + Copy + Into<i32>>(axis: i64, block: usize) -> Built {
        Plan::new([Type::F32], move |inputs, run| {
            let zero = inputs.optional_view::<Q>(2)?;
            Ok(vec![Value::of(dequantize(run.room, inputs.view(0)?, inputs.view(1)?, zero, axis, block)?)])
        })
    }
    match ty {
        Type::U8 => of::<u8>(axis, block),
        Type::I8 => of::<i8>(axis, block),
        Type::U16 => of::<u16>(axis, block),
        Type::I16 => of::<i16>(axis, block),
        _ => of::<i32>(axis, block),
    }
}

fn chosen(node: &Node<'_>) -> Built {
    node.arity(1, 1, 3)?;
    node.ty(0, &[Type::F32])?;
    Plan::new([Type::U8, Type::F32, Type::U8], |inputs, run| {
        let (y, scale, zero) = dynamic(run.room, inputs.view(0)?)?;
        Ok(vec![Value::of(y), Value::scalar(scale), Value::scalar(zero)])
    })
}

fn four_bits(node: &Node<'_>) -> Built {
    node.arity(3, 6, 1)?;
    for input in [0, 2, 5] {
        node.optional(input, &[Type::F32])?;
    }
    node.ty(1, &[Type::U8])?;
    node.optional(3, &[Type::U8])?;
    if node.has(4) {
        return unsupported("its input g_idx is not proved");
    }
    let (inputs, outputs, block) = (count(node, "K", 0)?, count(node, "N", 0)?, count(node, "block_size", 0)?);
    if node.int("bits")?.unwrap_or(4) != 4 {
        return unsupported("weights of other than four bits are not proved");
    }
    if !matches!(node.int("accuracy_level")?.unwrap_or(0), 0 | 1) {
        return unsupported("an accuracy_level that rounds the input to integers is not proved");
    }
    node.int("weight_prepacked")?;
    Plan::new([Type::F32], move |given, run| {
        let (weights, scales) = (given.view::<u8>(1)?, given.view::<f32>(2)?);
        let zeros = given.optional_view::<u8>(3)?.map(|zeros| zeros.data);
        must!(inputs > 0 && block > 0, "a matrix of {inputs} inputs in blocks of {block} is none");
        let packed = Packed { inputs, outputs, block, weights: weights.data, scales: scales.data, zeros };
        let weights = packed.unpacked(run.room)?;
        let bias = given.optional_view(5)?;
        let x = given.view(0)?;
        Ok(vec![Value::of(nbits::matmul(run.room, x, &weights, [inputs, outputs], bias)?)])
    })
}
