//! One step of one sequence for each kind of layer.

use super::{Function, Kind};

/// What a step of one sequence works on.
pub(super) struct Step<'a> {
    /// Products of the input with the weights, biases added: all gates.
    pub(super) from_input: &'a [f32],
    /// Products of the state with the recurrent weights: all gates. Not used where a reset comes first.
    pub(super) from_state: &'a [f32],
    /// Recurrent biases that must be added inside of a reset.
    pub(super) inner_bias: Option<&'a [f32]>,
    pub(super) peepholes: Option<&'a [f32]>,
    pub(super) functions: &'a [Function],
    pub(super) clip: Option<f32>,
}

impl Step<'_> {
    fn clipped(&self, x: f32) -> f32 {
        match self.clip {
            Some(clip) if x > clip => clip,
            Some(clip) if x < -clip => -clip,
            _ => x,
        }
    }

    /// The gate's sum at a unit.
    fn sum(&self, gate: usize, unit: usize, hidden: usize) -> f32 {
        self.from_input[gate * hidden + unit] + self.from_state[gate * hidden + unit]
    }

    /// One step of an RNN: writes the new state.
    pub(super) fn rnn(&self, state: &mut [f32]) {
        let hidden = state.len();
        for (unit, state) in state.iter_mut().enumerate() {
            *state = self.functions[0].of(self.clipped(self.sum(0, unit, hidden)));
        }
    }

    /// One step of an LSTM: writes the new state and cell.
    pub(super) fn lstm(&self, state: &mut [f32], cell: &mut [f32], input_forget: bool) {
        let hidden = state.len();
        let peephole = |gate: usize, unit: usize| self.peepholes.map_or(0.0, |weights| weights[gate * hidden + unit]);
        for (unit, (state, cell)) in state.iter_mut().zip(cell).enumerate() {
            let input = self.sum(0, unit, hidden) + peephole(0, unit) * *cell;
            let input = self.functions[0].of(self.clipped(input));
            let forget = if input_forget {
                1.0 - input
            } else {
                self.functions[0].of(self.clipped(self.sum(2, unit, hidden) + peephole(2, unit) * *cell))
            };
            let candidate = self.functions[1].of(self.clipped(self.sum(3, unit, hidden)));
            *cell = forget * *cell + input * candidate;
            let output = self.sum(1, unit, hidden) + peephole(1, unit) * *cell;
            *state = self.functions[0].of(self.clipped(output)) * self.functions[2].of(*cell);
        }
    }

    /// The update gate and the reset gate of a GRU, clipped and put through their function.
    pub(super) fn gates(&self, hidden: usize, update: &mut [f32], reset: &mut [f32]) {
        for unit in 0..hidden {
            update[unit] = self.functions[0].of(self.clipped(self.sum(0, unit, hidden)));
            reset[unit] = self.functions[0].of(self.clipped(self.sum(1, unit, hidden)));
        }
    }

    /// The end of a GRU's step: `products` is what the (reset) state gives the hidden gate.
    pub(super) fn gru(&self, kind: Kind, state: &mut [f32], update: &[f32], reset: &[f32], products: &[f32]) {
        let hidden = state.len();
        let before = kind == Kind::Gru { linear_before_reset: true };
        for (unit, state) in state.iter_mut().enumerate() {
            let inner = products[unit] + self.inner_bias.map_or(0.0, |bias| bias[unit]);
            let recurrent = if before { reset[unit] * inner } else { inner };
            let hidden = self.functions[1].of(self.clipped(self.from_input[2 * hidden + unit] + recurrent));
            *state = (1.0 - update[unit]) * hidden + update[unit] * *state;
        }
    }
}
