//! Running a call: a fresh store and instance, the limits around it, and the report at its end.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, OnceLock},
    task::Poll,
    time::{Duration, Instant},
};

use serde_json::Value;
use trackside_codes::{Class, Reason};
use trackside_sync::CancelToken;
use wasmtime::{Store, UpdateDeadline, WasmBacktrace};

use crate::{
    bindings::{
        PluginPre,
        exports::trackside::plugin::{describe as wit, step},
    },
    call::{CallLimits, Reuse, StepCall},
    cpu_meter::CpuMeter,
    engine::Shared,
    error::defect,
    failure::{Circumstances, StepFailure, Stopped, explain},
    host::metrics::micros,
    host_api::StepHost,
    limiter::Limiter,
    nobody::Nobody,
    output,
    plugin::Plugin,
    recorder::{clip, sentence},
    report::{CallUsage, Completion, StepReport},
    store_data::{CallData, Purpose},
    warm::{self, Instance},
    wasi::SharedRecorder,
};

/// Instructions that were executed, where they are counted.
pub(crate) fn fuel_used<T: Bounded>(store: &Store<T>) -> Option<u64> {
    let left = store.get_fuel().ok()?;
    Some(match store.data().fuel() {
        // A call begins with one more than it may use.
        Some(limit) => limit.saturating_add(1).saturating_sub(left).min(limit),
        None => UNBOUNDED.saturating_sub(left),
    })
}

/// Refuses the end of a call that used more than its instructions after the guest's last check.
pub(crate) fn within_fuel<T: Bounded>(store: &Store<T>) -> Result<(), Box<StepFailure>> {
    match store.data().fuel() {
        Some(limit) if store.get_fuel().is_ok_and(|left| left == 0) => {
            Err(Box::new(StepFailure::out_of_fuel(Some(limit))))
        }
        _ => Ok(()),
    }
}

/// Instructions that are counted and not bounded: centuries.
const UNBOUNDED: u64 = u64::MAX / 2;
/// Memory, CPU and wall of a plugin that describes itself. It may call nothing that waits, so the CPU time is what bounds it;
/// the wall time is for a machine so busy that an honest one hardly gets to run.
const DESCRIBE_LIMITS: (u64, Duration, Duration) = (256 << 20, Duration::from_secs(2), Duration::from_secs(60));

/// How the guest's code came to its end.
pub(crate) enum End<T> {
    /// It returned, trapped, or used up its CPU time.
    Itself(wasmtime::Result<T>),
    /// The wall limit passed.
    Wall,
    /// It was cancelled and did not end within the grace.
    Cancelled,
}

/// What the bounds around a guest need of its store's data.
pub(crate) trait Bounded: Send + 'static {
    /// Bounds memory, tables and instances.
    fn limiter(&mut self) -> &mut Limiter;

    /// The same, to look at.
    fn limits_met(&self) -> &Limiter;

    /// What the guest has said.
    fn recorder(&self) -> &SharedRecorder;

    /// Instructions that it may execute.
    fn fuel(&self) -> Option<u64>;
}

