//! What the journal tells of one step.

use std::sync::Arc;

use serde_json::Value;
use trackside_engine::{Event, RunId, RunState, SkipReason, StepError};
use trackside_node::RunHistory;
use trackside_spec::{Action, Plan, PluginCall, StepIndex, read_yaml};

use super::RecordError;

/// A plugin step that ran to its end.
pub(super) struct RecordedStep<'p> {
    pub(super) run: RunId,
    pub(super) step: StepIndex,
    pub(super) call: &'p PluginCall,
    pub(super) attempt: u32,
    /// The run when the attempt began.
    pub(super) before: RunState,
    pub(super) end: End,
}

/// How it ended.
pub(super) enum End {
    Done(Value),
    Skipped(String),
    Failed(StepError),
}

impl<'p> RecordedStep<'p> {
    /// Reads a step of a run: the only plugin step where none is named.
    pub(super) fn read(
        history: &RunHistory,
        run: RunId,
        plan: &'p Arc<Plan>,
        step: Option<&str>,
    ) -> Result<Self, RecordError> {
        let unusable = |reason: String| RecordError::NoCase { run, reason };
        let calls = (0..).map(StepIndex).zip(&plan.steps).filter_map(|(index, step)| match &step.action {
            Action::Plugin(call) if step.foreach.is_none() => Some((index, step.id.as_str(), call)),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        let found = match step {
            Some(name) => calls.iter().find(|(_, id, _)| *id == name),
            None => calls.first().filter(|_| calls.len() == 1),
        };
        let Some((step, call)) = found.map(|(index, _, call)| (*index, *call)) else {
            let names: Vec<&str> = calls.iter().map(|(_, id, _)| *id).collect();
            return Err(unusable(format!("name one of its plugin steps with --step: {}", names.join(", "))));
        };
        let mut before = RunState::new(plan.clone(), run);
        let mut begun = None;
        for (at_ms, event) in history.events() {
            let end = match event {
                Event::StepStarted { step: started, attempt, .. } if *started == step => {
                    begun = Some(*attempt);
                    None
                }
                Event::StepSucceeded { step: ended, output, .. } if *ended == step => Some(End::Done(output.clone())),
                Event::StepSkipped { step: ended, reason: SkipReason::Said(why), .. } if *ended == step => {
                    Some(End::Skipped(why.clone()))
                }
                Event::StepFailed { step: ended, error, .. } if *ended == step => Some(End::Failed(error.clone())),
                _ => None,
            };
            if let (Some(end), Some(attempt)) = (end, begun) {
                return Ok(Self { run, step, call, attempt, before, end });
            }
            before.apply(event, at_ms).map_err(|error| unusable(error.to_string()))?;
        }
        Err(unusable(format!("its step `{}` did not run to an end of its own", plan.step(step).id)))
    }

    pub(super) fn step_name(&self) -> &str {
        &self.before.plan().step(self.step).id
    }

    /// The step as its author wrote it.
    pub(super) fn source(&self) -> Value {
        let plan = self.before.plan();
        let source: Value = read_yaml(&plan.name, &plan.source).unwrap_or_default();
        match self.step_name().split_once('.') {
            Some(("finally", end)) => source["finally"][end].clone(),
            _ => source["steps"][self.step_name()].clone(),
        }
    }
}
