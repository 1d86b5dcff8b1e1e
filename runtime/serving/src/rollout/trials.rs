//! Rollouts that go on, by model.

use std::{
    collections::HashMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use trackside_sync::{read, write};

use super::Trial;

/// Those of all models.
#[derive(Default)]
pub(crate) struct Trials {
    /// How many: where there is none, nobody takes the lock.
    count: AtomicUsize,
    by_model: RwLock<HashMap<String, Arc<Trial>>>,
}

impl Trials {
    pub(crate) fn of(&self, model: &str) -> Option<Arc<Trial>> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        read(&self.by_model).get(model).cloned()
    }

    /// Whether a version of a model is part of one.
    pub(crate) fn has(&self, model: &str, version: u32) -> bool {
        self.of(model).is_some_and(|trial| trial.stable == version || trial.candidate == version)
    }

    pub(crate) fn begin(&self, trial: Arc<Trial>) {
        let mut trials = write(&self.by_model);
        trials.insert(trial.model.clone(), trial);
        self.count.store(trials.len(), Relaxed);
    }

    /// Unless another one has begun since.
    pub(crate) fn end(&self, trial: &Trial) {
        let mut trials = write(&self.by_model);
        if trials.get(&trial.model).is_some_and(|known| known.id == trial.id) {
            trials.remove(&trial.model);
        }
        self.count.store(trials.len(), Relaxed);
    }
}
