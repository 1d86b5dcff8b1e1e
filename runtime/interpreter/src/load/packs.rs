//! Outputs that are no tensors: a call that ends the graph and packs tensors into maps or a sequence. Nothing within a
//! graph takes what it gives, so it is no kernel: the program computes the tensors, and tells how they are packed.

use std::collections::HashMap;

use crate::node::{Known, Node};
use crate::proto::{GraphProto, NodeProto, TypeProto, ValueInfoProto};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::Type;

use super::{Enclosing, Refusal};

/// An output of a model that is no tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub form: PackForm,
}

/// How tensors are packed; the numbers are places among the program's outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum PackForm {
    /// A map for each row of a float32 tensor of one or two dimensions: what `ZipMap` gives.
    Maps {
        /// The tensor.
        values: usize,
        /// The key of each column.
        keys: Keys,
    },
    /// A sequence of tensors of one type.
    Sequence(Vec<usize>),
}

/// The keys of maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Texts.
    Text(Vec<String>),
}

/// Outputs that this room packs, before the graph is loaded: the call of each and the names of what it takes.
pub(super) struct Planned<'g> {
    packs: Vec<(&'g ValueInfoProto, &'g NodeProto)>,
    /// What the calls take, as if the graph gave it.
    pub(super) taken: Vec<ValueInfoProto>,
}

/// The type of an output that is a sequence or a map of tensors.
fn is_packed(port: &ValueInfoProto) -> bool {
    let known =
        |ty: &TypeProto| ty.tensor_type.as_ref().and_then(|tensor| tensor.elem_type).and_then(Type::of).is_some();
    let map = |ty: &TypeProto| ty.map_type.as_ref().and_then(|map| map.value_type.as_ref()).is_some_and(known);
    let Some(ty) = &port.r#type else { return false };
    let element = ty.sequence_type.as_ref().and_then(|sequence| sequence.elem_type.as_ref());
    element.is_some_and(|element| known(element) || map(element)) || map(ty)
}

impl<'g> Planned<'g> {
    /// Of the outputs of a graph.
    pub(super) fn of(graph: &'g GraphProto) -> Result<Self, Unsupported> {
        let mut planned = Self { packs: Vec::new(), taken: Vec::new() };
        let packed: Vec<_> = graph.output.iter().filter(|port| is_packed(port)).collect();
        if packed.is_empty() {
            return Ok(planned);
        }
        let makers: HashMap<&str, &NodeProto> =
            graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node))).collect();
        let mut taken: Vec<&str> = Vec::new();
        for port in packed {
            let name = port.name.as_deref().unwrap_or_default();
            let Some(node) = makers.get(name) else {
                return unsupported(format!("the output {name:?} is made by no node"));
            };
            planned.packs.push((port, *node));
            for input in &node.input {
                if !taken.contains(&input.as_str()) {
                    taken.push(input);
                }
            }
        }
        let value = |name: &str| ValueInfoProto { name: Some(name.to_owned()), r#type: None };
        planned.taken = taken.into_iter().filter(|name| !name.is_empty()).map(value).collect();
        Ok(planned)
    }

    /// The packs of a graph that is loaded; `tensors` are names and types of its outputs, those of [`Self::taken`]
    /// behind the file's own.
    pub(super) fn packs(&self, scope: &Enclosing<'_>, tensors: &[(String, Type)]) -> Result<Vec<Pack>, Refusal> {
        let pack = |(port, node): &(&ValueInfoProto, &NodeProto)| {
            let name = port.name.clone().unwrap_or_default();
            pack(scope, node, tensors).map(|form| Pack { name, form })
        };
        self.packs.iter().map(pack).collect()
    }
}

fn pack(scope: &Enclosing<'_>, node: &NodeProto, tensors: &[(String, Type)]) -> Result<PackForm, Refusal> {
    let (op, domain) = (node.op_type.as_deref().unwrap_or_default(), scope.domain(node));
    let opset = scope.model.opsets.get(domain).copied().unwrap_or(0);
    let refusal = |reason: String, missing: bool| Refusal {
        node: node.name.clone().unwrap_or_default(),
        calls: 1,
        operator: if domain.is_empty() { op.to_owned() } else { format!("{domain}/{op}") },
        opset,
        reason,
        missing,
    };
    let place = |name: &String| tensors.iter().rposition(|(known, _)| known == name);
    let places: Option<Vec<usize>> = node.input.iter().map(place).collect();
    let Some(places) = places else { return Err(refusal("an input that is needed is left out".to_owned(), false)) };
    let known = places.iter().map(|place| tensors.get(*place).map(|(_, ty)| Known { ty: *ty, value: None })).collect();
    let build = || -> Result<Option<PackForm>, Unsupported> {
        let call = Node::new(node, opset, known, scope)?;
        let form = match (domain, op) {
            ("ai.onnx.ml", "ZipMap") if (1..=5).contains(&opset) => zip_map(&call, &places)?,
            ("", "SequenceConstruct") if (11..=crate::NEWEST_OPSET).contains(&opset) => {
                call.arity(1, usize::MAX, 1)?;
                call.one_type(Type::ALL)?;
                PackForm::Sequence(places.clone())
            }
            _ => return Ok(None),
        };
        match call.left_over() {
            Some(attribute) => unsupported(format!("its attribute {attribute:?} is not known")),
            None => Ok(Some(form)),
        }
    };
    match build() {
        Ok(Some(form)) => Ok(form),
        Ok(None) => Err(refusal("the built-in engine has no such operator".to_owned(), true)),
        Err(why) => Err(refusal(why.to_string(), false)),
    }
}

fn zip_map(call: &Node<'_>, places: &[usize]) -> Result<PackForm, Unsupported> {
    call.arity(1, 1, 1)?;
    call.ty(0, &[Type::F32])?;
    let whole = call.ints("classlabels_int64s")?.unwrap_or_default();
    let texts = call.texts("classlabels_strings")?.unwrap_or_default();
    let keys = match (whole.is_empty(), texts.is_empty()) {
        (false, true) => Keys::Whole(whole.to_vec()),
        (true, false) => Keys::Text(texts),
        _ => return unsupported("it needs either whole numbers or texts for its keys"),
    };
    match places.first() {
        Some(values) => Ok(PackForm::Maps { values: *values, keys }),
        None => unsupported("its input is left out"),
    }
}
