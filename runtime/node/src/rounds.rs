//! A round over the journal: the consumers work in what they have not seen and what is not kept is removed, in turns, one small
//! transaction after the other, until there is nothing more to do. The same with a running node and without.

use std::{path::PathBuf, sync::Arc};

use trackside_observe::{Consumers, Pace, Preview, Removed, Retention, Rules, Scene, Turns, Usage, dry_run};
use trackside_spec::TriggerKind;
use trackside_store::{Artifacts, Clock, Reader, Readers, Reserve, StoreError, Txn};

use crate::project::Project;

/// The consumers of the journal.
pub(crate) fn consumers() -> Consumers {
    Consumers::new(vec![Box::new(Retention::new()), Box::new(Usage)])
}

/// What a round reads and asks.
pub(crate) struct Ground<'a> {
    pub(crate) readers: &'a Readers,
    pub(crate) artifacts: &'a Artifacts,
    pub(crate) reserve: &'a Reserve,
    pub(crate) clock: &'a dyn Clock,
    /// The project as it is in use now.
    pub(crate) project: &'a dyn Fn() -> Arc<Project>,
    /// False where the rules of a workflow are not known: its file can not be read, and nobody says what held before.
    pub(crate) prunes: bool,
}

/// What is remembered between rounds.
pub(crate) struct Rounds {
    turns: Turns,
}

impl Rounds {
    pub(crate) fn new() -> Self {
        Self { turns: Turns::new(consumers(), Pace::default()) }
    }

    /// How many entries the one that is furthest behind has not seen.
    pub(crate) fn behind(&self, reader: &Reader) -> Result<i64, StoreError> {
        let newest = reader.newest_entry()?;
        let mut behind = 0;
        for one in self.turns.consumers().awaited() {
            behind = behind.max(newest - reader.cursor(one.consumer)?);
        }
        Ok(behind)
    }

    /// One round. `commit` makes a transaction durable and says whether to go on; none when it was not to.
    ///
    /// # Errors
    /// When the database refuses, or a consumer failed.
    pub(crate) fn round(
        &mut self,
        ground: &Ground<'_>,
        mut commit: impl FnMut(Txn) -> Result<bool, StoreError>,
    ) -> Result<Option<Removed>, StoreError> {
        self.turns.begin_round();
        loop {
            let project = (ground.project)();
            let next = ground.readers.with(|reader| {
                let at = (ground.clock.now_ms(), lacks(ground.reserve));
                in_scene(&project, (reader, ground.artifacts), at, |scene, rules| {
                    self.turns.next(ground.prunes.then_some(rules), scene)
                })
            })?;
            let Some(txn) = next else { return Ok(Some(self.turns.removed())) };
            if !commit(txn)? {
                return Ok(None);
            }
        }
    }
}

/// What retention would remove now. Changes nothing and works beside a running node.
///
/// # Errors
/// When the database can not be read.
pub fn preview(project: &Project, reader: &Reader, clock: &dyn Clock) -> Result<Preview, StoreError> {
    let artifacts = Artifacts::read_only(&project.data_dir());
    let awaited = consumers().awaited();
    in_scene(project, (reader, &artifacts), (clock.now_ms(), 0), |scene, rules| dry_run(rules, scene, &awaited))
}

/// Whether the box holds more than it may.
///
/// # Errors
/// When the database can not be read.
pub(crate) fn is_over(project: &Project, reader: &Reader, artifacts: &Artifacts) -> Result<bool, StoreError> {
    in_scene(project, (reader, artifacts), (0, 0), |scene, rules| trackside_observe::is_over(rules, scene))
}

fn in_scene<T>(
    project: &Project,
    (reader, artifacts): (&Reader, &Artifacts),
    (now_ms, lacks): (i64, u64),
    ask: impl FnOnce(&Scene<'_>, &Rules) -> T,
) -> T {
    let folder_of = |trigger: &str| folder_of(project, trigger);
    let own = project.workflows.values().map(|plan| (plan.name.clone(), plan.retention));
    let rules = Rules { config: project.config.retention.clone(), workflows: own.collect() };
    ask(&Scene { reader, artifacts, folder_of: &folder_of, now_ms, lacks }, &rules)
}

/// Whether time alone can bring something to go.
pub(crate) fn has_ages(project: &Project) -> bool {
    let mut own = project.workflows.values().map(|plan| &plan.retention);
    project.config.retention.has_ages() || own.any(trackside_spec::Retention::has_ages)
}

/// The folder that a file trigger watches.
fn folder_of(project: &Project, trigger: &str) -> Option<PathBuf> {
    let mut triggers = project.workflows.values().flat_map(|plan| &plan.triggers);
    match &triggers.find(|known| known.id == trigger)?.kind {
        TriggerKind::File(file) => Some(project.root.join(&file.path)),
        _ => None,
    }
}

/// What the disk lacks before the node can leave its reserve.
fn lacks(reserve: &Reserve) -> u64 {
    if !reserve.is_given_up() {
        return 0;
    }
    reserve.lacks().unwrap_or_else(|error| {
        tracing::warn!(%error, "the free space of the disk can not be asked for");
        0
    })
}

/// Makes the reserve when it is missing and there is room. Says whether it had been given up and is there again.
pub(crate) fn restore(reserve: &Reserve) -> bool {
    let was_given_up = reserve.is_given_up();
    match reserve.make() {
        Ok(is_there) => is_there && was_given_up,
        Err(error) => {
            tracing::warn!(%error, "[TS-0217] the reserve beside the database can not be made; it is tried again");
            false
        }
    }
}
