//! Retention without a running node.

use std::sync::Arc;

use trackside_observe::Removed;
use trackside_store::{Clock, Committer, Durability, StoreError};

use crate::{
    project::Project,
    rounds::{Ground, Rounds, restore},
};

/// Works in what the consumers of the journal have not seen, and removes what is not kept, without a node: no run goes on
/// meanwhile. With a full disk the reserve is given up for it.
///
/// # Errors
/// When a node runs, or the data folder can not be used.
pub fn prune(project: &Arc<Project>, clock: &dyn Clock) -> Result<Removed, StoreError> {
    let data_dir = project.data_dir();
    let mut committer = Committer::open(&data_dir, Durability::Full)?;
    let (artifacts, reserve) = (committer.artifacts().clone(), committer.reserve().clone());
    reserve.set_size(project.config.retention.reserve.as_bytes());
    let readers = artifacts.readers().clone();
    let ground = Ground {
        readers: &readers,
        artifacts: &artifacts,
        reserve: &reserve,
        clock,
        project: &|| project.clone(),
        prunes: true,
    };
    let removed = Rounds::new().round(&ground, |txn| committer.commit(&[txn]).map(|()| true))?;
    // A process that goes makes none where there was none.
    if reserve.is_given_up() {
        restore(&reserve);
    }
    Ok(removed.unwrap_or_default())
}
