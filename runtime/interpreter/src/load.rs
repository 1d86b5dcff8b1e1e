//! From a file's graph to a [`Flow`]: names become slots, types go from node to node, constants are computed once, and
//! what the table does not know is refused with its reason.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use crate::kernel::Inputs;
use crate::kernel::Run;
use crate::kernels::nn::plain::Room;
use crate::node::{Known, Node, Plan};
use crate::program::{Flow, Memory, Source, Step};
use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, data_type};
use crate::table::{Found, find};
use crate::tensor_proto::{Weights, value_of};
use crate::value::{Type, Value};

/// Most calls of a graph, subgraphs counted with it.
pub const MAX_NODES: usize = 200_000;
/// Most reasons that are told of one model.
const MAX_REFUSALS: usize = 20;
/// Most bytes that a constant may have that is computed when a model is loaded, and that its inputs may have together.
const MAX_FOLDED: usize = 16 << 20;
/// What a builder says of a subgraph whose calls have told their reasons themselves.
const SUBGRAPH: &str = "its subgraph is refused";
/// Room for what kernels need while they compute constants.
const FOLDING_ROOM: usize = 256 << 20;

/// What loading a model may take.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Bytes of all constants together: those of the file, those beside it, and those computed from them.
    pub bytes: usize,
    /// Whether loading is to end.
    pub stop: &'a dyn Fn() -> bool,
}

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
    /// Of the model as a whole.
    #[must_use]
    pub const fn whole(reason: String) -> Self {
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
    pub(crate) outputs: Vec<(String, Type)>,
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
    weights: &'m dyn Weights,
    opsets: HashMap<&'m str, i64>,
    refusals: RefCell<Vec<Refusal>>,
    /// Calls that are not taken, those that take their inputs from such a one with them.
    refused: Cell<usize>,
    nodes: Cell<usize>,
    /// Bytes that further constants may take.
    left: Cell<usize>,
    stop: &'m dyn Fn() -> bool,
}

