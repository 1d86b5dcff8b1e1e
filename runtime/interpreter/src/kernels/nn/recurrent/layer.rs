//! The way of all kinds of layers through their sequences.

use super::super::gemm::{Product, transposed};
use super::super::plain::{Dense, Made as Result, Room, View, count, misfit, must};
use super::cells::Step;
use super::{Direction, Function, Kind};

/// The attributes of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    pub(crate) direction: Direction,
    pub(crate) hidden: usize,
    /// The functions of all directions, one after the other.
    pub(crate) functions: Vec<Function>,
    pub(crate) clip: Option<f32>,
    /// Where the weights are constants.
    pub(crate) turned: Option<Turned>,
}

/// The weights of each pass, transposed: for products with rows.
#[derive(Clone, Debug)]
pub(crate) struct Turned {
    w: Vec<Vec<f32>>,
    r: Vec<Vec<f32>>,
}

impl Turned {
    /// `None` where the shapes are none that weights have: running the layer says so.
    pub(crate) fn new(w: View<'_, f32>, r: View<'_, f32>) -> Option<Self> {
        let turned = |view: View<'_, f32>| match *view.shape {
            [_, rows, columns] if rows > 0 && columns > 0 => {
                Some(view.data.chunks_exact(rows * columns).map(|pass| transposed(rows, columns, pass)).collect())
            }
            _ => None,
        };
        Some(Self { w: turned(w)?, r: turned(r)? })
    }
}

/// The inputs of a layer, in ONNX's shapes.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) x: View<'a, f32>,
    pub(crate) w: View<'a, f32>,
    pub(crate) r: View<'a, f32>,
    pub(crate) bias: Option<View<'a, f32>>,
    pub(crate) lengths: Option<View<'a, i32>>,
    pub(crate) state: Option<View<'a, f32>>,
    pub(crate) cell: Option<View<'a, f32>>,
    pub(crate) peepholes: Option<View<'a, f32>>,
}

/// What a layer gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Made {
    /// Steps, directions, batch, hidden; zeros behind the end of a sequence.
    pub(crate) y: Dense<f32>,
    /// Directions, batch, hidden: the state behind the last step of each sequence.
    pub(crate) state: Dense<f32>,
    pub(crate) cell: Dense<f32>,
}

fn expect(view: Option<View<'_, f32>>, shape: &[usize], what: &str) -> Result<()> {
    match view {
        Some(view) if view.shape != shape => misfit(format!("{what} has the shape {:?}, not {shape:?}", view.shape)),
        _ => Ok(()),
    }
}

/// Sizes that all inputs agree on.
struct Sizes {
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    wide: usize,
}

fn sizes(layer: &Layer, given: &Given<'_>) -> Result<(Sizes, Vec<usize>)> {
    let &[steps, batch, input] = given.x.shape else {
        return misfit(format!("a recurrent layer wants steps, batch and values, not the shape {:?}", given.x.shape));
    };
    let (passes, hidden, gates) = (layer.direction.passes().len(), layer.hidden, layer.kind.gates());
    let wide = count(&[gates, hidden])?;
    must!(hidden > 0, "a recurrent layer wants hidden_size");
    must!(
        layer.functions.len() == passes * layer.kind.functions(),
        "{} activations do not fit the layer",
        layer.functions.len()
    );
    expect(Some(given.w), &[passes, wide, input], "W")?;
    expect(Some(given.r), &[passes, wide, hidden], "R")?;
    expect(given.bias, &[passes, 2 * wide], "B")?;
    expect(given.state, &[passes, batch, hidden], "initial_h")?;
    expect(given.cell, &[passes, batch, hidden], "initial_c")?;
    expect(given.peepholes, &[passes, 3 * hidden], "P")?;
    let lengths = match given.lengths {
        None => vec![steps; batch],
        Some(lengths) => {
            must!(lengths.shape == [batch], "sequence_lens has the shape {:?}, not [{batch}]", lengths.shape);
            let lengths = lengths.data.iter().map(|length| usize::try_from(*length).ok().filter(|l| *l <= steps));
            match lengths.collect() {
                Some(lengths) => lengths,
                None => return misfit(format!("a value of sequence_lens is outside of the {steps} steps")),
            }
        }
    };
    Ok((Sizes { steps, batch, input, hidden, wide }, lengths))
}

