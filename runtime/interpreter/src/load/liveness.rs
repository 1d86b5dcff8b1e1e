//! What a graph needs, and until when.

use std::collections::HashSet;

use crate::program::{Source, Step};
use crate::proto::{GraphProto, NodeProto, ValueInfoProto};

/// Which calls a graph's outputs need. The others are not computed, so that nothing is asked of them: a model runs though
/// nobody can take the optional value that it ends in besides.
pub(super) fn needed(graph: &GraphProto, wanted: &[&ValueInfoProto]) -> Vec<bool> {
    fn read<'g>(node: &'g NodeProto, names: &mut HashSet<&'g str>) {
        names.extend(node.input.iter().map(String::as_str));
        for graph in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            names.extend(graph.output.iter().filter_map(|port| port.name.as_deref()));
            graph.node.iter().for_each(|node| read(node, names));
        }
    }
    let mut names: HashSet<&str> = wanted.iter().filter_map(|port| port.name.as_deref()).collect();
    let mut needed = vec![false; graph.node.len()];
    for (needed, node) in needed.iter_mut().zip(&graph.node).rev() {
        if node.output.iter().any(|output| names.contains(output.as_str())) {
            *needed = true;
            read(node, &mut names);
        }
    }
    needed
}

/// Leaves out calls whose results nobody reads.
pub(super) fn drop_unused(steps: &mut Vec<Step>, outputs: &[Source]) {
    let slot = |source: &Source| if let Source::Slot { slot, .. } = source { Some(*slot) } else { None };
    let mut read: HashSet<usize> = outputs.iter().filter_map(slot).collect();
    let mut kept = Vec::with_capacity(steps.len());
    for step in std::mem::take(steps).into_iter().rev() {
        if step.outputs.iter().flatten().any(|slot| read.contains(slot)) {
            read.extend(step.inputs.iter().flatten().filter_map(slot));
            kept.push(step);
        }
    }
    kept.reverse();
    *steps = kept;
    for step in steps {
        for output in &mut step.outputs {
            *output = output.filter(|slot| read.contains(slot));
        }
    }
}

/// Marks where a value is read for the last time, so that its room can be used again.
pub(super) fn mark_last_uses(steps: &mut [Step], outputs: &[Source]) {
    let slot = |source: &Source| if let Source::Slot { slot, .. } = source { Some(*slot) } else { None };
    let mut later: HashSet<usize> = outputs.iter().filter_map(slot).collect();
    for step in steps.iter_mut().rev() {
        for source in step.inputs.iter_mut().flatten().rev() {
            if let Source::Slot { slot, last } = source {
                *last = later.insert(*slot);
            }
        }
    }
}
