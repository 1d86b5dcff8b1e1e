//! Pausing, resuming and repeating: the same over the socket and in process.

use std::sync::Arc;
use trackside_codes::{Class, Code, Coded, Reason, code};

use serde_json::{Map, Value};
use trackside_engine::{Again, Repeat, RunId, RunState};
use trackside_facts::artifacts_named;
use trackside_node::{
    Handle, NodeError, Project, RunHistory, UnreadableRun,
    core::{FireAnswer, PauseAnswer},
};
use trackside_spec::Plan;
use trackside_store::{Hold, RunRow, StoreError};

use crate::wire::{RetryRun, RunPaused, TriggerPaused};

/// Why a run or a trigger is left as it is. Codes TS-0722 to TS-0726, and some of the API's others.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No such run.
    #[error("[{code}] there is no run {0}; `trackside runs list` prints the ids", code = self.code())]
    NoRun(RunId),
    /// It is over.
    #[error("[{code}] run {0} has ended already; there is nothing to stop or pause", code = self.code())]
    Ended(RunId),
    /// Its steps have ended or are being stopped.
    #[error("[{code}] run {0} is ending: there is nothing left to pause", code = self.code())]
    Ending(RunId),
    /// No such trigger.
    #[error("[{code}] there is no trigger `{trigger}`; {}", known_triggers(known), code = self.code())]
    NoTrigger {
        /// As asked for.
        trigger: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The step is none of the run's.
    #[error("[{code}] run {run} has no step `{step}`; it has {}", known.join(", "), code = self.code())]
    NoStep {
        /// The run.
        run: RunId,
        /// As asked for.
        step: String,
        /// What there is.
        known: Vec<String>,
    },
    /// `only` without a step.
    #[error("[{code}] --only is about one step: name it with --from", code = self.code())]
    OnlyWhat,
    /// It can not be repeated as asked for.
    #[error("[{code}] run {run} cannot be repeated: {reason}", code = self.code())]
    Refused {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// A workflow's file can not be read, and with it what it says of retention.
    #[error(
        "[{code}] nothing is removed while {} can not be read: it may keep more than trackside.toml does; mend it \
         (`trackside check`) or take it out", file.display(),
        code = self.code()
    )]
    RulesUnknown {
        /// The file, relative to the project.
        file: std::path::PathBuf,
    },
    /// Its definition is not taken, or its journal is none that could be.
    #[error("[{code}] run {run} cannot be read: {reason}", code = self.code())]
    Unreadable {
        /// The run.
        run: RunId,
        /// Why.
        #[source]
        reason: UnreadableRun,
    },
    /// An event that can not be emitted.
    #[error("[{code}] the event can not be emitted: {reason}", code = self.code())]
    BadEvent {
        /// Why.
        reason: String,
    },
    /// Too much is under way.
    #[error(
        "[{code}] the node has too many runs under way, or its disk refuses commits; try again in a moment",
        code = self.code()
    )]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is going down.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for ControlError {
    fn code(&self) -> Code {
        match self {
            Self::NoRun(_) => code!("TS-0715"),
            Self::Ended(_) => code!("TS-0716"),
            Self::Ending(_) => code!("TS-0722"),
            Self::NoTrigger { .. } => code!("TS-0723"),
            Self::NoStep { .. } | Self::OnlyWhat => code!("TS-0724"),
            Self::Refused { .. } => code!("TS-0725"),
            Self::RulesUnknown { .. } => code!("TS-0740"),
            Self::Unreadable { .. } => code!("TS-0726"),
            Self::BadEvent { .. } => code!("TS-0741"),
            Self::Busy => code!("TS-0714"),
            Self::Store(error) => error.code(),
            Self::Node(error) => error.code(),
        }
    }
}

fn known_triggers(known: &[String]) -> String {
    if known.is_empty() { "the project has none".to_owned() } else { format!("the project has: {}", known.join(", ")) }
}

