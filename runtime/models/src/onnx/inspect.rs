//! What a model file says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prost::bytes::Bytes;
use serde::Serialize;
use trackside_spec::{Digest, ElementType};

use super::builtin::{BuiltinVerdict, judge};
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, data_type};
use crate::error::ModelError;
use crate::file::{ModelFile, ModelLimits};
use crate::port::{ExternalInfo, Port};

/// Longest documentation text that is kept.
const MAX_DOC: usize = 4096;

/// A model file, described.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ModelInspection {
    /// Digest of the file.
    pub digest: Digest,
    /// Bytes of the file, files beside it not counted.
    pub size: u64,
    /// Version of ONNX's intermediate representation.
    pub ir_version: i64,
    /// Operator sets and their versions.
    pub opsets: Vec<Opset>,
    /// The tool that wrote the file, and its version.
    pub producer: String,
    /// Reverse-DNS name space, often empty.
    pub domain: String,
    /// The author's version number; 0 when there is none.
    pub model_version: i64,
    /// Documentation, clipped to 4 KiB.
    pub doc: String,
    /// Free key-value pairs of the author.
    pub metadata: BTreeMap<String, String>,
    /// What the model needs, initializers left out.
    pub inputs: Vec<PortInspection>,
    /// What the model gives.
    pub outputs: Vec<PortInspection>,
    /// Operators by set and name, subgraphs and functions included; most frequent first.
    pub operators: Vec<OperatorCount>,
    /// Operator calls in all.
    pub nodes: u64,
    /// Elements of all initializers and constants.
    pub parameters: u64,
    /// Bytes of all initializers and constants, computed from their shapes.
    pub parameter_bytes: u64,
    /// Weight files beside the model.
    pub external: Vec<ExternalInfo>,
    /// Operators that compute with quantised numbers; empty for an ordinary model.
    pub quantised_operators: Vec<String>,
    /// What the built-in engine, rten, makes of it.
    pub builtin: BuiltinVerdict,
}

/// An operator set that a model relies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opset {
    /// `ai.onnx` for the standard set.
    pub domain: String,
    /// Its version.
    pub version: i64,
}

/// How often a model calls an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperatorCount {
    /// `ai.onnx` for the standard set.
    pub domain: String,
    /// The operator.
    pub name: String,
    /// Calls.
    pub count: u64,
}

/// An input or output as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortInspection {
    /// Its name.
    pub name: String,
    /// `float32`, or `sequence` and the like for what is no tensor.
    pub kind: String,
    /// The element type; `None` for what Trackside cannot carry.
    pub element: Option<ElementType>,
    /// The shape; `None` when not even the rank is declared.
    pub shape: Option<Vec<Dim>>,
}

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dim {
    /// Always this size.
    Fixed(u32),
    /// Any size, the same wherever the name stands.
    Symbol(String),
    /// Any size.
    Any,
}

/// Describes the model at `path` without loading it on an engine.
///
/// # Errors
/// [`ModelError::File`], [`ModelError::NotOnnx`] or [`ModelError::ExternalData`].
pub fn inspect(path: &Path) -> Result<ModelInspection, ModelError> {
    ModelFile::read(path, &ModelLimits::default()).map(|file| inspect_file(&file))
}

/// Describes a model that has been read.
#[must_use]
pub fn inspect_file(file: &ModelFile) -> ModelInspection {
    let model = file.proto();
    let graph = model.graph.as_ref();
    let mut census = Census::default();
    if let Some(graph) = graph {
        census.graph(graph);
    }
    for function in &model.functions {
        function.node.iter().for_each(|node| census.node(node));
    }
    let producer = [text(&model.producer_name), text(&model.producer_version)].join(" ");
    ModelInspection {
        digest: file.digest(),
        size: file.size(),
        ir_version: model.ir_version.unwrap_or(0),
        opsets: model
            .opset_import
            .iter()
            .map(|set| Opset { domain: domain(set.domain.as_deref()), version: set.version.unwrap_or(0) })
            .collect(),
        producer: producer.trim().to_owned(),
        domain: text(&model.domain),
        model_version: model.model_version.unwrap_or(0),
        doc: text(&model.doc_string).chars().take(MAX_DOC).collect(),
        metadata: model.metadata_props.iter().map(|entry| (text(&entry.key), text(&entry.value))).collect(),
        inputs: graph.map(inputs).unwrap_or_default(),
        outputs: graph.map(|graph| graph.output.iter().map(port).collect()).unwrap_or_default(),
        quantised_operators: census.quantised(),
        nodes: census.nodes,
        parameters: census.parameters,
        parameter_bytes: census.parameter_bits / 8,
        operators: census.operators(),
        external: file.external().iter().map(ExternalInfo::of).collect(),
        builtin: judge(model),
    }
}

