//! Starting a run by hand.

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};
use trackside_codes::{Class, Code, Coded, Reason, code};

use trackside_engine::RunId;
use trackside_facts::{Cause, RunFile, TriggerDocument, artifacts_named};
use trackside_node::{
    Handle, NodeError, Project,
    core::{Fire, FireAnswer},
    known_workflows,
};
use trackside_spec::media_type;
use trackside_store::Hold;

use crate::{
    backfill::{past_run, past_time},
    wait::Waited,
    wire::StartRun,
};

/// Why a run does not start. Codes TS-0711 to TS-0714, TS-0727 and TS-0728.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No such workflow.
    #[error(
        "[{code}] there is no workflow `{name}` that can be run; {}", known_workflows(known.iter().map(String::as_str)),
        code = self.code()
    )]
    UnknownWorkflow {
        /// As asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Parameters that do not fit, or another reason why it can never be accepted as it is.
    #[error("[{code}] {reason}", code = self.code())]
    Refused {
        /// What is wrong.
        reason: String,
    },
    /// The file can not be taken.
    #[error("[{code}] cannot take the file {}: {reason}", path.display(), code = self.code())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The time is none that can be made up for.
    #[error("[{code}] {reason}", code = self.code())]
    Backfill {
        /// Why.
        reason: String,
    },
    /// The time has had its run.
    #[error("[{code}] {time} of {trigger} has had its run", code = self.code())]
    Done {
        /// The trigger's id.
        trigger: String,
        /// Which time.
        time: String,
    },
    /// Too much is under way.
    #[error(
        "[{code}] the node has too many runs under way, or its disk refuses commits; try again in a moment",
        code = self.code()
    )]
    Busy,
    /// The node is going down.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for StartError {
    fn code(&self) -> Code {
        match self {
            Self::UnknownWorkflow { .. } => code!("TS-0711"),
            Self::Refused { .. } => code!("TS-0712"),
            Self::File { .. } => code!("TS-0713"),
            Self::Backfill { .. } => code!("TS-0727"),
            Self::Done { .. } => code!("TS-0728"),
            Self::Busy => code!("TS-0714"),
            Self::Node(error) => error.code(),
        }
    }
}

/// Starts a run; it is on disk when its id is given. The file, if there is one, is read into the artifact store first.
///
/// # Errors
/// Any [`StartError`]; nothing was started then.
pub async fn start_run(handle: &Handle, project: &Project, request: StartRun) -> Result<RunId, StartError> {
    let (fire, past) = prepare(handle, project, request).await?;
    let (reply, answer) = tokio::sync::oneshot::channel();
    handle.fire(fire, Box::new(move |answer| drop(reply.send(answer))))?;
    accepted(answer.await.map_err(|_| NodeError::Closed)?, past)
}

/// Starts a run as [`start_run`] does, and waits for its end until `over` is through. Its end is on disk when it is given.
///
/// # Errors
/// Any [`StartError`]; nothing was started then.
pub async fn run_to_end(
    handle: &Handle,
    project: &Project,
    request: StartRun,
    over: impl Future<Output = ()>,
) -> Result<Waited, StartError> {
    let (fire, past) = prepare(handle, project, request).await?;
    let (answer, end) = handle.fire_and_wait(fire)?.until(over).await?;
    Ok(Waited::new(accepted(answer, past)?, end))
}

