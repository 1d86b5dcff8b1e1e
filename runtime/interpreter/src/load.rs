//! From a file's graph to a [`Flow`]: names become slots, types go from node to node, constants are computed once, and
//! what the table does not know is refused with its reason.

mod builder;
mod half;
mod liveness;
mod packs;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use self::builder::Builder;
use self::liveness::{drop_unused, mark_last_uses, needed};
use self::packs::Planned;
pub use self::packs::{Keys, Pack, PackForm};
use crate::program::{Flow, Source, Step};
use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, data_type};
use crate::tensor_proto::{BadConstant, Files, Weights, value_of};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Type, Value};

/// Most calls of a graph, subgraphs counted with it.
pub const MAX_NODES: usize = 200_000;
/// Most reasons that are told of one model.
const MAX_REFUSALS: usize = 20;
/// Most bytes that all constants may take together that are computed when a model is loaded.
const MAX_FOLDED_TOGETHER: usize = 64 << 20;
/// Most work, in the units of [`Room::work`], that goes into them: about a second.
const MAX_FOLDING_WORK: usize = 1 << 29;
/// How deep subgraphs may nest: each level takes some of the stack.
const MAX_DEPTH: usize = crate::scan::MAX_GRAPH_DEPTH as usize;
/// Bytes that kernels may lay out anew when a model is loaded, beside as many as the model's constants have.
const PREPARED: usize = 1 << 20;

/// Why the built-in engine does not take a model: one call, or one port.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// The call's name in the model, of several for the same reason the first one's; empty for a port or the model as a
    /// whole.
    pub node: String,
    /// How many calls are refused for this reason.
    pub calls: usize,
    /// The operator, `SET/NAME` outside of the standard set.
    pub operator: String,
    /// The version of its set.
    pub opset: i64,
    /// Why.
    pub reason: String,
    /// Whether the operator is missing altogether.
    pub missing: bool,
}

impl Refusal {
    /// A reason that concerns no single call.
    pub(crate) fn whole(why: &Unsupported) -> Self {
        let reason = why.to_string();
        Self { node: String::new(), calls: 0, operator: String::new(), opset: 0, reason, missing: false }
    }
}

/// An input of a program.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What it is when it is not given.
    pub default: Option<Value>,
}

/// A model's graph, ready to run.
pub(crate) struct Loaded {
    pub(crate) flow: Flow,
    pub(crate) inputs: Vec<Input>,
    /// Those of the file that are tensors, then what the others are packed of.
    pub(crate) outputs: Vec<(String, Type)>,
    pub(crate) packs: Vec<Pack>,
}

/// A subgraph, ready to run within a call.
pub(crate) struct Body {
    pub(crate) flow: Flow,
    /// Names of the surrounding values that it reads, in the order of its slots after its inputs.
    pub(crate) captures: Vec<String>,
    pub(crate) outputs: Vec<Type>,
}

/// What a whole model shares while it is loaded.
struct Model<'m> {
    files: Files<'m>,
    opsets: HashMap<&'m str, i64>,
    refusals: RefCell<Vec<Refusal>>,
    /// Calls that are not taken, those that take their inputs from such a one with them.
    refused: Cell<usize>,
    nodes: Cell<usize>,
    /// Bytes that may still be computed in advance, and work for it.
    folding: Cell<(usize, usize)>,
    /// Bytes that kernels may still lay out anew.
    prepared: Cell<usize>,
}

impl Model<'_> {
    /// Notes a call that is not taken; without a reason of its own it is one that takes its inputs from such a call. Of
    /// several for one reason it counts the calls.
    fn refuse(&self, refusal: Option<Refusal>) {
        self.refused.set(self.refused.get() + 1);
        let Some(refusal) = refusal else { return };
        let mut refusals = self.refusals.borrow_mut();
        let same = |one: &&mut Refusal| one.operator == refusal.operator && one.reason == refusal.reason;
        if let Some(known) = refusals.iter_mut().find(same) {
            known.calls += 1;
        } else if refusals.len() < MAX_REFUSALS {
            refusals.push(refusal);
        }
    }

    fn is_refused(&self) -> bool {
        self.refused.get() > 0
    }
}

