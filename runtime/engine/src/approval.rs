//! Steps that wait for a person.

use serde_json::{Value, json};
use trackside_spec::{Action, Approval, OnTimeout, StepIndex};

use crate::{
    decide::Moves,
    event::{Event, StepError},
    state::{RunState, StepStatus},
};

/// Longest message, in characters; what is longer is cut.
const LONGEST_MESSAGE: usize = 4_000;
/// Longest comment, in characters; what is longer is cut.
const LONGEST_COMMENT: usize = 2_000;

/// Why a decision is not taken.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecisionRefused {
    /// There is nothing to decide.
    #[error("step `{step}` does not wait for a decision: it is {status}")]
    NotAsked {
        /// Which step.
        step: String,
        /// Its status.
        status: &'static str,
    },
    /// Somebody else must decide.
    #[error("`{by}` may not decide about step `{step}`; those who may: {}", approvers.join(", "))]
    NotAllowed {
        /// Which step.
        step: String,
        /// Who wanted to.
        by: String,
        /// Who may.
        approvers: Vec<String>,
    },
    /// The run has no such step.
    #[error("the run has no step number {0}")]
    NoStep(u16),
}

impl RunState {
    /// Whether this person may decide about this step now.
    ///
    /// # Errors
    /// [`DecisionRefused`] when the step asks nobody, or not them.
    pub fn may_decide(&self, step: StepIndex, by: &str) -> Result<(), DecisionRefused> {
        let (Some(record), Some(definition)) = (self.steps.get(step.get()), self.plan.steps.get(step.get())) else {
            return Err(DecisionRefused::NoStep(step.0));
        };
        let id = definition.id.clone();
        match (&record.status, &definition.action) {
            (StepStatus::Asking { .. }, Action::Approval(approval)) => {
                if approval.approvers.is_empty() || approval.approvers.iter().any(|name| name == by) {
                    return Ok(());
                }
                let approvers = approval.approvers.clone();
                Err(DecisionRefused::NotAllowed { step: id, by: by.to_owned(), approvers })
            }
            (status, _) => Err(DecisionRefused::NotAsked { step: id, status: status.name() }),
        }
    }
}

impl Moves<'_> {
    /// Asks.
    pub(crate) fn ask(&mut self, step: StepIndex, approval: &Approval) {
        let message = match self.run.with_scope(step, None, |scope| approval.message.eval(scope)) {
            Ok(Value::String(text)) => clip(&text, LONGEST_MESSAGE),
            Ok(other) => clip(&other.to_string(), LONGEST_MESSAGE),
            Err(error) => {
                let message = format!("the message of step `{}`: {error}", self.run.plan.step(step).id);
                self.fail_unstarted(step, None, StepError::fatal("bad-expression", message));
                return;
            }
        };
        let deadline_ms = approval.deadline.map(|limit| self.now_ms.saturating_add_unsigned(limit.as_millis()));
        let approvers = approval.approvers.clone();
        self.emit(Event::ApprovalRequested { step, message, approvers, deadline_ms });
    }

    pub(crate) fn decide(&mut self, step: StepIndex, by: String, approve: bool, comment: &str) {
        if self.run.may_decide(step, &by).is_ok() {
            let comment = clip(comment, LONGEST_COMMENT);
            let rejected =
                if comment.is_empty() { format!("rejected by {by}") } else { format!("rejected by {by}: {comment}") };
            self.decided(step, approve, Some(by), comment, StepError::fatal("rejected", rejected));
        }
    }

    /// Nobody decided in time.
    pub(crate) fn decide_by_time(&mut self, step: StepIndex) {
        let plan = self.run.plan.clone();
        let Action::Approval(approval) = &plan.step(step).action else { return };
        let limit = approval.deadline.unwrap_or_default();
        let comment = format!("nobody decided within {limit}");
        let (approve, code) = match approval.on_timeout {
            OnTimeout::Approve => (true, ""),
            OnTimeout::Reject => (false, "rejected"),
            OnTimeout::Fail => (false, "approval-timeout"),
        };
        self.decided(step, approve, None, comment.clone(), StepError::fatal(code, comment));
    }

    fn decided(&mut self, step: StepIndex, approved: bool, by: Option<String>, comment: String, error: StepError) {
        let attempt = self.record(step, None).map_or(0, |record| record.attempts);
        let report = None;
        let output = json!({ "approved": approved, "by": by, "comment": comment, "at": self.now_ms });
        self.emit(Event::ApprovalDecided { step, approved, by, comment });
        if approved {
            self.emit(Event::StepSucceeded { step, item: None, attempt, output, cached: false, report });
        } else {
            self.emit(Event::StepFailed { step, item: None, attempt, error, report });
        }
    }
}

fn clip(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