/// Runs a layer over its sequences.
pub(crate) fn run(room: Room<'_>, layer: &Layer, given: Given<'_>) -> Result<Made> {
    let (sizes, lengths) = sizes(layer, &given)?;
    let Sizes { steps, batch, hidden, .. } = sizes;
    let passes = layer.direction.passes();
    let mut made = Made {
        y: room.tensor(&[steps, passes.len(), batch, hidden], 0.0)?,
        state: room.tensor(&[passes.len(), batch, hidden], 0.0)?,
        cell: room.tensor(&[passes.len(), batch, hidden], 0.0)?,
    };
    for (pass, backwards) in passes.iter().enumerate() {
        let part = pass * batch * hidden..(pass + 1) * batch * hidden;
        if let Some(state) = given.state {
            made.state.data[part.clone()].copy_from_slice(&state.data[part.clone()]);
        }
        if let Some(cell) = given.cell {
            made.cell.data[part.clone()].copy_from_slice(&cell.data[part.clone()]);
        }
        one_pass(room, layer, &given, &sizes, &lengths, pass, *backwards, &mut made)?;
        // A sequence without steps ends in zeros, whatever its initial state, as in ONNX Runtime.
        for (item, _) in lengths.iter().enumerate().filter(|(_, length)| **length == 0) {
            let at = (pass * batch + item) * hidden;
            made.state.data[at..at + hidden].fill(0.0);
            made.cell.data[at..at + hidden].fill(0.0);
        }
    }
    Ok(made)
}

