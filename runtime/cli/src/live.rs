//! A run as it happens: one line for every step that ends, and on a terminal one more for those under way.

use std::collections::BTreeMap;

use trackside_engine::Event;
use trackside_spec::{Plan, StepIndex};

use crate::{
    console::Console,
    output::{Paint, count, duration_ms, escape, note, shorten},
    view::{skip_reason, suspended, waits_for_something, with_time_in_words},
};

/// Longest note behind a step.
const NOTE: usize = 100;

/// Shows one run.
pub struct LiveView {
    console: Console,
    names: Vec<String>,
    /// Which steps are decisions of people.
    decisions: Vec<bool>,
    width: usize,
    /// When the first attempt of each step under way started.
    started: BTreeMap<StepIndex, i64>,
    /// Steps with an attempt under way.
    running: Vec<StepIndex>,
}

impl LiveView {
    /// For a run on this definition.
    pub fn new(console: Console, plan: &Plan) -> Self {
        let names: Vec<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
        let decisions = plan.steps.iter().map(waits_for_something).collect();
        let width = names.iter().map(String::len).max().unwrap_or(0);
        Self { console, names, decisions, width, started: BTreeMap::new(), running: Vec::new() }
    }

    /// Takes an event and shows what there is to show.
    pub fn event(&mut self, at_ms: i64, event: &Event) {
        self.keep(at_ms, event);
        if let Some(line) = self.line(at_ms, event) {
            self.clear();
            self.console.say(&line);
        }
        if !self.running.is_empty() {
            let names: Vec<String> = self.running.iter().map(|step| self.name(*step)).collect();
            let text = format!("  {} {} …", self.console.glyphs.running, shorten(&names.join(", "), NOTE));
            self.console.tell_live(&self.console.err.cyan(&text));
        }
    }

    /// What is waited for, in words.
    pub fn under_way(&self) -> String {
        let names: Vec<String> = self.running.iter().map(|step| self.name(*step)).collect();
        if names.is_empty() { "the run".to_owned() } else { shorten(&names.join(", "), NOTE) }
    }

    /// Takes the line about steps under way off the terminal.
    pub fn clear(&self) {
        self.console.tell_live("");
    }

    fn name(&self, step: StepIndex) -> String {
        self.names.get(step.get()).cloned().unwrap_or_else(|| format!("step-{}", step.0))
    }

    fn keep(&mut self, at_ms: i64, event: &Event) {
        match event {
            // A step with items is under way from its list to its end; its items come and go in between.
            Event::StepStarted { step, item: None, .. }
            | Event::StepExpanded { step, .. }
            | Event::ApprovalRequested { step, .. }
            | Event::StepSuspended { step, .. } => {
                self.started.entry(*step).or_insert(at_ms);
                self.running.push(*step);
            }
            Event::StepSucceeded { step, item: None, .. }
            | Event::StepCollected { step, .. }
            | Event::StepSkipped { step, item: None, .. }
            | Event::StepRetried { step, item: None, .. }
            | Event::StepFailed { step, item: None, .. }
            | Event::StepBlocked { step, item: None, .. }
            | Event::StepCancelled { step, item: None }
            | Event::StepInterrupted { step, item: None, .. } => self.running.retain(|other| other != step),
            _ => {}
        }
    }