/// Where a name leads.
#[derive(Clone)]
enum Binding {
    Constant(Value),
    Slot(usize, Type),
}

/// The names of one graph, and the way to those of the graph around it.
pub(crate) struct Enclosing<'a> {
    model: &'a Model<'a>,
    parent: Option<&'a Enclosing<'a>>,
    depth: usize,
    names: RefCell<HashMap<String, Binding>>,
    /// Name in the parent and slot here.
    captures: RefCell<Vec<(String, usize)>>,
    /// Set once the inputs have their slots.
    next: RefCell<usize>,
}

impl<'a> Enclosing<'a> {
    fn new(model: &'a Model<'a>, parent: Option<&'a Enclosing<'a>>) -> Self {
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        Self { model, parent, depth, names: RefCell::default(), captures: RefCell::default(), next: RefCell::new(0) }
    }

    /// A constant of the model.
    pub(crate) fn constant(&self, tensor: &TensorProto) -> Result<Value, BadConstant> {
        let value = value_of(tensor, &self.model.files)?;
        let prepared = &self.model.prepared;
        prepared.set(prepared.get().saturating_add(value.bytes()));
        Ok(value)
    }

    /// Whether a kernel may lay out so many bytes anew: all together at most twice what the constants have, since many
    /// calls may share one of them.
    pub(crate) fn prepares(&self, bytes: usize) -> bool {
        let left = self.model.prepared.get().checked_sub(bytes);
        left.inspect(|left| self.model.prepared.set(*left)).is_some()
    }

    /// Whether this graph itself has a value of that name.
    fn is_named(&self, name: &str) -> bool {
        self.names.borrow().contains_key(name)
    }

