//! Changes of a model: of its bytes, or of what they say.

use prost::bytes::Bytes;
use trackside_interpreter::operators;
use trackside_interpreter::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

use super::random::Random;

/// Some bytes become others, appear or go.
pub fn bytes(random: &mut Random, file: &mut Vec<u8>) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(file.len());
        match random.below(5) {
            0 if !file.is_empty() => file[at] = random.next() as u8,
            1 if !file.is_empty() => file[at] ^= 1 << random.below(8),
            2 => file.insert(at, random.pick(&[0, 1, 0x7f, 0x80, 0xff])),
            3 if !file.is_empty() => {
                file.remove(at);
            }
            _ => {
                let part = file[at..(at + random.below(32)).min(file.len())].to_vec();
                let to = random.below(file.len());
                file.splice(to..to, part);
            }
        }
    }
}

/// One to four changes of what a model says.
pub fn model(random: &mut Random, model: &mut ModelProto) {
    for _ in 0..random.below(4) {
        if random.one_in(16)
            && let Some(set) = model.opset_import.first_mut()
        {
            set.version = Some(7 + random.below(20) as i64);
        }
        if let Some(graph) = &mut model.graph {
            change(random, graph);
        }
    }
}

fn change(random: &mut Random, graph: &mut GraphProto) {
    let at = random.below(graph.node.len());
    match random.below(12) {
        0 | 1 if !graph.initializer.is_empty() => {
            let at = random.below(graph.initializer.len());
            tensor(random, &mut graph.initializer[at]);
        }
        2 => {
            // An input becomes a constant or the other way round, so that folding and laying out in advance are met.
            if let Some(tensor) = graph.initializer.pop() {
                graph.node.iter_mut().flat_map(|node| &mut node.input).for_each(|name| {
                    if Some(&*name) == tensor.name.as_ref() {
                        name.clear();
                    }
                });
            }
        }
        3 => {
            if let Some(node) = graph.node.get(at).cloned() {
                let to = random.below(graph.node.len());
                graph.node.insert(to, node);
            }
        }
        4 => {
            let name = |random: &mut Random| {
                let node = graph.node.get(random.below(graph.node.len()))?;
                let all: Vec<&String> = node.input.iter().chain(&node.output).collect();
                all.get(random.below(all.len())).map(|name| (*name).clone())
            };
            let other = if random.one_in(4) { Some(String::new()) } else { name(random) };
            let (Some(other), Some(node)) = (other, graph.node.get_mut(at)) else { return };
            let inside = random.below(node.input.len());
            if random.one_in(8) {
                node.output = vec![other];
            } else if let Some(input) = node.input.get_mut(inside) {
                *input = other;
            } else {
                node.input.push(other);
            }
        }
        5 => {
            if let Some(node) = graph.node.get_mut(at) {
                node.input.extend(node.input.last().cloned());
            }
        }
        6 => {
            if let Some(node) = graph.node.get_mut(at) {
                let all = operators();
                let name = &all[random.below(all.len())];
                let (domain, op) = name.rsplit_once('/').unwrap_or(("", name));
                node.domain = Some(domain.to_owned());
                node.op_type = Some(op.to_owned());
                if random.one_in(2) {
                    node.attribute.clear();
                }
            }
        }
        _ => {
            if let Some(node) = graph.node.get_mut(at) {
                attribute(random, node);
            }
        }
    }
}

/// Attributes that many operators have, for calls that do not have them.
const NAMES: &[&str] = &[
    "axis",
    "axes",
    "keepdims",
    "strides",
    "pads",
    "dilations",
    "group",
    "kernel_shape",
    "perm",
    "k",
    "size",
    "p",
    "block",
    "blocksize",
    "hidden_size",
    "num_heads",
    "q_num_heads",
    "kv_num_heads",
    "block_size",
    "K",
    "N",
    "n_targets",
    "alpha",
    "to",
    "value_ints",
    "split",
    "scales",
    "output_shape",
    "output_padding",
    "ceil_mode",
    "num_groups",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_nodeids",
    "nodes_featureids",
];

