//! One attempt of a plugin step: inputs staged, component run, what it left behind put into the store's terms.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use trackside_engine::{Outcome, StepError};
use trackside_facts::{
    AttemptReport, BoxEvent, Delivery, Effect, MetricKind, OutgoingMessage, Present, ReportedMetric,
};
use trackside_sandbox::{
    BoxFuture, CallLimits, IfPresent, OutboxEntry, Plugin, Reuse, StateOp, StepCall, StepFailure, StepReport,
};
use trackside_spec::{ArtifactRef, PluginCall, StepKind};
use trackside_store::Hold;

use super::{Attempt, Executed, Needed, command};
use crate::{
    host::{NodeHost, scope_name},
    job::{OutboxItem, StateChange, StepJob, StepResult},
    result_cache,
    staging::stage,
    workshop::Workshop,
};

impl Executed for PluginCall {
    fn run<'a>(&'a self, attempt: Attempt<'a>) -> BoxFuture<'a, StepResult> {
        Box::pin(async move {
            let job = attempt.job;
            match run(self, attempt).await {
                Ok(result) => result,
                Err(error) => StepResult::failed(job.key(), job.attempt, error),
            }
        })
    }

    fn needs(&self) -> Option<Needed> {
        Some(Needed::Plugin(self.plugin.clone()))
    }
}

/// Runs the attempt to its end.
async fn run(call: &PluginCall, attempt: Attempt<'_>) -> Result<StepResult, StepError> {
    let Attempt { workshop, job, hold, cancel } = attempt;
    let step = job.plan.step(job.step);
    let plugin = workshop.plugins.for_step(&call.plugin, call.limits.fuel.is_some()).await;
    let plugin = plugin.map_err(|problem| StepError::fatal("plugin-unavailable", problem.to_string()))?;
    let mut input = match &job.input {
        Value::Object(fields) => fields.clone(),
        Value::Null => Map::new(),
        other => return Err(StepError::fatal("bad-input", format!("`with` must be an object, not {other}"))),
    };
    let inputs = ports(workshop, hold, call, &plugin, &mut input).await?;
    let command = command::given(workshop, call, job, hold).await?;
    let limits = workshop.config.limits.with(&call.limits);
    let kept_under = step.cache.then(|| {
        // The command's staged files are in its own words: their digests are what counts.
        let (document, staged) = (Value::Object(input.clone()), format!("{command:?}"));
        let policy = &workshop.config.policy;
        result_cache::key(&plugin.digest().to_string(), job, call, &inputs, (&document, &staged), &limits, policy)
    });
    if let Some(key) = kept_under
        && let Some(mut result) = result_cache::find(workshop, job, hold, key).await
    {
        let (descriptor, report) = (plugin.descriptor(), result.report.get_or_insert_default());
        report.plugin = Some(descriptor.name.clone());
        report.version = Some(descriptor.version.clone());
        report.digest = Some(plugin.digest());
        return Ok(result);
    }
    let request = StepCall {
        attempt: job.attempt,
        idempotency_key: idempotency_key(job, &step.id),
        logical_time_ms: u64::try_from(job.logical_time_ms).unwrap_or(0),
        trigger_kind: job.trigger.kind().unwrap_or("manual").to_owned(),
        trigger: attributes(job.trigger.as_json()),
        input_json: Value::Object(input).to_string(),
        inputs,
        command,
        limits: CallLimits::from(&limits),
        fuel: call.limits.fuel,
        allow: call.allow.clone(),
        policy: workshop.config.policy.clone(),
        reuse: call.reuse.map(|reuse| Reuse { runs: reuse.runs, idle: reuse.idle.to_std() }),
        cancel,
        ..StepCall::new(&job.plan.name, job.run.to_string(), &step.id)
    };
    let host = NodeHost {
        artifacts: workshop.artifacts.clone(),
        hold: hold.clone(),
        readers: workshop.readers.clone(),
        workshop: workshop.clone(),
        workflow: job.plan.name.clone(),
        step: step.id.clone(),
        run: job.run.to_string(),
        trigger: job.trigger.clone(),
    };
    let handed_over = workshop.clock.now_us();
    let report = plugin.run(request, Arc::new(host)).await;
    let began_us = handed_over.saturating_add_unsigned(report.usage.instantiate_us);
    let mut result = result(job, call, &plugin, report, began_us);
    result.kept = kept_under.and_then(|key| result_cache::to_keep(key, &result));
    Ok(result)
}

