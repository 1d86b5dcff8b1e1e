//! The promise: clients that people already have ask the models of a box, unchanged.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../models/onnx.rs"]
mod onnx;

#[path = "../triggers/broker.rs"]
#[allow(dead_code, reason = "other suites use the rest of it")]
mod broker;
mod clients;
mod differential;
mod drift;
mod feedback;
mod perf_analyzer;
mod rollouts;
mod samples;
mod signed;
mod swap;
mod tokens;
mod wire;

use std::path::Path;

use crate::{
    onnx::{FLOAT, graph, model, node, value_of_rank, value_of_rows},
    support::{Node, Project, repository, wait_until},
};

/// The datatypes of the protocol, in small letters, with their numbers in ONNX.
const TYPES: [(&str, u8); 14] = [
    ("bool", 9),
    ("uint8", 2),
    ("uint16", 4),
    ("uint32", 12),
    ("uint64", 13),
    ("int8", 3),
    ("int16", 5),
    ("int32", 6),
    ("int64", 7),
    ("fp16", 10),
    ("bf16", 16),
    ("fp32", 1),
    ("fp64", 11),
    ("bytes", 8),
];

/// Gives each of its inputs back, one of each of these types.
fn types(of: &[(&str, u8)]) -> Vec<u8> {
    let out = |name: &str| format!("out_{name}");
    let nodes: Vec<_> = of.iter().map(|(name, _)| node("", "Identity", &[name], &[&out(name)])).collect();
    let inputs: Vec<_> = of.iter().map(|(name, element)| value_of_rank(name, *element, 1)).collect();
    let outputs: Vec<_> = of.iter().map(|(name, element)| value_of_rank(&out(name), *element, 1)).collect();
    model(&graph(&nodes, &[], &inputs, &outputs))
}

/// All types but the one that NumPy has not, for servers that are written in Python.
fn most() -> Vec<u8> {
    types(&TYPES.into_iter().filter(|(name, _)| *name != "bf16").collect::<Vec<_>>())
}

/// The sum and the difference of two.
fn two() -> Vec<u8> {
    let nodes = [node("", "Add", &["a", "b"], &["sum"]), node("", "Sub", &["a", "b"], &["difference"])];
    let of = |names: [&str; 2]| names.map(|name| value_of_rank(name, FLOAT, 2));
    model(&graph(&nodes, &[], &of(["a", "b"]), &of(["sum", "difference"])))
}

/// Four scores for each row, as they come.
fn scores() -> Vec<u8> {
    let nodes = [node("", "Identity", &["x"], &["y"])];
    model(&graph(&nodes, &[], &[value_of_rows("x", FLOAT, 4)], &[value_of_rows("y", FLOAT, 4)]))
}

/// A box that serves models, and where.
struct Serving {
    // Before the folder that it lies in.
    node: Node,
    address: String,
    project: Project,
}

impl Serving {
    /// With these lines in its config besides.
    fn start(config: &str) -> Self {
        let project = Project::new();
        let pump = "models/pump-anomaly.onnx";
        project.write("pump.onnx", std::fs::read(repository::example("pump-watch").join(pump)).unwrap());
        for (file, content) in [
            ("types", types(&TYPES)),
            ("most", most()),
            ("two", two()),
            ("scores", scores()),
            ("slow", onnx::rounds()),
            ("broken", vec![1, 2, 3]),
        ] {
            project.write(&format!("{file}.onnx"), content);
        }
        project.write("labels.txt", "one\ntwo\nthree\nfour\n");
        let models = ["types", "most", "two", "slow", "pump", "broken"]
            .map(|name| format!("[models.{name}]\npath = \"{name}.onnx\"\n"))
            .concat();
        let scores = "[models.scores]\npath = \"scores.onnx\"\nlabels = \"labels.txt\"\n";
        // `config` may go on with keys of the last table.
        let listen = "[inference]\nlisten = \"127.0.0.1:0\"\n";
        project.write("trackside.toml", format!("{models}{scores}{listen}{config}"));
        Self::over(project)
    }

    /// On a project that is there.
    fn over(project: Project) -> Self {
        let node = Node::start(project.root());
        let address = wait_until("the address of the inference server", || {
            let said = node.said();
            // Nodes that ended before have said it, too.
            let (_, rest) = said.rsplit_once("answering requests for inference")?;
            let (_, rest) = rest.split_once("address=")?;
            Some(rest.split_whitespace().next()?.to_owned())
        });
        Self { node, address, project }
    }

    /// Where its models lie, `NAME.onnx` each.
    fn folder(&self) -> &Path {
        self.project.root()
    }
}
