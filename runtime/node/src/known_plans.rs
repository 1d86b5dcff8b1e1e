//! Definitions of runs of the past, read once: to compile one costs a hundred times what is asked of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use trackside_spec::Plan;
use trackside_store::{Reader, RunRow, StoreError};
use trackside_sync::lock;

use crate::run_history::load;

/// How many are kept.
const KEPT: usize = 16;

/// The definitions that were asked for last.
#[derive(Default)]
pub(crate) struct KnownPlans {
    /// By digest, the one that was asked for last in front. Of one that this version of the program does not take: that.
    kept: Mutex<VecDeque<(String, Option<Arc<Plan>>)>>,
}

impl KnownPlans {
    /// The definition of a run.
    pub(crate) fn of(&self, reader: &Reader, row: &RunRow) -> Result<Option<Arc<Plan>>, StoreError> {
        if let Some(known) = self.find(&row.definition) {
            return Ok(known);
        }
        // Not under the lock: it takes a while. Read twice, it is the same.
        let source = reader.definition_of(row.run)?.unwrap_or_default();
        let plan = load(&row.workflow, &source).ok();
        let mut kept = lock(&self.kept);
        kept.truncate(KEPT - 1);
        kept.push_front((row.definition.clone(), plan.clone()));
        Ok(plan)
    }

    fn find(&self, digest: &str) -> Option<Option<Arc<Plan>>> {
        let mut kept = lock(&self.kept);
        let place = kept.iter().position(|(known, _)| known == digest)?;
        let found = kept.remove(place)?;
        kept.push_front(found.clone());
        Some(found.1)
    }
}
