//! One small transaction after the other, as long as there is something to remove.

use std::path::Path;

use trackside_store::{Artifacts, OldLedgerRow, Prune, Reader, StoreError, Txn, Write};

use super::{
    files,
    plan::{Candidate, Cause, Plan},
    rules::Rules,
};

/// Runs that go in one transaction.
const RUNS: usize = 128;
/// Rows of another kind that go in one transaction.
const ROWS: u32 = 256;
/// Entries about subjects that go in one transaction: each time they are looked for costs a look at all of them.
const ENTRIES: usize = 4096;
/// Pages that are given back in one transaction.
const PAGES: u32 = 1024;
/// So many free pages stay: they are used again.
const FREE_PAGES: u64 = 4096;
/// How often what is rarely to be removed is looked for.
const RARELY_MS: i64 = 3_600_000;

/// What is removed rarely, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rare {
    Done,
    Ledger,
    Decisions,
    Subjects,
    State,
    Definitions,
    Orphans(u8),
}

/// Removes what is not to be kept.
#[derive(Debug)]
pub struct Pruner {
    rare: Rare,
    next_rare_ms: Option<i64>,
    ledger_after: (String, String),
    told_over: bool,
    round: Round,
}

/// What is known within a round.
#[derive(Debug, Default)]
struct Round {
    removed: Removed,
    /// What is asked once: a sum over all artifacts, a look at all cursors.
    asked: Option<Asked>,
    /// No more runs go.
    runs_done: bool,
    /// Free pages when some were last given back: where that brings nothing it is not tried again.
    free_pages: Option<u64>,
    /// A file that can not be removed is told once.
    told_file: bool,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    /// Bytes of all artifacts.
    artifact_bytes: u64,
    /// The last entry that all consumers have seen.
    seen: i64,
}

/// What was removed since the start of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Runs.
    pub runs: u64,
    /// Files of artifacts.
    pub files: u64,
    /// Bytes, about.
    pub bytes: u64,
}

/// What the pruner goes by.
pub struct Scene<'a> {
    /// Committed data.
    pub reader: &'a Reader,
    /// The artifact store.
    pub artifacts: &'a Artifacts,
    /// The watched folders, by trigger: a file that still lies there is never forgotten.
    pub folder_of: &'a dyn Fn(&str) -> Option<std::path::PathBuf>,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// Bytes that the disk lacks before the node can go on; 0 where it does not.
    pub lacks: u64,
    /// Names of all consumers.
    pub consumers: &'a [&'static str],
}

impl Default for Pruner {
    fn default() -> Self {
        Self {
            rare: Rare::Done,
            next_rare_ms: None,
            ledger_after: Default::default(),
            told_over: false,
            round: Round::default(),
        }
    }
}

impl Pruner {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new round: what stayed before is tried again.
    pub fn begin_round(&mut self) {
        self.round = Round::default();
    }

    /// What was removed in this round.
    #[must_use]
    pub const fn removed(&self) -> Removed {
        self.round.removed
    }

