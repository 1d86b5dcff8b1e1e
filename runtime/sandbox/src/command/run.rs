//! One call of a program: its streams and folder made, the program run in the bounds of every plugin, its exit code
//! and standard output put into the step's terms.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Instant,
};

use serde_json::Value;
use trackside_spec::{ArtifactRef, CommandStdout, ExitCodes};
use wasmtime::Store;
use wasmtime_wasi::{FsPerms, I32Exit, p1::WasiP1Ctx};

use super::{
    about::STDOUT,
    call::{CommandCall, CommandStdin},
    data::CommandData,
    folder::InputFolder,
    kind::Program,
    stdin::Stdin,
    stdout::{Over, Stdout},
};
use crate::{
    call::{CallLimits, StepCall},
    clocks::Clocks,
    cpu_meter::CpuMeter,
    failure::{StepFailure, explain},
    files::{FileSlots, OpenFile, blocking},
    grants::decide::Grants,
    host::metrics::micros,
    host_api::StepHost,
    output,
    plugin::Plugin,
    recorder::{Recorder, clip, one_line},
    report::{CallUsage, Completion, StepReport},
    run::{self, End},
    wasi::{self, SharedRecorder},
};

/// The guest's name of its folder.
const FOLDER: &str = "/in";
/// A module reads a whole file at once if it has the memory for it; the host's copy must fit, too.
const MODULE_HOSTCALL_FUEL: usize = 4 << 20;

pub(crate) async fn run(plugin: &Plugin, program: &Program, mut call: StepCall, host: Arc<dyn StepHost>) -> StepReport {
    let begin = Instant::now();
    call.limits = call.limits.clamped();
    let command = call.command.take().unwrap_or_default();
    let problem = run::input_problem(plugin, &call);
    let problem =
        problem.or_else(|| command.problem(call.limits.input_bytes).map(|text| StepFailure::new("bad-input", text)));
    if let Some(failure) = problem {
        return StepReport::failed(failure);
    }
    let _slot = plugin.shared.slots.take().await;
    match open(&command, &call, &host).await {
        Ok(opened) => run_opened(plugin, program, &call, &command, host, opened, begin).await,
        Err(failure) => StepReport::failed(*failure),
    }
}

/// What a program reads, ready for it.
pub(super) struct Opened {
    /// Its files. The folder goes after the store, which has it open.
    pub(super) folder: Option<InputFolder>,
    /// Where it sees them.
    pub(super) at: &'static str,
    pub(super) stdin: Stdin,
}

/// Runs a program on what was opened for it. The caller holds a slot.
pub(super) async fn run_opened(
    plugin: &Plugin,
    program: &Program,
    call: &StepCall,
    command: &CommandCall,
    host: Arc<dyn StepHost>,
    opened: Opened,
    begin: Instant,
) -> StepReport {
    let (limits, cancel) = (call.limits, call.cancel.clone());
    let recorder = SharedRecorder::new(Recorder::new(begin, &limits));
    let stdout = match command.stdout {
        CommandStdout::Artifact => Stdout::artifact(host.clone(), limits.artifact_bytes),
        CommandStdout::Json | CommandStdout::Text => Stdout::memory(limits.output_bytes),
    };
    let given = Given { plugin, command, call, host: &host, recorder: &recorder, begin };
    let meter = Arc::new(CpuMeter::default());
    let store = given.context(&opened, &stdout).and_then(|wasi| {
        let data = CommandData::new(wasi, call, recorder.clone());
        let mut store = run::store(&plugin.shared, data, limits, &meter)?;
        if matches!(program, Program::Module(_)) {
            store.set_hostcall_fuel(usize::try_from(limits.memory).unwrap_or(usize::MAX).max(MODULE_HOSTCALL_FUEL));
        }
        Ok(store)
    });
    let mut store = match store {
        Ok(store) => store,
        Err(error) => return StepReport::failed(StepFailure::new("host-error", format!("{error:#}")).retryable()),
    };
    let ready = OnceLock::new();
    let guest = meter.run(
        &plugin.shared.ticker,
        enter(program, &mut store, || {
            // Set once, right there.
            let _ = ready.set(micros(begin));
        }),
    );
    let end = run::until(guest, begin, limits, &cancel).await;
    let judged = match judge(end, &store, &stdout, &command.exit, &limits) {
        Ok(code) => finish(code, command, stdout.clone(), &host, &limits).await,
        Err(failure) => Err(failure),
    };
    let judged = judged.map_err(|failure| run::blame_cancel(*failure, &cancel));
    let usage = CallUsage {
        cpu_us: u64::try_from(meter.ended().as_micros()).unwrap_or(u64::MAX),
        wall_us: micros(begin),
        instantiate_us: ready.get().copied().unwrap_or_default(),
        memory_peak: run::Bounded::limits_met(store.data()).peak(),
        host_calls: stdout.written().1,
        artifact_bytes_read: opened.stdin.bytes_read(),
        artifact_bytes_written: if command.stdout == CommandStdout::Artifact { stdout.written().0 } else { 0 },
        fuel: run::fuel_used(&store),
        ..CallUsage::default()
    };
    drop(store);
    report(judged, &recorder, usage)
}