#[expect(clippy::too_many_arguments, reason = "one call, of the parts of one pass")]
fn one_pass(
    room: Room<'_>,
    layer: &Layer,
    given: &Given<'_>,
    sizes: &Sizes,
    lengths: &[usize],
    pass: usize,
    backwards: bool,
    made: &mut Made,
) -> Result<()> {
    let &Sizes { steps, batch, input, hidden, wide } = sizes;
    let passes = layer.direction.passes().len();
    let turned = layer.turned.as_ref().and_then(|turned| Some((turned.w.get(pass)?, turned.r.get(pass)?)));
    let own;
    let (w, r) = match turned {
        Some(turned) => turned,
        None => {
            let w = &given.w.data[pass * wide * input..][..wide * input];
            let r = &given.r.data[pass * wide * hidden..][..wide * hidden];
            room.claim((wide * (input + hidden)).saturating_mul(size_of::<f32>()))?;
            own = (transposed(wide, input, w), transposed(wide, hidden, r));
            (&own.0, &own.1)
        }
    };
    let mut from_input = room.fill(count(&[steps, batch, wide])?, 0.0_f32)?;
    f32::product(room, [steps * batch, input, wide], given.x.data, w, &mut from_input)?;
    let before = layer.kind == Kind::Gru { linear_before_reset: true };
    let bias = given.bias.map(|bias| bias.data[pass * 2 * wide..][..2 * wide].split_at(wide));
    // The recurrent bias of a GRU's hidden gate belongs inside of the reset.
    let inner_bias = bias.filter(|_| before).map(|(_, recurrent)| &recurrent[2 * hidden..]);
    if let Some((own, recurrent)) = bias {
        let outside = if before { 2 * hidden } else { wide };
        for row in from_input.chunks_exact_mut(wide) {
            row.iter_mut().zip(own).for_each(|(sum, bias)| *sum += bias);
            row[..outside].iter_mut().zip(recurrent).for_each(|(sum, bias)| *sum += bias);
        }
    }
    let peepholes = given.peepholes.map(|weights| &weights.data[pass * 3 * hidden..][..3 * hidden]);
    let functions = layer.kind.functions();
    let functions = &layer.functions[pass * functions..][..functions];
    let state = &mut made.state.data[pass * batch * hidden..][..batch * hidden];
    let cell = &mut made.cell.data[pass * batch * hidden..][..batch * hidden];
    let mut from_state = room.fill(count(&[batch, wide])?, 0.0_f32)?;
    let (mut update, mut reset) = (vec![0.0; hidden], vec![0.0; hidden]);
    // For a GRU that resets first: the weights of its hidden gate alone.
    let last: Vec<f32> = match layer.kind {
        Kind::Gru { linear_before_reset: false } => {
            r.chunks_exact(wide).flat_map(|row| row[2 * hidden..].iter().copied()).collect()
        }
        _ => Vec::new(),
    };
    let mut products = vec![0.0; hidden];
    for number in 0..steps {
        room.work(batch.saturating_mul(wide).saturating_mul(8))?;
        f32::product(room, [batch, hidden, wide], state, r, &mut from_state)?;
        for item in 0..batch {
            let Some(left) = lengths[item].checked_sub(number + 1) else { continue };
            let time = if backwards { left } else { number };
            let step = Step {
                from_input: &from_input[(time * batch + item) * wide..][..wide],
                from_state: &from_state[item * wide..][..wide],
                inner_bias,
                peepholes,
                functions,
                clip: layer.clip,
            };
            let state = &mut state[item * hidden..][..hidden];
            let cell = &mut cell[item * hidden..][..hidden];
            match layer.kind {
                Kind::Rnn => step.rnn(state),
                Kind::Lstm { input_forget } => step.lstm(state, cell, input_forget),
                Kind::Gru { .. } => {
                    step.gates(hidden, &mut update, &mut reset);
                    if before {
                        products.copy_from_slice(&step.from_state[2 * hidden..]);
                    } else {
                        let kept: Vec<f32> = state.iter().zip(&reset).map(|(state, reset)| state * reset).collect();
                        f32::product(room, [1, hidden, hidden], &kept, &last, &mut products)?;
                    }
                    step.gru(layer.kind, state, &update, &reset, &products);
                }
            }
            made.y.data[((time * passes + pass) * batch + item) * hidden..][..hidden].copy_from_slice(state);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    /// A layer of one unit whose weights are all one, over three steps of two sequences of ones, the second one step long.
    fn made(kind: Kind, functions: &[Function]) -> Made {
        let (gates, x, lengths) = (kind.gates(), [1.0_f32; 6], [3_i32, 1]);
        let weights = vec![1.0_f32; gates];
        let shape = [1, gates, 1];
        let weights = View { shape: &shape, data: &weights };
        let layer = Layer {
            kind,
            direction: Direction::Forward,
            hidden: 1,
            functions: functions.to_vec(),
            clip: None,
            turned: None,
        };
        let given = Given {
            x: View { shape: &[3, 2, 1], data: &x },
            w: weights,
            r: weights,
            bias: None,
            lengths: Some(View { shape: &[2], data: &lengths }),
            state: None,
            cell: None,
            peepholes: None,
        };
        run(boundless(), &layer, given).unwrap()
    }

    #[test]
    fn behind_the_end_of_a_sequence_are_zeros_and_the_state_is_that_of_its_end() {
        let lstm = Kind::Lstm { input_forget: false };
        let gru = Kind::Gru { linear_before_reset: true };
        for (kind, functions) in [
            (lstm, &[Function::Sigmoid, Function::Tanh, Function::Tanh][..]),
            (gru, &[Function::Sigmoid, Function::Tanh]),
            (Kind::Rnn, &[Function::Tanh]),
        ] {
            let made = made(kind, functions);
            let y = |step: usize, item: usize| made.y.data[step * 2 + item];
            assert_eq!((y(1, 1), y(2, 1)), (0.0, 0.0), "{kind:?}");
            assert_eq!(made.state.data, [y(2, 0), y(0, 1)], "{kind:?}");
            assert_ne!(y(0, 1), 0.0, "{kind:?}");
        }
    }
}