    /// The set that a call's operator belongs to.
    fn domain<'n>(&self, node: &'n NodeProto) -> &'n str {
        match node.domain.as_deref().unwrap_or_default() {
            "ai.onnx" => "",
            other => other,
        }
    }

    fn slot(&self) -> usize {
        let mut next = self.next.borrow_mut();
        *next += 1;
        *next - 1
    }

    /// Where a name leads; a value of the graph around becomes a capture.
    fn resolve(&self, name: &str) -> Option<Binding> {
        if let Some(binding) = self.names.borrow().get(name) {
            return Some(binding.clone());
        }
        let binding = match self.parent?.resolve(name)? {
            constant @ Binding::Constant(_) => constant,
            Binding::Slot(_, ty) => {
                let slot = self.slot();
                self.captures.borrow_mut().push((name.to_owned(), slot));
                Binding::Slot(slot, ty)
            }
        };
        self.names.borrow_mut().insert(name.to_owned(), binding.clone());
        Some(binding)
    }

    /// Loads a subgraph of a call in this graph. Its inputs have the types that the call gives them.
    pub(crate) fn body(&self, graph: &GraphProto, inputs: &[Type]) -> Result<Body, Unsupported> {
        if graph.input.len() != inputs.len() {
            return unsupported(format!("its subgraph takes {} inputs, not {}", graph.input.len(), inputs.len()));
        }
        let scope = Enclosing::new(self.model, Some(self));
        if scope.depth > MAX_DEPTH {
            return unsupported(format!("its subgraphs nest deeper than {MAX_DEPTH} levels"));
        }
        for (port, ty) in graph.input.iter().zip(inputs) {
            let name = port.name.clone().unwrap_or_default();
            if let Some(declared) = element(port).filter(|declared| declared != ty) {
                return unsupported(format!("its subgraph declares {name:?} {}, it is {}", declared.name(), ty.name()));
            }
            let slot = scope.slot();
            if scope.names.borrow_mut().insert(name, Binding::Slot(slot, *ty)).is_some() {
                return unsupported("its subgraph has two inputs of one name");
            }
        }
        let before = self.model.refused.get();
        let wanted: Vec<_> = graph.output.iter().collect();
        let Graph { steps, constants, outputs, types } = scope.graph(graph, &wanted)?;
        if self.model.refused.get() > before {
            return Err(Unsupported::Subgraph);
        }
        // Captures lie between the inputs and the rest for whoever calls; here they got their slots as they were met.
        let captures = scope.captures.borrow();
        let flow = Flow { slots: *scope.next.borrow(), steps, constants, outputs };
        let flow = flow.with_first(inputs.len(), &captures.iter().map(|(_, slot)| *slot).collect::<Vec<_>>());
        Ok(Body { flow, captures: captures.iter().map(|(name, _)| name.clone()).collect(), outputs: types })
    }

    /// Loads what these outputs need.
    fn graph(&self, graph: &GraphProto, wanted: &[&ValueInfoProto]) -> Result<Graph, Unsupported> {
        for tensor in &graph.initializer {
            let name = tensor.name.clone().unwrap_or_default();
            if self.names.borrow().contains_key(&name) {
                continue;
            }
            let value = self.constant(tensor)?;
            self.names.borrow_mut().insert(name, Binding::Constant(value));
        }
        if !graph.sparse_initializer.is_empty() {
            return unsupported("it has sparse initializers");
        }
        let mut builder = Builder::new(self);
        for (node, needed) in graph.node.iter().zip(needed(graph, wanted)) {
            self.model.nodes.set(self.model.nodes.get() + 1);
            if self.model.nodes.get() > MAX_NODES {
                return unsupported(format!("it has more than {MAX_NODES} calls"));
            }
            if !needed {
                continue;
            }
            if let Err(refusal) = builder.call(node) {
                self.model.refuse(refusal);
                // What it would have given is unknown; that is not a reason of its own.
                for output in node.output.iter().filter(|name| !name.is_empty()) {
                    builder.scope.names.borrow_mut().remove(output);
                }
            }
        }
        let mut outputs = Vec::new();
        let mut types = Vec::new();
        let refused = self.model.is_refused();
        for port in wanted {
            let name = port.name.as_deref().unwrap_or_default();
            match self.resolve(name) {
                Some(Binding::Constant(value)) => {
                    types.push(value.ty());
                    outputs.push(builder.constant(name, value));
                }
                Some(Binding::Slot(slot, ty)) => {
                    if let Some(declared) = element(port).filter(|declared| *declared != ty) {
                        return unsupported(format!(
                            "the output {name:?} is declared {}, but is {}",
                            declared.name(),
                            ty.name()
                        ));
                    }
                    types.push(ty);
                    outputs.push(Source::Slot { slot, last: false });
                }
                None if refused => {}
                None => return unsupported(format!("the output {name:?} is made by no node")),
            }
        }
        let Builder { mut steps, constants, .. } = builder;
        drop_unused(&mut steps, &outputs);
        mark_last_uses(&mut steps, &outputs);
        Ok(Graph { steps, constants, outputs, types })
    }
}

struct Graph {
    steps: Vec<Step>,
    constants: Vec<Value>,
    outputs: Vec<Source>,
    types: Vec<Type>,
}

impl Flow {
    /// Renumbers the slots so that those of `captures` follow the `inputs` directly.
    fn with_first(mut self, inputs: usize, captures: &[usize]) -> Self {
        let mut order: HashMap<usize, usize> = (0..inputs).map(|slot| (slot, slot)).collect();
        for (position, slot) in captures.iter().enumerate() {
            order.insert(*slot, inputs + position);
        }
        let mut next = inputs + captures.len();
        for slot in inputs..self.slots {
            order.entry(slot).or_insert_with(|| {
                next += 1;
                next - 1
            });
        }
        let renumber = |slot: &mut usize| *slot = order.get(slot).copied().unwrap_or(*slot);
        for step in &mut self.steps {
            for source in step.inputs.iter_mut().flatten() {
                if let Source::Slot { slot, .. } = source {
                    renumber(slot);
                }
            }
            step.outputs.iter_mut().flatten().for_each(renumber);
        }
        for source in &mut self.outputs {
            if let Source::Slot { slot, .. } = source {
                renumber(slot);
            }
        }
        self
    }
}