fn attribute(random: &mut Random, node: &mut NodeProto) {
    let at = random.below(node.attribute.len());
    match random.below(8) {
        0 if !node.attribute.is_empty() => {
            node.attribute.remove(at);
        }
        1 => {
            let name = random.pick(NAMES).to_owned();
            node.attribute.retain(|attribute| attribute.name.as_deref() != Some(&name));
            let mut new = AttributeProto { name: Some(name), ..AttributeProto::default() };
            if random.one_in(2) {
                new.r#type = Some(2);
                new.i = Some(random.whole());
            } else {
                new.r#type = Some(7);
                new.ints = (0..random.below(8)).map(|_| random.whole()).collect();
            }
            node.attribute.push(new);
        }
        _ => {
            if let Some(attribute) = node.attribute.get_mut(at) {
                attribute_value(random, attribute);
            }
        }
    }
}

fn attribute_value(random: &mut Random, attribute: &mut AttributeProto) {
    if let Some(whole) = &mut attribute.i {
        *whole = random.whole();
    }
    if let Some(float) = &mut attribute.f {
        *float = random.float();
    }
    if let Some(text) = &mut attribute.s {
        let mut own = text.to_vec();
        if random.one_in(2) {
            own = random
                .pick(&[
                    "",
                    "...",
                    "ij,jk->ik",
                    "...i,...i->",
                    "ii->i",
                    "a,b,c,d->abcd",
                    "i->ii",
                    "SAME_LOWER",
                    "VALID",
                ])
                .into();
        } else {
            bytes(random, &mut own);
        }
        *text = Bytes::from(own);
    }
    for list in [&mut attribute.ints] {
        if !list.is_empty() {
            let at = random.below(list.len());
            match random.below(4) {
                0 => {
                    list.remove(at);
                }
                1 => list.insert(at, random.whole()),
                _ => list[at] = random.whole(),
            }
        }
    }
    if !attribute.floats.is_empty() {
        let at = random.below(attribute.floats.len());
        match random.below(3) {
            0 => {
                attribute.floats.remove(at);
            }
            _ => attribute.floats[at] = random.float(),
        }
    }
    if !attribute.strings.is_empty() && random.one_in(2) {
        let (from, to) = (random.below(attribute.strings.len()), random.below(attribute.strings.len()));
        attribute.strings[to] = attribute.strings[from].clone();
    }
    if let Some(own) = &mut attribute.t {
        tensor(random, own);
    }
    if let Some(graph) = &mut attribute.g {
        change(random, graph);
    }
}

fn tensor(random: &mut Random, tensor: &mut TensorProto) {
    let at = random.below(tensor.dims.len());
    match random.below(6) {
        0 => tensor.dims.push(random.pick(&[0, 1, 1, -1, 1 << 40])),
        1 => {
            tensor.dims.pop();
        }
        2 => {
            if let Some(dim) = tensor.dims.get_mut(at) {
                *dim = random.whole();
            }
        }
        3 => tensor.data_type = Some(random.below(22) as i32),
        4 => {
            // As many elements, other ones.
            if let Some(raw) = &mut tensor.raw_data {
                let mut own = raw.to_vec();
                for byte in &mut own {
                    if random.one_in(6) {
                        *byte = random.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]);
                    }
                }
                *raw = Bytes::from(own);
            }
            for element in &mut tensor.int64_data {
                if random.one_in(3) {
                    *element = random.whole();
                }
            }
        }
        _ => {
            if let Some(raw) = &mut tensor.raw_data
                && tensor.data_type == Some(7)
            {
                let words: Vec<u8> = (0..raw.len() / 8).flat_map(|_| random.whole().to_le_bytes()).collect();
                *raw = Bytes::from(words);
            }
        }
    }
}
