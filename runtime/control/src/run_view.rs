//! How a run's document is made of its journal. More than the engine's state: reports, failed attempts and deliveries are
//! kept too.

use std::sync::Arc;

use serde_json::{Map, Value};
use trackside_engine::{Event, RunId, SkipReason, StepError};
use trackside_facts::TriggerDocument;
use trackside_node::{RunHistory, rfc3339};
use trackside_spec::{Plan, StepIndex};
use trackside_store::{Reader, RunRow, StoreError};

use crate::run_document::{Asks, Delivery, DeliveryState, EarlierAttempt, ItemsView, RunView, StepView, Waits};

impl RunView {
    /// Reads a run from the store; nothing when there is none.
    ///
    /// # Errors
    /// When the database refuses, or an entry of the run's journal can not be understood.
    pub fn read(reader: &Reader, run: RunId) -> Result<Option<Self>, StoreError> {
        let Some(RunHistory { head, entries }) = RunHistory::open(reader, run)? else { return Ok(None) };
        // A definition of another version of this program may not load; the journal is told all the same.
        let mut view = Self::new(head.row, head.plan.ok());
        for entry in entries {
            for event in entry.events {
                view.apply(event, entry.at_ms);
            }
        }
        view.outbox_waiting = reader.outbox_of(run)?;
        Ok(Some(view))
    }

    fn new(row: RunRow, plan: Option<Arc<Plan>>) -> Self {
        let steps = plan.iter().flat_map(|plan| &plan.steps).map(|step| StepView::new(step.id.clone())).collect();
        Self {
            run: row.run,
            workflow: row.workflow,
            definition: row.definition,
            state: "running".to_owned(),
            error: None,
            started: rfc3339(row.started_ms),
            started_ms: row.started_ms,
            ended: None,
            ended_ms: None,
            duration_ms: None,
            trigger: TriggerDocument::default(),
            params: Value::Null,
            cancelled_by: None,
            paused_by: None,
            retry_of: None,
            result: Value::Null,
            outputs: Map::new(),
            steps,
            deliveries: Vec::new(),
            outbox_waiting: 0,
            plan,
        }
    }

    fn apply(&mut self, event: Event, at_ms: i64) {
        let Some(event) = self.apply_to_item(event) else { return };
        match event {
            Event::Started { params, trigger, .. } => (self.params, self.trigger) = (params, trigger),
            Event::Queued { .. } => self.state = "queued".to_owned(),
            Event::Admitted => self.state = "running".to_owned(),
            Event::ApprovalDecided { step, .. } => self.step(step).asks = None,
            Event::Paused { by } => self.paused_by = Some(by),
            Event::Resumed { .. } => self.paused_by = None,
            Event::Retries { run, .. } => self.retry_of = Some(run),
            Event::StepTaken { step, output } => {
                let of = self.retry_of;
                let step = self.step(step);
                step.state = "succeeded";
                step.taken_from = of;
                let id = step.id.clone();
                self.outputs.insert(id, output);
            }
            Event::RunFailed { .. } => {}
            Event::StepExpanded { step, items } => {
                let step = self.step(step);
                step.state = "running";
                step.started_ms = Some(at_ms);
                let results = vec![Value::Null; items.len()];
                step.items = Some(ItemsView { count: items.len(), results, ..ItemsView::default() });
            }
            Event::StepCollected { step, .. } => {
                let step = self.step(step);
                step.end("succeeded", at_ms);
                let items = step.items.get_or_insert_default();
                items.failed.sort_by_key(|error| error["index"].as_u64());
                let output = serde_json::json!({
                    "count": items.count,
                    "failed": items.failed,
                    "results": std::mem::take(&mut items.results),
                });
                let id = step.id.clone();
                self.outputs.insert(id, output);
            }
            Event::StepQueued { step, mutex, .. } => {
                let step = self.step(step);
                step.state = "queued";
                step.reason = Some(format!("it waits for the mutex `{mutex}`"));
            }
            Event::ChildStarted { step, run, .. } => self.step(step).child = Some(run),
            Event::ApprovalRequested { step, message, approvers, deadline_ms } => {
                let step = self.step(step);
                step.state = "awaiting-approval";
                step.started_ms = Some(at_ms);
                let until = deadline_ms.map(rfc3339);
                let limit = until.as_ref().map(|until| format!(" (until {until})"));
                step.reason = Some(format!("{message}{}", limit.unwrap_or_default()));
                step.asks = Some(Asks { message, approvers, until });
            }
            Event::StepSuspended { step, until_ms, on } => {
                let step = self.step(step);
                step.state = if on.is_some() { "awaiting-event" } else { "sleeping" };
                step.started_ms = Some(at_ms);
                step.reason = Some(suspended(until_ms, on.as_deref()));
                step.waits = Some(Waits { event: on, until: until_ms.map(rfc3339) });
            }
            Event::StepBlocked { step, message, report, .. } => {
                let step = self.step(step);
                step.end("blocked", at_ms);
                step.error = Some(StepError::fatal("blocked", message));
                step.report = report;
            }
            Event::StepStarted { step, attempt, .. } => {
                let step = self.step(step);
                step.state = "running";
                step.attempts = attempt;
                step.reason = None;
                step.started_ms.get_or_insert(at_ms);
            }
            Event::StepSucceeded { step, output, report, cached, .. } => {
                let step = self.step(step);
                step.end("succeeded", at_ms);
                step.report = report;
                step.cached = cached;
                let id = step.id.clone();
                self.outputs.insert(id, output);
            }
            Event::StepSkipped { step, reason, .. } => {
                let step = self.step(step);
                step.end("skipped", at_ms);
                step.reason = Some(skip_reason(&reason));
            }
            Event::StepRetried { step, attempt, error, due_ms, .. } => {
                let step = self.step(step);
                step.state = "waiting";
                step.reason = Some(format!("the next attempt is due at {}", rfc3339(due_ms)));
                step.earlier.push(EarlierAttempt { attempt, error: Some(error) });
            }
            Event::StepFailed { step, error, report, .. } => {
                let step = self.step(step);
                step.end("failed", at_ms);
                step.error = Some(error);
                step.report = report;
            }
            Event::StepCancelled { step, .. } => {
                let step = self.step(step);
                step.asks = None;
                step.end("cancelled", at_ms);
            }
            Event::StepInterrupted { step, attempt, .. } => {
                let step = self.step(step);
                step.state = "waiting";
                step.earlier.push(EarlierAttempt { attempt, error: None });
            }
            Event::CancelRequested { by } => self.cancelled_by = Some(by),
            Event::TimedOut | Event::Finishing { .. } => {}
            Event::Ended { end, error, outputs } => {
                self.result = outputs;
                self.state = end.name().to_owned();
                self.error = error;
                self.ended = Some(rfc3339(at_ms));
                self.ended_ms = Some(at_ms);
                self.duration_ms = Some(at_ms.saturating_sub(self.started_ms).max(0));
                // Handlers of other ends were never called: nobody misses them.
                let ordinary = self.plan.as_ref().map_or(usize::MAX, |plan| plan.ordinary_steps());
                let mut is_handler = (0..).map(|index: usize| index >= ordinary);
                self.steps.retain(|step| !is_handler.next().unwrap_or_default() || step.state != "pending");
            }
            Event::Delivered { step, target, .. } => self.delivered(step, target, DeliveryState::Delivered),
            Event::DeliveryRefused { step, target, reason, .. } => {
                self.delivered(step, target, DeliveryState::Refused { reason });
            }
        }
    }

