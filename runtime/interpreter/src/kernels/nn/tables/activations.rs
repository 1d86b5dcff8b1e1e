//! Functions of one value.

use super::read::{float, text};
use crate::kernels::nn::activation::{Activation, biased, prelu};
use crate::kernels::nn::plain::Real;
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, of_set, since, standard};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Elu", |node| floats(node, |node| Ok(Activation::Elu(float(node, "alpha", 1.0)?)))),
    standard("Selu", |node| floats(node, selu)),
    since(12, "Celu", |node| floats(node, |node| Ok(Activation::Celu(float(node, "alpha", 1.0)?)))),
    standard("HardSigmoid", |node| floats(node, hard_sigmoid)),
    since(14, "HardSwish", |node| floats(node, |_| Ok(Activation::HardSwish))),
    standard("LeakyRelu", |node| floats(node, |node| Ok(Activation::LeakyRelu(float(node, "alpha", 0.01)?)))),
    since(10, "ThresholdedRelu", |node| {
        floats(node, |node| Ok(Activation::ThresholdedRelu(float(node, "alpha", 1.0)?)))
    }),
    standard("Softplus", |node| floats(node, |_| Ok(Activation::Softplus))),
    standard("Softsign", |node| floats(node, |_| Ok(Activation::Softsign))),
    since(18, "Mish", |node| floats(node, |_| Ok(Activation::Mish))),
    since(20, "Gelu", |node| floats(node, gelu)),
    since(24, "Swish", |node| floats(node, |node| Ok(Activation::Swish(float(node, "alpha", 1.0)?)))),
    standard("PRelu", slopes),
    of_set("com.microsoft", 1, 1, "Gelu", |node| floats(node, |_| Ok(Activation::Gelu))),
    of_set("com.microsoft", 1, 1, "QuickGelu", |node| {
        floats(node, |node| Ok(Activation::Swish(float(node, "alpha", 1.702)?)))
    }),
    of_set("com.microsoft", 1, 1, "BiasGelu", |node| bias(node, Activation::Gelu)),
    of_set("com.microsoft", 1, 1, "FastGelu", |node| bias(node, Activation::GeluTanh)),
];

fn selu(node: &Node<'_>) -> Result<Activation, Unsupported> {
    Ok(Activation::Selu(float(node, "alpha", 1.673_263_2)?, float(node, "gamma", 1.050_701)?))
}

fn hard_sigmoid(node: &Node<'_>) -> Result<Activation, Unsupported> {
    Ok(Activation::HardSigmoid(float(node, "alpha", 0.2)?, float(node, "beta", 0.5)?))
}

fn gelu(node: &Node<'_>) -> Result<Activation, Unsupported> {
    match text(node, "approximate", "none")?.as_str() {
        "none" => Ok(Activation::Gelu),
        "tanh" => Ok(Activation::GeluTanh),
        other => unsupported(format!("the approximation {other:?} is not known")),
    }
}

fn floats(node: &Node<'_>, read: impl Fn(&Node<'_>) -> Result<Activation, Unsupported>) -> Built {
    node.arity(1, 1, 1)?;
    let function = read(node)?;
    match node.ty(0, &[Type::F32, Type::F64])? {
        Type::F64 => of::<f64>(function),
        _ => of::<f32>(function),
    }
}

fn of<T: Element + Real>(function: Activation) -> Built {
    Plan::new([T::TYPE], move |inputs, _| {
        let mut dense = inputs.take(0)?.into_dense::<T>()?;
        dense.data.iter_mut().for_each(|value| *value = function.of(*value));
        Ok(vec![Value::of(dense)])
    })
}

fn slopes(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    macro_rules! of {
        ($type:ty, $times:expr) => {
            Plan::new([<$type>::TYPE], |inputs, run| {
                Ok(vec![Value::of(prelu(run.room, inputs.view::<$type>(0)?, inputs.view(1)?, $times)?)])
            })
        };
    }
    match node.one_type(&[Type::F32, Type::F64, Type::I32, Type::I64, Type::U32, Type::U64])? {
        Type::F64 => of!(f64, |a, b| a * b),
        Type::I32 => of!(i32, i32::wrapping_mul),
        Type::I64 => of!(i64, i64::wrapping_mul),
        Type::U32 => of!(u32, u32::wrapping_mul),
        Type::U64 => of!(u64, u64::wrapping_mul),
        _ => of!(f32, |a, b| a * b),
    }
}

fn bias(node: &Node<'_>, function: Activation) -> Built {
    node.arity(1, 2, 1)?;
    node.one_type(&[Type::F32])?;
    if !node.has(1) {
        return of::<f32>(function);
    }
    Plan::new([Type::F32], move |inputs, run| {
        Ok(vec![Value::of(biased(run.room, inputs.view(0)?, inputs.view(1)?, function)?)])
    })
}
