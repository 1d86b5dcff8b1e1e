//! Linear models and small steps on tables.

use std::sync::Arc;

use super::super::linear::Linear;
use super::super::table::{Norm, binarize, extract, impute, normalize, one_hot, scale, side_by_side};
use super::forests::{Labels, TABLES, transform, widened};
use crate::kernels::nn::plain::Made;
use crate::node::{Built, Node, Plan};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Type, Value};

/// What is read as float32.
const NARROW: &[Type] = &[Type::F32, Type::I64, Type::I32];

pub(super) fn floats(node: &Node<'_>, name: &str) -> Result<Vec<f32>, Unsupported> {
    Ok(node.floats(name)?.unwrap_or_default().to_vec())
}

pub(super) fn linear_regressor(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let targets = usize::try_from(node.int("targets")?.unwrap_or(1)).unwrap_or(0);
    let transform = transform(node)?;
    if targets == 1 && transform != super::super::scores::Transform::None {
        return unsupported("a transform of one target alone is not proved");
    }
    let linear = Linear::new(&floats(node, "coefficients")?, &floats(node, "intercepts")?, targets)?;
    Plan::new([Type::F32], move |inputs, run| {
        Ok(vec![Value::of(linear.regress(run.room, inputs.view(0)?, transform)?)])
    })
}

pub(super) fn linear_classifier(node: &Node<'_>) -> Built {
    node.arity(1, 1, 2)?;
    node.ty(0, NARROW)?;
    let labels = Labels::read(node, "classlabels_strings", "classlabels_ints")?;
    let transform = transform(node)?;
    // Neither ONNX Runtime nor the definition makes anything of it.
    node.int("multi_class")?;
    let intercepts = floats(node, "intercepts")?;
    let scores = intercepts.len();
    let fits = scores == labels.len() && scores > 1 || scores == 1 && labels.len() == 2;
    if !fits {
        return unsupported(format!("{scores} intercepts do not fit {} classes", labels.len()));
    }
    if scores == 1 && transform == super::super::scores::Transform::Probit {
        return unsupported("a probit of two classes by one score is not proved");
    }
    let linear = Linear::new(&floats(node, "coefficients")?, &intercepts, scores)?;
    Plan::new([labels.ty(), Type::F32], move |inputs, run| {
        let x = widened(inputs.get(0)?, run.room)?;
        let (places, scores) = linear.classify(run.room, x.view(), transform)?;
        Ok(vec![labels.at(&places), Value::of(scores)])
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "ONNX Runtime computes in these types"
)]
pub(super) fn scaler(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let (offset, factor) = (floats(node, "offset")?, floats(node, "scale")?);
    if factor.is_empty() || offset.len() != factor.len() {
        return unsupported(format!("{} offsets do not fit {} scales", offset.len(), factor.len()));
    }
    macro_rules! of {
        ($type:ty, $step:expr) => {
            Plan::new([Type::F32], move |inputs, run| {
                Ok(vec![Value::of(scale(run.room, inputs.view::<$type>(0)?, &offset, &factor, $step)?)])
            })
        };
    }
    match node.ty(0, TABLES)? {
        Type::F64 => of!(f64, |x, offset, factor| ((x - f64::from(offset)) * f64::from(factor)) as f32),
        Type::I64 => of!(i64, |x, offset, factor| (x as f32 - offset) * factor),
        Type::I32 => of!(i32, |x, offset, factor| (x as f32 - offset) * factor),
        _ => of!(f32, |x, offset, factor| (x - offset) * factor),
    }
}

pub(super) fn normalizer(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, NARROW)?;
    let norm = match node.text("norm")?.as_deref() {
        None | Some("MAX") => Norm::Max,
        Some("L1") => Norm::L1,
        Some("L2") => Norm::L2,
        Some(other) => return unsupported(format!("the norm {other:?} is not known")),
    };
    Plan::new([Type::F32], move |inputs, run| {
        let x = widened(inputs.get(0)?, run.room)?;
        Ok(vec![Value::of(normalize(run.room, x.view(), norm)?)])
    })
}