/// What the program's WASI context is made of.
struct Given<'a> {
    plugin: &'a Plugin,
    command: &'a CommandCall,
    call: &'a StepCall,
    host: &'a Arc<dyn StepHost>,
    recorder: &'a SharedRecorder,
    begin: Instant,
}

impl Given<'_> {
    fn context(&self, opened: &Opened, stdout: &Stdout) -> wasmtime::Result<WasiP1Ctx> {
        // A program can not say what it wants: what the workflow and the box allow is what it gets.
        let grants = Grants::new(None, self.call.allow.clone(), self.call.policy.clone());
        let clocks = Clocks::of_command(grants.clock().is_ok(), self.call, self.host, self.begin);
        let mut builder = wasi::builder(self.call, &grants, &clocks, grants.env().0);
        builder
            .arg(&self.plugin.descriptor.name)
            .args(&self.command.args)
            .envs(&self.command.env)
            .stdin(opened.stdin.clone())
            .stdout(stdout.clone())
            .stderr(wasi::stderr(self.recorder));
        if let Some(folder) = &opened.folder {
            builder.preopened_dir(folder.path(), opened.at, FsPerms::ReadOnly)?;
        }
        Ok(builder.build_p1())
    }
}

/// Opens what the program reads.
async fn open(command: &CommandCall, call: &StepCall, host: &Arc<dyn StepHost>) -> Result<Opened, Box<StepFailure>> {
    let unreadable = |what: String, error: &io::Error| {
        let failure = StepFailure::new("bad-input", format!("{what}: {error}"));
        Box::new(if error.kind() == io::ErrorKind::NotFound { failure } else { failure.retryable() })
    };
    let folder = if command.files.is_empty() {
        None
    } else {
        let (files, host) = (command.files.clone(), host.clone());
        let made = blocking(move || host.input_folder(&files)).await;
        Some(made.map_err(|error| unreadable("the files of `command` cannot be made ready".to_owned(), &error))?)
    };
    let stdin = match &command.stdin {
        CommandStdin::Input => Stdin::bytes(call.input_json.clone().into_bytes()),
        CommandStdin::Bytes(bytes) => Stdin::bytes(bytes.clone()),
        CommandStdin::Artifact(artifact) => {
            let what = format!("standard input, artifact {}", one_line(&artifact.name));
            Stdin::artifact(open_artifact(artifact.clone(), host.clone()).await.map_err(|e| unreadable(what, &e))?)
        }
    };
    Ok(Opened { folder, at: FOLDER, stdin })
}

async fn open_artifact(artifact: ArtifactRef, host: Arc<dyn StepHost>) -> io::Result<OpenFile> {
    // One file of one call: it always has room.
    let slot = FileSlots::default().take().ok_or_else(|| io::Error::other(FileSlots::refusal()))?;
    blocking(move || OpenFile::new(host.open_artifact(&artifact)?, slot)).await
}

/// Runs the program's own code. `Ok` when it ended by returning, with the exit code that this means.
async fn enter(program: &Program, store: &mut Store<CommandData>, ready: impl FnOnce()) -> wasmtime::Result<i32> {
    match program {
        Program::Module(pre) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
            ready();
            start.call_async(store, ()).await?;
            Ok(0)
        }
        Program::Component(pre) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            ready();
            let result = instance.wasi_cli_run().call_run(store).await?;
            Ok(i32::from(result.is_err()))
        }
    }
}