    /// The line for an event; nothing for those that nobody misses.
    fn line(&self, at_ms: i64, event: &Event) -> Option<String> {
        let (paint, glyphs) = (self.console.err, self.console.glyphs);
        let took = |step: &StepIndex| {
            let started = self.started.get(step)?;
            Some(duration_ms(at_ms.saturating_sub(*started)))
        };
        let line = |glyph: String, step: &StepIndex, state: &str, word: &str, note: &str| {
            let (name, state) =
                (format!("{:width$}", self.name(*step), width = self.width), paint.state(state, &format!("{word:9}")));
            let note = shorten(note, NOTE);
            let took = took(step).unwrap_or_default();
            Some(format!("  {glyph} {name}  {state}  {took:>8}  {}", paint.dim(&note)).trim_end().to_owned())
        };
        match event {
            Event::StepSucceeded { step, item: None, output, cached, .. } => {
                let kept = if *cached { "kept result; " } else { "" };
                let is_decision = self.decisions.get(step.get()).copied().unwrap_or_default();
                let made = if is_decision { note(&with_time_in_words(output)) } else { note(output) };
                let note = format!("{kept}{made}");
                line(paint.green(glyphs.good), step, "succeeded", "succeeded", &note)
            }
            Event::StepCollected { step, succeeded, skipped, failed } => {
                let note =
                    format!("{} succeeded, {skipped} skipped, {failed} failed", count(u64::from(*succeeded), "item"));
                line(paint.green(glyphs.good), step, "succeeded", "succeeded", &note)
            }
            Event::StepSkipped { step, item: None, reason } => {
                line(paint.dim(glyphs.skipped), step, "skipped", "skipped", &escape(&skip_reason(reason)))
            }
            Event::StepRetried { step, item, attempt, error, due_ms } => {
                let wait = duration_ms(due_ms.saturating_sub(at_ms));
                let of = item.map(|item| format!("item {item}, ")).unwrap_or_default();
                let message = escape(&error.message);
                let why = format!("{of}attempt {attempt}: {}: {message}; again in {wait}", error.code);
                line(paint.yellow(glyphs.again), step, "waiting", "waiting", &why)
            }
            Event::StepFailed { step, item, error, .. } => {
                let of = item.map(|item| format!("item {item}: ")).unwrap_or_default();
                let why = format!("{of}{}: {}", error.code, escape(&error.message));
                line(paint.red(glyphs.bad), step, "failed", "failed", &why)
            }
            Event::StepBlocked { step, item, message, .. } => {
                let of = item.map(|item| format!("item {item}: ")).unwrap_or_default();
                line(paint.red(glyphs.bad), step, "failed", "blocked", &format!("{of}{}", escape(message)))
            }
            Event::StepQueued { step, item: None, mutex } => {
                line(paint.yellow(glyphs.again), step, "waiting", "queued", &format!("for the mutex {mutex}"))
            }
            Event::ChildStarted { step, item: None, run, .. } => {
                line(paint.cyan(glyphs.running), step, "running", "running", &format!("run {run}"))
            }
            Event::ApprovalRequested { step, message, .. } => {
                line(paint.yellow(glyphs.again), step, "waiting", "asks", &escape(message))
            }
            Event::StepSuspended { step, until_ms, on } => line(
                paint.yellow(glyphs.again),
                step,
                "waiting",
                "waits",
                &escape(&suspended(*until_ms, on.as_deref())),
            ),
            Event::Queued { group } => {
                Some(format!("  {} waits for the concurrency group {}", paint.yellow(glyphs.again), escape(group)))
            }
            Event::RunFailed { message, .. } => {
                Some(format!("  {} {}", paint.red(glyphs.bad), paint.red(&escape(message))))
            }
            Event::StepCancelled { step, item: None } if self.started.contains_key(step) => {
                line(paint.yellow(glyphs.bad), step, "cancelled", "cancelled", "")
            }
            Event::StepInterrupted { step, item: None, attempt } => {
                let why = format!("attempt {attempt} was lost when the node went down");
                line(paint.yellow(glyphs.again), step, "waiting", "again", &why)
            }
            Event::Delivered { target, .. } => Some(self.left(paint, &format!("delivered {}", escape(target)))),
            Event::DeliveryRefused { target, reason, .. } => {
                let text = format!("not delivered {}: {}", escape(target), escape(reason));
                Some(format!("  {} {}", paint.red(glyphs.bad), paint.red(&text)))
            }
            Event::TimedOut => Some(format!("  {} the run's time is over", paint.red(glyphs.bad))),
            _ => None,
        }
    }

    fn left(&self, paint: Paint, text: &str) -> String {
        format!("  {} {text}", paint.cyan(self.console.glyphs.arrow))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_engine::StepError;
    use trackside_spec::load_workflow;

    use super::*;
    use crate::output::Glyphs;

    fn view() -> LiveView {
        let source = "version: 1\nname: t\nsteps:\n  check: { plugin: echo, with: { value: 1 } }\n  hello:\n    plugin: echo\n    with: { value: 2 }\n";
        let plan = load_workflow("t", source).unwrap();
        let console = Console {
            json: false,
            quiet: false,
            out: Paint(false),
            err: Paint(false),
            live: false,
            glyphs: Glyphs::ASCII,
        };
        LiveView::new(console, &plan)
    }

    #[test]
    fn a_step_that_ended_has_name_state_time_and_note() {
        let mut view = view();
        let step = StepIndex(0);
        view.keep(1_000, &Event::StepStarted { step, item: None, attempt: 1 });
        let (output, report) = (json!({"rows": 24}), None);
        let event = Event::StepSucceeded { step, item: None, attempt: 1, output, cached: false, report };
        assert_eq!(view.line(1_012, &event).unwrap(), "  + check  succeeded     12 ms  rows 24");
    }

    #[test]
    fn a_decision_has_its_time_as_a_time() {
        let source = "version: 1\nname: t\nsteps:\n  ask: { approval: { message: Go? } }\n";
        let plan = load_workflow("t", source).unwrap();
        let view = LiveView::new(view().console, &plan);
        let output = json!({"approved": true, "at": 1_795_925_765_282_i64});
        let event =
            Event::StepSucceeded { step: StepIndex(0), item: None, attempt: 1, output, cached: false, report: None };
        let line = view.line(0, &event).unwrap();
        assert!(line.ends_with("approved true, at 2026-11-29T04:16:05.282Z"), "{line}");
    }

    #[test]
    fn what_a_plugin_says_can_not_write_over_the_terminal() {
        let event = Event::StepFailed {
            step: StepIndex(1),
            item: None,
            attempt: 1,
            error: StepError::fatal("trap", "evil \x1b[2J\nline"),
            report: None,
        };
        let line = view().line(0, &event).unwrap();
        assert!(line.contains("trap: evil \\u{1b}[2J\\nline"), "{line}");
    }

    #[test]
    fn steps_that_never_began_are_not_told_as_cancelled() {
        assert_eq!(view().line(0, &Event::StepCancelled { step: StepIndex(0), item: None }), None);
    }
}
