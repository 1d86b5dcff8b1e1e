//! Retention without a running node, and what it would do.

use trackside_observe::{Preview, Pruner, Removed, Scene, dry_run};
use trackside_store::{Artifacts, Clock, Committer, Durability, Reader, StoreError};

use crate::{
    observer::{consumers, folder_of, rules_of},
    project::Project,
};

/// What retention would remove now. Changes nothing and works beside a running node.
///
/// # Errors
/// When the database can not be read.
pub fn preview(project: &Project, reader: &Reader, clock: &dyn Clock) -> Result<Preview, StoreError> {
    let artifacts = Artifacts::read_only(&project.data_dir());
    let folder_of = |trigger: &str| folder_of(project, trigger);
    let names = consumers().names();
    let scene = Scene {
        reader,
        artifacts: &artifacts,
        folder_of: &folder_of,
        now_ms: clock.now_ms(),
        lacks: 0,
        consumers: &names,
    };
    dry_run(&rules_of(project), &scene)
}

/// Works in what the consumers of the journal have not seen, and removes what is not kept, without a node: no run goes on
/// meanwhile. With a full disk the reserve is given up for it.
///
/// # Errors
/// When a node runs, or the data folder can not be used.
pub fn prune(project: &Project, clock: &dyn Clock) -> Result<Removed, StoreError> {
    let data_dir = project.data_dir();
    let mut committer = Committer::open(&data_dir, Durability::Full)?;
    committer.reserve().set_size(project.config.retention.reserve.as_bytes());
    let (artifacts, reader) = (committer.artifacts().clone(), Reader::open(&data_dir)?);
    let (mut consumers, mut pruner) = (consumers(), Pruner::new());
    let names = consumers.names();
    for place in 0..names.len() {
        while let Some(batch) = consumers.next(place, &reader)? {
            committer.commit(&[batch.txn])?;
        }
    }
    let (rules, folder_of) = (rules_of(project), |trigger: &str| folder_of(project, trigger));
    loop {
        let reserve = committer.reserve();
        let lacks = if reserve.is_given_up() { reserve.lacks().unwrap_or(0) } else { 0 };
        let scene = Scene {
            reader: &reader,
            artifacts: &artifacts,
            folder_of: &folder_of,
            now_ms: clock.now_ms(),
            lacks,
            consumers: &names,
        };
        let Some(txn) = pruner.next(&rules, &scene)? else { break };
        committer.commit(&[txn])?;
    }
    if committer.reserve().is_given_up()
        && let Err(error) = committer.reserve().make()
    {
        tracing::warn!(%error, "[TS-0217] the reserve beside the database can not be made; the node tries again");
    }
    Ok(pruner.removed())
}
