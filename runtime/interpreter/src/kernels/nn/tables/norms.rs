//! Normalisations.

use super::read::{count, float};
use crate::kernels::nn::layer_norm::{Layer, LayerSpec, layer, skipped};
use crate::kernels::nn::norm::{LrnSpec, batch, group_norm, instance, lp, lrn, mean_variance};
use crate::kernels::nn::plain::Real;
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, of_set, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("BatchNormalization", batches),
    standard("InstanceNormalization", instances),
    since(17, "LayerNormalization", |node| layers(node, false)),
    since(23, "RMSNormalization", |node| layers(node, true)),
    between(1, 26, "SimplifiedLayerNormalization", |node| layers(node, true)),
    since(18, "GroupNormalization", groups),
    standard("LRN", neighbours),
    standard("LpNormalization", lengths),
    since(9, "MeanVarianceNormalization", moments),
    of_set("com.microsoft", 1, 1, "SkipLayerNormalization", |node| skip(node, false)),
    of_set("com.microsoft", 1, 1, "SkipSimplifiedLayerNormalization", |node| skip(node, true)),
];

fn batches(node: &Node<'_>) -> Built {
    node.arity(5, 5, 1)?;
    let ty = node.one_type(&[Type::F32, Type::F64])?;
    let epsilon = float(node, "epsilon", 1e-5)?;
    node.float("momentum")?;
    if node.opset < 9 && node.int("spatial")?.unwrap_or(1) != 1 {
        return unsupported("statistics of single elements (spatial = 0) are not proved");
    }
    if node.opset >= 14 && node.flag("training_mode")? {
        return unsupported("training_mode changes the statistics: only inference is known");
    }
    fn of<T: Element + Real>(epsilon: f32) -> Built {
        Plan::new([T::TYPE], move |inputs, run| {
            let parts = [inputs.view::<T>(1)?, inputs.view(2)?, inputs.view(3)?, inputs.view(4)?];
            Ok(vec![Value::of(batch(run.room, inputs.view(0)?, parts, epsilon)?)])
        })
    }
    if ty == Type::F64 { of::<f64>(epsilon) } else { of::<f32>(epsilon) }
}

fn instances(node: &Node<'_>) -> Built {
    node.arity(3, 3, 1)?;
    node.one_type(&[Type::F32])?;
    let epsilon = float(node, "epsilon", 1e-5)?;
    Plan::new([Type::F32], move |inputs, run| {
        let (x, scale, bias) = (inputs.view::<f32>(0)?, inputs.view(1)?, inputs.view(2)?);
        Ok(vec![Value::of(instance(run.room, x, scale, bias, epsilon)?)])
    })
}

fn layers(node: &Node<'_>, simple: bool) -> Built {
    let outputs = match node.op {
        "LayerNormalization" => 3,
        "RMSNormalization" => 1,
        _ => 2,
    };
    node.arity(2, if simple { 2 } else { 3 }, outputs)?;
    let ty = node.one_type(&[Type::F32, Type::F64])?;
    let spec = LayerSpec { axis: node.int("axis")?.unwrap_or(-1), epsilon: float(node, "epsilon", 1e-5)?, simple };
    if node.int("stash_type")?.unwrap_or(1) != 1 {
        return unsupported("statistics in other types than float32 are not proved");
    }
    fn of<T: Element + Real>(spec: LayerSpec, outputs: usize) -> Built {
        let types: Vec<Type> = [T::TYPE, Type::F32, Type::F32].into_iter().take(outputs).collect();
        Plan::new(types, move |inputs, run| {
            let bias = inputs.optional_view::<T>(2)?;
            let Layer { y, mean, inverse } = layer(run.room, inputs.view(0)?, inputs.view(1)?, bias, spec)?;
            Ok(match outputs {
                1 => vec![Value::of(y)],
                2 => vec![Value::of(y), Value::of(inverse)],
                _ => vec![Value::of(y), Value::of(mean), Value::of(inverse)],
            })
        })
    }
    match ty {
        Type::F64 if outputs != 1 => {
            // The type of the statistics is not the same in all versions of ONNX Runtime.
            node.arity(2, 3, 1)?;
            of::<f64>(spec, 1)
        }
        Type::F64 => of::<f64>(spec, 1),
        _ => of::<f32>(spec, outputs),
    }
}

fn groups(node: &Node<'_>) -> Built {
    node.arity(3, 3, 1)?;
    node.one_type(&[Type::F32])?;
    let (groups, epsilon) = (count(node, "num_groups", 0)?, float(node, "epsilon", 1e-5)?);
    if node.int("stash_type")?.unwrap_or(1) != 1 {
        return unsupported("statistics in other types than float32 are not proved");
    }
    Plan::new([Type::F32], move |inputs, run| {
        let (x, scale, bias) = (inputs.view::<f32>(0)?, inputs.view(1)?, inputs.view(2)?);
        Ok(vec![Value::of(group_norm(run.room, x, groups, scale, bias, epsilon)?)])
    })
}

fn neighbours(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let spec = LrnSpec {
        alpha: float(node, "alpha", 1e-4)?,
        beta: float(node, "beta", 0.75)?,
        bias: float(node, "bias", 1.0)?,
        size: count(node, "size", 0)?,
    };
    // ONNX Runtime takes odd sizes only.
    if spec.size.is_multiple_of(2) {
        return unsupported(format!("a size of {} is not odd", spec.size));
    }
    Plan::new([Type::F32], move |inputs, run| Ok(vec![Value::of(lrn(run.room, inputs.view(0)?, spec)?)]))
}

fn lengths(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let (axis, p) = (node.int("axis")?.unwrap_or(-1), node.int("p")?.unwrap_or(2));
    if !matches!(p, 1 | 2) {
        return unsupported(format!("a norm of power {p} is not known"));
    }
    fn of<T: Element + Real>(axis: i64, p: i64) -> Built {
        Plan::new([T::TYPE], move |inputs, run| Ok(vec![Value::of(lp(run.room, inputs.view::<T>(0)?, axis, p)?)]))
    }
    match node.ty(0, &[Type::F32, Type::F64])? {
        Type::F64 => of::<f64>(axis, p),
        _ => of::<f32>(axis, p),
    }
}

fn moments(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let axes = node.ints("axes")?.map_or_else(|| vec![0, 2, 3], <[i64]>::to_vec);
    Plan::new([Type::F32], move |inputs, run| Ok(vec![Value::of(mean_variance(run.room, inputs.view(0)?, &axes)?)]))
}

/// A sum, then a normalisation; its outputs are the result, mean, one over the deviation, and the sum.
fn skip(node: &Node<'_>, simple: bool) -> Built {
    let most = if simple { 4 } else { 5 };
    node.arity(3, most, 4)?;
    node.one_type(&[Type::F32])?;
    if node.asks(1) || node.asks(2) {
        return unsupported("its outputs mean and inv_std_var are not proved");
    }
    let spec = LayerSpec { axis: -1, epsilon: float(node, "epsilon", 1e-12)?, simple };
    Plan::new([Type::F32; 4], move |inputs, run| {
        let (beta, bias) = match simple {
            true => (None, inputs.optional_view(3)?),
            false => (inputs.optional_view(3)?, inputs.optional_view(4)?),
        };
        let sum = skipped(run.room, inputs.view(0)?, inputs.view(1)?, bias)?;
        let made = layer(run.room, sum.view(), inputs.view(2)?, beta, spec)?;
        Ok(vec![Value::of(made.y), Value::of(made.mean), Value::of(made.inverse), Value::of(sum)])
    })
}
