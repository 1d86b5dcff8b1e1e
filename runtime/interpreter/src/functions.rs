//! Operators that a model defines itself: each call is replaced by what the definition says, before the model is loaded.

use std::collections::{HashMap, HashSet};

use prost::Message;

use crate::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};
use crate::unsupported::{Unsupported, unsupported};

/// How deep definitions may use each other.
const MAX_DEPTH: usize = 16;
/// Most calls that come out of it.
const MAX_CALLS: usize = 200_000;
/// Most bytes that the copies take: a definition may hold tensors and be called very often.
const MAX_BYTES: usize = 64 << 20;

/// The model's graph without calls of its own operators; `None` where it defines none.
pub(crate) fn inlined(model: &ModelProto) -> Result<Option<GraphProto>, Unsupported> {
    let Some(graph) = model.graph.as_ref().filter(|_| !model.functions.is_empty()) else { return Ok(None) };
    let mut functions = HashMap::new();
    for function in &model.functions {
        let key = (set(function.domain.as_deref()), function.name.as_deref().unwrap_or_default());
        if functions.insert(key, function).is_some() {
            return unsupported(format!("it defines the operator {:?} more than once", key.1));
        }
    }
    let mut opsets = HashMap::new();
    for import in &model.opset_import {
        opsets.insert(set(import.domain.as_deref()), import.version.unwrap_or_default());
    }
    for function in &model.functions {
        for import in &function.opset_import {
            let domain = set(import.domain.as_deref());
            // A set that holds nothing but such operators need not be imported by the model.
            let own = !opsets.contains_key(domain) && functions.keys().any(|(of, _)| *of == domain);
            if !own && opsets.get(domain) != import.version.as_ref() {
                let name = function.name.as_deref().unwrap_or_default();
                return unsupported(format!(
                    "its operator {name:?} takes another version of the set {domain:?} than the model"
                ));
            }
        }
    }
    let mut inliner = Inliner { functions, calls: 0, bytes: 0 };
    let top = Scope { names: HashMap::new(), locals: HashSet::new(), prefix: None, attributes: HashMap::new() };
    inliner.graph(graph, &top, 0).map(Some)
}

fn set(domain: Option<&str>) -> &str {
    match domain.unwrap_or_default() {
        "ai.onnx" => "",
        other => other,
    }
}

struct Inliner<'a> {
    functions: HashMap<(&'a str, &'a str), &'a FunctionProto>,
    calls: usize,
    bytes: usize,
}

/// What names and attributes mean where a call stands.
#[derive(Clone)]
struct Scope {
    names: HashMap<String, String>,
    /// Names of the subgraphs around the call, which mean themselves.
    locals: HashSet<String>,
    /// Before the names of a definition's own values; none in the model's graph.
    prefix: Option<String>,
    attributes: HashMap<String, AttributeProto>,
}

impl Scope {
    fn name(&self, name: &str) -> String {
        match (&self.prefix, self.names.get(name)) {
            (_, Some(known)) => known.clone(),
            (Some(prefix), None) if !name.is_empty() && !self.locals.contains(name) => format!("{prefix}{name}"),
            _ => name.to_owned(),
        }
    }
}