    /// The next transaction; none when there is nothing to remove now. It must be on disk before the next is asked for.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn next(&mut self, rules: &Rules, scene: &Scene<'_>) -> Result<Option<Txn>, StoreError> {
        // Files first: what goes on by what is held must know what has gone already.
        if let Some((rows, bytes)) = files::remove_free(scene.reader, scene.artifacts, &mut self.round.told_file)? {
            self.round.removed.files += rows.len() as u64;
            self.round.removed.bytes += bytes;
            if let Some(asked) = &mut self.round.asked {
                asked.artifact_bytes = asked.artifact_bytes.saturating_sub(bytes);
            }
            return Ok(Some(Txn::of(vec![Write::Prune(Prune::Files(rows))])));
        }
        if let Some(txn) = self.next_runs(rules, scene)? {
            return Ok(Some(txn));
        }
        let space = scene.reader.space()?;
        // Below that they are used again before long, and giving back moves pages about.
        let many = space.free > FREE_PAGES && space.free > space.pages / 8;
        let brings = self.round.free_pages.is_none_or(|before| space.free < before);
        if brings && (many || scene.lacks > 0 && space.free > 0) {
            self.round.free_pages = Some(space.free);
            return Ok(Some(Txn::of(vec![Write::Prune(Prune::Pages(PAGES))])));
        }
        self.next_rare(rules, scene)
    }

    fn next_runs(&mut self, rules: &Rules, scene: &Scene<'_>) -> Result<Option<Txn>, StoreError> {
        if self.round.runs_done {
            return Ok(None);
        }
        let asked = match self.round.asked {
            Some(asked) => asked,
            None => *self.round.asked.insert(ask(rules, scene)?),
        };
        let plan = plan(rules, scene, asked)?;
        let candidates = plan.candidates(RUNS)?;
        if candidates.is_empty() {
            // Runs that are not worked in yet may be what is too much.
            let is_up_to_date = scene.reader.cursor(super::consumer::NAME)? >= scene.reader.newest_entry()?;
            if plan.over > 0 && is_up_to_date && !self.told_over {
                tracing::warn!(
                    over_bytes = plan.over,
                    "[TS-0214] the box holds more than `bytes` in [retention] allows, and nothing more can go: what is left are \
                     runs under way, the newest run of each workflow and what they need"
                );
            }
            self.told_over = plan.over > 0 && (is_up_to_date || self.told_over);
            self.round.runs_done = true;
            return Ok(None);
        }
        self.round.removed.runs += candidates.iter().filter(|one| is_run(one)).count() as u64;
        let rows = |one: &Candidate| one.bytes() - one.artifact_bytes();
        self.round.removed.bytes += candidates.iter().map(rows).sum::<u64>();
        let write = |one: &Candidate| {
            Write::Prune(match one.cause {
                Cause::Logs => Prune::Logs(one.run.run),
                Cause::Artifacts => Prune::Artifacts(one.run.run),
                _ => Prune::Run(one.run.run),
            })
        };
        Ok(Some(Txn::of(candidates.iter().map(write).collect())))
    }

    fn next_rare(&mut self, rules: &Rules, scene: &Scene<'_>) -> Result<Option<Txn>, StoreError> {
        let now_ms = scene.now_ms;
        // Also when the clock was set back by more than an hour.
        let is_due = self.next_rare_ms.is_none_or(|at| now_ms >= at || at - now_ms > RARELY_MS);
        if self.rare == Rare::Done {
            if !is_due {
                return Ok(None);
            }
            self.next_rare_ms = Some(now_ms.saturating_add(RARELY_MS));
            self.rare = Rare::Ledger;
            self.ledger_after = Default::default();
        }
        let before = |time: Option<trackside_spec::Duration>| {
            time.map(|time| now_ms.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
        };
        let one = |prune| Ok(Some(Txn::of(vec![Write::Prune(prune)])));
        loop {
            match self.rare {
                Rare::Done => return Ok(None),
                Rare::Ledger => {
                    let Some(before_ms) = before(rules.config.ledger) else {
                        self.rare = Rare::Decisions;
                        continue;
                    };
                    let (trigger, identity) = &self.ledger_after;
                    let rows = scene.reader.old_ledger_rows(before_ms, (trigger, identity), ROWS)?;
                    let Some(last) = rows.last() else {
                        self.rare = Rare::Decisions;
                        continue;
                    };
                    self.ledger_after = (last.trigger.clone(), last.identity.clone());
                    let gone = rows.into_iter().filter(|row| is_forgotten(row, scene));
                    let writes: Vec<Write> = gone
                        .map(|row| Write::Prune(Prune::Ledger { trigger: row.trigger, identity: row.identity }))
                        .collect();
                    if !writes.is_empty() {
                        return Ok(Some(Txn::of(writes)));
                    }
                }
                Rare::Decisions => match before(rules.config.decisions) {
                    Some(before_ms) if scene.reader.has_old_decisions(before_ms)? => {
                        return one(Prune::Decisions { before_ms, limit: ROWS });
                    }
                    _ => self.rare = Rare::Subjects,
                },
                Rare::Subjects => {
                    let old = match before(rules.config.decisions) {
                        Some(before_ms) => scene.reader.superseded(before_ms, seen(rules, scene)?, ENTRIES)?,
                        None => Vec::new(),
                    };
                    if !old.is_empty() {
                        return one(Prune::Subjects(old));
                    }
                    self.rare = Rare::State;
                }
                Rare::State if scene.reader.has_lapsed_state(now_ms)? => {
                    return one(Prune::State { now_ms, limit: ROWS });
                }
                Rare::State => self.rare = Rare::Definitions,
                Rare::Definitions => {
                    self.rare = Rare::Orphans(0);
                    let unused = scene.reader.unused_definitions()?;
                    if !unused.is_empty() {
                        return one(Prune::Definitions(unused));
                    }
                }
                Rare::Orphans(shard) => {
                    self.rare = shard.checked_add(1).map_or(Rare::Done, Rare::Orphans);
                    if scene.reader.uncounted()? == 0 {
                        let (files, bytes) = files::remove_orphans(scene.reader, scene.artifacts, shard)?;
                        self.round.removed.files += files;
                        self.round.removed.bytes += bytes;
                    }
                }
            }
        }
    }
}