/// The exit code of a program that ended well, by the rules of the workflow. The whole number counts: a program that gives a
/// number of errors, of which there are 256, has not ended well.
fn judge(
    end: End<i32>,
    store: &Store<CommandData>,
    stdout: &Stdout,
    exit: &ExitCodes,
    limits: &CallLimits,
) -> Result<i32, Box<StepFailure>> {
    // The reason counts, not the trap that it became on its way through the program.
    if let Some(over) = stdout.over() {
        return Err(Box::new(cut_off(&over)));
    }
    let code = match end {
        End::Itself(Ok(code)) => code,
        End::Itself(Err(error)) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => *code,
            None => return Err(Box::new(explain(&error, run::circumstances(store, limits)))),
        },
        End::Wall | End::Cancelled => return Err(Box::new(run::cut_short(&end, store, limits))),
    };
    run::within_fuel(store)?;
    let is_in = |codes: &[u8]| u8::try_from(code).is_ok_and(|code| codes.contains(&code));
    if is_in(&exit.ok) {
        return Ok(code);
    }
    let stderr_tail = run::Bounded::recorder(store.data()).lock().stderr_tail();
    let last = stderr_tail.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last = last.map(|line| format!(": {line}")).unwrap_or_default();
    Err(Box::new(StepFailure {
        retryable: is_in(&exit.retry),
        from_guest: true,
        extra: vec![("exit_code".to_owned(), code.to_string())],
        stderr_tail,
        ..StepFailure::new("exit-code", format!("ended with exit code {code}{last}"))
    }))
}

fn cut_off(over: &Over) -> StepFailure {
    match over {
        Over::Limit(limit) => StepFailure::new(
            "output-too-large",
            format!(
                "wrote more than {limit} bytes to standard output: take it as an artifact (`stdout: artifact`), or raise its limit"
            ),
        ),
        Over::Store(_) => StepFailure::new("host-error", over.to_string()).retryable(),
    }
}

/// The step's outcome, once the exit code is good.
async fn finish(
    code: i32,
    command: &CommandCall,
    stdout: Stdout,
    host: &Arc<dyn StepHost>,
    limits: &CallLimits,
) -> Result<(Completion, Vec<(String, ArtifactRef)>), Box<StepFailure>> {
    let bad = |message: String| Box::new(StepFailure::new("bad-output", message));
    let mut artifacts = Vec::new();
    let shown = match command.stdout {
        CommandStdout::Artifact => {
            let made = stdout.commit(host.clone(), STDOUT).await;
            let made = made.map_err(|error| Box::new(StepFailure::new("host-error", error.to_string()).retryable()))?;
            artifacts.push((STDOUT.to_owned(), made));
            None
        }
        CommandStdout::Text => {
            let text = String::from_utf8(stdout.into_bytes()).map_err(|_| {
                bad("standard output is not UTF-8: take it as an artifact (`stdout: artifact`)".to_owned())
            })?;
            Some(Value::from(text))
        }
        CommandStdout::Json => {
            let text = String::from_utf8(stdout.into_bytes());
            let text = text.map_err(|_| bad("standard output is not JSON: it is not even UTF-8".to_owned()))?;
            Some(json(&text, limits)?)
        }
    };
    let mut output = serde_json::Map::new();
    if let Some(shown) = shown {
        output.insert(STDOUT.to_owned(), shown);
    }
    output.insert("exit_code".to_owned(), code.into());
    Ok((Completion::Done(Value::Object(output).to_string()), artifacts))
}

/// Standard output as a document. A program that prints nothing gives null.
fn json(text: &str, limits: &CallLimits) -> Result<Value, Box<StepFailure>> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    output::parse(text, limits).map_err(|bad| {
        let words = match bad {
            output::Bad::Document(reason) => clip(format!("{reason}; write `stdout: text` if it is no JSON"), 1_024),
            output::Bad::TooLarge { size, limit } => format!("it has {size} bytes and the limit is {limit}"),
        };
        Box::new(StepFailure::new("bad-output", words))
    })
}

fn report(
    judged: Result<(Completion, Vec<(String, ArtifactRef)>), StepFailure>,
    recorder: &SharedRecorder,
    usage: CallUsage,
) -> StepReport {
    let (logs, logs_dropped) = recorder.lock().finish();
    let (outcome, artifacts) = match judged {
        Ok((outcome, artifacts)) => (Ok(outcome), artifacts),
        Err(failure) => (Err(failure), Vec::new()),
    };
    StepReport { outcome, artifacts, logs, logs_dropped, usage, ..StepReport::empty() }
}
