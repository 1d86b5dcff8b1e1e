//! Steps that wait for a time or an event. They take no place of those that run, and a restart changes nothing about them.

use serde_json::{Value, json};
use trackside_facts::from_rfc3339;
use trackside_spec::{
    Action, AwaitedEvent, Duration, ExprError, OnMissing, Scope, StepIndex, Template, UnitError, Wait,
};

use crate::{
    decide::{Moves, index},
    event::{Event, StepError},
    state::{RunState, StepStatus},
};

/// Why it is not known how long a step is to wait.
#[derive(Debug, thiserror::Error)]
enum BadWait {
    /// The expression fails.
    #[error(transparent)]
    Expression(#[from] ExprError),
    /// What it makes is a text, and no duration.
    #[error(transparent)]
    Length(#[from] UnitError),
    /// It makes something else than a duration.
    #[error("a duration is a text such as \"10m\", not {0}")]
    NoLength(Value),
    /// It makes something else than a time.
    #[error("a time is a text such as \"2026-12-24T18:00:00Z\", or milliseconds since 1970, not {0}")]
    NoTime(Value),
}

impl RunState {
    /// The steps that wait for an event of this name now.
    pub fn awaiting<'a>(&'a self, event: &'a str) -> impl Iterator<Item = StepIndex> + 'a {
        let steps = self.steps.iter().enumerate();
        let waits = steps.filter(|(_, record)| matches!(record.status, StepStatus::Suspended { on_event: true, .. }));
        let steps = waits.map(|(position, _)| index(position));
        steps.filter(move |step| self.awaited(*step).is_some_and(|awaited| awaited.name == event))
    }

    fn awaited(&self, step: StepIndex) -> Option<&AwaitedEvent> {
        match &self.plan.steps.get(step.get())?.action {
            Action::Wait(Wait::Event(awaited)) => Some(awaited),
            _ => None,
        }
    }

    /// Whether the event is one that the step waits for. A condition that can not be evaluated on it says no.
    fn is_awaited(&self, step: StepIndex, event: &Value) -> bool {
        let Some(awaited) = self.awaited(step) else { return false };
        let open = self.record(step, None).is_some_and(|record| matches!(record.status, StepStatus::Suspended { .. }));
        open && event["name"] == *awaited.name
            && awaited.condition.as_ref().is_none_or(|condition| {
                let holds = |scope: &Scope<'_>| condition.eval_bool(&Scope { event: Some(event), ..*scope });
                self.with_scope(step, None, holds).unwrap_or_default()
            })
    }
}

impl Moves<'_> {
    /// Begins to wait.
    pub(crate) fn suspend(&mut self, step: StepIndex, wait: &Wait) {
        let after = |length: Duration| self.now_ms.saturating_add_unsigned(length.as_millis());
        let made = match wait {
            Wait::For(length) => self.evaluated(step, length).and_then(read_length).map(after).map(Some),
            Wait::Until(time) => self.evaluated(step, time).and_then(read_time).map(Some),
            Wait::Event(awaited) => Ok(awaited.timeout.map(after)),
        };
        let on = match wait {
            Wait::Event(awaited) => Some(awaited.name.clone()),
            Wait::For(_) | Wait::Until(_) => None,
        };
        match made {
            Ok(until_ms) => self.emit(Event::StepSuspended { step, until_ms, on }),
            Err(reason) => {
                let message = format!("`wait` of step `{}`: {reason}", self.run.plan.step(step).id);
                self.fail_unstarted(step, None, StepError::fatal("bad-expression", message));
            }
        }
    }

    fn evaluated(&self, step: StepIndex, template: &Template) -> Result<Value, BadWait> {
        Ok(self.run.with_scope(step, None, |scope| template.eval(scope))?)
    }

    /// The time has come that the step waits for, or until which its event had time.
    pub(crate) fn resume_by_time(&mut self, step: StepIndex) {
        match self.run.awaited(step).map(|awaited| (awaited.on_timeout, awaited.timeout, awaited.name.clone())) {
            Some((OnMissing::Fail, timeout, name)) => {
                let limit = timeout.unwrap_or_default();
                let error = StepError::fatal("wait-timeout", format!("no event `{name}` came within {limit}"));
                let attempt = self.record(step, None).map_or(0, |record| record.attempts);
                self.emit(Event::StepFailed { step, item: None, attempt, error, report: None });
            }
            Some((OnMissing::Continue, ..)) => self.resume(step, Value::Null, true),
            None => self.resume(step, Value::Null, false),
        }
    }

    /// Something happened on the box.
    pub(crate) fn happened(&mut self, step: StepIndex, event: Value) {
        if self.run.is_awaited(step, &event) {
            self.resume(step, event, false);
        }
    }

    fn resume(&mut self, step: StepIndex, event: Value, timed_out: bool) {
        let attempt = self.record(step, None).map_or(0, |record| record.attempts);
        let output = json!({ "event": event, "timed_out": timed_out, "at": self.now_ms });
        self.emit(Event::StepSucceeded { step, item: None, attempt, output, cached: false, report: None });
    }
}

fn read_length(made: Value) -> Result<Duration, BadWait> {
    match made {
        Value::String(text) => Ok(text.parse()?),
        other => Err(BadWait::NoLength(other)),
    }
}

fn read_time(made: Value) -> Result<i64, BadWait> {
    let time = match &made {
        Value::String(text) => from_rfc3339(text),
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    time.ok_or(BadWait::NoTime(made))
}
