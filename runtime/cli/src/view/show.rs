//! A run as text.

use serde_json::Value;
use trackside_facts::TriggerDocument;
use trackside_node::rfc3339;
use trackside_spec::{Action, Step};

use super::RunView;
use crate::output::{Cell, Paint, Table, duration_ms, escape, note, shorten};

/// The steps that no other step needs: where a run's results are. Finally handlers are not among them.
pub fn sinks(view: &RunView) -> Vec<&str> {
    let Some(plan) = &view.plan else { return view.steps.iter().map(|step| step.id.as_str()).collect() };
    let ordinary = plan.ordinary_steps();
    let needed =
        |index: usize| plan.steps[..ordinary].iter().any(|step| step.needs.iter().any(|need| need.get() == index));
    (0..ordinary).filter(|index| !needed(*index)).map(|index| plan.steps[index].id.as_str()).collect()
}

/// A step's output for people.
pub fn readable(view: &RunView, step: &str, output: &Value) -> Value {
    let own = view.plan.iter().flat_map(|plan| &plan.steps).find(|other| other.id == step);
    if own.is_some_and(waits_for_something) { with_time_in_words(output) } else { output.clone() }
}

/// Whether a step waits for something, so that its output tells when that came.
pub const fn waits_for_something(step: &Step) -> bool {
    matches!(step.action, Action::Approval(_) | Action::Wait(_))
}

/// A decision for people: its time as a time.
pub fn with_time_in_words(output: &Value) -> Value {
    let mut output = output.clone();
    if let Some(at) = output["at"].as_i64() {
        output["at"] = rfc3339(at).into();
    }
    output
}

/// The table of steps: name, state, attempts, time, note.
pub fn step_table(view: &RunView, indent: usize) -> Table {
    let mut table = Table::plain(indent);
    for step in &view.steps {
        let attempts = match step.attempts {
            _ if step.cached => "kept result".to_owned(),
            0 | 1 => String::new(),
            many => format!("{many} attempts"),
        };
        let note = match (&step.error, &step.reason, view.outputs.get(&step.id)) {
            (Some(error), _, _) => format!("{}: {}", error.code, escape(&error.message)),
            (None, Some(reason), _) => escape(reason).into_owned(),
            (None, None, Some(output)) => note(&readable(view, &step.id, output)),
            (None, None, None) => String::new(),
        };
        let took = step.duration_ms.map(duration_ms).unwrap_or_default();
        table.row([
            Cell::new(step.id.as_str()),
            Cell::dressed(step.state, dress(step.state)),
            Cell::right(took),
            attempts.into(),
            shorten(&note, 160).into(),
        ]);
    }
    table
}

/// The dress of a state.
pub fn dress(state: &str) -> fn(Paint, &str) -> String {
    match state {
        "succeeded" => Paint::green,
        "failed" => Paint::red,
        "cancelled" | "waiting" => Paint::yellow,
        "running" => Paint::cyan,
        _ => Paint::dim,
    }
}

/// What started a run, in a line: `file inbox/a.csv`, `cron 2026-11-22T01:30:00Z`, `manual`.
pub fn trigger_line(trigger: &TriggerDocument) -> String {
    let plain = |text: &str| shorten(&escape(text), 100);
    // Its id begins with the workflow's name and its kind.
    let name = plain(trigger.id().or_else(|| trigger.kind()).unwrap_or("unknown"));
    let about = trigger.about().map(|about| plain(&about));
    about.map_or_else(|| name.clone(), |about| format!("{name}  {about}"))
}

/// Why a run did not end well: the line that sums it up and the lines that explain it. Nothing when it did.
pub fn failure(view: &RunView) -> Option<(String, Vec<String>)> {
    let (run, state) = (view.run, view.state.as_str());
    if matches!(state, "succeeded" | "running") {
        return None;
    }
    let Some(error) = &view.error else { return Some((format!("run {run} was {state}"), Vec::new())) };
    let place = error.step.as_ref().map(|step| format!(" at step `{step}`")).unwrap_or_default();
    let message = escape(&error.message);
    let summary = match error.code.as_str() {
        // Its message says all of it: `cancelled by uid 1000`.
        "cancelled" if message.starts_with("cancelled") => format!("run {run} was {message}"),
        code => format!("run {run} {state}{place}: {code}: {message}"),
    };
    let step = error.step.as_ref().and_then(|id| view.steps.iter().find(|step| step.id == *id));
    let details = step.and_then(|step| step.error.as_ref()).map(|error| error.details.as_slice()).unwrap_or_default();
    // The YAML that would grant a refused call has several lines; each is shown as one.
    let lines = details.iter().flat_map(|detail| detail.lines()).map(|line| escape(line).into_owned());
    Some((summary, lines.collect()))
}
