//! Forests as models give them.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::forest::{Forest, Given, Test, Weight};
use super::super::scores::Transform;
use super::super::trees::{Aggregate, Classes, Classifier, Regressor};
use crate::kernel::Inputs;
use crate::kernels::nn::plain::{Dense, Made, Real, Room, View, misfit};
use crate::node::{Built, Node, Plan};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Element, Type, Value};

/// The types of tables that forests take; whole numbers are read as float32.
pub(super) const TABLES: &[Type] = &[Type::F32, Type::F64, Type::I64, Type::I32];

/// The attribute, given as floats or as a tensor.
fn numbers<T: Element + Real>(node: &Node<'_>, name: &str) -> Result<Vec<T>, Unsupported> {
    let floats = node.floats(name)?.unwrap_or_default();
    match node.tensor(&format!("{name}_as_tensor"))? {
        None => Ok(floats.iter().map(|value| T::of(f64::from(*value))).collect()),
        Some(_) if !floats.is_empty() => unsupported(format!("{name} is given twice")),
        Some(value) => match value.ty() {
            Type::F32 => Ok(value.view::<f32>()?.data.iter().map(|value| T::of(f64::from(*value))).collect()),
            Type::F64 => Ok(value.view::<f64>()?.data.iter().map(|value| T::of(*value)).collect()),
            other => unsupported(format!("{name} is {}", other.name())),
        },
    }
}

fn places(node: &Node<'_>, name: &str) -> Result<Vec<i64>, Unsupported> {
    Ok(node.ints(name)?.unwrap_or_default().to_vec())
}

pub(super) fn transform(node: &Node<'_>) -> Result<Transform, Unsupported> {
    let name = node.text("post_transform")?.unwrap_or_else(|| "NONE".to_owned());
    Transform::named(&name).ok_or_else(|| format!("the post_transform {name:?} is not known").into())
}

fn test(name: &str) -> Result<Option<Test>, Unsupported> {
    Ok(Some(match name {
        "BRANCH_LEQ" => Test::AtMost,
        "BRANCH_LT" => Test::Below,
        "BRANCH_GTE" => Test::AtLeast,
        "BRANCH_GT" => Test::Above,
        "BRANCH_EQ" => Test::Equal,
        "BRANCH_NEQ" => Test::Unequal,
        "LEAF" => return Ok(None),
        other => return unsupported(format!("the node mode {other:?} is not known")),
    }))
}

/// The forest in the attributes of the operators before version 5; `leaves` is the prefix of what its leaves give.
fn forest<T: Element + Real>(node: &Node<'_>, leaves: &str, targets: usize) -> Result<Forest<T>, Unsupported> {
    let trees = places(node, "nodes_treeids")?;
    let ids = places(node, "nodes_nodeids")?;
    let features = places(node, "nodes_featureids")?;
    let modes = node.texts("nodes_modes")?.unwrap_or_default();
    let values = numbers::<T>(node, "nodes_values")?;
    let (yes, no) = (places(node, "nodes_truenodeids")?, places(node, "nodes_falsenodeids")?);
    let missing = places(node, "nodes_missing_value_tracks_true")?;
    numbers::<T>(node, "nodes_hitrates")?;
    let size = trees.len();
    let lengths = [ids.len(), features.len(), modes.len(), values.len(), yes.len(), no.len()];
    if size == 0 || lengths.iter().any(|length| *length != size) || !(missing.is_empty() || missing.len() == size) {
        return unsupported("the lists of its nodes are of different lengths, or empty");
    }
    let mut at = HashMap::with_capacity(size);
    for (place, key) in trees.iter().zip(&ids).enumerate() {
        if at.insert((*key.0, *key.1), place).is_some() {
            return unsupported(format!("node {} of tree {} is there twice", key.1, key.0));
        }
    }
    let names = ["treeids", "nodeids", "ids"].map(|name| format!("{leaves}_{name}"));
    let (leaf_trees, leaf_ids) = (places(node, &names[0])?, places(node, &names[1])?);
    let leaf_targets = places(node, &names[2])?;
    let leaf_weights = numbers::<T>(node, &format!("{leaves}_weights"))?;
    let count = leaf_trees.len();
    if [leaf_ids.len(), leaf_targets.len(), leaf_weights.len()].iter().any(|length| *length != count) {
        return unsupported("the lists of its leaves are of different lengths");
    }
    let mut answers: Vec<Vec<Weight<T>>> = vec![Vec::new(); size];
    for leaf in 0..count {
        let place = at.get(&(leaf_trees[leaf], leaf_ids[leaf])).ok_or("a weight belongs to no node")?;
        let target = usize::try_from(leaf_targets[leaf]).ok().filter(|target| *target < targets);
        let target = target.ok_or_else(|| format!("a weight belongs to target {}", leaf_targets[leaf]))?;
        answers[*place].push(Weight { target, value: leaf_weights[leaf] });
    }
    let mut weights = Vec::with_capacity(count);
    let (mut given, mut roots) = (Vec::with_capacity(size), Vec::new());
    for place in 0..size {
        if place == 0 || trees[place - 1] != trees[place] {
            roots.push(place);
        }
        let child = |id: i64| {
            let found = at.get(&(trees[place], id)).copied();
            found.ok_or_else(|| {
                format!("node {} of tree {} leads to node {id}, which is not there", ids[place], trees[place])
            })
        };
        given.push(match test(&modes[place])? {
            None => {
                let first = weights.len();
                // One target alone: ONNX Runtime takes the first weight of a leaf, so there must be one.
                if targets == 1 && answers[place].len() != 1 {
                    return unsupported("a leaf of a forest with one target has not one weight");
                }
                weights.append(&mut answers[place]);
                Given::Leaf { first, count: weights.len() - first }
            }
            Some(test) => Given::Split {
                feature: usize::try_from(features[place]).map_err(|_| "a feature is below zero".to_owned())?,
                test,
                value: values[place],
                missing: missing.get(place).is_some_and(|missing| *missing == 1),
                yes: child(yes[place])?,
                no: child(no[place])?,
            },
        });
    }
    Forest::new(&given, &roots, Vec::new(), weights, targets).map_err(Into::into)
}

