//! What the built-in engine, rten 0.27, can be trusted with, judged from the graph alone.
//!
//! Sources: rten's operator registry, ONNX's own backend node tests run against it (1,884 cases of `onnx` 1.23.2), and
//! single nodes compared with ONNX Runtime: what is refused below gave wrong numbers there without an error.

mod constants;
mod operators;

use std::collections::BTreeSet;

use serde::Serialize;

use self::constants::Constants;
pub use self::operators::BUILTIN_OPERATORS;
use self::operators::{EXTRA_OPERATORS, LOSE_NAN};
use super::inspect::{domain, element_of, tensors};
use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, data_type};
use crate::file::external_location;

/// rten plans recursively; this bounds its stack together with the thread that it runs on.
const MAX_NODES: usize = 50_000;
/// The same for subgraphs, which are planned on a thread whose stack is not ours.
const MAX_SUBGRAPH_NODES: usize = 2_000;

/// What the built-in engine makes of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuiltinVerdict {
    /// Operators that it does not have, `SET/NAME` outside the standard set.
    pub missing: Vec<String>,
    /// What it has but is known to compute wrongly, or cannot hold.
    pub wrong: Vec<String>,
    /// What is different from ONNX Runtime though usable.
    pub caveats: Vec<String>,
}

impl BuiltinVerdict {
    /// Whether nothing speaks against trying it.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    /// What speaks against it, in one line.
    #[must_use]
    pub fn reasons(&self) -> String {
        let mut reasons = Vec::new();
        if !self.missing.is_empty() {
            reasons.push(format!("the built-in engine has no operator {}", self.missing.join(", ")));
        }
        reasons.extend(self.wrong.iter().cloned());
        reasons.join("; ")
    }
}

/// Whether a NaN among the inputs could become a number somewhere in the model: a value that is missing would become a
/// good score, so that such inputs are refused.
pub(crate) fn loses_nan(model: &ModelProto) -> bool {
    fn graph(within: &GraphProto) -> bool {
        within.node.iter().any(|node| {
            LOSE_NAN.contains(&node.op_type.as_deref().unwrap_or_default())
                || node.attribute.iter().any(|attribute| attribute.g.iter().chain(&attribute.graphs).any(graph))
        })
    }
    model.graph.as_ref().is_some_and(graph)
}

/// Judges a model.
pub(super) fn judge(model: &ModelProto) -> BuiltinVerdict {
    let mut judge = Judge::default();
    for function in &model.functions {
        let name = function.name.as_deref().unwrap_or_default();
        judge.missing.insert(format!("{}/{name} (defined by the model itself)", domain(function.domain.as_deref())));
    }
    if let Some(graph) = &model.graph {
        let standard = |set: &&OperatorSetIdProto| domain(set.domain.as_deref()) == "ai.onnx";
        judge.opset = model.opset_import.iter().find(standard).and_then(|set| set.version).unwrap_or(0);
        judge.graph(graph, MAX_NODES);
        judge.wrong.extend(Constants::of(graph).problems());
        judge.weight_files(model);
        judge.types(graph);
    }
    let list = |set: BTreeSet<String>| set.into_iter().collect();
    BuiltinVerdict { missing: list(judge.missing), wrong: list(judge.wrong), caveats: list(judge.caveats) }
}

#[derive(Default)]
struct Judge {
    /// Version of the standard set.
    opset: i64,
    missing: BTreeSet<String>,
    wrong: BTreeSet<String>,
    caveats: BTreeSet<String>,
}

impl Judge {
    fn graph(&mut self, graph: &GraphProto, most: usize) {
        if graph.node.len() > most {
            self.wrong
                .insert(format!("a graph has {} nodes: the built-in engine is given at most {most}", graph.node.len()));
        }
        for node in &graph.node {
            self.node(node);
            for attribute in &node.attribute {
                attribute.g.iter().chain(&attribute.graphs).for_each(|graph| self.graph(graph, MAX_SUBGRAPH_NODES));
            }
        }
    }

