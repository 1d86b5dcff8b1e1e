//! The operations in this process: on its own node, or on a data folder that no node has open.

use std::{path::Path, sync::Arc, time::Instant};

use trackside_engine::RunId;
use trackside_node::{Handle, NodeError, Offline, OfflineError, Project, core::PauseAnswer, prune_without_node};
use trackside_store::{Clock, SystemClock};

use crate::{
    Answer, Control, ControlError, Decided, Decision, OperationError, PruneDocument, ReloadDocument, RetryRun,
    RunEvents, RunFollower, RunPaused, SightDocument, StartRun, StatusDocument, TriggerPaused, cancel_run, decide,
    lifecycle::{check_trigger, ended, pause_answered, trigger_paused},
    no_node, pause_run, pause_trigger, prune, reload, retry_run, sight, start_run, status,
};

/// The local form of [`Control`]. All that is done is done in somebody's name.
#[derive(Clone)]
pub struct LocalControl {
    place: Place,
    by: String,
    since: Instant,
}

#[derive(Clone)]
enum Place {
    /// A node of this process has the data folder.
    Node(Handle),
    /// Nobody has it.
    Folder(Arc<Project>),
}

impl LocalControl {
    /// On a node of this process.
    #[must_use]
    pub fn of_node(handle: Handle, by: &str) -> Self {
        Self { place: Place::Node(handle), by: by.to_owned(), since: Instant::now() }
    }

    /// On the data folder of a project, without a node: runs and triggers can be paused and resumed there, the rest needs a
    /// node. The folder is taken for each operation alone.
    #[must_use]
    pub fn of_folder(project: Project, by: &str) -> Self {
        Self { place: Place::Folder(Arc::new(project)), by: by.to_owned(), since: Instant::now() }
    }

    /// The same in another name.
    #[must_use]
    pub fn by(&self, by: &str) -> Self {
        Self { by: by.to_owned(), ..self.clone() }
    }

    fn node(&self) -> Result<&Handle, OperationError> {
        match &self.place {
            Place::Node(handle) => Ok(handle),
            Place::Folder(project) => Err(OperationError::NoNode(no_node(&project.data_dir()))),
        }
    }
}

/// Takes the data folder for one change.
async fn offline<T: Send + 'static>(
    data_dir: &Path,
    change: impl FnOnce(&mut Offline) -> Result<T, ControlError> + Send + 'static,
) -> Result<T, OperationError> {
    let data_dir = data_dir.to_owned();
    let work = move || change(&mut Offline::open(&data_dir)?);
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::Closed)??)
}

async fn pause_run_offline(project: &Project, run: RunId, pause: bool, by: &str) -> Result<RunPaused, OperationError> {
    let by = by.to_owned();
    let change = move |folder: &mut Offline| {
        let answer = folder.pause_run(run, pause, &by, SystemClock.now_ms()).map_err(|error| match error {
            OfflineError::Store(error) => ControlError::Store(error),
            OfflineError::Unreadable(reason) => ControlError::Unreadable { run, reason },
        })?;
        if answer == PauseAnswer::NotLive {
            return Err(ended(folder.reader().run(run)?, run));
        }
        pause_answered(answer, run, pause)
    };
    offline(&project.data_dir(), change).await
}

async fn pause_trigger_offline(
    project: &Project,
    trigger: &str,
    pause: bool,
    by: &str,
) -> Result<TriggerPaused, OperationError> {
    let unknown = check_trigger(project, trigger, pause)?;
    let (id, by) = (trigger.to_owned(), by.to_owned());
    let change = move |folder: &mut Offline| Ok(folder.pause_trigger(&id, pause, &by, SystemClock.now_ms())?);
    let changed = offline(&project.data_dir(), change).await?;
    Ok(trigger_paused(trigger, pause, changed, unknown)?)
}

async fn prune_offline(project: Arc<Project>) -> Result<PruneDocument, OperationError> {
    // What a file said that can not be read now is not known: its runs would go by the rules of others.
    if let Some(problem) = project.problems.first() {
        return Err(ControlError::RulesUnknown { file: problem.file.clone() }.into());
    }
    let work = move || prune_without_node(&project, &SystemClock);
    let removed = tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::Closed)?;
    Ok(removed.map_err(ControlError::Store)?.into())
}

impl Control for LocalControl {
    fn start(&self, request: StartRun) -> Answer<'_, RunId> {
        Box::pin(async move {
            let handle = self.node()?;
            Ok(start_run(handle, &handle.project(), request).await?)
        })
    }

    fn cancel(&self, run: RunId) -> Answer<'_, ()> {
        Box::pin(async move { Ok(cancel_run(self.node()?, run, &self.by).await?) })
    }

    fn pause_run(&self, run: RunId, pause: bool) -> Answer<'_, RunPaused> {
        Box::pin(async move {
            match &self.place {
                Place::Node(handle) => Ok(pause_run(handle, run, pause, &self.by).await?),
                Place::Folder(project) => pause_run_offline(project, run, pause, &self.by).await,
            }
        })
    }

    fn retry(&self, run: RunId, request: RetryRun) -> Answer<'_, RunId> {
        Box::pin(async move { Ok(retry_run(self.node()?, run, request, &self.by).await?) })
    }

    fn decide<'a>(&'a self, run: RunId, step: &'a str, decision: Decision) -> Answer<'a, Decided> {
        Box::pin(async move { Ok(decide(self.node()?, run, step, &self.by, &decision).await?) })
    }

    fn pause_trigger<'a>(&'a self, trigger: &'a str, pause: bool) -> Answer<'a, TriggerPaused> {
        Box::pin(async move {
            match &self.place {
                Place::Node(handle) => Ok(pause_trigger(handle, &handle.project(), trigger, pause, &self.by).await?),
                Place::Folder(project) => pause_trigger_offline(project, trigger, pause, &self.by).await,
            }
        })
    }

    fn reload(&self) -> Answer<'_, ReloadDocument> {
        Box::pin(async move { Ok(reload(self.node()?, &self.by).await?) })
    }

    fn prune(&self) -> Answer<'_, PruneDocument> {
        Box::pin(async move {
            match &self.place {
                Place::Node(handle) => Ok(prune(handle).await?),
                Place::Folder(project) => prune_offline(project.clone()).await,
            }
        })
    }

    fn status(&self) -> Answer<'_, StatusDocument> {
        Box::pin(async move { Ok(status(self.node()?, self.since).await?) })
    }

    fn sight<'a>(&'a self, trigger: &'a str, path: &'a str) -> Answer<'a, SightDocument> {
        Box::pin(async move { Ok(sight(self.node()?, trigger, path).await) })
    }

    fn follow(&self, run: RunId) -> Answer<'_, RunEvents> {
        Box::pin(async move {
            let follower = RunFollower::open(self.node()?.clone(), run).await?;
            Ok(RunEvents::Local(Box::new(follower.ok_or(ControlError::NoRun(run))?)))
        })
    }
}
