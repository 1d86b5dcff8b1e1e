//! Constants that rten does not keep as they are: it computes float64 and float16 as float32 and clips int64 to 32 bits.

use std::collections::{BTreeSet, HashSet};

use crate::file::external_location;
use crate::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, data_type};

/// The constants of a graph and its subgraphs, and where they are read.
pub(super) struct Constants<'m> {
    /// What is read as more than a bound of Slice. There the largest int64 stands for the end, also when it is clipped.
    /// Names of all graphs together: a subgraph may read what lies around it.
    read: HashSet<&'m str>,
    /// Each with its name where it has one.
    found: Vec<(Option<&'m str>, Constant<'m>)>,
}

enum Constant<'m> {
    Tensor(&'m TensorProto),
    /// `value_int`, `value_ints` of Constant.
    Whole(&'m AttributeProto),
}

impl<'m> Constants<'m> {
    /// Finds them. The depth of subgraphs was bounded when the file was read.
    pub(super) fn of(graph: &'m GraphProto) -> Self {
        let mut constants = Self { read: HashSet::new(), found: Vec::new() };
        constants.graph(graph);
        constants
    }

    fn graph(&mut self, graph: &'m GraphProto) {
        self.read.extend(graph.output.iter().filter_map(|output| output.name.as_deref()));
        let initializers = graph.initializer.iter();
        self.found.extend(initializers.map(|tensor| (tensor.name.as_deref(), Constant::Tensor(tensor))));
        for node in &graph.node {
            self.node(node);
        }
    }

    fn node(&mut self, node: &'m NodeProto) {
        let operator = node.op_type.as_deref().unwrap_or_default();
        let values = if operator == "Slice" { 1 } else { node.input.len() };
        self.read.extend(node.input.iter().take(values).map(String::as_str));
        let name = if operator == "Constant" { node.output.first().map(String::as_str) } else { None };
        for attribute in &node.attribute {
            if name.is_some() && (attribute.i.is_some() || !attribute.ints.is_empty()) {
                self.found.push((name, Constant::Whole(attribute)));
            }
            let tensors = attribute.t.iter().chain(&attribute.tensors);
            self.found.extend(tensors.map(|tensor| (name, Constant::Tensor(tensor))));
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                self.graph(graph);
            }
        }
    }

    /// What is wrong with them, each kind once.
    pub(super) fn problems(&self) -> BTreeSet<String> {
        let mut problems = BTreeSet::new();
        for (name, constant) in &self.found {
            // Without a name it is part of a call, which reads it.
            let read = name.is_none_or(|name| self.read.contains(name));
            let wide = |mut numbers: Box<dyn Iterator<Item = i64> + '_>| {
                numbers.any(|number| i32::try_from(number).is_err()).then_some("beyond 32 bits are clipped")
            };
            let int64 = match constant {
                _ if !read => None,
                Constant::Whole(attribute) => wide(Box::new(attribute.i.iter().chain(&attribute.ints).copied())),
                Constant::Tensor(tensor) if tensor.data_type != Some(data_type::INT64) => None,
                Constant::Tensor(tensor) if external_location(tensor).is_some() => {
                    Some("in a weight file may be clipped to 32 bits")
                }
                Constant::Tensor(tensor) => {
                    let raw = tensor.raw_data.as_deref().unwrap_or_default().as_chunks::<8>().0;
                    let raw = raw.iter().map(|word| i64::from_le_bytes(*word));
                    wide(Box::new(raw.chain(tensor.int64_data.iter().copied())))
                }
            };
            problems.extend(int64.map(|what| format!("on the built-in engine int64 constants {what}")));
            let Constant::Tensor(tensor) = constant else { continue };
            if let Some(kind @ (data_type::DOUBLE | data_type::FLOAT16 | data_type::BFLOAT16)) = tensor.data_type {
                let kind = data_type::name(kind);
                problems.insert(format!("on the built-in engine constants of {kind} are computed as float32"));
            }
        }
        problems
    }
}
