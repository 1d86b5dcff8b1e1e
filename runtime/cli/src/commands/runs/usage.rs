//! What the steps of a run used, which secrets they touched, and what they were refused.

use trackside_facts::AttemptReport;
use trackside_spec::Limits;

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
    let step = view.plan.as_ref().and_then(|plan| plan.steps.iter().find(|other| other.id == step));
    step.map(|step| step.action.kind().limits()).unwrap_or_default()
}

fn line(step: &StepView, limits: Limits) -> Option<String> {
    let report = step.report.as_ref().filter(|report| report.plugin.is_some() || report.model.is_some())?;
    let some = |number: Option<u64>| number.filter(|number| *number > 0);
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let size = |limit: Option<trackside_spec::ByteSize>| of(limit.map(|limit| limit.to_string()));
    let most = |limit: Option<u32>| of(limit.map(|limit| limit.to_string()));
    let time = |limit: Option<trackside_spec::Duration>| of(limit.map(|limit| limit.to_string()));
    let parts = [
        some(report.cpu_us).map(|us| format!("{} cpu{}", duration_us(us), time(limits.cpu))),
        some(report.wall_us).map(|us| format!("{} wall{}", duration_us(us), time(limits.wall))),
        some(report.queued_us)
            .filter(|us| *us >= TOLD_WAIT)
            .map(|us| format!("{} waiting for a session", duration_us(us))),
        some(report.memory).map(|used| format!("{} memory{}", bytes(used), size(limits.memory))),
        some(report.fuel)
            .map(|used| format!("{}{}", count(used, "instruction"), of(limits.fuel.map(|fuel| fuel.to_string())))),
        some(report.table_elements).map(|used| format!("{}{}", count(used, "table element"), most(limits.table))),
        some(report.input_bytes).map(|used| format!("{} input{}", bytes(used), size(limits.input))),
        some(report.output_bytes).map(|used| format!("{} output{}", bytes(used), size(limits.output))),
        some(report.log_lines).map(|used| format!("{}{}", count(used, "log line"), most(limits.log_lines))),
        some(report.log_bytes).map(|used| format!("{} log{}", bytes(used), size(limits.log))),
        some(report.log_lines_dropped).map(|dropped| format!("{} dropped", count(dropped, "log line"))),
        some(report.artifacts).map(|used| format!("{}{}", count(used, "artifact"), most(limits.artifacts))),
        some(report.artifact_bytes_written).map(|used| format!("{} written{}", bytes(used), size(limits.artifact))),
        some(report.artifact_bytes_read).map(|used| format!("{} read", bytes(used))),
        some(report.state_entries).map(|used| {
            let noun = if used == 1 { "entry" } else { "entries" };
            format!("{used} state {noun}{}", most(limits.state_entries))
        }),
        some(report.state_bytes).map(|used| format!("{} state{}", bytes(used), size(limits.state))),
        some(report.tensor_bytes).map(|used| format!("{} tensors{}", bytes(used), size(limits.tensor))),
        some(report.deliveries).map(|used| {
            let noun = if used == 1 { "delivery" } else { "deliveries" };
            format!("{used} {noun}{}", most(limits.deliveries))
        }),
        some(report.http_requests).map(|used| format!("{}{}", count(used, "request"), most(limits.http_requests))),
        some(report.http_bytes).map(|used| format!("{} http{}", bytes(used), size(limits.http_total))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{}: {}", step.id, parts.join(", ")))
}

/// Secrets that left the box, and those whose values a plugin was shown.
pub fn secrets(view: &RunView) -> Vec<String> {
    let sent = each(view, |report| report.secrets_sent.as_ref(), |step, text| format!("{step}: sent {text}"));
    let shown = each(
        view,
        |report| report.secrets_revealed.as_ref(),
        |step, text| format!("{step}: was shown the value of {text}"),
    );
    [sent, shown].concat()
}

/// What steps were refused that went on without it; a step that failed tells it with its error.
pub fn refused(view: &RunView) -> Vec<String> {
    let well = |step: &str| view.steps.iter().any(|other| other.id == step && other.error.is_none());
    let lines = each(
        view,
        |report| report.denials.as_ref(),
        |step, text| if well(step) { text.to_owned() } else { String::new() },
    );
    lines.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

fn each(
    view: &RunView,
    list: impl Fn(&AttemptReport) -> Option<&Vec<String>>,
    show: impl Fn(&str, &str) -> String,
) -> Vec<String> {
    let lines = view.steps.iter().flat_map(|step| {
        let texts = step.report.iter().filter_map(|report| list(report)).flatten();
        // Line by line: escaping would write a line end out.
        let safe = |text: &str| text.lines().map(|line| escape(line).into_owned()).collect::<Vec<_>>().join("\n");
        texts.map(|text| show(&step.id, &safe(text))).collect::<Vec<_>>()
    });
    lines.filter(|line| !line.is_empty()).collect()
}