/// Finds the artifact of every declared input port in the step's input. A path of the project that stands there as a
/// constant is staged as an artifact; a path that an expression made is not: it may come from outside.
async fn ports(
    workshop: &Arc<Workshop>,
    hold: &Hold,
    call: &PluginCall,
    plugin: &Plugin,
    input: &mut Map<String, Value>,
) -> Result<BTreeMap<String, Vec<ArtifactRef>>, StepError> {
    let mut found = BTreeMap::new();
    for port in &plugin.descriptor().inputs {
        let constant = call.with.constant_at(&[port.name.as_str()]).and_then(Value::as_str);
        if let Some(path) = constant {
            let staged = stage(workshop, hold, path).await?;
            input.insert(port.name.clone(), staged.to_json());
        }
        let references = match input.get(&port.name) {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => match references(value, port.many) {
                Some(references) => references,
                // Plugins may take small data as JSON under the name of a port that may stay empty.
                None if !port.required => Vec::new(),
                None => {
                    let message = format!("input `{}` must be an artifact, not {}", port.name, shorten(value));
                    return Err(StepError::fatal("bad-input", message));
                }
            },
        };
        if references.is_empty() && port.required {
            let message = format!("plugin `{}` needs the artifact `{}` in `with`", call.plugin, port.name);
            return Err(StepError::fatal("missing-input", message));
        }
        found.insert(port.name.clone(), references);
    }
    Ok(found)
}

fn references(value: &Value, many: bool) -> Option<Vec<ArtifactRef>> {
    match value {
        Value::Array(items) if many => items.iter().map(ArtifactRef::from_json).collect(),
        // Values by name, such as the outputs of a model: those that are artifacts, others are small data.
        Value::Object(fields) if many && ArtifactRef::from_json(value).is_none() => {
            Some(fields.values().filter_map(ArtifactRef::from_json).collect())
        }
        item => ArtifactRef::from_json(item).map(|artifact| vec![artifact]),
    }
}

/// The same for all attempts, another for each item.
fn idempotency_key(job: &StepJob, step: &str) -> String {
    match job.item {
        None => format!("{}/{step}", job.run),
        Some(item) => format!("{}/{step}/{item}", job.run),
    }
}

fn attributes(trigger: &Value) -> Vec<(String, String)> {
    let fields = trigger.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// What the journal keeps of an attempt besides its result: what did it, what it used, what it was refused. Nothing is
/// written of what was not used.
fn summary(plugin: &Plugin, report: &StepReport, call: &PluginCall, began_us: i64) -> AttemptReport {
    let usage = &report.usage;
    let descriptor = plugin.descriptor();
    let used = |count: u64| (count > 0).then_some(count);
    let told = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    // With `reuse` it is said also when it is not so: without it the same step might be.
    let deterministic = call.impurity().is_none();
    AttemptReport {
        plugin: Some(descriptor.name.clone()),
        version: Some(descriptor.version.clone()),
        digest: Some(plugin.digest()),
        began_us: Some(began_us),
        wall_us: Some(usage.wall_us),
        cpu_us: Some(usage.cpu_us),
        memory: Some(usage.memory_peak),
        earlier_runs: used(usage.earlier_calls.into()),
        fuel: usage.fuel.and_then(used),
        input_bytes: used(usage.input_bytes),
        output_bytes: used(usage.output_bytes),
        table_elements: used(usage.table_elements),
        artifact_bytes_read: used(usage.artifact_bytes_read),
        artifact_bytes_written: used(usage.artifact_bytes_written),
        artifacts: used(usage.artifacts.into()),
        log_bytes: used(usage.log_bytes),
        log_lines: used(usage.log_lines),
        log_lines_dropped: used(report.logs_dropped),
        state_entries: used(usage.state_entries),
        state_bytes: used(usage.state_bytes),
        tensor_bytes: used(usage.tensor_peak),
        deliveries: used(usage.outbox_entries),
        http_requests: used(usage.http_requests.into()),
        http_bytes: used(usage.http_bytes),
        model_runs: used(usage.model_runs.into()),
        secrets_sent: told(&report.secrets),
        secrets_revealed: told(&report.reveals),
        denials: told(&report.denials),
        metrics: (!report.metrics.is_empty()).then(|| report.metrics.iter().map(metric).collect()),
        deterministic: (deterministic || call.reuse.is_some()).then_some(deterministic),
        ..AttemptReport::default()
    }
}

fn result(job: &StepJob, call: &PluginCall, plugin: &Plugin, report: StepReport, began_us: i64) -> StepResult {
    let step = job.plan.step(job.step).id.as_str();
    let summary = summary(plugin, &report, call, began_us);
    let outcome = match report.outcome {
        Ok(trackside_sandbox::Completion::Done(text)) => compose(&text, &report.artifacts, plugin),
        Ok(trackside_sandbox::Completion::Skipped(reason)) => Outcome::Skipped(reason),
        Err(failure) => Outcome::Failed(step_error(failure, &report.denials)),
    };
    StepResult {
        run: job.run,
        step: job.step,
        item: job.item,
        attempt: job.attempt,
        outcome,
        report: summary.into(),
        artifacts: report.artifacts.iter().map(|(_, artifact)| artifact.digest).collect(),
        state: report.state_writes.into_iter().map(|write| state_change(write, step)).collect(),
        labels: Vec::new(),
        outbox: report
            .outbox
            .into_iter()
            .enumerate()
            .map(|(place, entry)| {
                outbox_item(entry, job, began_us / 1000, format!("{}/{place}", idempotency_key(job, step)))
            })
            .collect(),
        logs: log_lines(&report.logs, report.logs_dropped),
        kept: None,
        hold: None,
    }
}

/// The value that later steps see: the plugin's JSON with its artifacts under the names of their ports.
fn compose(text: &str, artifacts: &[(String, ArtifactRef)], plugin: &Plugin) -> Outcome {
    let mut output = match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields,
        Ok(other) => Map::from_iter([("value".to_owned(), other)]),
        Err(error) => {
            return Outcome::Failed(StepError::fatal("bad-output", format!("the output is not JSON: {error}")));
        }
    };
    for port in &plugin.descriptor().outputs {
        let mut made = artifacts.iter().filter(|(name, _)| *name == port.name).map(|(_, artifact)| artifact.to_json());
        let value = if port.many { Some(made.collect::<Vec<_>>().into()) } else { made.next_back() };
        let Some(value) = value else { continue };
        if output.insert(port.name.clone(), value).is_some() {
            let message = format!("the output has a field `{}` and an artifact of the same name", port.name);
            return Outcome::Failed(StepError::fatal("bad-output", message));
        }
    }
    Outcome::Succeeded(output.into())
}