async fn ask<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<T, ControlError> {
    let failed = |error: tokio::task::JoinError| NodeError::Start {
        what: "reading a run",
        reason: Reason::by(Class::Bug, error),
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// Stops a run.
///
/// # Errors
/// Any [`ControlError`]; nothing was changed then.
pub async fn cancel_run(handle: &Handle, run: RunId, by: &str) -> Result<(), ControlError> {
    if handle.cancel(run, by).await? { Ok(()) } else { Err(not_live(handle, run).await) }
}

/// Pauses or resumes a run.
///
/// # Errors
/// Any [`ControlError`]; nothing was changed then.
pub async fn pause_run(handle: &Handle, run: RunId, pause: bool, by: &str) -> Result<RunPaused, ControlError> {
    let answer = handle.pause_run(run, pause, by).await?;
    if answer == PauseAnswer::NotLive {
        return Err(not_live(handle, run).await);
    }
    pause_answered(answer, run, pause)
}

/// What is told of a run that is live, or was asked about while it was.
pub(crate) fn pause_answered(answer: PauseAnswer, run: RunId, pause: bool) -> Result<RunPaused, ControlError> {
    match answer {
        PauseAnswer::Done => Ok(RunPaused { run, paused: pause }),
        PauseAnswer::Ending => Err(ControlError::Ending(run)),
        PauseAnswer::NotLive => Err(ControlError::Ended(run)),
    }
}

async fn not_live(handle: &Handle, run: RunId) -> ControlError {
    let readers = handle.readers().clone();
    match ask(move || readers.with(|reader| reader.run(run)).map_err(ControlError::Store)).await {
        Ok(row) => ended(row, run),
        Err(error) => error,
    }
}

/// Why a run is not live.
pub(crate) fn ended(row: Option<RunRow>, run: RunId) -> ControlError {
    row.map_or(ControlError::NoRun(run), |_| ControlError::Ended(run))
}

/// Starts a run that repeats another one; it is on disk when its id is given.
///
/// # Errors
/// Any [`ControlError`]; nothing was started then.
pub async fn retry_run(handle: &Handle, run: RunId, request: RetryRun, by: &str) -> Result<RunId, ControlError> {
    let (readers, artifacts) = (handle.readers().clone(), handle.workshop().artifacts.clone());
    let found = ask(move || {
        let history = readers.with(|reader| RunHistory::open(reader, run))?.ok_or(ControlError::NoRun(run))?;
        let state = history.state().map_err(|reason| ControlError::Unreadable { run, reason })?;
        // Retention may take the run away before the new one is on disk; what the new one is given stays.
        let hold = Hold::new(&artifacts);
        let named = state.documents().into_iter().map(ToString::to_string);
        named.for_each(|document| artifacts_named(&document).for_each(|digest| hold.keep(&digest)));
        readers.with(|reader| reader.run(run))?.ok_or(ControlError::NoRun(run))?;
        Ok((state, hold))
    });
    let (state, _hold) = found.await?;
    let plan = state.plan().clone();
    if request.latest {
        return retry_latest(handle, run, &state, &request, by).await;
    }
    let step = match &request.from {
        None => None,
        Some(name) => Some(plan.index_of(name).ok_or_else(|| ControlError::NoStep {
            run,
            step: name.chars().take(80).collect(),
            known: plan.steps[..plan.ordinary_steps()].iter().map(|step| step.id.clone()).collect(),
        })?),
    };
    let again = match (step, request.only) {
        (None, false) => Again::Unfinished,
        (Some(step), false) => Again::From(step),
        (Some(step), true) => Again::Only(step),
        (None, true) => return Err(ControlError::OnlyWhat),
    };
    let repeat = state.repeat(again, by);
    let repeat = repeat.map_err(|reason| ControlError::Refused { run, reason: reason.to_string() })?;
    start(handle, run, plan, repeat).await
}

/// The same trigger and parameters on the definition that is in use now.
async fn retry_latest(
    handle: &Handle,
    run: RunId,
    state: &RunState,
    request: &RetryRun,
    by: &str,
) -> Result<RunId, ControlError> {
    let refused = |reason: String| ControlError::Refused { run, reason };
    if request.from.is_some() || request.only {
        return Err(refused(
            "with `latest` every step runs: another definition has other steps; leave out `from` and `only`".to_owned(),
        ));
    }
    let name = &state.plan().name;
    // The node may not have heard yet that somebody mended the file. Where nothing can be read anew, the files were read a
    // moment ago, or are away and told as that: what is in use is the latest.
    let _ = handle.reload(by).await;
    let project = handle.project();
    // Its file can not be used: what is in use is an older version, or none.
    if let Some(problem) = project.problem_of(name) {
        let (file, reason) = (problem.file.display(), &problem.reason);
        return Err(refused(format!("{file} can not be used as it is; mend it, or leave out `latest`: {reason}")));
    }
    let Some(plan) = project.workflows.get(name).cloned() else {
        return Err(refused(format!("workflow `{name}` is not in use any more; leave out `latest`")));
    };
    // One that the definition has no longer is of no use to it; the others must still fit.
    let known = |name: &str| plan.params.iter().any(|param| param.name == name);
    let given = state.params().as_object().cloned().unwrap_or_default();
    let given: Map<String, Value> = given.into_iter().filter(|(name, _)| known(name)).collect();
    let params = plan.bind_params(&given).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        refused(format!("its parameters do not fit the definition in use: {}", lines.join("; ")))
    })?;
    let repeat = state.repeat_anew(Value::Object(params), by).map_err(|reason| refused(reason.to_string()))?;
    start(handle, run, plan, repeat).await
}

