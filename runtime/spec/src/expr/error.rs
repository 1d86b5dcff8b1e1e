//! What goes wrong with an expression.

use trackside_codes::{Code, Coded, code};

/// Why an expression does not compile or has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// `TS-0105` when the text is wrong, `TS-0111` when the data does not fit it.
    pub code: Code,
    /// What is wrong and, where that is clear, what to do.
    pub message: String,
    /// Where in the text, in bytes; `None` for an error of the data.
    pub offset: Option<usize>,
}

impl Coded for ExprError {
    fn code(&self) -> Code {
        self.code
    }
}

impl ExprError {
    pub(super) fn compile_time(offset: usize, message: impl Into<String>) -> Self {
        Self { code: code!("TS-0105"), message: message.into(), offset: Some(offset) }
    }

    pub(super) fn run_time(message: impl Into<String>) -> Self {
        Self { code: code!("TS-0111"), message: message.into(), offset: None }
    }
}

/// Why an evaluation stopped.
#[derive(Debug)]
pub(super) enum Fault {
    /// A key or an index that is not there; `has` turns it into false.
    Missing(String),
    /// Any other mismatch of data and expression.
    Data(String),
    /// The budget is used up. Never absorbed by `&&`, `||`, `all` or `exists`.
    Limit(&'static str),
}

impl Fault {
    pub(super) fn into_error(self, text: &str) -> ExprError {
        let reason = match self {
            Self::Missing(reason) | Self::Data(reason) => reason,
            Self::Limit(reason) => reason.to_owned(),
        };
        ExprError::run_time(format!("`{}`: {reason}", clip(text)))
    }
}

/// A text short enough for a message.
pub(super) fn clip(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