pub(super) fn imputer(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let (numbers, gone) = (floats(node, "imputed_value_floats")?, node.float("replaced_value_float")?.unwrap_or(0.0));
    let whole = node.ints("imputed_value_int64s")?.unwrap_or_default().to_vec();
    let gone_whole = node.int("replaced_value_int64")?.unwrap_or(0);
    match node.ty(0, &[Type::F32, Type::I64])? {
        Type::I64 if !whole.is_empty() => Plan::new([Type::I64], move |inputs, run| {
            Ok(vec![Value::of(impute(run.room, inputs.view::<i64>(0)?, &whole, |x| x == gone_whole)?)])
        }),
        Type::F32 if !numbers.is_empty() => Plan::new([Type::F32], move |inputs, run| {
            let missing = |x: f32| x == gone || (x.is_nan() && gone.is_nan());
            Ok(vec![Value::of(impute(run.room, inputs.view::<f32>(0)?, &numbers, missing)?)])
        }),
        _ => unsupported("it has no values to fill in"),
    }
}

pub(super) fn binarizer(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let threshold = node.float("threshold")?.unwrap_or(0.0);
    Plan::new([Type::F32], move |inputs, run| Ok(vec![Value::of(binarize(run.room, inputs.view(0)?, threshold)?)]))
}

pub(super) fn extractor(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    node.ty(1, &[Type::I64])?;
    macro_rules! of {
        ($($name:ident $type:ty),+) => {
            match node.ty(0, &[$(Type::$name),+])? {
                $(Type::$name => Plan::new([Type::$name], |inputs, run| {
                    Ok(vec![Value::of(extract(run.room, inputs.view::<$type>(0)?, inputs.view(1)?)?)])
                }),)+
                other => unsupported(format!("the type {} is not known", other.name())),
            }
        };
    }
    of!(F32 f32, F64 f64, I32 i32, I64 i64, Text Arc<str>)
}

pub(super) fn one_hot_encoder(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let zeros = node.int("zeros")?.unwrap_or(1) != 0;
    let numbers = node.ints("cats_int64s")?.unwrap_or_default().to_vec();
    let texts: Vec<Arc<str>> = node.texts("cats_strings")?.unwrap_or_default().into_iter().map(Arc::from).collect();
    if numbers.is_empty() == texts.is_empty() {
        return unsupported("its categories must be either texts or numbers");
    }
    match node.ty(0, &[Type::I64, Type::Text])? {
        Type::I64 if !numbers.is_empty() => Plan::new([Type::F32], move |inputs, run| {
            Ok(vec![Value::of(one_hot(run.room, inputs.view::<i64>(0)?, &numbers, zeros)?)])
        }),
        Type::Text if !texts.is_empty() => Plan::new([Type::F32], move |inputs, run| {
            Ok(vec![Value::of(one_hot(run.room, inputs.view::<Arc<str>>(0)?, &texts, zeros)?)])
        }),
        other => unsupported(format!("its categories are of another type than {}", other.name())),
    }
}

/// Columns of several tables side by side, as float32.
pub(super) fn feature_vectorizer(node: &Node<'_>) -> Built {
    let count = node.inputs();
    node.arity(count.max(1), count, 1)?;
    node.one_type(TABLES)?;
    let widths = node.ints("inputdimensions")?.unwrap_or_default();
    let widths: Option<Vec<usize>> = widths.iter().map(|width| usize::try_from(*width).ok()).collect();
    let widths = widths.filter(|widths| widths.len() == count && widths.iter().all(|width| *width > 0));
    let widths = widths.ok_or("its inputdimensions do not say how wide each input is")?;
    Plan::new([Type::F32], move |inputs, run| {
        let tables = (0..widths.len()).map(|at| widened(inputs.get(at)?, run.room)).collect::<Made<Vec<_>>>()?;
        Ok(vec![Value::of(side_by_side(run.room, &tables, &widths)?)])
    })
}