pub(crate) async fn run(
    plugin: &Plugin,
    pre: &PluginPre<CallData>,
    mut call: StepCall,
    host: Arc<dyn StepHost>,
) -> StepReport {
    let begin = Instant::now();
    call.limits = call.limits.clamped();
    if call.command.is_some() {
        let message =
            format!("{} is a component of the contract, not a WASI command: it takes no `command`", plugin.name());
        return StepReport::failed(StepFailure::new("bad-input", message));
    }
    if let Some(failure) = input_problem(plugin, &call) {
        return StepReport::failed(failure);
    }
    call.reuse = call.reuse.map(Reuse::clamped);
    let (limits, cancel) = (call.limits, call.cancel.clone());
    let input_bytes = call.input_json.len() as u64;
    let shared = &plugin.shared;
    let _slot = shared.slots.take().await;
    let key = warm::Key::of(&call, plugin.digest(), shared.counts);
    let purpose = Purpose::Run(plugin.descriptor.clone());
    let meter = Arc::new(CpuMeter::default());
    let (store, mut exports, calls) = match key.as_ref().and_then(|key| shared.warm.take(key)) {
        Some(Instance { mut store, exports, calls }) => {
            store.data_mut().renew(purpose, call, host, begin, shared.net.clone());
            (arm(shared, store, limits, &meter), Some(exports), calls)
        }
        None => {
            let data = CallData::new(purpose, call, host, begin, shared.net.clone());
            (self::store(shared, data, limits, &meter), None, 0)
        }
    };
    let mut store = match store {
        Ok(store) => store,
        Err(error) => return StepReport::failed(StepFailure::new("host-error", format!("{error:#}")).retryable()),
    };
    let ready = OnceLock::new();
    let guest = meter.run(&shared.ticker, async {
        let exports = match &mut exports {
            Some(exports) => exports,
            none => none.insert(pre.instantiate_async(&mut store).await?),
        };
        // Set once, right here.
        let _ = ready.set(micros(begin));
        exports.trackside_plugin_step().call_run(&mut store).await
    });
    let end = until(guest, begin, limits, &cancel).await;

    let outcome = judge(end, &store, plugin, &limits)
        .and_then(|outcome| within_fuel(&store).map(|()| outcome))
        .map_err(|failure| blame_cancel(*failure, &cancel));
    let cpu = meter.ended();
    let mut report = report(outcome, &mut store, begin, ready.get().copied().unwrap_or_default(), cpu);
    report.usage.input_bytes = input_bytes;
    report.usage.earlier_calls = calls;
    // After anything but a good end nobody knows in what state the guest is; a secret that it was shown, or a thing of
    // the host that it holds, must not come into another run.
    let is_fit = report.outcome.is_ok()
        && !cancel.is_cancelled()
        && report.reveals.is_empty()
        && !plugin.is_retired()
        && store.data_mut().holds_only_streams();
    if let (true, Some(key), Some(exports)) = (is_fit, key, exports) {
        shared.warm.put(key, Instance { store, exports, calls: calls.saturating_add(1) });
    }
    report
}

/// Asks a plugin who it is. Blocks.
pub(crate) fn describe(shared: &Arc<Shared>, pre: &PluginPre<CallData>) -> Result<wit::Descriptor, Reason> {
    let (memory, cpu, wall) = DESCRIBE_LIMITS;
    let limits = CallLimits { memory, cpu, wall, ..CallLimits::default() };
    let ask = async {
        let _slot = shared.slots.take().await;
        let begin = Instant::now();
        let call = StepCall { limits, ..StepCall::new("", "describe", "describe") };
        let data = CallData::new(Purpose::Describe, call, Arc::new(Nobody), begin, shared.net.clone());
        let meter = Arc::new(CpuMeter::default());
        let mut store = store(shared, data, limits, &meter).map_err(defect)?;
        let guest = meter.run(&shared.ticker, async {
            let instance = pre.instantiate_async(&mut store).await?;
            instance.trackside_plugin_describe().call_describe(&mut store).await
        });
        match until(guest, begin, limits, &CancelToken::new()).await {
            End::Itself(Ok(descriptor)) => Ok(descriptor),
            End::Itself(Err(error)) => {
                let failure = explain(&error, circumstances(&store, &limits));
                let place = failure.backtrace.first().map(|frame| format!(" (in {frame})")).unwrap_or_default();
                Err(Reason::because(Class::Unusable, format!("{failure}{place}"), failure))
            }
            End::Wall | End::Cancelled => Err(format!("no answer within {}", show(wall)).into()),
        }
    };
    // A thread of its own: the caller may be one where a runtime is not allowed to block.
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("trackside-describe".to_owned()).spawn_scoped(scope, || {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| Reason::by(Class::Setup, error))?
                .block_on(ask)
        });
        let answer = worker.map_err(|error| Reason::by(Class::Setup, error))?.join();
        answer.unwrap_or_else(|_| Err(Reason::new(Class::Bug, "the host panicked; please report it")))
    })
}

