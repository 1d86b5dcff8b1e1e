//! Recurrent layers: `RNN`, `GRU` and `LSTM`, in both directions, with sequences of different lengths.

mod cells;
mod function;
mod layer;

pub(crate) use function::Function;
pub(crate) use layer::{Given, Layer, Turned, run};

/// Which layer it is, with what only that one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One state.
    Rnn,
    /// Update, reset and hidden gates; whether the product with the state comes before the reset.
    Gru {
        /// The attribute of that name.
        linear_before_reset: bool,
    },
    /// Input, output, forget and cell gates; whether the forget gate follows from the input gate.
    Lstm {
        /// The attribute of that name.
        input_forget: bool,
    },
}

impl Kind {
    /// Gates, each of which has rows of the weights.
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 3,
            Self::Lstm { .. } => 4,
        }
    }

    /// Functions of one direction.
    pub(crate) fn functions(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 2,
            Self::Lstm { .. } => 3,
        }
    }
}

/// The way through the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the first step.
    Forward,
    /// From the last step of each sequence.
    Reverse,
    /// Both, each with weights of its own.
    Both,
}

impl Direction {
    /// Whether each pass goes backwards.
    pub(crate) fn passes(self) -> &'static [bool] {
        match self {
            Self::Forward => &[false],
            Self::Reverse => &[true],
            Self::Both => &[false, true],
        }
    }
}
