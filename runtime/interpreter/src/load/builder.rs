//! Adding calls to a graph: what they take and give, whether the table has them, and constants that are computed at once.

use std::collections::{HashMap, HashSet};

use super::{Binding, Enclosing, Refusal};
use crate::kernel::{Inputs, Run};
use crate::kernels::nn::plain::{Room, misfit};
use crate::node::{Known, Node, Plan};
use crate::program::{Memory, Source, Step};
use crate::proto::NodeProto;
use crate::table::{Found, find};
use crate::unsupported::Unsupported;
use crate::value::Value;

/// Most bytes that a constant may have that is computed when a model is loaded, and that its inputs may have together.
const MAX_FOLDED: usize = 16 << 20;
/// Room for what kernels need while they compute constants.
const FOLDING_ROOM: usize = 256 << 20;

/// A graph while its calls are added.
pub(super) struct Builder<'b, 'a> {
    pub(super) scope: &'b Enclosing<'a>,
    pub(super) steps: Vec<Step>,
    pub(super) constants: Vec<Value>,
    known: HashMap<String, usize>,
}

impl<'b, 'a> Builder<'b, 'a> {
    pub(super) fn new(scope: &'b Enclosing<'a>) -> Self {
        Self { scope, steps: Vec::new(), constants: Vec::new(), known: HashMap::new() }
    }

    pub(super) fn constant(&mut self, name: &str, value: Value) -> Source {
        if let Some(constant) = self.known.get(name) {
            return Source::Constant(*constant);
        }
        self.constants.push(value);
        self.known.insert(name.to_owned(), self.constants.len() - 1);
        Source::Constant(self.constants.len() - 1)
    }

    /// Adds a call. Without a refusal of its own it is refused for what it takes its inputs from.
    pub(super) fn node(&mut self, node: &NodeProto) -> Result<(), Option<Refusal>> {
        let op = node.op_type.as_deref().unwrap_or_default();
        let domain = self.scope.domain(node);
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
        let refused = |why: Unsupported| match why {
            Unsupported::Subgraph => None,
            why => Some(refusal(why.to_string(), false)),
        };
        let call = Node::new(node, opset, known, self.scope).map_err(refused)?;
        let plan = (entry.build)(&call).map_err(refused)?;
        if let Some(attribute) = call.left_over() {
            return Err(Some(refusal(format!("its attribute {attribute:?} is not known"), false)));
        }
        for name in &plan.captures {
            match self.scope.resolve(name) {
                Some(Binding::Slot(slot, _)) => sources.push(Some(Source::Slot { slot, last: false })),
                Some(Binding::Constant(value)) => sources.push(Some(self.constant(name, value))),
                None => {
                    return Err(Some(refusal(format!("its subgraph reads {name:?}, which is made by no node"), false)));
                }
            }
        }
        if plan.outputs.len() < node.output.len() {
            return Err(Some(refusal(format!("it has {} outputs", node.output.len()), false)));
        }
        let folded = self.fold(node, &plan, &sources);
        let mut own = HashSet::new();
        let mut named = node.output.iter().filter(|name| !name.is_empty());
        if let Some(name) = named.find(|name| !own.insert(name.as_str()) || self.scope.is_named(name)) {
            return Err(Some(refusal(format!("its output {name:?} has the name of another value"), false)));
        }
        if let Some(made) = folded {
            let mut names = self.scope.names.borrow_mut();
            for (name, value) in node.output.iter().zip(made).filter(|(name, _)| !name.is_empty()) {
                names.insert(name.clone(), Binding::Constant(value));
            }
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
    fn fold(&self, node: &NodeProto, plan: &Plan, sources: &[Option<Source>]) -> Option<Vec<Value>> {
        let constant = |source: &Option<Source>| match source {
            None => Some(None),
            Some(Source::Constant(constant)) => self.constants.get(*constant).cloned().map(Some),
            Some(Source::Slot { .. }) => None,
        };
        let mut inputs = sources.iter().map(constant).collect::<Option<Vec<_>>>()?;
        let bytes = inputs.iter().flatten().fold(0_usize, |sum, value| sum.saturating_add(value.bytes()));
        if !plan.folds || bytes > MAX_FOLDED {
            return None;
        }
        let folding = &self.scope.model.folding;
        let memory = Memory::new(FOLDING_ROOM);
        // All of it counts, whatever becomes of it: a model may have very many of such calls.
        let spend = |bytes: usize, work: usize| match folding.get() {
            (b, w) if bytes <= b && work <= w => {
                folding.set((b - bytes, w - work));
                Ok(())
            }
            _ => misfit("too much to be computed when the model is loaded"),
        };
        let claim = |bytes: usize| {
            if bytes > MAX_FOLDED {
                return misfit("too large to be computed when the model is loaded");
            }
            spend(bytes, bytes)?;
            memory.claim(bytes)
        };
        let work = |amount: usize| spend(0, amount);
        work(bytes).ok()?;
        let run = Run { room: Room::new(&claim, &work), stop: &|| false, memory: &memory };
        let made = plan.kernel.run(&mut Inputs::new(&mut inputs, run.room), &run).ok()?;
        if made.len() < node.output.len() || made.iter().zip(&plan.outputs).any(|(value, ty)| value.ty() != *ty) {
            return None;
        }
        Some(made)
    }
}
