//! Whether how long a model runs can be told from the shapes of its inputs.

use super::proto::{ModelProto, NodeProto};

/// Operators that do something as often as a value says.
const LOOPS: [&str; 3] = ["Loop", "Scan", "While"];

/// Whether a model has a loop anywhere, in a subgraph or a function of its own: then values say how long it runs. Graphs in graphs are
/// bounded when a file is read.
pub(crate) fn has_loops(model: &ModelProto) -> bool {
    let graph = model.graph.iter().flat_map(|graph| &graph.node);
    graph.chain(model.functions.iter().flat_map(|function| &function.node)).any(loops)
}

fn loops(node: &NodeProto) -> bool {
    let own = node.op_type.as_deref().is_some_and(|name| LOOPS.contains(&name));
    let graphs = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    own || graphs.flat_map(|graph| &graph.node).any(loops)
}
