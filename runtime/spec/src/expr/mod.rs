//! The expression language: CEL, bounded and pure.
//!
//! `when:` holds a bare [`Expr`]; everywhere else `${…}` inside strings makes a [`Template`]. The text is parsed by the
//! `cel` crate and lowered once, at load, into a small tree that is evaluated directly on borrowed JSON: nothing is
//! converted that the expression does not touch, every evaluation has a step budget, and no text and no data can make
//! it loop, recurse without bound or panic. Expressions cannot see a clock, chance, files or the network.
//!
//! Where JSON and CEL disagree, JSON wins, and the difference is this list:
//! - JSON does not tell `1` from `1.0`, so integers and doubles mix in arithmetic too (the result is a double) and an
//!   integral double is an index.
//! - `has(a.b)` is false when `b` is null or anything on the way to it is missing.
//! - A name that stands directly below `params`, `trigger`, `run`, `steps`, `matrix` or `requires` is null when it has no value; whether it
//!   can exist at all is checked when the workflow is loaded.
//! - There are no bytes, timestamps, durations, types or messages. `matches` takes a literal pattern, compiled at load.

mod budget;
mod error;
mod eval;
mod functions;
mod ir;
mod lex;
mod lower;
mod ops;
mod template;
mod value;

pub use error::ExprError;
pub(crate) use lex::is_reserved;
pub use lower::Name;
pub use template::{Template, TemplateProblem};

use budget::Budget;
use ir::Ir;
use serde_json::Value;

/// Longest expression text in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4096;

/// What names stand for while an expression is evaluated. Each is a JSON value; `steps` holds only ended steps.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `params`: an object.
    pub params: &'a Value,
    /// `trigger`: an object.
    pub trigger: &'a Value,
    /// `steps`: an object of step id to output value.
    pub steps: &'a Value,
    /// `run`: an object.
    pub run: &'a Value,
    /// `item`, `matrix` and `index`, in a step that runs once for each item.
    pub each: Option<Each<'a>>,
    /// `requires`: an object of contract name to the input as it passed; none where no contract has been checked.
    pub requires: Option<&'a Value>,
    /// `event`: an object; none where no event is looked at.
    pub event: Option<&'a Value>,
}

impl<'a> Scope<'a> {
    /// A scope without items, contracts and events.
    #[must_use]
    pub const fn new(params: &'a Value, trigger: &'a Value, steps: &'a Value, run: &'a Value) -> Self {
        Self { params, trigger, steps, run, each: None, requires: None, event: None }
    }
}

/// The item that a step runs for.
#[derive(Clone, Copy, Debug)]
pub struct Each<'a> {
    /// `item`, and `matrix` where the items come from one.
    pub item: &'a Value,
    /// `index`: its place in the list, from 0.
    pub index: u32,
}

/// A compiled CEL expression. Cheap to evaluate, free to share between threads.
#[derive(Debug)]
pub struct Expr {
    text: Box<str>,
    ir: Ir,
    names: Vec<Name>,
}

/// The same text is the same expression.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expr {}

impl Expr {
    /// Compiles `text`.
    ///
    /// Names are not checked here (which ones exist depends on where the expression stands): see [`Expr::names`].
    ///
    /// # Errors
    /// When `text` is no CEL, is longer than [`MAX_EXPRESSION_BYTES`], is nested too deeply, calls a function that
    /// does not exist, or uses a part of CEL that has no meaning here. The error says where in `text`.
    pub fn compile(text: &str) -> Result<Self, ExprError> {
        let lowered = lower::compile(text)?;
        Ok(Self { text: text.into(), ir: lowered.ir, names: lowered.names })
    }

    /// The value of the expression in `scope`.
    ///
    /// # Errors
    /// When the data does not fit the expression (a missing key, an index outside a list, types that cannot be
    /// compared, overflow, division by zero), the result has no JSON form, or the step budget is used up.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        self.eval_within(scope, &Budget::new())
    }

    /// The value of a condition.
    ///
    /// # Errors
    /// As [`Expr::eval`], and when the value is not a boolean.
    pub fn eval_bool(&self, scope: &Scope<'_>) -> Result<bool, ExprError> {
        let budget = Budget::new();
        let value = eval::eval(&self.ir, scope, &budget).map_err(|fault| fault.into_error(&self.text))?;
        match value {
            value::Val::Bool(truth) => Ok(truth),
            other => Err(ExprError::run_time(format!(
                "`{}` must be true or false, but it is {}",
                error::clip(&self.text),
                other.describe()
            ))),
        }
    }

    /// The names outside of the expression that it uses, each once, in the order of the text.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// The text that was compiled.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn eval_within(&self, scope: &Scope<'_>, budget: &Budget) -> Result<Value, ExprError> {
        eval::eval(&self.ir, scope, budget)
            .and_then(|value| value.to_json(budget))
            .map_err(|fault| fault.into_error(&self.text))
    }
}
