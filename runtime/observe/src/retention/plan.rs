//! Which runs go next, and why.

use std::collections::{BTreeMap, HashSet};

use trackside_engine::RunId;
use trackside_store::{EndedRun, Holding, Reader, StoreError, Which};

use super::rules::{Resolved, Rules};

/// Rows that are looked at in one go.
const LOOK: u32 = 256;

/// Why something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It is older than is kept.
    Age,
    /// There are more runs than are kept.
    Runs,
    /// Its workflow's runs hold more than they may.
    Bytes,
    /// The box holds more than it may.
    Box,
    /// The disk is full.
    Disk,
    /// Its logs are older than are kept.
    Logs,
    /// Its artifacts are older than are kept.
    Artifacts,
}

impl Cause {
    /// The key of the configuration that it comes from, or `disk`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Runs => "runs",
            Self::Bytes => "bytes",
            Self::Box => "box",
            Self::Disk => "disk",
            Self::Logs => "logs",
            Self::Artifacts => "artifacts",
        }
    }
}

/// A run, or its logs or artifacts, that is to go.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its workflow's name.
    pub workflow: String,
    /// The run.
    pub run: EndedRun,
    /// Why.
    pub cause: Cause,
}

impl Candidate {
    /// Those of them that are artifacts.
    #[must_use]
    pub const fn artifact_bytes(&self) -> u64 {
        match self.cause {
            Cause::Logs => 0,
            _ => self.run.artifact_bytes,
        }
    }

    /// About so many bytes become free.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        match self.cause {
            Cause::Logs => self.run.log_bytes,
            Cause::Artifacts => self.run.artifact_bytes,
            _ => self.run.bytes(),
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    list: Vec<Candidate>,
    runs: HashSet<RunId>,
    most: usize,
}

impl Found {
    fn is_full(&self) -> bool {
        self.list.len() >= self.most
    }

    fn push(&mut self, candidate: Candidate) {
        self.runs.insert(candidate.run.run);
        self.list.push(candidate);
    }
}

/// What there is and what bounds it.
pub struct Plan<'a> {
    /// Committed data.
    pub reader: &'a Reader,
    /// What is to be kept.
    pub rules: &'a Rules,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// The last entry that all consumers have seen.
    pub seen: i64,
    /// Bytes that the box holds beyond what it may.
    pub over: u64,
    /// Bytes that the disk lacks.
    pub lacks: u64,
}

impl Plan<'_> {
    /// What goes, the runs of each workflow oldest first; so many at most.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn candidates(&self, most: usize) -> Result<Vec<Candidate>, StoreError> {
        let mut found = Found { most, ..Found::default() };
        let holdings = self.reader.holdings()?;
        for holding in &holdings {
            let rules = self.rules.of(&holding.workflow);
            self.runs_of(holding, rules, &mut found)?;
            self.parts_of(holding, rules.logs_ms, (Which::WithLogs, Cause::Logs), &mut found)?;
            self.parts_of(holding, rules.artifacts_ms, (Which::WithArtifacts, Cause::Artifacts), &mut found)?;
        }
        self.oldest(&holdings, &mut found)?;
        Ok(found.list)
    }

    /// Those that their workflow's rules do not keep.
    fn runs_of(&self, holding: &Holding, rules: Resolved, found: &mut Found) -> Result<(), StoreError> {
        let before = rules.age_ms.map(|age| self.now_ms.saturating_sub(age));
        if before.is_none() && holding.runs <= rules.runs && holding.bytes <= rules.bytes {
            return Ok(());
        }
        // One that began later can not have ended earlier.
        let youngest = before.map_or(RunId::from_i64(0), |before| RunId::next(None, before, 0));
        let Some(newest) = self.reader.newest_ended(holding.id)? else { return Ok(()) };
        let (mut runs, mut bytes, mut after) = (holding.runs, holding.bytes, RunId::from_i64(-1));
        loop {
            let rows = self.reader.ended_runs(holding.id, Which::All, after, LOOK)?;
            let Some(last) = rows.last().map(|row| row.run) else { return Ok(()) };
            for run in rows {
                if run.run >= newest || found.is_full() {
                    return Ok(());
                }
                let too_old = before.is_some_and(|before| run.ended_ms < before);
                let cause = if too_old {
                    Cause::Age
                } else if runs > rules.runs {
                    Cause::Runs
                } else if bytes > rules.bytes {
                    Cause::Bytes
                } else if run.run >= youngest {
                    return Ok(());
                } else {
                    continue;
                };
                if self.reader.is_needed(&run, self.seen)? {
                    continue;
                }
                runs -= 1;
                bytes = bytes.saturating_sub(run.bytes());
                found.push(Candidate { workflow: holding.workflow.clone(), run, cause });
            }
            after = last;
        }
    }

    /// Logs or artifacts that go earlier than their run.
    fn parts_of(
        &self,
        holding: &Holding,
        age_ms: Option<i64>,
        (which, cause): (Which, Cause),
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Some(before) = age_ms.map(|age| self.now_ms.saturating_sub(age)) else { return Ok(()) };
        let youngest = RunId::next(None, before, 0);
        let mut after = RunId::from_i64(-1);
        loop {
            let rows = self.reader.ended_runs(holding.id, which, after, LOOK)?;
            let Some(last) = rows.last().map(|row| row.run) else { return Ok(()) };
            for run in rows {
                if run.run >= youngest || found.is_full() {
                    return Ok(());
                }
                if found.runs.contains(&run.run) || run.ended_ms >= before || self.reader.is_needed(&run, self.seen)? {
                    continue;
                }
                found.push(Candidate { workflow: holding.workflow.clone(), run, cause });
            }
            after = last;
        }
    }

    /// Those that the box as a whole has no room for: the oldest of all, whatever workflow they are of.
    fn oldest(&self, holdings: &[Holding], found: &mut Found) -> Result<(), StoreError> {
        let wanted = self.over.max(self.lacks);
        let cause = if self.lacks > 0 { Cause::Disk } else { Cause::Box };
        let mut freed: u64 = found.list.iter().map(Candidate::bytes).sum();
        if freed >= wanted {
            return Ok(());
        }
        let mut names = BTreeMap::new();
        for holding in holdings {
            names.insert(holding.id, (holding.workflow.as_str(), self.reader.newest_ended(holding.id)?));
        }
        let mut after = RunId::from_i64(-1);
        while freed < wanted {
            let rows = self.reader.all_ended_runs(after, LOOK)?;
            let Some(last) = rows.last().map(|row| row.run) else { return Ok(()) };
            for run in rows {
                if freed >= wanted || found.is_full() {
                    return Ok(());
                }
                let Some((workflow, newest)) = names.get(&run.holding) else { continue };
                if found.runs.contains(&run.run)
                    || Some(run.run) == *newest
                    || self.reader.is_needed(&run, self.seen)?
                {
                    continue;
                }
                freed = freed.saturating_add(run.bytes());
                found.push(Candidate { workflow: (*workflow).to_owned(), run, cause });
            }
            after = last;
        }
        Ok(())
    }
}
