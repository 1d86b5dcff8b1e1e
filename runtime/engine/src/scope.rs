//! What expressions see of a run, and the documents that they make.

use serde_json::{Value, json};
use trackside_facts::TriggerDocument;
use trackside_spec::{Action, Each, Expr, ExprError, Items, NoItems, Plan, PluginCall, Scope, StepIndex, list_of};

use crate::state::{Phase, RunState};

/// Longest name of a concurrency group, in bytes.
const LONGEST_GROUP: usize = 200;

/// Why a run has no group, though its workflow has one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadGroup {
    /// The expression fails.
    #[error("the group of workflow `{workflow}`: {source}")]
    Expression {
        /// The workflow.
        workflow: String,
        /// How it fails.
        source: ExprError,
    },
    /// It makes something that is no name.
    #[error("the group of workflow `{workflow}` must be a text, and this is {made}")]
    NoText {
        /// The workflow.
        workflow: String,
        /// What it makes.
        made: Value,
    },
    /// It makes nothing, or too long a name.
    #[error("the name of a group has 1 to {LONGEST_GROUP} bytes; that of workflow `{workflow}` has {length}")]
    Length {
        /// The workflow.
        workflow: String,
        /// Bytes of the name.
        length: usize,
    },
}

/// The concurrency group of a run that has not begun; `None` when its workflow has none.
///
/// # Errors
/// When the expression fails, or what it makes is no name: empty, not a text, longer than 200 bytes.
pub fn concurrency_group(plan: &Plan, params: &Value, trigger: &TriggerDocument) -> Result<Option<String>, BadGroup> {
    let Some(concurrency) = &plan.concurrency else { return Ok(None) };
    let nothing = Value::Null;
    let made = concurrency.group.eval(&Scope::new(params, trigger.as_json(), &nothing, &nothing));
    let workflow = || plan.name.clone();
    let made = made.map_err(|source| BadGroup::Expression { workflow: workflow(), source })?;
    let text = match made {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        made => return Err(BadGroup::NoText { workflow: workflow(), made }),
    };
    if text.is_empty() || text.len() > LONGEST_GROUP {
        return Err(BadGroup::Length { workflow: workflow(), length: text.len() });
    }
    Ok(Some(text))
}

impl RunState {
    /// What `run` shows to expressions.
    #[must_use]
    pub fn run_document(&self) -> Value {
        let mut document = self.bare_document();
        if let Phase::Finishing(end, error) | Phase::Ended(end, error) = &self.phase {
            document["state"] = end.name().into();
            document["error"] = error.as_ref().map_or(Value::Null, |e| e.message.clone().into());
            document["error_code"] = error.as_ref().map_or(Value::Null, |e| e.code.clone().into());
            document["failed_step"] = error.as_ref().and_then(|e| e.step.clone()).map_or(Value::Null, Value::from);
        }
        document
    }

    /// What is known of the run from its start.
    fn bare_document(&self) -> Value {
        json!({ "id": self.id, "workflow": self.plan.name, "started_ms": self.started_ms })
    }

    /// A step's input with every expression evaluated: `with`, `inputs`, or the `params` of another workflow. Null for an
    /// approval or a wait. `requires` is what `requires.NAME` shows: contract name to the input as it passed, null without.
    ///
    /// # Errors
    /// When an expression fails (a missing key, a wrong type).
    pub fn input(&self, step: StepIndex, item: Option<u32>, requires: &Value) -> Result<Value, ExprError> {
        let Some(template) = self.plan.step(step).action.kind().input() else { return Ok(Value::Null) };
        self.with_scope(step, item, |scope| template.eval(&Scope { requires: Some(requires), ..*scope }))
    }

    /// What a step that is a WASI command is called with, every expression evaluated; `None` when it says nothing of
    /// that. `requires` as for [`RunState::input`].
    ///
    /// # Errors
    /// When an expression fails (a missing key, a wrong type).
    pub fn command(&self, step: StepIndex, item: Option<u32>, requires: &Value) -> Result<Option<Value>, ExprError> {
        match &self.plan.step(step).action {
            Action::Plugin(PluginCall { command: Some(command), .. }) => self.with_scope(step, item, |scope| {
                command.given.eval(&Scope { requires: Some(requires), ..*scope }).map(Some)
            }),
            _ => Ok(None),
        }
    }

    /// The inputs that a step's contracts are about, in the order of the contracts.
    ///
    /// # Errors
    /// When an expression fails (a missing key, a wrong type).
    pub fn contract_inputs(&self, step: StepIndex, item: Option<u32>) -> Result<Vec<Value>, ExprError> {
        let contracts = &self.plan.step(step).requires;
        if contracts.is_empty() {
            return Ok(Vec::new());
        }
        self.with_scope(step, item, |scope| contracts.iter().map(|contract| contract.of.eval(scope)).collect())
    }

    /// The items of a step with `foreach`.
    pub(crate) fn expand(&self, step: StepIndex) -> Result<Vec<Value>, NoItems> {
        let bad = |error: ExprError| NoItems { code: "bad-expression", message: error.to_string() };
        match self.plan.step(step).foreach.as_ref().map(|foreach| &foreach.items) {
            None => Ok(Vec::new()),
            Some(Items::List(list)) => {
                list_of("foreach", self.with_scope(step, None, |scope| list.eval(scope)).map_err(bad)?)
            }
            Some(Items::Matrix(matrix)) => {
                let mut lists = Vec::with_capacity(matrix.keys.len());
                for (key, list) in &matrix.keys {
                    let made = self.with_scope(step, None, |scope| list.eval(scope)).map_err(bad)?;
                    lists.push(list_of(&format!("`{key}` of the matrix"), made)?);
                }
                matrix.combine(&lists)
            }
        }
    }

    /// A condition of a step, or of one of its items.
    pub(crate) fn holds(&self, step: StepIndex, item: Option<u32>, condition: &Expr) -> Result<bool, ExprError> {
        self.with_scope(step, item, |scope| condition.eval_bool(scope))
    }

    pub(crate) fn with_scope<T>(
        &self,
        step: StepIndex,
        item: Option<u32>,
        evaluate: impl FnOnce(&Scope<'_>) -> T,
    ) -> T {
        let run = self.run_document();
        let items = self.steps.get(step.get()).and_then(|record| record.items.as_ref());
        let each = item
            .zip(items)
            .and_then(|(index, items)| items.items().get(index as usize).map(|item| Each { item, index }));
        let scope = Scope::new(&self.params, self.trigger.as_json(), &self.step_outputs, &run);
        evaluate(&Scope { each, ..scope })
    }

    /// What `outputs` makes of the steps' outputs; null without `outputs`.
    pub(crate) fn make_outputs(&self) -> Result<Value, ExprError> {
        let Some(outputs) = &self.plan.outputs else { return Ok(Value::Null) };
        // The same before and after the handlers, so that it can be made twice.
        let run = self.bare_document();
        outputs.eval(&Scope::new(&self.params, self.trigger.as_json(), &self.step_outputs, &run))
    }
}
