//! Names of a model's values. Those that loading makes itself have a NUL in them, so a file's own may have none: it could
//! stand for another value than it says.

use crate::proto::{GraphProto, ModelProto, NodeProto};

/// The first name with a NUL.
pub(crate) fn with_nul(model: &ModelProto) -> Option<&str> {
    let graph = model.graph.as_ref().and_then(of_graph);
    graph.or_else(|| {
        model.functions.iter().find_map(|function| {
            let mut names = function.input.iter().chain(&function.output).map(String::as_str);
            names.find(|name| has(name)).or_else(|| function.node.iter().find_map(of_node))
        })
    })
}

fn of_graph(graph: &GraphProto) -> Option<&str> {
    let ports = graph.input.iter().chain(&graph.output).filter_map(|port| port.name.as_deref());
    let mut names = ports.chain(graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()));
    names.find(|name| has(name)).or_else(|| graph.node.iter().find_map(of_node))
}

fn of_node(node: &NodeProto) -> Option<&str> {
    let mut names = node.input.iter().chain(&node.output).map(String::as_str);
    let graphs = || node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    names.find(|name| has(name)).or_else(|| graphs().find_map(of_graph))
}

fn has(name: &str) -> bool {
    name.contains('\0')
}
