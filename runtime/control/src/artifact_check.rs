//! Whether the artifacts of a data folder are all there and are still what they were.

use std::{
    collections::{BTreeMap, HashSet},
    io,
};

use trackside_engine::RunId;
use trackside_spec::Digest;
use trackside_store::{About, ArtifactProblem, Artifacts, Reader, StoreError};

use crate::QueryError;

/// Journal entries read at a time.
const PAGE: u32 = 1000;

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct ArtifactCheck {
    /// How many artifacts were compared with their digests.
    pub checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong with the database itself.
    pub unsound: Vec<String>,
    /// What is wrong with artifacts.
    pub problems: Vec<(Digest, String)>,
    /// Entries of the journal that can not be read: which artifacts they name nobody knows.
    pub damaged: Vec<DamagedEntry>,
}

/// An entry of the journal that can not be read.
#[derive(Debug)]
pub struct DamagedEntry {
    /// Its number.
    pub entry: i64,
    /// What it is about.
    pub of: About,
    /// What is wrong.
    pub reason: String,
}

impl DamagedEntry {
    /// The key of JSON that says what it is about.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self.of {
            About::Run(_) => "run",
            About::Subject(_) => "subject",
        }
    }

    /// The run's id, or the subject's name.
    #[must_use]
    pub fn of(&self) -> String {
        match &self.of {
            About::Run(run) => run.to_string(),
            About::Subject(subject) => subject.clone(),
        }
    }
}

/// Compares one artifact with its digest.
#[must_use]
pub fn check_artifact(artifacts: &Artifacts, digest: &Digest) -> ArtifactCheck {
    let mut check = ArtifactCheck::default();
    check.compare(artifacts, digest);
    check
}

/// Compares all artifacts with their digests, looks for those that runs refer to and that are gone, and has the database check
/// itself.
///
/// # Errors
/// When the artifacts can not be listed, or a database that is sound refuses.
pub fn check_artifacts(artifacts: &Artifacts, reader: &Reader) -> Result<ArtifactCheck, QueryError> {
    let listed = match artifacts.list() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(QueryError::Artifacts(error)),
        listed => listed.unwrap_or_default(),
    };
    let unsound = reader.unsound()?;
    let References { artifacts: named, damaged } = match references(reader) {
        // Told with the database.
        Err(_) if !unsound.is_empty() => References::default(),
        read => read?,
    };
    let mut check = ArtifactCheck { unsound, damaged, ..ArtifactCheck::default() };
    let mut there = HashSet::new();
    for digest in listed {
        check.compare(artifacts, &digest);
        there.insert(digest);
    }
    for (digest, run) in named {
        if !there.contains(&digest) && artifacts.size_of(&digest).is_none() {
            check.problems.push((digest, format!("run {run} refers to it and it is missing")));
        }
    }
    Ok(check)
}

impl ArtifactCheck {
    fn compare(&mut self, artifacts: &Artifacts, digest: &Digest) {
        let problem = match artifacts.verify(digest) {
            Ok(None) => None,
            Ok(Some(ArtifactProblem::Missing)) => Some("it is missing".to_owned()),
            Ok(Some(ArtifactProblem::Changed { found })) => Some(format!("its content has the digest {found}")),
            Err(error) => Some(format!("it can not be read: {error}")),
        };
        self.checked += 1;
        self.bytes += artifacts.size_of(digest).unwrap_or(0);
        self.problems.extend(problem.map(|problem| (*digest, problem)));
    }
}

/// What the journal says.
#[derive(Default)]
struct References {
    /// Every artifact that it names, with one run that does.
    artifacts: BTreeMap<Digest, RunId>,
    damaged: Vec<DamagedEntry>,
}

fn references(reader: &Reader) -> Result<References, StoreError> {
    let mut found = References::default();
    // Of older entries than these nothing is counted yet: their artifacts are looked for in what they say. Of later ones the
    // count knows also which of them retention has removed.
    let uncounted = reader.uncounted()?;
    found.artifacts.extend(reader.named_artifacts()?);
    let mut after = 0;
    loop {
        let page = reader.journal_after(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.seq;
        for row in &page {
            if let Err(error) = row.look() {
                found.damaged.push(DamagedEntry { entry: row.seq, of: row.about.clone(), reason: error.to_string() });
            }
            let Some(run) = row.run().filter(|_| row.seq <= uncounted) else { continue };
            // Artifacts are looked for wherever they may stand, also in what is no event.
            for digest in row.entry.artifacts() {
                found.artifacts.entry(digest).or_insert(run);
            }
        }
    }
}