async fn start(handle: &Handle, run: RunId, plan: Arc<Plan>, repeat: Repeat) -> Result<RunId, ControlError> {
    match handle.repeat(plan, repeat).await? {
        FireAnswer::Accepted(new) => Ok(new),
        FireAnswer::Refused(reason) | FireAnswer::Skipped(reason) => Err(ControlError::Refused { run, reason }),
        FireAnswer::Busy | FireAnswer::Duplicate(_) | FireAnswer::Paused => Err(ControlError::Busy),
    }
}

/// Pauses or resumes a trigger. One that the project has no longer can be resumed, and not paused.
///
/// # Errors
/// Any [`ControlError`]; nothing was changed then.
pub async fn pause_trigger(
    handle: &Handle,
    project: &Arc<Project>,
    trigger: &str,
    pause: bool,
    by: &str,
) -> Result<TriggerPaused, ControlError> {
    let unknown = check_trigger(project, trigger, pause)?;
    let changed = handle.pause_trigger(trigger, pause, by).await?;
    trigger_paused(trigger, pause, changed, unknown)
}

/// Whether the trigger may be asked for: what to say when it turns out that nothing of it is left, where the project has it no
/// longer.
pub(crate) fn check_trigger(
    project: &Project,
    trigger: &str,
    pause: bool,
) -> Result<Option<ControlError>, ControlError> {
    let known: Vec<String> =
        project.workflows.values().flat_map(|plan| &plan.triggers).map(|trigger| trigger.id.clone()).collect();
    if known.iter().any(|id| id == trigger) {
        return Ok(None);
    }
    let unknown = ControlError::NoTrigger { trigger: trigger.chars().take(120).collect(), known };
    if pause { Err(unknown) } else { Ok(Some(unknown)) }
}

/// What is told when it is on disk.
pub(crate) fn trigger_paused(
    trigger: &str,
    pause: bool,
    changed: bool,
    unknown: Option<ControlError>,
) -> Result<TriggerPaused, ControlError> {
    match unknown.filter(|_| !changed) {
        Some(unknown) => Err(unknown),
        None => Ok(TriggerPaused { trigger: trigger.to_owned(), paused: pause, changed }),
    }
}
