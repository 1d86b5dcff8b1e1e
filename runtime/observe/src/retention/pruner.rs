//! One small transaction after the other, as long as there is something to remove.

use std::path::Path;

use trackside_store::{Artifacts, OldLedgerRow, Prune, Reader, StoreError, Txn, Write};

use crate::batch::Awaited;

use super::{
    files,
    plan::{Candidate, Cause, Plan},
    rules::Rules,
};

/// Runs that go in one transaction.
const RUNS: usize = 256;
/// Rows of another kind that go in one transaction.
const ROWS: u32 = 256;
/// Entries about subjects that go in one transaction: each time they are looked for costs a look at all of them.
const ENTRIES: usize = 4096;
/// Pages that are given back in one transaction.
const PAGES: u32 = 1024;
/// So many free pages stay: they are used again.
const FREE_PAGES: u64 = 1024;
/// Turns for which holds what costs much to ask.
const TURNS: u32 = 32;
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
    /// What costs too much to be asked for each transaction.
    asked: Option<Asked>,
    /// The last entry that was seen by all that are waited for, when this turn began.
    seen: Option<i64>,
    /// No more runs go in this turn.
    runs_done: bool,
    /// Free pages when some were last given back: where that brings nothing it is not tried again.
    free_pages: Option<u64>,
    /// A file that can not be removed is told once.
    told_file: bool,
}

#[derive(Debug, Clone)]
struct Asked {
    /// Bytes of all artifacts that are files: a sum over all of them.
    file_bytes: u64,
    /// Consumers that are not waited for: a look at all that they lack.
    lost: Vec<&'static str>,
    /// Turns until it is asked again.
    turns: u32,
}

