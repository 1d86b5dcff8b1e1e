//! Recurrent layers.

use super::read::{count, text};
use crate::kernels::nn::recurrent::{Direction, Function, Given, Kind, Layer, Turned, run};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("RNN", |node| layer(node, Kind::Rnn)),
    standard("GRU", |node| {
        let linear_before_reset = node.flag("linear_before_reset")?;
        layer(node, Kind::Gru { linear_before_reset })
    }),
    standard("LSTM", |node| {
        let input_forget = node.flag("input_forget")?;
        layer(node, Kind::Lstm { input_forget })
    }),
];

fn functions(node: &Node<'_>, kind: Kind, passes: usize) -> Result<Vec<Function>, Unsupported> {
    let alphas = node.floats("activation_alpha")?.unwrap_or_default();
    let betas = node.floats("activation_beta")?.unwrap_or_default();
    let Some(names) = node.texts("activations")?.filter(|names| !names.is_empty()) else {
        let defaults: &[Function] = match kind {
            Kind::Rnn => &[Function::Tanh],
            Kind::Gru { .. } => &[Function::Sigmoid, Function::Tanh],
            Kind::Lstm { .. } => &[Function::Sigmoid, Function::Tanh, Function::Tanh],
        };
        return Ok(defaults.iter().copied().cycle().take(defaults.len() * passes).collect());
    };
    if names.len() != kind.functions() * passes {
        return unsupported(format!("{} activations do not fit the layer", names.len()));
    }
    let own = |name: &String| ["affine", "scaledtanh", "thresholdedrelu"].contains(&name.to_ascii_lowercase().as_str());
    if kind == Kind::Rnn && alphas.is_empty() && names.iter().any(own) {
        return unsupported("ONNX Runtime and the standard differ in the parameters of an activation without any");
    }
    let (mut alphas, mut betas) = (alphas.iter().copied(), betas.iter().copied());
    let function = |name: &String| {
        Function::named(name, &mut alphas, &mut betas)
            .ok_or_else(|| Unsupported::from(format!("the activation {name:?} is not known")))
    };
    names.iter().map(function).collect()
}

fn layer(node: &Node<'_>, kind: Kind) -> Built {
    let lstm = matches!(kind, Kind::Lstm { .. });
    let outputs = if lstm { 3 } else { 2 };
    node.arity(3, if lstm { 8 } else { 6 }, outputs)?;
    for input in [0, 1, 2, 3, 5, 6, 7] {
        node.optional(input, &[Type::F32])?;
    }
    node.optional(4, &[Type::I32])?;
    let direction = match text(node, "direction", "forward")?.as_str() {
        "forward" => Direction::Forward,
        "reverse" => Direction::Reverse,
        "bidirectional" => Direction::Both,
        other => return unsupported(format!("the direction {other:?} is not known")),
    };
    if node.opset >= 14 && node.flag("layout")? {
        return unsupported("batches on the first axis (layout = 1) are not proved");
    }
    let functions = functions(node, kind, direction.passes().len())?;
    let clip = node.float("clip")?.filter(|clip| *clip > 0.0);
    let hidden = count(node, "hidden_size", 0)?;
    let turned = match (node.prepared(1), node.prepared(2)) {
        (Some(w), Some(r)) => w.view().ok().zip(r.view().ok()).and_then(|(w, r)| Turned::new(w, r)),
        _ => None,
    };
    let layer = Layer { kind, direction, hidden, functions, clip, turned };
    Plan::new(vec![Type::F32; outputs], move |inputs, context| {
        let given = Given {
            x: inputs.view(0)?,
            w: inputs.view(1)?,
            r: inputs.view(2)?,
            bias: inputs.optional_view(3)?,
            lengths: inputs.optional_view(4)?,
            state: inputs.optional_view(5)?,
            cell: inputs.optional_view(6)?,
            peepholes: inputs.optional_view(7)?,
        };
        let made = run(context.room, &layer, given)?;
        let mut values = vec![Value::of(made.y), Value::of(made.state)];
        if lstm {
            values.push(Value::of(made.cell));
        }
        Ok(values)
    })
}