/// A store with every bound in place before any guest code runs in it.
pub(crate) fn store<T: Bounded>(
    shared: &Shared,
    data: T,
    limits: CallLimits,
    meter: &Arc<CpuMeter>,
) -> wasmtime::Result<Store<T>> {
    let mut store = Store::try_new(&shared.engine, data)?;
    store.limiter(|data| data.limiter());
    arm(shared, store, limits, meter)
}

/// Sets every bound of a store for one call.
fn arm<T: Bounded>(
    shared: &Shared,
    mut store: Store<T>,
    limits: CallLimits,
    meter: &Arc<CpuMeter>,
) -> wasmtime::Result<Store<T>> {
    if shared.counts {
        let fuel = store.data().fuel();
        // One more than allowed: then nothing is left exactly when more was used, also past the guest's last check.
        store.set_fuel(fuel.map_or(UNBOUNDED, |fuel| fuel.saturating_add(1)))?;
    }
    // The result is moved out of the guest under the same bound as the arguments of its calls.
    store.set_hostcall_fuel(limits.host_call_bytes.max(limits.output_bytes.saturating_add(64 << 10)));
    store.set_max_component_handles(limits.handles);
    let meter = meter.clone();
    store.epoch_deadline_callback(move |_| {
        if meter.now() >= limits.cpu {
            return Err(Stopped::Cpu.into());
        }
        // Others get the thread for a moment, timers among them.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store.set_epoch_deadline(1);
    Ok(store)
}

/// Drives the guest until it ends, its time is over, or a cancel's grace is.
pub(crate) async fn until<T>(
    guest: impl Future<Output = wasmtime::Result<T>>,
    begin: Instant,
    limits: CallLimits,
    cancel: &CancelToken,
) -> End<T> {
    let forced = async {
        cancel.cancelled().await;
        // Counted from the cancel: a guest that computes lets nobody hear of it before the next tick.
        tokio::time::sleep(limits.cancel_grace.saturating_sub(cancel.since().unwrap_or_default())).await;
    };
    let wall = async { tokio::time::sleep(limits.wall.saturating_sub(begin.elapsed())).await };
    let (mut guest, mut forced, mut wall) = (pin!(guest), pin!(forced), pin!(wall));
    let mut has_begun = false;
    poll_fn(|context| {
        // The guest first: a call that ends at once never sets up a timer. Later the timers first: a guest that computes
        // holds the thread until the next tick whenever it is polled.
        if has_begun {
            if begin.elapsed() >= limits.wall {
                return Poll::Ready(End::Wall);
            }
            if cancel.since().is_some_and(|since| since >= limits.cancel_grace) {
                return Poll::Ready(End::Cancelled);
            }
        } else if let Poll::Ready(result) = guest.as_mut().poll(context) {
            return Poll::Ready(End::Itself(result));
        }
        if forced.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Cancelled);
        }
        if wall.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Wall);
        }
        if std::mem::replace(&mut has_begun, true) {
            return guest.as_mut().poll(context).map(End::Itself);
        }
        Poll::Pending
    })
    .await
}

/// Why a call cannot go well, found before anything is made for it.
pub(crate) fn input_problem(plugin: &Plugin, call: &StepCall) -> Option<StepFailure> {
    let (size, limit) = (call.input_json.len(), call.limits.input_bytes);
    if size > limit {
        return Some(StepFailure::new(
            "bad-input",
            format!("the input has {size} bytes and the limit is {limit}: pass large data as artifacts"),
        ));
    }
    let bad = |message| Some(StepFailure::new("bad-input", message));
    let mut document: Value = match serde_json::from_str(&call.input_json) {
        Ok(document) => document,
        Err(error) => return bad(format!("the input is not JSON: {error}")),
    };
    // What stands under the name of a port is the host's reference to an artifact. The schema may know it or not, and a
    // port that is left empty may hold null.
    if let Some(fields) = document.as_object_mut() {
        let known = &plugin.descriptor.input_schema["properties"];
        let is_artifact = |key: &str| call.inputs.get(key).is_some_and(|artifacts| !artifacts.is_empty());
        fields.retain(|key, value| match plugin.descriptor.input(key) {
            Some(_) if value.is_null() => false,
            Some(_) if is_artifact(key) => known.get(key).is_some(),
            _ => true,
        });
    }
    if let Some(problem) = plugin.schemas.input.problem(&document) {
        return bad(format!("`with` does not fit the input schema of {}: {problem}", plugin.name()));
    }
    if call.fuel.is_some() && !plugin.shared.counts {
        let message = "instructions are bounded, and the plugin was not loaded to count them";
        return Some(StepFailure::new("host-error", message));
    }
    plugin.descriptor.inputs.iter().find_map(|port| {
        let wrong = match call.inputs.get(&port.name).map_or(0, Vec::len) {
            0 if port.required => "needs an artifact and got none",
            2.. if !port.many => "takes one artifact and got several",
            _ => return None,
        };
        let message = format!("input port `{}` of {} {wrong}", port.name, plugin.name());
        Some(StepFailure::new("bad-input", message))
    })
}