impl Model<'_> {
    /// Takes room for a constant; whether there was any.
    fn claim(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(self.left.get()));
        left.is_some()
    }

    /// The value of a constant of the file.
    fn value(&self, tensor: &TensorProto) -> Result<Value, String> {
        let needed = size_of(tensor);
        // Many constants may name the same bytes of a weight file, and each becomes a copy.
        if !needed.is_some_and(|needed| self.claim(needed)) {
            let name = tensor.name.as_deref().unwrap_or_default();
            return Err(format!("the constant {name:?} does not fit: constants take more than the file holds of them"));
        }
        value_of(tensor, self.weights)
    }

    /// Notes a refusal; of several for one reason it counts the calls.
    fn refuse(&self, refusal: Refusal) {
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

/// The bytes that a constant will take; `None` when they are more than can be counted.
fn size_of(tensor: &TensorProto) -> Option<usize> {
    let size = Type::of(tensor.data_type.unwrap_or_default()).map_or(0, Type::size);
    tensor.dims.iter().try_fold(size, |bytes, dim| bytes.checked_mul(usize::try_from(*dim).unwrap_or(0)))
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
    names: RefCell<HashMap<String, Binding>>,
    /// Name in the parent and slot here.
    captures: RefCell<Vec<(String, usize)>>,
    /// Set once the inputs have their slots.
    next: RefCell<usize>,
}

impl<'a> Enclosing<'a> {
    fn new(model: &'a Model<'a>, parent: Option<&'a Enclosing<'a>>) -> Self {
        Self { model, parent, names: RefCell::default(), captures: RefCell::default(), next: RefCell::new(0) }
    }

    /// The value of a constant of the file.
    pub(crate) fn value(&self, tensor: &TensorProto) -> Result<Value, String> {
        self.model.value(tensor)
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
    pub(crate) fn body(&self, graph: &GraphProto, inputs: &[Type]) -> Result<Body, String> {
        if graph.input.len() != inputs.len() {
            return Err(format!("its subgraph takes {} inputs, not {}", graph.input.len(), inputs.len()));
        }
        let scope = Enclosing::new(self.model, Some(self));
        for (port, ty) in graph.input.iter().zip(inputs) {
            let name = port.name.clone().unwrap_or_default();
            if let Some(declared) = element(port).filter(|declared| declared != ty) {
                return Err(format!("its subgraph declares {name:?} {}, it is {}", declared.name(), ty.name()));
            }
            let slot = scope.slot();
            scope.names.borrow_mut().insert(name, Binding::Slot(slot, *ty));
        }
        let before = self.model.refused.get();
        let Graph { steps, constants, outputs, types } =
            scope.graph(graph, &graph.output.iter().collect::<Vec<_>>())?;
        if self.model.refused.get() > before {
            return Err(SUBGRAPH.to_owned());
        }
        // Captures lie between the inputs and the rest for whoever calls; here they got their slots as they were met.
        let captures = scope.captures.borrow();
        let flow = Flow { slots: *scope.next.borrow(), steps, constants, outputs };
        let flow = flow.with_first(inputs.len(), &captures.iter().map(|(_, slot)| *slot).collect::<Vec<_>>());
        Ok(Body { flow, captures: captures.iter().map(|(name, _)| name.clone()).collect(), outputs: types })
    }

    /// Loads what these outputs need.
    fn graph(&self, graph: &GraphProto, wanted: &[&ValueInfoProto]) -> Result<Graph, String> {
        for tensor in &graph.initializer {
            let name = tensor.name.clone().unwrap_or_default();
            if self.names.borrow().contains_key(&name) {
                continue;
            }
            let value = self.model.value(tensor)?;
            self.names.borrow_mut().insert(name, Binding::Constant(value));
        }
        if !graph.sparse_initializer.is_empty() {
            return Err("it has sparse initializers".to_owned());
        }
        let needed = needed(graph, wanted);
        let mut builder = Builder { scope: self, steps: Vec::new(), constants: Vec::new(), known: HashMap::new() };
        for (node, needed) in graph.node.iter().zip(needed) {
            self.model.nodes.set(self.model.nodes.get() + 1);
            if self.model.nodes.get() > MAX_NODES {
                return Err(format!("it has more than {MAX_NODES} calls"));
            }
            if (self.model.stop)() {
                return Err("loading it takes too long".to_owned());
            }
            if !needed {
                continue;
            }
            if let Err(refusal) = builder.node(node) {
                self.model.refused.set(self.model.refused.get() + 1);
                if let Some(refusal) = refusal {
                    self.model.refuse(refusal);
                }
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
                        return Err(format!(
                            "the output {name:?} is declared {}, but is {}",
                            declared.name(),
                            ty.name()
                        ));
                    }
                    types.push(ty);
                    outputs.push(Source::Slot { slot, last: false });
                }
                None if refused => {}
                None => return Err(format!("the output {name:?} is made by no node")),
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

struct Builder<'b, 'a> {
    scope: &'b Enclosing<'a>,
    steps: Vec<Step>,
    constants: Vec<Value>,
    known: HashMap<String, usize>,
}

impl Builder<'_, '_> {
    fn constant(&mut self, name: &str, value: Value) -> Source {
        if let Some(constant) = self.known.get(name) {
            return Source::Constant(*constant);
        }
        self.constants.push(value);
        self.known.insert(name.to_owned(), self.constants.len() - 1);
        Source::Constant(self.constants.len() - 1)
    }

    /// Adds a call. Without a refusal of its own it is refused for what it takes its inputs from.
    fn node(&mut self, node: &NodeProto) -> Result<(), Option<Refusal>> {
        let op = node.op_type.as_deref().unwrap_or_default();
        let domain = match node.domain.as_deref().unwrap_or_default() {
            "ai.onnx" => "",
            other => other,
        };
        let opset = self.scope.model.opsets.get(domain).copied().unwrap_or(0);
        let refusal = |reason: String, missing: bool| Refusal {
            node: node.name.clone().unwrap_or_default(),
            calls: 1,
            operator: if domain.is_empty() { op.to_owned() } else { format!("{domain}/{op}") },
            opset,
            reason,
            missing,
        };
        let entry = match find(domain, op, opset) {
            Found::Entry(entry) => entry,
            Found::Missing => return Err(Some(refusal("the built-in engine has no such operator".to_owned(), true))),
            Found::OtherVersions(versions) => {
                let versions: Vec<_> = versions.iter().map(|(since, until)| format!("{since} to {until}")).collect();
                let reason = format!("it is known in the versions {} of its set", versions.join(", "));
                return Err(Some(refusal(reason, false)));
            }
        };
        let mut known = Vec::with_capacity(node.input.len());
        let mut sources = Vec::with_capacity(node.input.len());
        for name in &node.input {
            if name.is_empty() {
                known.push(None);
                sources.push(None);
                continue;
            }
            match self.scope.resolve(name) {
                Some(Binding::Constant(value)) => {
                    known.push(Some(Known { ty: value.ty(), value: Some(value.clone()) }));
                    sources.push(Some(self.constant(name, value)));
                }
                Some(Binding::Slot(slot, ty)) => {
                    known.push(Some(Known { ty, value: None }));
                    sources.push(Some(Source::Slot { slot, last: false }));
                }
                None if self.scope.model.is_refused() => return Err(None),
                None => return Err(Some(refusal(format!("its input {name:?} is made by no node before it"), false))),
            }
        }
        let call = Node::new(node, opset, known, self.scope).map_err(|reason| Some(refusal(reason, false)))?;
        let plan = (entry.build)(&call).map_err(|reason| (reason != SUBGRAPH).then(|| refusal(reason, false)))?;
        if let Some(attribute) = call.left_over() {
            return Err(Some(refusal(format!("its attribute {attribute:?} is not known"), false)));
        }
        for name in &plan.captures {
            match self.scope.resolve(name) {
                Some(Binding::Slot(slot, _)) => sources.push(Some(Source::Slot { slot, last: false })),
                Some(Binding::Constant(value)) => sources.push(Some(self.constant(name, value))),
                None => {
                    let reason = format!("its subgraph reads {name:?}, which is made by no node");
                    return Err(Some(refusal(reason, false)));
                }
            }
        }
        let made = |name: &&String| !name.is_empty() && self.scope.names.borrow().contains_key(*name);
        if let Some(name) = node.output.iter().find(made) {
            return Err(Some(refusal(format!("its output {name:?} is made before"), false)));
        }
        if plan.outputs.len() < node.output.len() {
            return Err(Some(refusal(format!("it has {} outputs", node.output.len()), false)));
        }
        if self.fold(node, &plan, &sources) {
            return Ok(());
        }
        let mut outputs = Vec::with_capacity(plan.outputs.len());
        for (position, ty) in plan.outputs.iter().enumerate() {
            outputs.push(node.output.get(position).filter(|name| !name.is_empty()).map(|name| {
                let slot = self.scope.slot();
                self.scope.names.borrow_mut().insert(name.clone(), Binding::Slot(slot, *ty));
                slot
            }));
        }
        self.steps.push(Step {
            what: match node.name.as_deref().filter(|name| !name.is_empty()) {
                Some(name) => format!("{op} {name:?}"),
                None => op.to_owned(),
            },
            kernel: plan.kernel,
            inputs: sources.into(),
            outputs: outputs.into(),
            types: plan.outputs.into(),
        });
        Ok(())
    }

    /// Computes a call whose inputs are all constant. One that fails, or is too large, is left for the run.
    fn fold(&self, node: &NodeProto, plan: &Plan, sources: &[Option<Source>]) -> bool {
        let constant = |source: &Option<Source>| match source {
            None => Some(None),
            Some(Source::Constant(constant)) => self.constants.get(*constant).cloned().map(Some),
            Some(Source::Slot { .. }) => None,
        };
        let Some(mut inputs) = sources.iter().map(constant).collect::<Option<Vec<_>>>() else { return false };
        let bytes: usize = inputs.iter().flatten().map(Value::bytes).sum();
        if !plan.folds || bytes > MAX_FOLDED {
            return false;
        }
        let memory = Memory::new(FOLDING_ROOM);
        let claim = |bytes: usize| {
            if bytes > MAX_FOLDED {
                return crate::kernels::nn::plain::misfit("too large to be computed when the model is loaded");
            }
            memory.claim(bytes)
        };
        let run = Run { room: Room::new(&claim), stop: self.scope.model.stop, memory: &memory };
        let Ok(made) = plan.kernel.run(&mut Inputs(&mut inputs), &run) else { return false };
        if made.len() < node.output.len() || made.iter().zip(&plan.outputs).any(|(value, ty)| value.ty() != *ty) {
            return false;
        }
        if !self.scope.model.claim(made.iter().map(Value::bytes).sum()) {
            return false;
        }
        let mut names = self.scope.names.borrow_mut();
        for (name, value) in node.output.iter().zip(made).filter(|(name, _)| !name.is_empty()) {
            names.insert(name.clone(), Binding::Constant(value));
        }
        true
    }
}

/// Which calls a graph's outputs need. The others are not computed, so that nothing is asked of them: a classifier runs
/// though nobody can take the sequence of maps that it ends in besides.
fn needed(graph: &GraphProto, wanted: &[&ValueInfoProto]) -> Vec<bool> {
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
fn drop_unused(steps: &mut Vec<Step>, outputs: &[Source]) {
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
fn mark_last_uses(steps: &mut [Step], outputs: &[Source]) {
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
pub(crate) fn load(model: &ModelProto, weights: &dyn Weights, limits: Limits<'_>) -> Result<Loaded, Vec<Refusal>> {
    let whole = |reason: String| vec![Refusal::whole(reason)];
    let mut opsets = HashMap::new();
    for set in &model.opset_import {
        let domain = match set.domain.as_deref().unwrap_or_default() {
            "ai.onnx" => "",
            other => other,
        };
        opsets.insert(domain, set.version.unwrap_or_default());
    }
    if let Some(function) = model.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return Err(whole(format!("it defines the operator {name:?} itself")));
    }
    let Some(graph) = &model.graph else { return Err(whole("it holds no graph".to_owned())) };
    let (left, stop) = (Cell::new(limits.bytes), limits.stop);
    let (refusals, refused) = (RefCell::default(), Cell::new(0));
    let shared = Model { weights, opsets, refusals, refused, nodes: Cell::new(0), left, stop };
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
            return Err(whole(format!("the input {name:?} is {kind}")));
        };
        let default = initializer.map(|tensor| shared.value(tensor)).transpose().map_err(whole)?;
        let slot = scope.slot();
        if scope.names.borrow_mut().insert(name.to_owned(), Binding::Slot(slot, ty)).is_some() {
            return Err(whole(format!("it has two inputs {name:?}")));
        }
        inputs.push(Input { name: name.to_owned(), ty, default });
    }
    let wanted: Vec<_> = graph.output.iter().filter(|port| element(port).is_some()).collect();
    if wanted.is_empty() {
        return Err(whole("it gives no tensor that can be held exactly".to_owned()));
    }
    let loaded = scope.graph(graph, &wanted);
    let refusals = shared.refusals.take();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let Graph { steps, constants, outputs, types } = loaded.map_err(whole)?;
    let names = wanted.iter().map(|port| port.name.clone().unwrap_or_default());
    let outputs_named = names.zip(types).collect();
    Ok(Loaded { flow: Flow { slots: *scope.next.borrow(), steps, constants, outputs }, inputs, outputs: outputs_named })
}