fn step_error(failure: StepFailure, denials: &[String]) -> StepError {
    // The first line is the message; what follows it (the YAML that would grant a refused call) are details.
    let mut lines = failure.message.lines();
    let message = lines.next().unwrap_or_default().to_owned();
    let mut details: Vec<String> = lines.map(str::to_owned).collect();
    details.extend(failure.backtrace);
    details.extend(failure.extra.into_iter().map(|(key, value)| format!("{key}: {value}")));
    details.extend(denials.iter().cloned());
    details.extend(failure.stderr_tail.lines().map(|line| format!("stderr: {line}")));
    StepError {
        code: failure.code,
        message,
        retryable: failure.retryable,
        retry_after_ms: failure.retry_after_ms.map(u64::from),
        details,
    }
}

fn state_change(write: trackside_sandbox::StateWrite, step: &str) -> StateChange {
    let scope = scope_name(write.scope, step);
    // `expect` needs no second look: steps that use a workflow's state run one at a time.
    match write.op {
        StateOp::Set { value, ttl_ms } => StateChange { scope, key: write.key, value: Some(value), ttl_ms },
        StateOp::Delete => StateChange { scope, key: write.key, value: None, ttl_ms: None },
    }
}

fn outbox_item(entry: OutboxEntry, job: &StepJob, at_ms: i64, key: String) -> OutboxItem {
    let effect = match entry {
        OutboxEntry::Deliver { artifact, folder, path, present } => {
            let present = match present {
                IfPresent::Refuse => Present::Refuse,
                IfPresent::Keep => Present::Keep,
                IfPresent::Replace => Present::Replace,
                IfPresent::Number => Present::Number,
            };
            Effect::Deliver(Delivery { artifact, folder, path, present })
        }
        OutboxEntry::Publish { channel, topic, payload, attributes } => {
            let payload = STANDARD.encode(payload);
            Effect::Publish(OutgoingMessage { broker: channel, topic, payload, attributes, key })
        }
        OutboxEntry::Emit { event, data } => Effect::Emit(BoxEvent {
            name: event,
            data,
            at: at_ms,
            run: Some(job.run.to_string()),
            workflow: Some(job.plan.name.clone()),
            step: Some(job.plan.step(job.step).id.clone()),
        }),
    };
    OutboxItem { body: effect.body() }
}

fn metric(metric: &trackside_sandbox::Metric) -> ReportedMetric {
    let (kind, value) = match &metric.value {
        trackside_sandbox::MetricValue::Counter(value) => (MetricKind::Counter, json!(value)),
        trackside_sandbox::MetricValue::Gauge(value) => (MetricKind::Gauge, json!(value)),
        trackside_sandbox::MetricValue::Histogram(values) => (MetricKind::Histogram, json!(values)),
    };
    ReportedMetric { name: metric.name.clone(), kind, value, attributes: pairs(&metric.attrs) }
}

fn pairs(attributes: &[(String, String)]) -> Map<String, Value> {
    attributes.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

fn log_lines(logs: &[trackside_sandbox::LogLine], dropped: u64) -> String {
    let mut lines = String::new();
    for line in logs {
        let mut entry = json!({ "at_ms": line.at_ms, "level": line.level.name(), "message": line.message });
        if !line.attrs.is_empty() {
            entry["attributes"] = pairs(&line.attrs).into();
        }
        lines.push_str(&entry.to_string());
        lines.push('\n');
    }
    if dropped > 0 {
        let message = format!("{dropped} lines dropped: more than the step may log");
        lines.push_str(&json!({ "level": "warn", "message": message }).to_string());
        lines.push('\n');
    }
    lines
}

fn shorten(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