    /// Counts an event of one item; gives back every other event.
    fn apply_to_item(&mut self, event: Event) -> Option<Event> {
        let at = event.about();
        let (step, item) = match (&event, at.and_then(|at| Some((at.step, at.item?)))) {
            (_, None) | (Event::Delivered { .. } | Event::DeliveryRefused { .. }, _) => return Some(event),
            (_, Some(at)) => at,
        };
        let items = self.step(step).items.get_or_insert_default();
        // Items that never ran (their condition was false, their mutex did not come) have not been counted as running.
        let ran = |items: &mut ItemsView| items.running = items.running.saturating_sub(1);
        let failed = |code: &str, message: &str| serde_json::json!({ "index": item, "code": code, "message": message });
        match event {
            Event::StepStarted { .. } => items.running += 1,
            Event::StepSucceeded { output, .. } => {
                ran(items);
                items.succeeded += 1;
                if let Some(place) = items.results.get_mut(item as usize) {
                    *place = output;
                }
            }
            Event::StepSkipped { reason, .. } => {
                if matches!(reason, SkipReason::Said(_)) {
                    ran(items);
                }
                items.skipped += 1;
            }
            Event::StepRetried { .. } | Event::StepInterrupted { .. } => ran(items),
            Event::StepFailed { attempt, error, .. } => {
                if attempt > 0 {
                    ran(items);
                }
                items.failed.push(failed(&error.code, &error.message));
            }
            Event::StepBlocked { message, .. } => {
                ran(items);
                items.failed.push(failed("blocked", &message));
            }
            Event::StepCancelled { .. } => {
                ran(items);
                items.cancelled += 1;
            }
            _ => {}
        }
        None
    }

    fn delivered(&mut self, step: StepIndex, target: String, state: DeliveryState) {
        let step = self.name_of(step);
        self.deliveries.push(Delivery { step, target, state });
    }

    fn name_of(&self, step: StepIndex) -> String {
        let known = self.plan.as_ref().and_then(|plan| plan.steps.get(step.get()));
        known.map_or_else(|| format!("step-{}", step.0), |step| step.id.clone())
    }

    /// The step with this index; made up when the definition could not be read.
    fn step(&mut self, index: StepIndex) -> &mut StepView {
        while self.steps.len() <= index.get() {
            let name = self.name_of(StepIndex(u16::try_from(self.steps.len()).unwrap_or(u16::MAX)));
            self.steps.push(StepView::new(name));
        }
        &mut self.steps[index.get()]
    }
}

