//! What the steps of a run used, which secrets they touched, and what they were refused.

use serde_json::Value;
use trackside_spec::{Action, Limits};

use crate::{
    output::{bytes, count, duration_us, escape},
    view::{RunView, StepView},
};

/// The shortest wait for a model's session that is told, in microseconds.
const TOLD_WAIT: u64 = 1000;

/// One line a step: what it used, beside the bound that its workflow sets for it.
pub fn used(view: &RunView) -> Vec<String> {
    view.steps.iter().filter_map(|step| line(step, limits(view, &step.id))).collect()
}

/// The step's own limits; none where the node's hold.
fn limits(view: &RunView, step: &str) -> Limits {
    let action = view.plan.as_ref().and_then(|plan| plan.steps.iter().find(|other| other.id == step));
    match action.map(|step| &step.action) {
        Some(Action::Plugin(call)) => *call.limits,
        _ => Limits::default(),
    }
}

fn line(step: &StepView, limits: Limits) -> Option<String> {
    let report =
        step.report.as_object().filter(|report| ["plugin", "model"].iter().any(|key| report.contains_key(*key)))?;
    let number = |key: &str| report.get(key).and_then(Value::as_u64).filter(|number| *number > 0);
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let size = |limit: Option<trackside_spec::ByteSize>| of(limit.map(|limit| limit.to_string()));
    let most = |limit: Option<u32>| of(limit.map(|limit| limit.to_string()));
    let time = |limit: Option<trackside_spec::Duration>| of(limit.map(|limit| limit.to_string()));
    let parts = [
        number("cpu_us").map(|us| format!("{} cpu{}", duration_us(us), time(limits.cpu))),
        number("wall_us").map(|us| format!("{} wall{}", duration_us(us), time(limits.wall))),
        number("queued_us")
            .filter(|us| *us >= TOLD_WAIT)
            .map(|us| format!("{} waiting for a session", duration_us(us))),
        number("memory").map(|used| format!("{} memory{}", bytes(used), size(limits.memory))),
        number("fuel")
            .map(|used| format!("{}{}", count(used, "instruction"), of(limits.fuel.map(|fuel| fuel.to_string())))),
        number("table_elements").map(|used| format!("{}{}", count(used, "table element"), most(limits.table))),
        number("input_bytes").map(|used| format!("{} input{}", bytes(used), size(limits.input))),
        number("output_bytes").map(|used| format!("{} output{}", bytes(used), size(limits.output))),
        number("log_lines").map(|used| format!("{}{}", count(used, "log line"), most(limits.log_lines))),
        number("log_bytes").map(|used| format!("{} log{}", bytes(used), size(limits.log))),
        number("log_lines_dropped").map(|dropped| format!("{} dropped", count(dropped, "log line"))),
        number("artifacts").map(|used| format!("{}{}", count(used, "artifact"), most(limits.artifacts))),
        number("artifact_bytes_written").map(|used| format!("{} written{}", bytes(used), size(limits.artifact))),
        number("artifact_bytes_read").map(|used| format!("{} read", bytes(used))),
        number("state_entries").map(|used| {
            let noun = if used == 1 { "entry" } else { "entries" };
            format!("{used} state {noun}{}", most(limits.state_entries))
        }),
        number("state_bytes").map(|used| format!("{} state{}", bytes(used), size(limits.state))),
        number("tensor_bytes").map(|used| format!("{} tensors{}", bytes(used), size(limits.tensor))),
        number("deliveries").map(|used| {
            let noun = if used == 1 { "delivery" } else { "deliveries" };
            format!("{used} {noun}{}", most(limits.deliveries))
        }),
        number("http_requests").map(|used| format!("{}{}", count(used, "request"), most(limits.http_requests))),
        number("http_bytes").map(|used| format!("{} http{}", bytes(used), size(limits.http_total))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{}: {}", step.id, parts.join(", ")))
}

/// Secrets that left the box, and those whose values a plugin was shown.
pub fn secrets(view: &RunView) -> Vec<String> {
    let sent = each(view, "secrets_sent", |step, text| format!("{step}: sent {text}"));
    let shown = each(view, "secrets_revealed", |step, text| format!("{step}: was shown the value of {text}"));
    [sent, shown].concat()
}

/// What steps were refused that went on without it; a step that failed tells it with its error.
pub fn refused(view: &RunView) -> Vec<String> {
    let well = |step: &str| view.steps.iter().any(|other| other.id == step && other.error.is_none());
    let lines = each(view, "denials", |step, text| if well(step) { text.to_owned() } else { String::new() });
    lines.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

fn each(view: &RunView, key: &str, show: impl Fn(&str, &str) -> String) -> Vec<String> {
    let lines = view.steps.iter().flat_map(|step| {
        let texts = step.report.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // Line by line: escaping would write a line end out.
        let safe = |text: &str| text.lines().map(|line| escape(line).into_owned()).collect::<Vec<_>>().join("\n");
        texts.map(|text| show(&step.id, &safe(text))).collect::<Vec<_>>()
    });
    lines.filter(|line| !line.is_empty()).collect()
}