/// What was removed since the start of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Runs.
    pub runs: u64,
    /// Artifacts: files, and small ones.
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

    /// A new turn within the round: consumers have come on.
    pub fn begin_turn(&mut self) {
        self.round.runs_done = false;
        self.round.seen = None;
        self.round.asked = self
            .round
            .asked
            .take()
            .filter(|asked| asked.turns > 0)
            .map(|asked| Asked { turns: asked.turns - 1, ..asked });
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
    pub fn next(&mut self, rules: &Rules, scene: &Scene<'_>, consumers: &[Awaited]) -> Result<Option<Txn>, StoreError> {
        // Files first: what goes on by what is held must know what has gone already.
        if let Some(freed) = files::remove_free(scene.reader, scene.artifacts, &mut self.round.told_file)? {
            self.round.removed.files += freed.rows.len() as u64;
            self.round.removed.bytes += freed.bytes;
            if let Some(asked) = &mut self.round.asked {
                asked.file_bytes = asked.file_bytes.saturating_sub(freed.file_bytes);
            }
            return Ok(Some(Txn::of(vec![Write::Prune(Prune::Files(freed.rows))])));
        }
        if let Some(txn) = self.next_runs(rules, scene, consumers)? {
            return Ok(Some(txn));
        }
        let space = scene.reader.space()?;
        // Below that they are used again before long, and giving back moves pages about.
        let many = space.free > FREE_PAGES && space.free > space.pages / 16;
        let brings = self.round.free_pages.is_none_or(|before| space.free < before);
        if brings && (many || scene.lacks > 0 && space.free > 0) {
            self.round.free_pages = Some(space.free);
            return Ok(Some(Txn::of(vec![Write::Prune(Prune::Pages(PAGES))])));
        }
        self.next_rare(rules, scene)
    }

    fn next_runs(
        &mut self,
        rules: &Rules,
        scene: &Scene<'_>,
        consumers: &[Awaited],
    ) -> Result<Option<Txn>, StoreError> {
        if self.round.runs_done {
            return Ok(None);
        }
        let asked = match &mut self.round.asked {
            Some(asked) => asked,
            none => none.insert(Asked {
                file_bytes: scene.reader.artifact_file_bytes()?,
                lost: lost(rules, scene.reader, consumers)?,
                turns: TURNS,
            }),
        };
        let seen = match self.round.seen {
            Some(seen) => seen,
            None => *self.round.seen.insert(seen(scene.reader, consumers, &asked.lost)?),
        };
        // Of one state of the database, also because each state that is asked costs system calls.
        let file_bytes = asked.file_bytes;
        let (over, candidates) = scene.reader.snapshot(|_| {
            let plan = plan(rules, scene, file_bytes, seen)?;
            Ok((plan.over, plan.candidates(RUNS)?))
        })?;
        if candidates.is_empty() {
            // Runs that are not worked in yet may be what is too much.
            let is_up_to_date = scene.reader.cursor(super::consumer::NAME)? >= scene.reader.newest_entry()?;
            if over > 0 && is_up_to_date && !self.told_over {
                tracing::warn!(
                    over_bytes = over,
                    "[TS-0214] the box holds more than `bytes` in [retention] allows, and nothing more can go: what is left are \
                     runs under way, the newest run of each workflow and what they need"
                );
            }
            self.told_over = over > 0 && (is_up_to_date || self.told_over);
            self.round.runs_done = true;
            return Ok(None);
        }
        self.round.removed.runs += candidates.iter().filter(|one| is_run(one)).count() as u64;
        let rows = |one: &Candidate| one.bytes() - one.artifact_bytes();
        self.round.removed.bytes += candidates.iter().map(rows).sum::<u64>();
        let (runs, parts): (Vec<_>, Vec<_>) = candidates.iter().partition(|one| is_run(one));
        let part = |one: &Candidate| match one.cause {
            Cause::Logs => Prune::Logs(one.run.run),
            _ => Prune::Artifacts(one.run.run),
        };
        let mut writes: Vec<Write> = parts.into_iter().map(|one| Write::Prune(part(one))).collect();
        if !runs.is_empty() {
            writes.push(Write::Prune(Prune::Runs(runs.iter().map(|one| one.run.run).collect())));
        }
        Ok(Some(Txn::of(writes)))
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
                    let old = match before(rules.config.decisions).zip(self.round.seen) {
                        Some((before_ms, seen)) => scene.reader.superseded(before_ms, seen, ENTRIES)?,
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

/// What is to go by these rules now.
fn plan<'a>(rules: &'a Rules, scene: &'a Scene<'_>, file_bytes: u64, seen: i64) -> Result<Plan<'a>, StoreError> {
    let reader = scene.reader;
    let space = reader.space()?;
    let held = space.used().saturating_add(file_bytes);
    let bound = bound(rules, scene.artifacts);
    Ok(Plan {
        reader,
        rules,
        now_ms: scene.now_ms,
        seen,
        over: held.saturating_sub(bound),
        // Free pages of the database are as good as free space: what comes next goes there, or they are given back.
        lacks: scene.lacks.saturating_sub(space.free * space.page),
    })
}

/// Whether database and artifacts take more than they may together.
///
/// # Errors
/// When the database refuses.
pub fn is_over(rules: &Rules, scene: &Scene<'_>) -> Result<bool, StoreError> {
    Ok(plan(rules, scene, scene.reader.artifact_file_bytes()?, 0)?.over > 0)
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
    /// Bytes of the artifacts that runs name and that are files; small ones are in the database.
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
pub fn dry_run(rules: &Rules, scene: &Scene<'_>, consumers: &[Awaited]) -> Result<Preview, StoreError> {
    let artifacts = scene.reader.artifact_file_bytes()?;
    let seen = seen(scene.reader, consumers, &[])?;
    let candidates = plan(rules, scene, artifacts, seen)?.candidates(usize::MAX)?;
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
        artifacts,
        bound: bound(rules, scene.artifacts),
        behind: behind.unsigned_abs(),
    })
}

/// The last entry that every consumer has seen, those that are not waited for left out.
fn seen(reader: &Reader, consumers: &[Awaited], lost: &[&'static str]) -> Result<i64, StoreError> {
    let mut seen = reader.newest_entry()?;
    for Awaited { consumer, .. } in consumers.iter().filter(|one| !lost.contains(&one.consumer)) {
        seen = seen.min(reader.cursor(consumer)?);
    }
    Ok(seen)
}

/// Consumers that fail and are further behind than their backlog. One that is only slow is waited for.
fn lost(rules: &Rules, reader: &Reader, consumers: &[Awaited]) -> Result<Vec<&'static str>, StoreError> {
    let newest = reader.newest_entry()?;
    let mut lost = Vec::new();
    for Awaited { consumer, .. } in consumers.iter().filter(|one| !one.comes_on) {
        let at = reader.cursor(consumer)?;
        let behind = newest - at;
        // Looking at all of it costs as much as reading it: so few entries can not be too much.
        if behind > 4096 && reader.journal_bytes(at, newest)? > rules.config.backlog.as_bytes() {
            tracing::error!(
                consumer,
                behind,
                "[TS-0215] this consumer of the journal is further behind than `backlog` in [retention] allows; runs go \
                 although it has not seen them"
            );
            lost.push(*consumer);
        }
    }
    Ok(lost)
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
