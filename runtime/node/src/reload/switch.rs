//! Everything that starts runs, moved from one set of definitions to another.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use trackside_spec::{Claim, TriggerKind};
use trackside_steps::Executor;
use trackside_store::Activation;
use trackside_triggers::{
    cron::CronEntry,
    files::{FileWatchError, FileWatcher, WatchedFolder},
};

use crate::{
    core::{Input, NewDefinitions},
    dispatcher::Message,
    file_host::NodeFileHost,
    folders,
    mqtt::{Brokers, Listener},
    pauses::Pauses,
    project::Project,
};

/// How long the record of a change is waited for. With a disk that refuses commits the change holds all the same.
const RECORD: Duration = Duration::from_secs(10);

/// What starts runs, and what it takes to start it.
pub(crate) struct Intakes {
    pub(crate) inbox: Sender<Message>,
    pub(crate) host: Arc<NodeFileHost>,
    pub(crate) pauses: Arc<Pauses>,
    pub(crate) brokers: Arc<Brokers>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) box_id: String,
    pub(crate) folders: Vec<WatchedFolder>,
    pub(crate) watcher: Option<FileWatcher>,
}

impl Intakes {
    /// Watches the folders of a project; nothing is watched before.
    ///
    /// # Errors
    /// When the watcher does not start.
    pub(crate) fn watch(&mut self, project: &Project) -> Result<(), FileWatchError> {
        self.folders = watched_folders(project, &self.box_id);
        make_folders(&project.root, &self.folders);
        if !self.folders.is_empty() {
            let watcher = FileWatcher::start(self.folders.clone(), self.host.clone())?;
            self.pauses.watched_by(Some(watcher.folder_scan()));
            self.watcher = Some(watcher);
        }
        Ok(())
    }

    /// Takes other definitions into use: `publish` is called when new runs start on them. What was taken out starts nothing
    /// any more when this returns, what is new does.
    pub(crate) fn switch(&mut self, project: &Project, activations: Vec<Activation>, publish: impl FnOnce()) {
        let folders_change = watched_folders(project, &self.box_id) != self.folders;
        if folders_change {
            self.pauses.watched_by(None);
            self.watcher = None;
        }
        let new: Vec<_> = activations.iter().filter_map(|activation| activation.plan.clone()).collect();
        self.activate(project, activations);
        publish();
        if folders_change && let Err(error) = self.watch(project) {
            tracing::error!(%error, "[TS-0631] the file watcher does not start: files start no runs until the next reload");
            // So that the next reload tries again.
            self.folders.clear();
        }
        self.brokers.listen(mqtt_listeners(project));
        self.executor.warm(new);
    }

    fn activate(&self, project: &Project, activations: Vec<Activation>) {
        let mut schedules = Vec::new();
        for trigger in project.workflows.values().flat_map(|plan| &plan.triggers) {
            let TriggerKind::Cron(cron) = &trigger.kind else { continue };
            match CronEntry::new(&trigger.id, cron, &self.box_id) {
                Ok(entry) => schedules.push((entry, schedule_key(&trigger.id, cron))),
                Err(error) => tracing::error!(trigger = trigger.id, %error, "the schedule is not used"),
            }
        }
        let followers = project.usable_triggers().map(|(plan, trigger)| (plan.name.clone(), trigger.clone())).collect();
        let new = NewDefinitions { workflows: project.workflows.clone(), schedules, followers, activations };
        let (done, kept) = channel();
        let tell = Box::new(move || {
            // It was waited for long enough.
            let _ = done.send(());
        });
        if self.inbox.send(Message::Input(Input::Activate(Box::new(new), tell))).is_ok()
            && kept.recv_timeout(RECORD).is_err()
        {
            tracing::warn!("the change of definitions holds, and its record still waits for the disk");
        }
    }
}

/// The key that a schedule's position is kept under: another schedule is another key.
pub(crate) fn schedule_key(trigger: &str, cron: &trackside_spec::CronTrigger) -> String {
    format!("{trigger} {}", cron.times.key())
}

/// By the name of their broker.
pub(crate) fn mqtt_listeners(project: &Project) -> BTreeMap<String, Vec<Listener>> {
    let mut listeners: BTreeMap<String, Vec<Listener>> = BTreeMap::new();
    for (plan, trigger) in project.usable_triggers() {
        if let TriggerKind::Mqtt(settings) = &trigger.kind {
            let (trigger_id, plan, settings) = (trigger.id.clone(), plan.clone(), settings.clone());
            listeners.entry(settings.broker.clone()).or_default().push(Listener { trigger_id, plan, settings });
        }
    }
    listeners
}

fn watched_folders(project: &Project, box_id: &str) -> Vec<WatchedFolder> {
    let mut folders = Vec::new();
    for plan in project.workflows.values() {
        for trigger in &plan.triggers {
            let TriggerKind::File(file) = &trigger.kind else { continue };
            folders.push(WatchedFolder {
                trigger_id: trigger.id.clone(),
                workflow: plan.name.clone(),
                trigger: file.clone(),
                folder: project.root.join(&file.path),
                shared_as: file.shared.then(|| box_id.chars().take(8).collect()),
                to: match &file.claim {
                    Claim::MoveTo(to) | Claim::CopyTo(to) => Some(project.root.join(to)),
                    Claim::Move | Claim::Keep => None,
                },
            });
        }
    }
    folders
}

/// Made here so that a new trigger works at once; a folder elsewhere may be on a disk that is not there yet.
fn make_folders(root: &Path, folders: &[WatchedFolder]) {
    for WatchedFolder { trigger_id, folder, .. } in folders {
        if let Err(error) = folders::make(root, folder) {
            tracing::warn!(trigger = trigger_id, folder = %folder.display(), %error, "cannot make the watched folder");
        }
    }
}