/// The element type that a port declares.
fn element(port: &ValueInfoProto) -> Option<Type> {
    Type::of(port.r#type.as_ref()?.tensor_type.as_ref()?.elem_type?)
}

/// Loads a model.
pub(crate) fn load(model: &ModelProto, weights: &dyn Weights) -> Result<Loaded, Vec<Refusal>> {
    let whole = |why: Unsupported| vec![Refusal::whole(&why)];
    let mut opsets = HashMap::new();
    for set in &model.opset_import {
        let domain = match set.domain.as_deref().unwrap_or_default() {
            "ai.onnx" => "",
            other => other,
        };
        opsets.insert(domain, set.version.unwrap_or_default());
    }
    if let Some(name) = crate::names::with_nul(model) {
        return Err(whole(format!("the name {name:?} has a NUL in it").into()));
    }
    let inlined = crate::functions::inlined(model).map_err(whole)?;
    let Some(graph) = inlined.as_ref().or(model.graph.as_ref()) else {
        return Err(whole("it holds no graph".into()));
    };
    let shared = Model {
        files: Files::new(weights),
        opsets,
        refusals: RefCell::default(),
        refused: Cell::new(0),
        nodes: Cell::new(0),
        folding: Cell::new((MAX_FOLDED_TOGETHER, MAX_FOLDING_WORK)),
        prepared: Cell::new(PREPARED),
    };
    let scope = Enclosing::new(&shared, None);
    // Before version 4 of the format every initializer had to stand among the inputs; they are constants there.
    let overridable = model.ir_version.unwrap_or(0) >= 4;
    let initializers: HashMap<&str, _> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_deref().unwrap_or_default(), tensor)).collect();
    let mut inputs = Vec::new();
    for port in &graph.input {
        let name = port.name.as_deref().unwrap_or_default();
        let initializer = initializers.get(name);
        if initializer.is_some() && !overridable {
            continue;
        }
        let Some(ty) = element(port) else {
            let number = port.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref()).and_then(|ty| ty.elem_type);
            let kind = number.map_or("no tensor", data_type::name);
            return Err(whole(format!("the input {name:?} is {kind}").into()));
        };
        let default = initializer.map(|tensor| scope.constant(tensor)).transpose().map_err(|bad| whole(bad.into()))?;
        let slot = scope.slot();
        if scope.names.borrow_mut().insert(name.to_owned(), Binding::Slot(slot, ty)).is_some() {
            return Err(whole(format!("it has two inputs {name:?}").into()));
        }
        inputs.push(Input { name: name.to_owned(), ty, default });
    }
    // One whose type the file leaves open has that of what makes it.
    let tensor = |port: &&ValueInfoProto| match &port.r#type {
        None => true,
        Some(ty) => ty
            .tensor_type
            .as_ref()
            .is_some_and(|tensor| matches!(tensor.elem_type, None | Some(0)) || element(port).is_some()),
    };
    let planned = Planned::of(graph).map_err(whole)?;
    let wanted: Vec<_> = graph.output.iter().filter(tensor).chain(&planned.taken).collect();
    if wanted.is_empty() {
        return Err(whole("it gives nothing that can be held exactly".into()));
    }
    let loaded = scope.graph(graph, &wanted);
    let refusals = shared.refusals.take();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let Graph { steps, constants, outputs, types } = loaded.map_err(whole)?;
    let names = wanted.iter().map(|port| port.name.clone().unwrap_or_default());
    let named: Vec<_> = names.zip(types).collect();
    let packs = planned.packs(&scope, &named).map_err(|refusal| vec![refusal])?;
    let flow = Flow { slots: *scope.next.borrow(), steps, constants, outputs };
    Ok(Loaded { flow, inputs, outputs: named, packs })
}