/// Turns the guest's end into the step's outcome.
fn judge(
    end: End<Result<step::Outcome, step::StepError>>,
    store: &Store<CallData>,
    plugin: &Plugin,
    limits: &CallLimits,
) -> Result<Completion, Box<StepFailure>> {
    let tail = || store.data().recorder.lock().stderr_tail();
    let failure = match end {
        End::Itself(Ok(Ok(step::Outcome::Skipped(reason)))) => {
            return Ok(Completion::Skipped(clip(sentence(&reason), 1_024)));
        }
        End::Itself(Ok(Ok(step::Outcome::Done(json)))) => match result_problem(&json, store, plugin, limits) {
            None => return Ok(Completion::Done(json)),
            Some(problem) => problem,
        },
        End::Itself(Ok(Err(error))) => StepFailure { stderr_tail: tail(), ..StepFailure::from_guest(error) },
        End::Itself(Err(error)) if is_oversized_result(&error) => StepFailure::new(
            "output-too-large",
            format!("the result is larger than {} bytes: write large data to artifacts", limits.output_bytes),
        ),
        End::Itself(Err(error)) => explain(&error, circumstances(store, limits)),
        End::Wall | End::Cancelled => cut_short(&end, store, limits),
    };
    Err(Box::new(failure))
}

/// The failure of a guest that did not come to its own end.
pub(crate) fn cut_short<T, D: Bounded>(end: &End<T>, store: &Store<D>, limits: &CallLimits) -> StepFailure {
    let failure = if matches!(end, End::Cancelled) {
        StepFailure::new("cancelled", format!("was stopped {} after the cancel", show(limits.cancel_grace)))
    } else {
        let message = format!("did not end within {}; raise limits.wall if it needs more", show(limits.wall));
        StepFailure::new("wall-limit", message).retryable()
    };
    StepFailure { stderr_tail: store.data().recorder().lock().stderr_tail(), ..failure }
}

/// What is wrong with a result that a step returned as good.
fn result_problem(json: &str, store: &Store<CallData>, plugin: &Plugin, limits: &CallLimits) -> Option<StepFailure> {
    match output::check(json, limits, &plugin.schemas.output) {
        Ok(()) => {}
        Err(output::Bad::Document(reason)) => return Some(StepFailure::new("bad-output", reason.to_string())),
        Err(output::Bad::TooLarge { size, limit }) => {
            return Some(StepFailure::new(
                "output-too-large",
                format!("the output has {size} bytes and the limit is {limit}: write large data to artifacts"),
            ));
        }
    }
    let produced = &store.data().produced;
    let made = |name: &str| produced.iter().any(|(port, _)| port == name);
    plugin.descriptor.outputs.iter().find(|port| port.required && !made(&port.name)).map(|port| {
        StepFailure::new(
            "missing-output",
            format!("ended without committing an artifact for its output port `{}`", port.name),
        )
    })
}

/// Whether the error came while the result was moved out of the guest: then no guest frame is on the stack.
fn is_oversized_result(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<WasmBacktrace>().is_none()
        && error.root_cause().to_string().contains("fuel allocated for hostcalls")
}

