//! What a model file says about itself.

use std::collections::BTreeMap;
use std::path::Path;

use prost::bytes::Bytes;
use serde::{Deserialize, Serialize};
use trackside_spec::Digest;

use super::builtin::BuiltinVerdict;
use super::ports::{PortInspection, inputs, output};
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, data_type};
use crate::error::ModelError;
use crate::file::{ModelFile, ModelLimits};
use crate::port::ExternalInfo;

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
    /// What the model takes: what it needs, and what has a default.
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
    /// What the built-in engine makes of it.
    pub builtin: BuiltinVerdict,
}

/// An operator set that a model relies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        metadata: metadata(model),
        inputs: inputs(model),
        outputs: graph.map(|graph| graph.output.iter().map(output).collect()).unwrap_or_default(),
        quantised_operators: census.quantised(),
        nodes: census.nodes,
        parameters: census.parameters,
        parameter_bytes: census.parameter_bits / 8,
        operators: census.operators(),
        external: file.external().iter().map(ExternalInfo::of).collect(),
        builtin: file.builtin(),
    }
}

/// Free key-value pairs of the author.
pub(crate) fn metadata(model: &ModelProto) -> BTreeMap<String, String> {
    model.metadata_props.iter().map(|entry| (text(&entry.key), text(&entry.value))).collect()
}

/// The data type number of a tensor value.
pub(super) fn element_of(value: &ValueInfoProto) -> Option<i32> {
    value.r#type.as_ref()?.tensor_type.as_ref()?.elem_type
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
