//! The operations in this process: on its own node, or on a data folder that no node has open.

use std::{path::Path, sync::Arc, time::Instant};

use trackside_engine::RunId;
use trackside_node::{Handle, NodeError, Offline, OfflineError, Project, core::PauseAnswer, prune_without_node};
use trackside_store::{Clock, SystemClock};

use crate::{
    ControlError, LabelsTold, ModelPlace, ModelsError, OperationError, PruneDocument, RolloutsError, RunPaused,
    SampleLabelled, TellLabels, TriggerPaused, label_sample, label_sample_offline,
    lifecycle::{check_trigger, ended, pause_answered, trigger_paused},
    no_node, tell_labels, tell_labels_offline,
};

/// The local form of [`Control`](crate::Control). All that is done is done in somebody's name.
#[derive(Clone)]
pub struct LocalControl {
    pub(crate) place: Place,
    pub(crate) by: String,
    /// When it was made: since then it answers.
    pub(crate) since: Instant,
}

/// Where it is done.
#[derive(Clone)]
pub(crate) enum Place {
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

    /// The node, for what needs one.
    pub(crate) fn node(&self) -> Result<&Handle, OperationError> {
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

pub(crate) async fn pause_run_offline(
    project: &Project,
    run: RunId,
    pause: bool,
    by: &str,
) -> Result<RunPaused, OperationError> {
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

pub(crate) async fn pause_trigger_offline(
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

/// Does something with the registry of models, on a thread that may block.
pub(crate) async fn on_models<T: Send + 'static>(
    control: &LocalControl,
    work: impl FnOnce(&mut ModelPlace) -> Result<T, ModelsError> + Send + 'static,
) -> Result<T, OperationError> {
    let LocalControl { place, by, .. } = control.clone();
    let work = move || {
        let mut place = match place {
            Place::Node(handle) => ModelPlace::of_node(&handle, &by),
            Place::Folder(project) => ModelPlace::of_folder(project, &by)?,
        };
        work(&mut place)
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::Closed)??)
}

/// Tells what would have been right, on a thread that may block.
pub(crate) async fn label_here(control: &LocalControl, labels: TellLabels) -> Result<LabelsTold, OperationError> {
    let LocalControl { place, by, .. } = control.clone();
    let work = move || match place {
        Place::Node(handle) => Ok::<_, OperationError>(tell_labels(&handle, labels, &by)?),
        Place::Folder(project) => {
            let mut folder = Offline::open(&project.data_dir())?;
            Ok(tell_labels_offline(&project, &mut folder, labels, &by)?)
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::Closed)?
}

pub(crate) async fn on_rollouts<T: Send + 'static>(
    control: &LocalControl,
    work: impl FnOnce(&mut ModelPlace) -> Result<T, RolloutsError> + Send + 'static,
) -> Result<T, OperationError> {
    // Errors of the place are those of models; the work's own are told beside them.
    on_models(control, move |place| Ok(work(place))).await?.map_err(OperationError::from)
}

/// Says what would have been right for a sample, on a thread that may block.
pub(crate) async fn label_sample_here(
    control: &LocalControl,
    id: &str,
    value: serde_json::Value,
) -> Result<SampleLabelled, OperationError> {
    let LocalControl { place, by, .. } = control.clone();
    let id = id.to_owned();
    let work = move || match place {
        Place::Node(handle) => Ok::<_, OperationError>(label_sample(&handle, &id, value, &by)?),
        Place::Folder(project) => {
            let mut folder = Offline::open(&project.data_dir())?;
            Ok(label_sample_offline(&mut folder, &id, value, &by)?)
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::Closed)?
}

pub(crate) async fn prune_offline(project: Arc<Project>) -> Result<PruneDocument, OperationError> {
    // What a file said that can not be read now is not known: its runs would go by the rules of others.
    if let Some(problem) = project.problems.first() {
        return Err(ControlError::RulesUnknown { file: problem.file.clone() }.into());
    }
    let work = move || prune_without_node(&project, &SystemClock);
    let removed = tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::Closed)?;
    Ok(removed.map_err(ControlError::Store)?.into())
}