impl Inliner<'_> {
    fn graph(&mut self, graph: &GraphProto, scope: &Scope, depth: usize) -> Result<GraphProto, Unsupported> {
        // The copy of what is known around it.
        self.bytes = self.bytes.saturating_add((scope.names.len() + scope.locals.len()).saturating_mul(64));
        if self.bytes > MAX_BYTES {
            return unsupported("its own operators are too large where they are called");
        }
        let mut inner = scope.clone();
        if scope.prefix.is_some() {
            let made = graph.node.iter().flat_map(|node| &node.output);
            let given = graph.input.iter().filter_map(|port| port.name.as_ref());
            let kept = graph.initializer.iter().filter_map(|tensor| tensor.name.as_ref());
            inner.locals.extend(made.chain(given).chain(kept).cloned());
        }
        let mut out = graph.clone();
        out.node = self.nodes(&graph.node, &inner, depth)?;
        for port in &mut out.output {
            port.name = port.name.as_deref().map(|name| inner.name(name));
        }
        Ok(out)
    }

    fn nodes(&mut self, nodes: &[NodeProto], scope: &Scope, depth: usize) -> Result<Vec<NodeProto>, Unsupported> {
        let mut out = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.calls += 1;
            self.bytes = self.bytes.saturating_add(if scope.prefix.is_some() { node.encoded_len() } else { 0 });
            if self.calls > MAX_CALLS || self.bytes > MAX_BYTES {
                return unsupported("its own operators are too large where they are called");
            }
            let mut call = node.clone();
            for name in call.input.iter_mut().chain(&mut call.output) {
                *name = scope.name(name);
            }
            call.attribute = self.attributes(&node.attribute, scope, depth)?;
            let key = (set(node.domain.as_deref()), node.op_type.as_deref().unwrap_or_default());
            match self.functions.get(&key).copied() {
                Some(function) => out.extend(self.body(function, &call, depth)?),
                None => out.push(call),
            }
        }
        Ok(out)
    }

    fn attributes(
        &mut self,
        given: &[AttributeProto],
        scope: &Scope,
        depth: usize,
    ) -> Result<Vec<AttributeProto>, Unsupported> {
        let mut out = Vec::with_capacity(given.len());
        for attribute in given {
            let mut attribute = match attribute.ref_attr_name.as_deref().filter(|name| !name.is_empty()) {
                None => attribute.clone(),
                // One that the call leaves out is left out here as well.
                Some(of) => match scope.attributes.get(of) {
                    Some(value) => AttributeProto { name: attribute.name.clone(), ..value.clone() },
                    None if scope.prefix.is_some() => continue,
                    None => return unsupported(format!("an attribute refers to {of:?} outside of a definition")),
                },
            };
            if let Some(graph) = &attribute.g {
                attribute.g = Some(self.graph(graph, scope, depth)?);
            }
            out.push(attribute);
        }
        Ok(out)
    }

    fn body(
        &mut self,
        function: &FunctionProto,
        call: &NodeProto,
        depth: usize,
    ) -> Result<Vec<NodeProto>, Unsupported> {
        let name = function.name.as_deref().unwrap_or_default();
        if depth >= MAX_DEPTH {
            return unsupported(format!("its operator {name:?} uses others more than {MAX_DEPTH} deep"));
        }
        if call.input.len() > function.input.len() || call.output.len() > function.output.len() {
            return unsupported(format!("its operator {name:?} is called with more inputs or outputs than it has"));
        }
        let prefix = format!("{name}\0{}\0", self.calls);
        let mut names = HashMap::new();
        for (place, inner) in function.input.iter().enumerate() {
            names.insert(inner.clone(), call.input.get(place).cloned().unwrap_or_default());
        }
        // A definition may hand an input on as an output: then there is no node that makes it.
        let mut passed = Vec::new();
        for (place, inner) in function.output.iter().enumerate() {
            let Some(outer) = call.output.get(place).filter(|outer| !outer.is_empty()) else { continue };
            if let Some(taken) = names.get(inner) {
                passed.push(NodeProto {
                    op_type: Some("Identity".to_owned()),
                    input: vec![taken.clone()],
                    output: vec![outer.clone()],
                    ..NodeProto::default()
                });
            } else {
                names.insert(inner.clone(), outer.clone());
            }
        }
        // The call copies them, however often the definition is used.
        let copied = function.attribute_proto.iter().chain(&call.attribute).map(Message::encoded_len).sum::<usize>();
        let asked = call.attribute.len().saturating_mul(function.attribute.len() + function.attribute_proto.len());
        self.bytes = self.bytes.saturating_add(copied).saturating_add(asked);
        if self.bytes > MAX_BYTES {
            return unsupported("its own operators are too large where they are called");
        }
        let mut attributes = HashMap::new();
        for attribute in function.attribute_proto.iter().chain(&call.attribute) {
            let of = attribute.name.clone().unwrap_or_default();
            let known = function.attribute.contains(&of)
                || function.attribute_proto.iter().any(|one| one.name == attribute.name);
            if !known {
                return unsupported(format!("its operator {name:?} has no attribute {of:?}"));
            }
            attributes.insert(of, attribute.clone());
        }
        let scope = Scope { names, locals: HashSet::new(), prefix: Some(prefix), attributes };
        let mut nodes = self.nodes(&function.node, &scope, depth + 1)?;
        nodes.extend(passed);
        Ok(nodes)
    }
}
