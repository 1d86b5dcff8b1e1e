//! Subgraphs: If and Loop.

use crate::kernel::{Fault, Inputs, Kernel, Run};
use crate::kernels::nn::plain::{Made, misfit};
use crate::load::Body;
use crate::node::{Built, Node, Plan};
use crate::program::Kept;
use crate::table::{Entry, standard};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[standard("If", build_if), standard("Loop", build_loop)];

fn build_if(node: &Node<'_>) -> Built {
    node.arity(1, 1, usize::MAX)?;
    node.ty(0, &[Type::Bool])?;
    let (yes, no) = (node.graph("then_branch", &[])?, node.graph("else_branch", &[])?);
    if yes.outputs != no.outputs {
        return unsupported("its branches give different types");
    }
    let captures: Vec<_> = yes.captures.iter().chain(&no.captures).cloned().collect();
    let outputs = yes.outputs.clone();
    Ok(Plan { kernel: Box::new(If { yes, no }), outputs, captures, folds: false })
}

struct If {
    yes: Body,
    no: Body,
}

impl Kernel for If {
    fn run(&self, inputs: &mut Inputs<'_>, run: &Run<'_>) -> Result<Vec<Value>, Fault> {
        let condition = inputs.view::<bool>(0)?.one("the condition of If")?;
        let (body, first) = if condition { (&self.yes, 1) } else { (&self.no, 1 + self.yes.captures.len()) };
        let given = captured(inputs, first, body.captures.len());
        body.flow.run(given, body.captures.len(), run.memory, run.stop)
    }
}

pub(crate) fn captured(inputs: &Inputs<'_>, first: usize, count: usize) -> Vec<Option<Value>> {
    (first..first + count).map(|input| inputs.optional(input).cloned()).collect()
}

fn build_loop(node: &Node<'_>) -> Built {
    // Both the number of rounds and the condition may be left out.
    node.arity(0, usize::MAX, usize::MAX)?;
    node.optional(0, &[Type::I64])?;
    node.optional(1, &[Type::Bool])?;
    let carried = node.inputs().saturating_sub(2);
    let mut types = vec![Type::I64, Type::Bool];
    for input in 2..node.inputs() {
        types.push(node.ty(input, Type::ALL)?);
    }
    let body = node.graph("body", &types)?;
    if body.outputs.len() < carried + 1 || body.outputs.first() != Some(&Type::Bool) {
        return unsupported("its body does not give a condition and what it carries");
    }
    if body.outputs.get(1..=carried) != types.get(2..) {
        return unsupported("its body changes the type of what it carries");
    }
    let (outputs, captures) = (body.outputs.get(1..).unwrap_or_default().to_vec(), body.captures.clone());
    Ok(Plan { kernel: Box::new(Loop { body, carried, inputs: node.inputs() }), outputs, captures, folds: false })
}

struct Loop {
    body: Body,
    carried: usize,
    inputs: usize,
}

impl Kernel for Loop {
    fn run(&self, inputs: &mut Inputs<'_>, run: &Run<'_>) -> Result<Vec<Value>, Fault> {
        let most = match inputs.optional_view::<i64>(0)? {
            Some(most) => Some(most.one("the number of rounds")?),
            None => None,
        };
        let mut go_on = match inputs.optional_view::<bool>(1)? {
            Some(condition) => condition.one("the condition of Loop")?,
            None => true,
        };
        let mut carried: Vec<Option<Value>> = (2..self.inputs).map(|input| inputs.optional(input).cloned()).collect();
        let outer = captured(inputs, self.inputs, self.body.captures.len());
        let mut kept = Kept::new(run.memory, self.body.outputs.len() - 1 - self.carried);
        let mut round = 0_i64;
        while go_on && most.is_none_or(|most| round < most) {
            run.go_on()?;
            let mut given = vec![Some(Value::scalar(round)), Some(Value::scalar(go_on))];
            given.append(&mut carried);
            given.extend(outer.iter().cloned());
            let mut made = self.body.flow.run(given, outer.len(), run.memory, run.stop)?.into_iter();
            let Some(condition) = made.next() else { return misfit("its body gave nothing").map_err(Fault::from) };
            go_on = condition.view::<bool>()?.one("the condition of its body")?;
            carried = made.by_ref().take(self.carried).map(Some).collect();
            kept.add(made)?;
            round = round.saturating_add(1);
        }
        let kept = kept.end()?;
        let mut outputs: Vec<Value> = carried.into_iter().flatten().collect();
        for (rounds, ty) in kept.iter().zip(self.body.outputs.iter().skip(1 + self.carried)) {
            outputs.push(stacked(rounds, *ty)?);
        }
        Ok(outputs)
    }
}

/// The values of all rounds along a new first axis. No round at all gives no rows of an unknown shape: one of rank 1.
fn stacked(rounds: &[Value], ty: Type) -> Made<Value> {
    let Some(first) = rounds.first() else { return Ok(empty(ty)) };
    if rounds.iter().any(|round| round.shape() != first.shape()) {
        return misfit("what Loop collects changes its shape from round to round");
    }
    let mut shape = vec![rounds.len()];
    shape.extend_from_slice(first.shape());
    fn joined<T: Element>(rounds: &[Value], shape: Vec<usize>) -> Made<Value> {
        let mut elements = Vec::with_capacity(crate::kernels::nn::plain::count(&shape)?);
        for round in rounds {
            elements.extend_from_slice(round.view::<T>()?.data);
        }
        Value::shared(shape, T::wrap(elements.into()))
    }
    fn by<T: Element>(_like: &std::sync::Arc<Vec<T>>, rounds: &[Value], shape: Vec<usize>) -> Made<Value> {
        joined::<T>(rounds, shape)
    }
    each!(first.data(), elements => by(elements, rounds, shape))
}

fn empty(ty: Type) -> Value {
    fn none<T: Element>() -> Value {
        Value::of(crate::kernels::nn::plain::Dense::<T> { shape: vec![0], data: Vec::new() })
    }
    match ty {
        Type::F32 => none::<f32>(),
        Type::F64 => none::<f64>(),
        Type::F16 => none::<half::f16>(),
        Type::BF16 => none::<half::bf16>(),
        Type::I8 => none::<i8>(),
        Type::I16 => none::<i16>(),
        Type::I32 => none::<i32>(),
        Type::I64 => none::<i64>(),
        Type::U8 => none::<u8>(),
        Type::U16 => none::<u16>(),
        Type::U32 => none::<u32>(),
        Type::U64 => none::<u64>(),
        Type::Bool => none::<bool>(),
        Type::Text => none::<std::sync::Arc<str>>(),
    }
}