    fn node(&mut self, node: &NodeProto) {
        let name = node.op_type.as_deref().unwrap_or_default();
        let domain = domain(node.domain.as_deref());
        let full = format!("{domain}/{name}");
        let standard = domain == "ai.onnx" && BUILTIN_OPERATORS.binary_search(&name).is_ok();
        if !standard && EXTRA_OPERATORS.binary_search(&full.as_str()).is_err() {
            self.missing.insert(if domain == "ai.onnx" { name.to_owned() } else { full });
            return;
        }
        let attribute = |wanted: &str| -> Option<&AttributeProto> {
            node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(wanted))
        };
        let text = |wanted: &str| attribute(wanted).and_then(|found| found.s.as_deref()).unwrap_or_default();
        let number = |wanted: &str| attribute(wanted).and_then(|found| found.i);
        let exact = [data_type::FLOAT, data_type::INT32, data_type::INT64].map(i64::from);
        let wrong = match name {
            "Resize" if text("mode") == b"cubic" => "Resize with mode cubic is computed as linear",
            "Resize" if text("mode") == b"linear" && text("coordinate_transformation_mode") == b"align_corners" => {
                "Resize with mode linear and align_corners is wrong when it shrinks"
            }
            "NonMaxSuppression" => "NonMaxSuppression is wrong with several classes or batches",
            "Sign" => "Sign of 0 is computed as 1",
            "MatMulInteger" | "DynamicQuantizeLSTM" => "MatMulInteger saturates at 16 bits on some processors",
            "ConvInteger" => "ConvInteger saturates at 16 bits on some processors, and pads with the wrong value",
            "Softmax" | "LogSoftmax" if self.opset < 13 => {
                "Softmax before opset 13 is computed as in opset 13, over one axis alone"
            }
            "Cast" if number("to").is_none_or(|to| !exact.contains(&to)) => {
                "Cast to another type than float32, int32 and int64 keeps or clips numbers"
            }
            "CastLike" => "Cast to another type than float32, int32 and int64 keeps or clips numbers",
            "LSTM" | "GRU" if node.input.get(4).is_some_and(|input| !input.is_empty()) => {
                "LSTM and GRU do not look at sequence_lens"
            }
            "ArgMax" | "ArgMin" => "ArgMax and ArgMin take the last of equal values",
            "Asinh" | "Acosh" | "Softplus" => "Asinh, Acosh and Softplus of large numbers are infinite",
            "DynamicQuantizeLinear" => "DynamicQuantizeLinear is wrong where all values are 0, and rounds otherwise",
            "SequenceInsert" => "SequenceInsert is wrong at places counted from the end",
            "Dropout" if node.output.get(1).is_some_and(|output| !output.is_empty()) => {
                "Dropout gives another mask than it should"
            }
            "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare"
                if number("noop_with_empty_axes").is_some_and(|flag| flag != 0) =>
            {
                "a norm or logarithm with noop_with_empty_axes leaves its arithmetic out where it has no axes"
            }
            _ if text("auto_pad") == b"SAME_LOWER" => "auto_pad SAME_LOWER pads behind",
            _ => "",
        };
        if !wrong.is_empty() {
            self.wrong.insert(format!("on the built-in engine {wrong}"));
        }
        if ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"]
            .contains(&name)
        {
            self.caveats.insert("quantised values can differ by one step from ONNX Runtime's".to_owned());
        }
    }

    /// rten takes weight files with two endings only.
    fn weight_files(&mut self, model: &ModelProto) {
        for name in tensors(model).into_iter().filter_map(external_location) {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            if !ending.starts_with("data") && !ending.starts_with("onnx_data") {
                let rule = "the built-in engine reads weight files called *.data or *.onnx_data only";
                self.wrong.insert(format!("{rule}, not {name:?}"));
            }
        }
    }

    fn types(&mut self, graph: &GraphProto) {
        for value in graph.input.iter().chain(&graph.output) {
            let name = value.name.as_deref().unwrap_or_default();
            match element_of(value) {
                Some(data_type::FLOAT | data_type::INT32 | data_type::INT8 | data_type::UINT8 | data_type::BOOL) => {}
                Some(data_type::INT64) => {
                    self.caveats.insert("int64 is computed as int32: larger values are refused or wrap".to_owned());
                }
                Some(other) => {
                    let kind = data_type::name(other);
                    self.wrong.insert(format!("{name:?} is {kind}, which the built-in engine cannot hold exactly"));
                }
                None => {}
            }
        }
    }
}