/// A failure after a cancel is the cancel's.
pub(crate) fn blame_cancel(failure: StepFailure, cancel: &CancelToken) -> StepFailure {
    if !cancel.is_cancelled() || failure.code == "cancelled" {
        return failure;
    }
    StepFailure {
        code: "cancelled".to_owned(),
        retryable: false,
        retry_after_ms: None,
        message: format!("was cancelled and ended with {}: {}", failure.code, failure.message),
        ..failure
    }
}

pub(crate) fn circumstances<T: Bounded>(store: &Store<T>, limits: &CallLimits) -> Circumstances {
    let data = store.data();
    Circumstances {
        refused: data.limits_met().refused(),
        table_refused: data.limits_met().table_refused(),
        stderr_tail: data.recorder().lock().stderr_tail(),
        limits: *limits,
        fuel_limit: data.fuel(),
    }
}

fn report(
    outcome: Result<Completion, StepFailure>,
    store: &mut Store<CallData>,
    begin: Instant,
    instantiate_us: u64,
    cpu: Duration,
) -> StepReport {
    let fuel = fuel_used(store);
    let data = store.data_mut();
    let (logs, logs_dropped) = data.recorder.lock().finish();
    let denials = data.recorder.lock().take_denials();
    let (metrics, spans) = data.metrics.finish();
    let (state_entries, state_bytes) = data.staged.size();
    let output_bytes = if let Ok(Completion::Done(json)) = &outcome { json.len() as u64 } else { 0 };
    let (artifacts, log_lines, outbox_entries) = (data.produced.len(), logs.len(), data.outbox.len());
    let mut report = StepReport {
        outcome,
        artifacts: std::mem::take(&mut data.produced),
        state_writes: std::mem::take(&mut data.staged).into_writes(),
        outbox: std::mem::take(&mut data.outbox),
        logs,
        logs_dropped,
        metrics,
        spans,
        progress: data.metrics.progress.take(),
        denials,
        secrets: std::mem::take(&mut data.egress.sent).into_iter().collect(),
        reveals: std::mem::take(&mut data.reveals).into_iter().collect(),
        usage: CallUsage {
            fuel,
            output_bytes,
            table_elements: data.limiter.table_elements(),
            artifacts: u32::try_from(artifacts).unwrap_or(u32::MAX),
            log_lines: log_lines as u64,
            log_bytes: data.recorder.lock().bytes() as u64,
            state_entries: state_entries as u64,
            state_bytes: state_bytes as u64,
            tensor_peak: data.tensors.peak(),
            outbox_entries: outbox_entries as u64,
            http_bytes: data.egress.traffic.total(),
            http_requests: data.egress.requests,
            cpu_us: u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
            wall_us: micros(begin),
            instantiate_us,
            memory_peak: data.limiter.peak(),
            ..data.usage
        },
    };
    if report.outcome.is_err() {
        report.artifacts.clear();
        report.state_writes.clear();
        report.outbox.clear();
    }
    // Last: whatever was put into the report, no secret is in it.
    data.recorder.lock().redactor().clean_report(&mut report);
    report
}

impl StepReport {
    /// The report of a call that never began.
    pub(crate) fn failed(failure: StepFailure) -> Self {
        Self { outcome: Err(failure), ..Self::empty() }
    }

    /// The report of a call that did nothing.
    pub(crate) fn empty() -> Self {
        Self {
            outcome: Ok(Completion::Skipped(String::new())),
            artifacts: Vec::new(),
            state_writes: Vec::new(),
            outbox: Vec::new(),
            logs: Vec::new(),
            logs_dropped: 0,
            metrics: Vec::new(),
            spans: Vec::new(),
            progress: None,
            denials: Vec::new(),
            secrets: Vec::new(),
            reveals: Vec::new(),
            usage: CallUsage::default(),
        }
    }
}

/// A duration as people write it in a workflow.
pub(crate) fn show(duration: Duration) -> String {
    trackside_spec::Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).to_string()
}