/// What a model takes and gives, as far as it can be carried.
pub(crate) struct Declared {
    /// What a caller must give.
    pub(crate) inputs: Vec<Port>,
    /// The outputs that are tensors.
    pub(crate) outputs: Vec<Port>,
    /// The outputs that are not.
    pub(crate) left_out: Vec<PortInspection>,
}

/// The inputs and outputs of `model`.
///
/// # Errors
/// One sentence: an input that is no tensor, a name that stands twice, no output that is a tensor.
pub(crate) fn ports(model: &ModelProto) -> Result<Declared, String> {
    let graph = model.graph.as_ref().ok_or_else(|| "it holds no graph".to_owned())?;
    let mut wanted = Vec::new();
    for port in inputs(graph) {
        match Port::of(&port) {
            Some(port) => wanted.push(port),
            None => {
                return Err(format!(
                    "its input {:?} is a {}: Trackside gives tensors of numbers or text only",
                    port.name, port.kind
                ));
            }
        }
    }
    let (mut given, mut left_out) = (Vec::new(), Vec::new());
    for value in &graph.output {
        let port = port(value);
        match Port::of(&port) {
            Some(port) => given.push(port),
            None => left_out.push(port),
        }
    }
    let mut names = BTreeSet::new();
    for name in wanted.iter().map(|port| ("input", &port.name)).chain(given.iter().map(|port| ("output", &port.name))) {
        if name.1.is_empty() || !names.insert(name) {
            return Err(format!("its {} name {:?} is empty or stands twice", name.0, name.1));
        }
    }
    if given.is_empty() {
        let kinds: Vec<_> = left_out.iter().map(|port| format!("{:?} is a {}", port.name, port.kind)).collect();
        return Err(format!("none of its outputs is a tensor ({})", kinds.join(", ")));
    }
    Ok(Declared { inputs: wanted, outputs: given, left_out })
}

/// Graph inputs that are not initializers.
fn inputs(graph: &GraphProto) -> Vec<PortInspection> {
    let constants: BTreeSet<&str> = graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
    graph.input.iter().map(port).filter(|port| !constants.contains(port.name.as_str())).collect()
}

fn port(value: &ValueInfoProto) -> PortInspection {
    let name = value.name.clone().unwrap_or_default();
    let Some(kind) = &value.r#type else {
        return PortInspection { name, kind: "value of undeclared type".to_owned(), element: None, shape: None };
    };
    let other = [
        (&kind.sequence_type, "sequence"),
        (&kind.map_type, "map"),
        (&kind.sparse_tensor_type, "sparse tensor"),
        (&kind.optional_type, "optional value"),
    ];
    let Some(tensor) = &kind.tensor_type else {
        let kind = other.iter().find(|(field, _)| field.is_some()).map_or("value of undeclared type", |(_, name)| name);
        return PortInspection { name, kind: kind.to_owned(), element: None, shape: None };
    };
    let number = tensor.elem_type.unwrap_or(0);
    let shape = tensor.shape.as_ref().map(|shape| {
        let dims = shape.dim.iter();
        dims.map(|dim| match (dim.dim_value.map(u32::try_from), &dim.dim_param) {
            (Some(Ok(size)), _) => Dim::Fixed(size),
            (_, Some(symbol)) if !symbol.is_empty() => Dim::Symbol(symbol.clone()),
            _ => Dim::Any,
        })
        .collect()
    });
    PortInspection { name, kind: data_type::name(number).to_owned(), element: element(number), shape }
}

/// The data type number of a tensor value.
pub(super) fn element_of(value: &ValueInfoProto) -> Option<i32> {
    value.r#type.as_ref()?.tensor_type.as_ref()?.elem_type
}

