//! Support vectors.

use super::super::scores::Transform;
use super::super::svm::{Kernel, SvmRegressor};
use super::super::svm_classifier::SvmClassifier;
use super::forests::{Labels, TABLES, transform, widened};
use super::simple::floats;
use crate::node::{Built, Node, Plan};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Type, Value};

fn kernel(node: &Node<'_>) -> Result<Kernel, Unsupported> {
    let parameters = floats(node, "kernel_params")?;
    let (gamma, coef0, degree) = match parameters[..] {
        [] => (0.0, 0.0, 0.0),
        [gamma, coef0, degree] => (gamma, coef0, degree),
        _ => return unsupported(format!("{} kernel_params are not known", parameters.len())),
    };
    Ok(match node.text("kernel_type")?.as_deref() {
        None | Some("LINEAR") => Kernel::Linear,
        Some("POLY") => Kernel::Poly { gamma, coef0, degree },
        Some("RBF") => Kernel::Rbf { gamma },
        Some("SIGMOID") => Kernel::Sigmoid { gamma, coef0 },
        Some(other) => return unsupported(format!("the kernel {other:?} is not known")),
    })
}

pub(super) fn svm_regressor(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let kernel = kernel(node)?;
    if transform(node)? != Transform::None {
        return unsupported("a transform of its target is not proved");
    }
    let (coefficients, vectors) = (floats(node, "coefficients")?, floats(node, "support_vectors")?);
    let count = usize::try_from(node.int("n_supports")?.unwrap_or(0)).unwrap_or(0);
    let rho = match floats(node, "rho")?[..] {
        [rho] => rho,
        _ => return unsupported("it must have one rho"),
    };
    let one_class = node.flag("one_class")?;
    let fits = if count == 0 {
        vectors.is_empty() && !coefficients.is_empty()
    } else {
        coefficients.len() == count && !vectors.is_empty() && vectors.len() % count == 0
    };
    if !fits {
        return unsupported(format!("{} values do not make {count} support vectors", vectors.len()));
    }
    let svm = SvmRegressor { kernel, vectors, coefficients, rho, one_class, count };
    Plan::new([Type::F32], move |inputs, run| Ok(vec![Value::of(svm.run(run.room, inputs.view(0)?)?)]))
}

pub(super) fn svm_classifier(node: &Node<'_>) -> Built {
    node.arity(1, 1, 2)?;
    node.ty(0, TABLES)?;
    let labels = Labels::read(node, "classlabels_strings", "classlabels_ints")?;
    let classes = labels.len();
    if classes < 2 {
        return unsupported("a classifier with one class is not proved");
    }
    let counts = node.ints("vectors_per_class")?.unwrap_or_default();
    let counts: Option<Vec<usize>> = counts.iter().map(|count| usize::try_from(*count).ok()).collect();
    let counts = counts.ok_or("it has fewer than no vectors of a class")?;
    let named = kernel(node)?;
    let (slopes, offsets) = (floats(node, "prob_a")?, floats(node, "prob_b")?);
    if slopes.len() != offsets.len() {
        return unsupported(format!("{} prob_a do not fit {} prob_b", slopes.len(), offsets.len()));
    }
    let svm = SvmClassifier {
        // Without vectors there is nothing that could be alike.
        kernel: if counts.is_empty() { Kernel::Linear } else { named },
        classes,
        counts,
        vectors: floats(node, "support_vectors")?,
        coefficients: floats(node, "coefficients")?,
        rho: floats(node, "rho")?,
        probabilities: slopes.into_iter().zip(offsets).collect(),
        transform: transform(node)?,
    };
    if let Some(reason) = svm.misfit() {
        return unsupported(reason);
    }
    if svm.transform == Transform::Probit {
        return unsupported("a probit of its scores is not proved");
    }
    Plan::new([labels.ty(), Type::F32], move |inputs, run| {
        let x = widened(inputs.get(0)?, run.room)?;
        let (places, scores) = svm.run(run.room, x.view())?;
        Ok(vec![labels.at(&places), Value::of(scores)])
    })
}
