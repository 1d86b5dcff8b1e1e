//! float16 as ONNX Runtime's processor kernels have it: most operators know it not at all. Such a call is computed in
//! float32, and a value is rounded only where somebody needs it as float16; between two such calls it never is.

use super::builder::Builder;
use super::{Binding, Refusal};
use crate::kernels::cast::converted;
use crate::kernels::nn::tables::products::HALF_QUOTIENT;
use crate::proto::{AttributeProto, NodeProto, data_type};
use crate::value::Type;

/// Operators that ONNX Runtime computes on float16 as it is, and so do our kernels: from which version on.
const DIRECT: &[(&str, i64)] = &[
    ("Cast", 6),
    ("CastLike", 15),
    ("Clip", 12),
    ("Compress", 11),
    ("Concat", 4),
    ("ConstantOfShape", 9),
    ("Expand", 8),
    ("EyeLike", 9),
    ("Flatten", 1),
    ("Gather", 1),
    ("GatherElements", 11),
    ("GatherND", 11),
    ("Identity", 1),
    ("If", 1),
    ("IsInf", 20),
    ("IsNaN", 9),
    ("Loop", 1),
    ("Max", 12),
    ("Min", 12),
    ("QuantizeLinear", HALF_QUOTIENT),
    ("Reshape", 1),
    ("Scan", 9),
    ("Scatter", 9),
    ("ScatterElements", 11),
    ("ScatterND", 11),
    ("Shape", 1),
    ("Sign", 9),
    ("Size", 1),
    ("Slice", 1),
    ("Split", 2),
    ("Squeeze", 1),
    ("Transpose", 1),
    ("Unsqueeze", 1),
];

/// Operators that it has a kernel of its own for, which computes in float32 inside: what goes in and comes out is rounded.
const CLOSED: &[(&str, &str)] = &[
    ("", "Attention"),
    ("", "DequantizeLinear"),
    ("", "LayerNormalization"),
    ("", "Mod"),
    ("", "QuantizeLinear"),
    ("", "RMSNormalization"),
    ("", "ReverseSequence"),
    ("", "RotaryEmbedding"),
    ("", "Round"),
    ("", "Shrink"),
    ("com.microsoft", "MatMulNBits"),
    ("com.microsoft", "RotaryEmbedding"),
    ("com.microsoft", "SkipLayerNormalization"),
    ("com.microsoft", "SkipSimplifiedLayerNormalization"),
];

/// Operators that take float32 beside float16: their output has the type of their first input.
const MIXED: &[&str] = &["Resize", "Upsample", "Pow", "BatchNormalization", "GridSample"];

/// The name of what an operator gives before it is rounded to float16.
fn wide(name: &str) -> String {
    format!("{name}\0as float32")
}

/// The name of what a cast of the model rounds to float16. ONNX Runtime leaves it out before a call that takes float32,
/// but not before another cast of the model.
fn uncast(name: &str) -> String {
    format!("{name}\0before its cast")
}

fn cast(from: String, to: i32, name: String) -> NodeProto {
    let attribute = AttributeProto {
        name: Some("to".to_owned()),
        r#type: Some(2),
        i: Some(i64::from(to)),
        ..AttributeProto::default()
    };
    NodeProto {
        op_type: Some("Cast".to_owned()),
        input: vec![from],
        output: vec![name],
        attribute: vec![attribute],
        ..NodeProto::default()
    }
}

impl Builder<'_, '_> {
    /// Takes a call, by way of float32 where it must be.
    pub(super) fn call(&mut self, node: &NodeProto) -> Result<(), Option<Refusal>> {
        let half = |name: &String| !name.is_empty() && self.type_of(name) == Some(Type::F16);
        let op = node.op_type.as_deref().unwrap_or_default();
        let domain = node.domain.as_deref().unwrap_or_default();
        let standard = matches!(domain, "" | "ai.onnx");
        if standard && op == "Cast" {
            return self.cast(node);
        }
        if !node.input.iter().any(half) {
            return self.node(node);
        }
        let opset = self.scope.model.opsets.get(if standard { "" } else { domain }).copied().unwrap_or(0);
        if standard && DIRECT.iter().any(|(name, since)| *name == op && opset >= *since) {
            return self.node(node);
        }
        let closed = CLOSED.contains(&(if standard { "" } else { domain }, op));
        let mixed = node.input.iter().any(|name| self.type_of(name) == Some(Type::F32));
        if mixed && !MIXED.contains(&op) {
            return self.node(node);
        }
        let mut widened = node.clone();
        for name in &mut widened.input {
            if !name.is_empty() && self.type_of(name) == Some(Type::F16) {
                *name = self.widened(name, closed)?;
            }
        }
        for name in widened.output.iter_mut().filter(|name| !name.is_empty()) {
            *name = if closed { format!("{name}\0closed") } else { wide(name) };
        }
        self.node(&widened)?;
        for (position, (name, made)) in node.output.iter().zip(&widened.output).enumerate() {
            if name.is_empty() {
                continue;
            }
            // Mean and deviation of a normalisation stay float32.
            let first = !(op.contains("Normalization") && matches!(position, 1 | 2));
            let first =
                first && (!mixed || node.input.first().is_some_and(|name| self.type_of(name) == Some(Type::F16)));
            let rounded = first && self.type_of(made) == Some(Type::F32);
            if rounded {
                self.node(&cast(made.clone(), data_type::FLOAT16, name.clone()))?;
            } else {
                let mut names = self.scope.names.borrow_mut();
                if let Some(binding) = names.remove(made) {
                    names.insert(name.clone(), binding);
                }
            }
        }
        Ok(())
    }

    /// A cast of the model: one from float16 reads what was not rounded, one to float16 leaves it for who wants it.
    fn cast(&mut self, node: &NodeProto) -> Result<(), Option<Refusal>> {
        let ([from], [to]) = (node.input.as_slice(), node.output.as_slice()) else { return self.node(node) };
        if self.is_named(&wide(from)) {
            let mut node = node.clone();
            node.input = vec![wide(from)];
            return self.node(&node);
        }
        self.node(node)?;
        if self.type_of(to) == Some(Type::F16) && matches!(self.type_of(from), Some(Type::F32 | Type::F64)) {
            self.node(&cast(from.clone(), data_type::FLOAT, uncast(to)))?;
        }
        Ok(())
    }

    /// The name of a float16 value as float32.
    fn widened(&mut self, name: &str, closed: bool) -> Result<String, Option<Refusal>> {
        if !closed && self.is_named(&wide(name)) {
            return Ok(wide(name));
        }
        if !closed && self.is_named(&uncast(name)) {
            return Ok(uncast(name));
        }
        let given = format!("{name}\0rounded");
        if !self.is_named(&given) {
            // Weights of any size: else they would be cast in each run, and no kernel could lay them out in advance.
            if let Some(Binding::Constant(value)) = self.scope.resolve(name)
                && let Ok(value) = converted(&value, Type::F32)
            {
                self.scope.names.borrow_mut().insert(given.clone(), Binding::Constant(value));
                return Ok(given);
            }
            self.node(&cast(name.to_owned(), data_type::FLOAT, given.clone()))?;
        }
        Ok(given)
    }

    fn is_named(&self, name: &str) -> bool {
        self.scope.names.borrow().contains_key(name)
    }

    fn type_of(&self, name: &str) -> Option<Type> {
        Some(match self.scope.resolve(name)? {
            Binding::Constant(value) => value.ty(),
            Binding::Slot(_, ty) => ty,
        })
    }
}
