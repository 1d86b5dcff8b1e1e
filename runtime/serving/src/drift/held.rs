//! What a row has in a column, until it is counted.

use trackside_stats::sketch::Cell;

/// The longest text that is carried, in bytes; categories are told apart by no more.
const TEXT: usize = 256;

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// The row does not speak of it: it counts nowhere.
    Absent,
    /// Nothing.
    Null,
    /// A number. In a column of categories it is of another type.
    Number(f64),
    /// A text. In a column of numbers it is of another type.
    Text(Box<str>),
}

impl Held {
    /// A text, its beginning where it is long.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let end = (0..=text.len().min(TEXT)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Self::Text(text[..end].into())
    }

    pub(super) fn of(cell: Option<Cell<'_>>) -> Self {
        match cell {
            None => Self::Absent,
            Some(Cell::Null) => Self::Null,
            Some(Cell::Number(value)) => Self::Number(value),
            Some(Cell::Text(text)) => Self::Text(text.into()),
        }
    }

    pub(super) fn cell(&self) -> Option<Cell<'_>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(Cell::Null),
            Self::Number(value) => Some(Cell::Number(*value)),
            Self::Text(text) => Some(Cell::Text(text)),
        }
    }
}
