//! Attention and rotary embeddings.

use super::read::{count, float};
use crate::kernels::nn::attention::{Heads, Rules, attend};
use crate::kernels::nn::plain::{Made, View, must};
use crate::kernels::nn::rotary::{RotarySpec, rotary};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, of_set, since};
use crate::unsupported::unsupported;
use crate::value::{Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    since(23, "Attention", attention),
    since(23, "RotaryEmbedding", turned),
    of_set("com.microsoft", 1, 1, "MultiHeadAttention", many_heads),
];

/// Reads a mask that is stretched over batch, heads, queries and keys.
fn masked(mask: View<'_, f32>, wanted: [usize; 4]) -> Made<[usize; 4]> {
    let mut strides = [0; 4];
    must!(mask.rank() <= 4, "a mask of shape {:?} is not known", mask.shape);
    let mut step = 1;
    for (at, dim) in mask.shape.iter().rev().enumerate() {
        let axis = 3 - at;
        must!(*dim == 1 || *dim == wanted[axis], "a mask of shape {:?} does not fit {wanted:?}", mask.shape);
        strides[axis] = if *dim == 1 { 0 } else { step };
        step *= dim;
    }
    Ok(strides)
}

fn attention(node: &Node<'_>) -> Built {
    node.arity(3, 6, 3)?;
    for input in [0, 1, 2, 4, 5] {
        node.optional(input, &[Type::F32])?;
    }
    let mask = node.optional(3, &[Type::F32, Type::Bool])?;
    if node.has(4) != node.has(5) {
        return unsupported("only one of past_key and past_value is given");
    }
    let causal = node.flag("is_causal")?;
    let (q_heads, kv_heads) = (count(node, "q_num_heads", 0)?, count(node, "kv_num_heads", 0)?);
    let (scale, softcap) = (node.float("scale")?, float(node, "softcap", 0.0)?);
    if !matches!(node.int("softmax_precision")?, None | Some(0 | 1)) {
        return unsupported("softmax_precision is not proved");
    }
    node.int("qk_matmul_output_mode")?;
    if mask.is_some() && softcap > 0.0 {
        return unsupported("softcap with a mask is not proved");
    }
    if causal && node.has(4) {
        return unsupported("a causal mask with a past is not proved");
    }
    Plan::new([Type::F32; 3], move |inputs, run| {
        let room = run.room;
        let x = inputs.view::<f32>(0)?;
        let flat = x.rank() == 3;
        let q = Heads::new(room, x, q_heads)?;
        let mut k = Heads::new(room, inputs.view(1)?, kv_heads)?;
        let mut v = Heads::new(room, inputs.view(2)?, kv_heads)?;
        if let Some(past) = inputs.optional_view(4)? {
            k = k.behind(room, past)?;
        }
        if let Some(past) = inputs.optional_view(5)? {
            v = v.behind(room, past)?;
        }
        let [batch, heads, queries, size] = q.shape;
        let keys = k.shape[2];
        let floats = match mask {
            Some(Type::F32) => inputs.optional_view::<f32>(3)?,
            _ => None,
        };
        let flags = match mask {
            Some(Type::Bool) => inputs.optional_view::<bool>(3)?,
            _ => None,
        };
        let kept: Option<Vec<f32>> =
            flags.map(|flags| flags.data.iter().map(|keep| if *keep { 0.0 } else { f32::NEG_INFINITY }).collect());
        let added = match (&kept, flags) {
            (Some(kept), Some(flags)) => Some(View { shape: flags.shape, data: kept }),
            _ => floats,
        };
        let strides = added.map(|added| masked(added, [batch, heads, queries, keys])).transpose()?;
        let rule = |b: usize, h: usize, q: usize, k: usize| {
            let own = match (added, strides) {
                (Some(added), Some([x, y, z, w])) => added.data[b * x + h * y + q * z + k * w],
                _ => 0.0,
            };
            if causal && k > q { f32::NEG_INFINITY } else { own }
        };
        let scale = scale.unwrap_or_else(|| 1.0 / root(size));
        let made = attend(room, &q, &k, &v, &Rules { scale, softcap, mask: &rule })?;
        let y = if flat { made.flat(room)? } else { made.dense() };
        Ok(vec![Value::of(y), Value::of(k.dense()), Value::of(v.dense())])
    })
}

#[expect(clippy::cast_precision_loss, reason = "float32 is what the operator computes in")]
fn root(size: usize) -> f32 {
    (size as f32).sqrt()
}

/// ONNX Runtime's own attention, without mask, past and bias of positions.
fn many_heads(node: &Node<'_>) -> Built {
    node.arity(3, 4, 1)?;
    node.one_type(&[Type::F32])?;
    let heads = count(node, "num_heads", 0)?;
    let scale = node.float("scale")?.filter(|scale| *scale != 0.0);
    if node.flag("unidirectional")? {
        return unsupported("a causal mask is not proved");
    }
    node.float("mask_filter_value")?;
    Plan::new([Type::F32], move |inputs, run| {
        let bias = inputs.optional_view::<f32>(3)?;
        let mut from = 0;
        let mut parts = Vec::with_capacity(3);
        for input in 0..3 {
            let x = inputs.view::<f32>(input)?;
            must!(x.rank() == 3, "queries, keys and values must have three axes, not the shape {:?}", x.shape);
            let width = x.shape[2];
            let mut data = run.room.fill(x.len(), 0.0_f32)?;
            data.copy_from_slice(x.data);
            if let Some(bias) = bias {
                must!(bias.len() >= from + width, "the bias does not fit");
                for row in data.chunks_exact_mut(width.max(1)) {
                    row.iter_mut().zip(&bias.data[from..from + width]).for_each(|(value, bias)| *value += bias);
                }
            }
            from += width;
            parts.push(Heads::new(run.room, View { shape: x.shape, data: &data }, heads)?);
        }
        must!(bias.is_none_or(|bias| bias.len() == from), "the bias does not fit");
        let size = parts[0].shape[3];
        let rules = Rules { scale: scale.unwrap_or_else(|| 1.0 / root(size)), softcap: 0.0, mask: &|_, _, _, _| 0.0 };
        let made = attend(run.room, &parts[0], &parts[1], &parts[2], &rules)?;
        Ok(vec![Value::of(made.flat(run.room)?)])
    })
}

fn turned(node: &Node<'_>) -> Built {
    node.arity(3, 4, 1)?;
    for input in 0..3 {
        node.ty(input, &[Type::F32])?;
    }
    node.optional(3, &[Type::I64])?;
    let spec = RotarySpec {
        interleaved: node.flag("interleaved")?,
        heads: count(node, "num_heads", 0)?,
        turned: count(node, "rotary_embedding_dim", 0)?,
    };
    Plan::new([Type::F32], move |inputs, run| {
        let caches = [inputs.view(1)?, inputs.view(2)?];
        let ids = inputs.optional_view(3)?;
        Ok(vec![Value::of(rotary(run.room, inputs.view(0)?, caches, ids, spec)?)])
    })
}