/// Everything that can be asked before the node is. Gives the trigger whose time is made up for, too.
async fn prepare(handle: &Handle, project: &Project, request: StartRun) -> Result<(Fire, Option<String>), StartError> {
    let StartRun { workflow, params, file, backfill } = request;
    let Some(plan) = project.workflows.get(&workflow) else {
        let known = project.workflows.keys().cloned().collect();
        return Err(StartError::UnknownWorkflow { name: workflow.chars().take(80).collect(), known });
    };
    // Asked before the file is read: a large file is not copied for a run that can not be.
    plan.bind_params(&params).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        StartError::Refused { reason: format!("workflow `{workflow}`: {}", lines.join("; ")) }
    })?;
    let workshop = handle.workshop();
    let past = backfill.map(|time| past_time(plan, &time, workshop.clock.now_ms())).transpose()?;
    let hold = Hold::new(&workshop.artifacts);
    // An artifact of an old run that somebody names stays until the new run's first entry keeps it.
    let named = serde_json::to_string(&params).unwrap_or_default();
    artifacts_named(&named).for_each(|digest| hold.keep(&digest));
    let file = match file {
        None => None,
        Some(path) => {
            let hold = hold.clone();
            let stored = tokio::task::spawn_blocking(move || store(&hold, &path)).await;
            let failed = |error: tokio::task::JoinError| NodeError::Start {
                what: "reading a file",
                reason: Reason::by(Class::Bug, error),
            };
            Some(stored.map_err(failed)??)
        }
    };
    let now_ms = workshop.clock.now_ms();
    let digests = file.iter().map(|file| file.artifact.digest).collect();
    let id = past.as_ref().map(|past| past.trigger.clone());
    let fire = match past {
        None => Fire {
            kind: "manual",
            trigger: TriggerDocument::new(&format!("{workflow}/manual"), now_ms, Cause::Manual { file }),
            workflow,
            params,
            logical_time_ms: now_ms,
            ledger: Vec::new(),
            artifacts: digests,
            hold: Some(hold),
            rows: Vec::new(),
        },
        Some(past) => Fire { hold: Some(hold), ..past_run(workflow, params, digests, file, past) },
    };
    Ok((fire, id))
}

fn accepted(answer: FireAnswer, past: Option<String>) -> Result<RunId, StartError> {
    match (answer, past) {
        (FireAnswer::Accepted(run), _) => Ok(run),
        (FireAnswer::Refused(reason) | FireAnswer::Skipped(reason), _) => Err(StartError::Refused { reason }),
        (FireAnswer::Duplicate(time), Some(trigger)) => Err(StartError::Done { trigger, time }),
        (FireAnswer::Duplicate(_) | FireAnswer::Busy | FireAnswer::Paused, _) => Err(StartError::Busy),
    }
}

/// Copies a file into the artifact store and describes it as a file trigger does; `path` is its name, since it lies in
/// no watched folder.
fn store(hold: &Hold, path: &Path) -> Result<RunFile, StartError> {
    let refuse = |reason: String| StartError::File { path: path.to_owned(), reason };
    if !path.is_absolute() {
        return Err(refuse("its path must be absolute".to_owned()));
    }
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(refuse("its name is not UTF-8, or it has none; rename it".to_owned()));
    };
    let (mut file, modified_ms) = open_regular(path).map_err(|error| refuse(error.to_string()))?;
    let stored = hold.store(&mut file, name, media_type(name)).map_err(|error| refuse(error.to_string()))?;
    Ok(RunFile { name: stored.name.clone(), path: name.to_owned(), modified_ms, artifact: stored })
}

/// Opens a regular file without ever waiting for what is none (a pipe has no end, a device may have effects).
fn open_regular(path: &Path) -> io::Result<(File, i64)> {
    let not_regular = || io::Error::other("it is not a regular file; only regular files can be taken");
    if !std::fs::metadata(path)?.is_file() {
        return Err(not_regular());
    }
    let nonblocking = i32::from_ne_bytes(rustix::fs::OFlags::NONBLOCK.bits().to_ne_bytes());
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    // Looked at again: it may have been exchanged in between.
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(not_regular());
    }
    let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_ms = modified.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0);
    Ok((file, modified_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "a,b\n").unwrap();
        let (_, modified_ms) = open_regular(&file).unwrap();
        assert!(modified_ms > 0);
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        for bad in [folder.path(), fifo.as_path(), Path::new("/dev/zero"), &folder.path().join("missing")] {
            assert!(open_regular(bad).is_err(), "{}", bad.display());
        }
    }

    #[test]
    fn an_unknown_workflow_is_told_with_those_that_there_are() {
        let error = StartError::UnknownWorkflow { name: "a".into(), known: vec!["b".into(), "c".into()] };
        assert!(error.to_string().ends_with("the project has: b, c"), "{error}");
        let error = StartError::UnknownWorkflow { name: "a".into(), known: vec![] };
        assert!(error.to_string().contains("workflows/NAME.yaml"), "{error}");
    }
}