/// Calls `run` with the input as the type that the forest is of.
fn read<T: Element + Real, U>(
    inputs: &Inputs<'_>,
    room: Room<'_>,
    run: impl FnOnce(View<'_, T>) -> Made<U>,
) -> Made<U> {
    let value = inputs.get(0)?;
    if value.ty() == T::TYPE {
        return run(value.view()?);
    }
    let wide = widened(value, room)?;
    let data: Vec<T> = wide.data.iter().map(|value| T::of(f64::from(*value))).collect();
    run(View { shape: value.shape(), data: &data })
}

/// Whole numbers and float64 as float32.
#[expect(clippy::cast_precision_loss, reason = "ONNX Runtime compares in float32")]
pub(super) fn widened(value: &Value, room: Room<'_>) -> Made<Dense<f32>> {
    let mut out = room.tensor(value.shape(), 0.0_f32)?;
    match value.ty() {
        Type::F32 => out.data.copy_from_slice(value.view::<f32>()?.data),
        #[expect(clippy::cast_possible_truncation, reason = "ONNX Runtime computes in float32")]
        Type::F64 => out.data.iter_mut().zip(value.view::<f64>()?.data).for_each(|(out, value)| *out = *value as f32),
        Type::I64 => out.data.iter_mut().zip(value.view::<i64>()?.data).for_each(|(out, value)| *out = *value as f32),
        Type::I32 => out.data.iter_mut().zip(value.view::<i32>()?.data).for_each(|(out, value)| *out = *value as f32),
        other => return misfit(format!("{} is not read as float32", other.name())),
    }
    Ok(out)
}

pub(super) fn regressor(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    fn of<T: Element + Real>(node: &Node<'_>) -> Built {
        let targets = usize::try_from(node.int("n_targets")?.unwrap_or(0)).unwrap_or(0);
        if !(1..=1 << 20).contains(&targets) {
            return unsupported(format!("a forest of {targets} targets is not known"));
        }
        let aggregate = match node.text("aggregate_function")?.as_deref() {
            None | Some("SUM") => Aggregate::Sum,
            Some("AVERAGE") => Aggregate::Average,
            Some("MIN") => Aggregate::Min,
            Some("MAX") => Aggregate::Max,
            Some(other) => return unsupported(format!("the aggregate_function {other:?} is not known")),
        };
        let base = numbers::<T>(node, "base_values")?;
        if !(base.is_empty() || base.len() == targets) {
            return unsupported(format!("{} base values do not fit {targets} targets", base.len()));
        }
        let transform = transform(node)?;
        let regressor = Regressor { forest: forest(node, "target", targets)?, aggregate, base, transform };
        Plan::new([Type::F32], move |inputs, run| {
            let made = read(inputs, run.room, |x| regressor.run(run.room, x))?;
            let data = made.data.iter().map(|value| f32::of(value.wide())).collect();
            Ok(vec![Value::of(Dense { shape: made.shape, data })])
        })
    }
    if node.ty(0, TABLES)? == Type::F64 { of::<f64>(node) } else { of::<f32>(node) }
}

/// The labels of classes.
#[derive(Clone)]
pub(super) enum Labels {
    Texts(Vec<Arc<str>>),
    Numbers(Vec<i64>),
}

impl Labels {
    pub(super) fn read(node: &Node<'_>, texts: &str, numbers: &str) -> Result<Self, Unsupported> {
        let words = node.texts(texts)?.unwrap_or_default();
        let whole = node.ints(numbers)?.unwrap_or_default();
        match (words.is_empty(), whole.is_empty()) {
            (false, true) => Ok(Self::Texts(words.into_iter().map(Arc::from).collect())),
            (true, false) => Ok(Self::Numbers(whole.to_vec())),
            _ => unsupported("its classes must have either texts or numbers as labels"),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(list) => list.len(),
            Self::Numbers(list) => list.len(),
        }
    }

    pub(super) fn ty(&self) -> Type {
        match self {
            Self::Texts(_) => Type::Text,
            Self::Numbers(_) => Type::I64,
        }
    }

    /// Whether they are the numbers 0 and 1, in this order.
    fn are_zero_and_one(&self) -> bool {
        matches!(self, Self::Numbers(list) if list[..] == [0, 1])
    }

    /// The labels at these places.
    pub(super) fn at(&self, places: &[usize]) -> Value {
        let shape = vec![places.len()];
        match self {
            Self::Texts(list) => {
                Value::of(Dense { shape, data: places.iter().map(|at| Arc::clone(&list[*at])).collect() })
            }
            Self::Numbers(list) => Value::of(Dense { shape, data: places.iter().map(|at| list[*at]).collect() }),
        }
    }
}

pub(super) fn classifier(node: &Node<'_>) -> Built {
    node.arity(1, 1, 2)?;
    fn of<T: Element + Real>(node: &Node<'_>) -> Built {
        let labels = Labels::read(node, "classlabels_strings", "classlabels_int64s")?;
        let (classes, transform, base) = (labels.len(), transform(node)?, numbers::<T>(node, "base_values")?);
        if classes < 2 {
            return unsupported("a classifier with one class is not proved");
        }
        let forest = forest::<T>(node, "class", classes)?;
        let positive = forest.weights().iter().all(|weight| weight.value >= T::zero());
        let first = forest.weights().iter().all(|weight| weight.target == 0);
        let second = forest.weights().iter().all(|weight| weight.target == 1);
        let kind = match (classes, base.len()) {
            (2, 0 | 1) if first && transform != Transform::Probit => Classes::OneScore { positive },
            (2, 0) if second => Classes::SecondScore { positive },
            // Whatever the labels are called, ONNX Runtime says 1 or 0 here: right where these are the labels.
            (2, 0) if forest.speaks_of_all() && labels.are_zero_and_one() => Classes::Second,
            (2, _) => {
                return unsupported(
                    "two classes with a score each: ONNX Runtime gives other labels than the scores say",
                );
            }
            (_, given) if given == 0 || given == classes => Classes::Most,
            (_, given) => return unsupported(format!("{given} base values do not fit {classes} classes")),
        };
        let outputs = [labels.ty(), Type::F32];
        let classifier = Classifier { forest, base, transform, kind };
        Plan::new(outputs, move |inputs, run| {
            let (places, scores) = read(inputs, run.room, |x| classifier.run(run.room, x))?;
            Ok(vec![labels.at(&places), Value::of(scores)])
        })
    }
    if node.ty(0, TABLES)? == Type::F64 { of::<f64>(node) } else { of::<f32>(node) }
}

/// The operator of version 5, whose nodes and leaves lie apart.
pub(super) fn ensemble(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    fn of<T: Element + Real>(node: &Node<'_>) -> Built {
        let list = |name: &str| -> Result<Vec<T>, Unsupported> {
            let Some(value) = node.tensor(name)? else { return Ok(Vec::new()) };
            value
                .view::<T>()
                .map(|view| view.data.to_vec())
                .map_err(|_| format!("{name} is not of the type of the input").into())
        };
        let (splits, leaf_weights, mut members) =
            (list("nodes_splits")?, list("leaf_weights")?, list("membership_values")?);
        list("nodes_hitrates")?;
        let modes = node.tensor("nodes_modes")?.ok_or("nodes_modes is missing")?;
        let modes = modes.view::<u8>()?.data.to_vec();
        let features = places(node, "nodes_featureids")?;
        let (yes, no) = (places(node, "nodes_truenodeids")?, places(node, "nodes_falsenodeids")?);
        let (yes_leaf, no_leaf) = (places(node, "nodes_trueleafs")?, places(node, "nodes_falseleafs")?);
        let missing = places(node, "nodes_missing_value_tracks_true")?;
        let (leaf_targets, roots) = (places(node, "leaf_targetids")?, places(node, "tree_roots")?);
        let size = modes.len();
        let lengths = [splits.len(), features.len(), yes.len(), no.len(), yes_leaf.len(), no_leaf.len()];
        let fits = lengths.iter().all(|length| *length == size) && leaf_targets.len() == leaf_weights.len();
        if !fits || !(missing.is_empty() || missing.len() == size) {
            return unsupported("the lists of its nodes are of different lengths");
        }
        let targets = usize::try_from(node.int("n_targets")?.unwrap_or(0)).unwrap_or(0);
        if !(1..=1 << 20).contains(&targets) {
            return unsupported(format!("a forest of {targets} targets is not known"));
        }
        let mut weights = Vec::with_capacity(leaf_weights.len());
        for (target, value) in leaf_targets.iter().zip(&leaf_weights) {
            let target = usize::try_from(*target).map_err(|_| "a target is below zero".to_owned())?;
            weights.push(Weight { target, value: *value });
        }
        let mut given = Vec::with_capacity(size + weights.len());
        // Members of each set follow each other, sets are set apart by NaN.
        let mut member = 0;
        for place in 0..size {
            let child = |id: i64, leaf: i64| {
                let id = usize::try_from(id).map_err(|_| "a node leads to a place below zero".to_owned())?;
                let (most, base) = if leaf == 1 { (weights.len(), size) } else { (size, 0) };
                if id < most {
                    Ok::<_, Unsupported>(base + id)
                } else {
                    unsupported("a node leads to a place that is not there")
                }
            };
            let feature = usize::try_from(features[place]).map_err(|_| "a feature is below zero".to_owned())?;
            let (yes, no) = (child(yes[place], yes_leaf[place])?, child(no[place], no_leaf[place])?);
            let missing = missing.get(place).is_some_and(|missing| *missing == 1);
            let tests = [Test::AtMost, Test::Below, Test::AtLeast, Test::Above, Test::Equal, Test::Unequal];
            given.push(match modes[place] {
                6 => {
                    let rest = members.get(member..).unwrap_or_default();
                    let count = rest.iter().position(|value| value.is_nan()).unwrap_or(rest.len());
                    let values = (member, count);
                    member += count + 1;
                    Given::Member { feature, values, missing, yes, no }
                }
                mode => match tests.get(usize::from(mode)) {
                    Some(test) => Given::Split { feature, test: *test, value: splits[place], missing, yes, no },
                    None => return unsupported(format!("the node mode {mode} is not known")),
                },
            });
        }
        given.extend((0..weights.len()).map(|first| Given::Leaf { first, count: 1 }));
        members.truncate(member);
        let roots: Option<Vec<usize>> =
            roots.iter().map(|root| usize::try_from(*root).ok().filter(|r| *r < size)).collect();
        let roots = roots.filter(|roots| !roots.is_empty()).ok_or("a tree begins at a node that is not there")?;
        let transforms =
            [Transform::None, Transform::Softmax, Transform::Logistic, Transform::SoftmaxZero, Transform::Probit];
        let transform =
            usize::try_from(node.int("post_transform")?.unwrap_or(0)).ok().and_then(|at| transforms.get(at));
        let transform = *transform.ok_or("the post_transform is not known")?;
        let aggregates = [Aggregate::Average, Aggregate::Sum, Aggregate::Min, Aggregate::Max];
        let aggregate =
            usize::try_from(node.int("aggregate_function")?.unwrap_or(1)).ok().and_then(|at| aggregates.get(at));
        let aggregate = *aggregate.ok_or("the aggregate_function is not known")?;
        let forest = Forest::new(&given, &roots, members, weights, targets)?;
        let regressor = Regressor { forest, aggregate, base: Vec::new(), transform };
        Plan::new([T::TYPE], move |inputs, run| Ok(vec![Value::of(regressor.run(run.room, inputs.view(0)?)?)]))
    }
    if node.ty(0, &[Type::F32, Type::F64])? == Type::F64 { of::<f64>(node) } else { of::<f32>(node) }
}