impl StepView {
    fn new(id: String) -> Self {
        Self {
            id,
            state: "pending",
            reason: None,
            attempts: 0,
            started_ms: None,
            ended_ms: None,
            duration_ms: None,
            error: None,
            cached: false,
            asks: None,
            waits: None,
            taken_from: None,
            child: None,
            items: None,
            earlier: Vec::new(),
            report: None,
        }
    }

    fn end(&mut self, state: &'static str, at_ms: i64) {
        self.state = state;
        self.reason = None;
        self.waits = None;
        self.ended_ms = Some(at_ms);
        self.duration_ms = self.started_ms.map(|started| at_ms.saturating_sub(started).max(0));
    }
}

/// What a step waits for, in words.
#[must_use]
pub fn suspended(until_ms: Option<i64>, on: Option<&str>) -> String {
    match (on, until_ms.map(rfc3339)) {
        (Some(event), Some(until)) => format!("it waits for the event `{event}` until {until}"),
        (Some(event), None) => format!("it waits for the event `{event}`"),
        (None, until) => format!("it waits until {}", until.unwrap_or_default()),
    }
}

/// Why a step did not run, in a few words.
#[must_use]
pub fn skip_reason(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Condition => "its condition was false".to_owned(),
        SkipReason::Upstream(step) => format!("`{step}` was skipped"),
        SkipReason::UpstreamFailed(step) => format!("`{step}` did not succeed"),
        SkipReason::Unwanted(step) => format!("`{step}` succeeded, and it runs only after other ends"),
        SkipReason::NotRepeated => "the retry is of another step".to_owned(),
        SkipReason::Said(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_engine::RunEnd;
    use trackside_spec::load_workflow;

    use super::*;

    const SOURCE: &str = "\
version: 1
name: t
steps:
  a:
    plugin: echo
    with: { value: 1 }
  b:
    needs: [a]
    plugin: echo
    with: { value: 2 }
finally:
  failed:
    plugin: echo
    with: { value: 3 }
";

    fn view(source: &str, events: Vec<Event>) -> RunView {
        let row = RunRow {
            run: RunId::next(None, 1_000, 7),
            workflow: "t".into(),
            definition: "sha256:0".into(),
            trigger: "manual".into(),
            started_ms: 1_000,
            ended_ms: None,
            end: None,
            error: None,
        };
        let mut view = RunView::new(row, load_workflow("t", source).ok().map(Arc::new));
        for (number, event) in (0i64..).zip(events) {
            view.apply(event, 1_000 + 10 * number);
        }
        view
    }

    fn story() -> Vec<Event> {
        let (a, b) = (StepIndex(0), StepIndex(1));
        let flaky = StepError { retryable: true, ..StepError::fatal("busy", "try later") };
        vec![
            Event::Started {
                params: json!({}),
                trigger: TriggerDocument::from_json(json!({"kind": "manual"})),
                logical_time_ms: 0,
                parent: None,
            },
            Event::StepStarted { step: a, item: None, attempt: 1 },
            Event::StepRetried { step: a, item: None, attempt: 1, error: flaky, due_ms: 1_020 },
            Event::StepStarted { step: a, item: None, attempt: 2 },
            Event::StepSucceeded {
                step: a,
                item: None,
                attempt: 2,
                output: json!({"value": 1}),
                cached: false,
                report: trackside_facts::AttemptReport::default().into(),
            },
            Event::StepSkipped { step: b, item: None, reason: SkipReason::Condition },
            Event::Ended { end: RunEnd::Succeeded, error: None, outputs: json!({"total": 7}) },
            Event::Delivered { step: a, item: None, entry: 0, target: "out/x.json".into() },
        ]
    }

    #[test]
    fn a_journal_becomes_a_story() {
        let view = view(SOURCE, story());
        assert_eq!(view.state, "succeeded");
        assert_eq!(view.duration_ms, Some(60));
        assert_eq!(view.outputs["a"], json!({"value": 1}));
        assert_eq!(view.result, json!({"total": 7}));
        let [a, b] = view.steps.as_slice() else { panic!("the handler of the other end is not told") };
        assert_eq!((a.state, a.attempts, a.earlier.len(), a.duration_ms), ("succeeded", 2, 1, Some(30)));
        assert_eq!((b.state, b.reason.as_deref()), ("skipped", Some("its condition was false")));
        assert_eq!(view.deliveries[0].state, DeliveryState::Delivered);
    }

    #[test]
    fn a_definition_that_can_not_be_read_costs_the_names_only() {
        let view = view("version: 99", story());
        assert_eq!(view.state, "succeeded");
        assert_eq!(view.steps[0].id, "step-0");
        assert_eq!(view.deliveries[0].step, "step-0");
    }

    #[test]
    fn the_json_form_has_the_documented_keys() {
        let json = serde_json::to_value(view(SOURCE, story())).unwrap();
        for key in
            ["run", "workflow", "state", "error", "outputs", "steps", "deliveries", "trigger", "params", "duration_ms"]
        {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert_eq!(json["deliveries"][0], json!({"step": "a", "target": "out/x.json", "state": "delivered"}));
    }
}
