//! Which triggers are paused, for those that have to know it besides the core.

use std::{collections::BTreeSet, sync::RwLock};

use tokio::sync::Notify;
use trackside_sync::{read, write};
use trackside_triggers::files::FolderScan;

/// The core's set, copied for the file watcher's thread, and the way to wake that thread.
#[derive(Debug, Default)]
pub struct Pauses {
    ids: RwLock<BTreeSet<String>>,
    watcher: RwLock<Option<FolderScan>>,
    resumed: Notify,
}

impl Pauses {
    /// With what the store knows.
    #[must_use]
    pub fn new(ids: impl IntoIterator<Item = String>) -> Self {
        Self { ids: RwLock::new(ids.into_iter().collect()), watcher: RwLock::default(), resumed: Notify::new() }
    }

    /// The watcher that is to look again when a trigger is resumed.
    pub(super) fn watched_by(&self, watcher: Option<FolderScan>) {
        *write(&self.watcher) = watcher;
    }

    /// The watcher that works at present.
    #[must_use]
    pub fn watcher(&self) -> Option<FolderScan> {
        read(&self.watcher).clone()
    }

    /// Whether this trigger is paused.
    #[must_use]
    pub fn contains(&self, trigger: &str) -> bool {
        read(&self.ids).contains(trigger)
    }

    /// Ends when this trigger is not paused.
    pub(crate) async fn until_resumed(&self, trigger: &str) {
        loop {
            // Before the question: what is resumed in between is heard of.
            let resumed = self.resumed.notified();
            if !self.contains(trigger) {
                return;
            }
            resumed.await;
        }
    }

    /// Takes over what is on disk. Files that waited are found by a look through the folders.
    pub fn set(&self, trigger: &str, paused: bool) {
        let mut ids = write(&self.ids);
        if paused {
            ids.insert(trigger.to_owned());
            return;
        }
        let was = ids.remove(trigger);
        drop(ids);
        self.resumed.notify_waiters();
        if let (true, Some(watcher)) = (was, &*read(&self.watcher)) {
            watcher.rescan();
        }
    }
}