fn ask(rules: &Rules, scene: &Scene<'_>) -> Result<Asked, StoreError> {
    Ok(Asked { artifact_bytes: scene.reader.artifact_bytes()?, seen: seen(rules, scene)? })
}

/// What is to go by these rules now.
fn plan<'a>(rules: &'a Rules, scene: &'a Scene<'_>, asked: Asked) -> Result<Plan<'a>, StoreError> {
    let reader = scene.reader;
    let space = reader.space()?;
    let held = space.used().saturating_add(asked.artifact_bytes);
    let bound = bound(rules, scene.artifacts);
    Ok(Plan {
        reader,
        rules,
        now_ms: scene.now_ms,
        seen: asked.seen,
        over: held.saturating_sub(bound),
        // Free pages of the database are as good as free space: what comes next goes there, or they are given back.
        lacks: scene.lacks.saturating_sub(space.free * space.page),
    })
}

/// Bytes that database and artifacts may take together.
fn bound(rules: &Rules, artifacts: &Artifacts) -> u64 {
    let file_system = artifacts.file_system().map_or(u64::MAX, |(size, _)| size);
    rules.config.bytes.of(file_system)
}

/// What would go now, and what the box holds.
#[derive(Debug)]
pub struct Preview {
    /// What would go, in its order.
    pub candidates: Vec<Candidate>,
    /// Artifacts that no run names any more, and their bytes.
    pub free: (u64, u64),
    /// Bytes that the database holds.
    pub database: u64,
    /// Bytes of the artifacts that runs name.
    pub artifacts: u64,
    /// Bytes that both may take together.
    pub bound: u64,
    /// Entries of the journal that are not worked in: what they say of runs that have ended is not in the above.
    pub behind: u64,
}

/// What would go now.
///
/// # Errors
/// When the database refuses.
pub fn dry_run(rules: &Rules, scene: &Scene<'_>) -> Result<Preview, StoreError> {
    let asked = ask(rules, scene)?;
    let candidates = plan(rules, scene, asked)?.candidates(usize::MAX)?;
    let (mut free, mut after) = ((0, 0), 0);
    let kept = scene.reader.artifacts_of_results()?;
    loop {
        let rows = scene.reader.free_artifacts(after, ROWS)?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for one in rows.iter().filter(|one| !kept.contains(&one.digest)) {
            free = (free.0 + 1, free.1 + one.bytes);
        }
    }
    let database = scene.reader.space()?.used();
    let behind = scene.reader.newest_entry()?.saturating_sub(scene.reader.cursor(super::consumer::NAME)?);
    Ok(Preview {
        candidates,
        free,
        database,
        artifacts: asked.artifact_bytes,
        bound: bound(rules, scene.artifacts),
        behind: behind.unsigned_abs(),
    })
}

/// The last entry that every consumer has seen. One that is behind by more than its backlog is not waited for.
fn seen(rules: &Rules, scene: &Scene<'_>) -> Result<i64, StoreError> {
    let newest = scene.reader.newest_entry()?;
    let mut seen = newest;
    for consumer in scene.consumers {
        let at = scene.reader.cursor(consumer)?;
        if at >= seen {
            continue;
        }
        // Looking at all of it costs as much as reading it: so few entries can not be too much.
        let behind = newest - at;
        let is_lost = behind > 4096 && scene.reader.journal_bytes(at, newest)? > rules.config.backlog.as_bytes();
        if is_lost {
            tracing::error!(
                consumer,
                behind,
                "[TS-0215] this consumer of the journal is further behind than `backlog` in [retention] allows; runs go \
                 although it has not seen them"
            );
            continue;
        }
        seen = at;
    }
    Ok(seen)
}

const fn is_run(candidate: &Candidate) -> bool {
    !matches!(candidate.cause, Cause::Logs | Cause::Artifacts)
}

/// Whether what a ledger row stands for may start a run again. Not while its file lies where it lay.
fn is_forgotten(row: &OldLedgerRow, scene: &Scene<'_>) -> bool {
    let Some(folder) = (scene.folder_of)(&row.trigger) else { return true };
    // A folder that is not mounted, a path that can not be looked at: the file may be there.
    folder.is_dir() && is_missing(&folder.join(Path::new(&row.path)))
}

fn is_missing(path: &Path) -> bool {
    matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}
