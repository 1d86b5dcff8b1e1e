//! The folders of file triggers, watched.

use std::{path::Path, sync::Arc};

use trackside_codes::Reason;
use trackside_outbox::make_folder;
use trackside_spec::{Claim, TriggerKind};
use trackside_triggers::files::{FileWatchError, FileWatcher, WatchedFolder};

use super::host::NodeFileHost;
use crate::{
    definitions::{Definitions, Intake, NotStarted},
    tools::Tools,
};

/// File triggers.
pub struct FilesIntake {
    tools: Tools,
    host: Arc<NodeFileHost>,
    box_id: String,
    folders: Vec<WatchedFolder>,
    watcher: Option<FileWatcher>,
}

impl FilesIntake {
    /// Nothing is watched before it is started. `box_id` tells this box's claims from those of others in shared folders.
    #[must_use]
    pub fn new(tools: &Tools, box_id: String) -> Self {
        let host = Arc::new(NodeFileHost::new(tools));
        Self { tools: tools.clone(), host, box_id, folders: Vec::new(), watcher: None }
    }

    fn watch(&mut self, now: &Definitions) -> Result<(), FileWatchError> {
        self.folders = self.folders_of(now);
        make_folders(&self.tools.project, &self.folders);
        if !self.folders.is_empty() {
            let watcher = FileWatcher::start(self.folders.clone(), self.host.clone())?;
            self.tools.pauses.watched_by(Some(watcher.folder_scan()));
            self.watcher = Some(watcher);
        }
        Ok(())
    }

    fn folders_of(&self, definitions: &Definitions) -> Vec<WatchedFolder> {
        let mut folders = Vec::new();
        for (plan, trigger) in definitions.all() {
            let TriggerKind::File(file) = &trigger.kind else { continue };
            folders.push(WatchedFolder {
                trigger_id: trigger.id.clone(),
                workflow: plan.name.clone(),
                trigger: file.clone(),
                folder: self.tools.project.join(&file.path),
                shared_as: file.shared.then(|| self.box_id.chars().take(8).collect()),
                to: match &file.claim {
                    Claim::MoveTo(to) | Claim::CopyTo(to) => Some(self.tools.project.join(to)),
                    Claim::Move | Claim::Keep => None,
                },
            });
        }
        folders
    }
}

impl Intake for FilesIntake {
    fn start(&mut self, now: &Definitions) -> Result<(), NotStarted> {
        self.watch(now).map_err(|error| NotStarted { what: "the file watcher", reason: Reason::of(error) })
    }

    fn retire(&mut self, next: &Definitions) {
        if self.folders_of(next) != self.folders {
            self.stop();
            // So that the switch watches the new ones, and the next one tries again where that fails.
            self.folders.clear();
        }
    }

    fn switch(&mut self, next: &Definitions) {
        if self.folders_of(next) == self.folders {
            return;
        }
        if let Err(error) = self.watch(next) {
            tracing::error!(%error, "[TS-0631] the file watcher does not start: files start no runs until the next reload");
            self.folders.clear();
        }
    }

    fn stop(&mut self) {
        self.tools.pauses.watched_by(None);
        self.watcher = None;
    }
}

/// Made here so that a new trigger works at once; a folder elsewhere may be on a disk that is not there yet.
fn make_folders(root: &Path, folders: &[WatchedFolder]) {
    for WatchedFolder { trigger_id, folder, .. } in folders {
        if let Err(error) = make_folder(root, folder) {
            tracing::warn!(trigger = trigger_id, folder = %folder.display(), %error, "cannot make the watched folder");
        }
    }
}