/// The element type that a data type number stands for, if Trackside has it.
fn element(number: i32) -> Option<ElementType> {
    Some(match number {
        data_type::FLOAT => ElementType::Float32,
        data_type::UINT8 => ElementType::Uint8,
        data_type::INT8 => ElementType::Int8,
        data_type::UINT16 => ElementType::Uint16,
        data_type::INT16 => ElementType::Int16,
        data_type::INT32 => ElementType::Int32,
        data_type::INT64 => ElementType::Int64,
        data_type::STRING => ElementType::Text,
        data_type::BOOL => ElementType::Boolean,
        data_type::FLOAT16 => ElementType::Float16,
        data_type::DOUBLE => ElementType::Float64,
        data_type::UINT32 => ElementType::Uint32,
        data_type::UINT64 => ElementType::Uint64,
        data_type::BFLOAT16 => ElementType::Bfloat16,
        _ => return None,
    })
}

/// `ai.onnx` has two spellings.
pub(super) fn domain(name: Option<&str>) -> String {
    match name {
        None | Some("") => "ai.onnx".to_owned(),
        Some(name) => name.to_owned(),
    }
}

pub(crate) fn text(bytes: &Option<Bytes>) -> String {
    bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// Counts over a graph and everything below it.
#[derive(Default)]
struct Census {
    operators: BTreeMap<(String, String), u64>,
    nodes: u64,
    parameters: u64,
    parameter_bits: u64,
}

impl Census {
    fn graph(&mut self, graph: &GraphProto) {
        graph.initializer.iter().for_each(|tensor| self.tensor(tensor));
        graph.node.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &NodeProto) {
        self.nodes += 1;
        let name = node.op_type.clone().unwrap_or_default();
        *self.operators.entry((domain(node.domain.as_deref()), name)).or_default() += 1;
        for attribute in &node.attribute {
            attribute.t.iter().chain(&attribute.tensors).for_each(|tensor| self.tensor(tensor));
            attribute.g.iter().chain(&attribute.graphs).for_each(|graph| self.graph(graph));
        }
    }

    fn tensor(&mut self, tensor: &TensorProto) {
        let count = tensor.dims.iter().map(|dim| u64::try_from(*dim).unwrap_or(0)).fold(1u64, u64::saturating_mul);
        let bits = data_type::bits(tensor.data_type.unwrap_or(0)).unwrap_or(0);
        self.parameters = self.parameters.saturating_add(count);
        self.parameter_bits = self.parameter_bits.saturating_add(count.saturating_mul(bits));
    }

    fn operators(&self) -> Vec<OperatorCount> {
        let mut list: Vec<_> = self
            .operators
            .iter()
            .map(|((domain, name), count)| OperatorCount { domain: domain.clone(), name: name.clone(), count: *count })
            .collect();
        list.sort_by_key(|operator| std::cmp::Reverse(operator.count));
        list
    }

    fn quantised(&self) -> Vec<String> {
        let quantised = |name: &str| {
            name.starts_with("QLinear")
                || name.starts_with("DynamicQuantize")
                || name.ends_with("Integer")
                || ["QuantizeLinear", "DequantizeLinear", "QGemm", "QAttention", "MatMulNBits"].contains(&name)
        };
        self.operators.keys().filter(|(_, name)| quantised(name)).map(|(_, name)| name.clone()).collect()
    }
}

/// Every tensor of the model that may lie in another file.
pub(crate) fn tensors(model: &ModelProto) -> Vec<&TensorProto> {
    fn collect<'a>(graph: &'a GraphProto, found: &mut Vec<&'a TensorProto>) {
        found.extend(&graph.initializer);
        graph.node.iter().for_each(|node| from_node(node, found));
    }
    fn from_node<'a>(node: &'a NodeProto, found: &mut Vec<&'a TensorProto>) {
        for attribute in &node.attribute {
            found.extend(attribute.t.iter().chain(&attribute.tensors));
            attribute.g.iter().chain(&attribute.graphs).for_each(|graph| collect(graph, found));
        }
    }
    let mut found = Vec::new();
    model.graph.iter().for_each(|graph| collect(graph, &mut found));
    model.functions.iter().flat_map(|function| &function.node).for_each(|node| from_node(node, &mut found));
    found
}
