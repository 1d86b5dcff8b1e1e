//! Checks of file triggers.

use crate::{
    triggers::{Claim, FileBatch, FileTrigger},
    workflow::{
        checker::Checker,
        trigger_file::{BatchFile, ClaimFile, FileTriggerFile, GlobsFile},
        words,
    },
};

/// A file that has not changed for a day is as settled as it gets.
const LONGEST_SETTLE_MS: u64 = 86_400_000;
/// Every file is held against every pattern.
const MAX_GLOBS: usize = 64;
/// Each file of a batch is a part of the run's first journal entry.
const MAX_BATCH: u32 = 1000;
const LONGEST_BATCH_MS: u64 = 3_600_000;

const OUTSIDE: &str = "a folder below the project has no `..`";
const OUTSIDE_HELP: &str = "write the whole path, such as /data/in, if a folder outside of the project is meant";

pub(super) fn check(file: FileTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> FileTrigger {
    let path = |key: &'static str| ["triggers", position, "file", key];
    if let Some(reason) = words::path_problem(&file.path) {
        checker.at("TS-0103", &path("path"), format!("this is no folder: {reason}"), None);
    } else if words::climbs(&file.path) {
        checker.at("TS-0103", &path("path"), OUTSIDE, Some(OUTSIDE_HELP.to_owned()));
    }
    let globs = globs(file.glob, "glob", position, checker);
    if globs.is_empty() {
        checker.at("TS-0103", &path("glob"), "without a pattern no file counts", None);
    }
    let exclude = self::globs(file.exclude, "exclude", position, checker);
    if file.settle.as_millis() > LONGEST_SETTLE_MS {
        checker.at("TS-0103", &path("settle"), "at most 1d", None);
    }
    let claim = claim(&file.path, (file.claim, file.to), (&globs, &exclude), position, checker);
    if file.shared && !claim.takes_away() {
        let help = Some("claim: move".to_owned());
        checker.at_key("TS-0110", &path("shared"), "a file that stays can not be taken by one box only", help);
    }
    let batch = file.batch.map(|batch| self::batch(&batch, position, checker));
    FileTrigger {
        path: file.path,
        globs,
        exclude,
        settle: file.settle,
        // A file can not be late before it could have settled.
        max_wait: file.max_wait.max(file.settle),
        identity: file.identity,
        existing: file.existing,
        claim,
        shared: file.shared,
        batch,
    }
}

fn globs(given: GlobsFile, key: &'static str, position: &str, checker: &mut Checker<'_, '_>) -> Vec<String> {
    let (globs, listed) = match given {
        GlobsFile::One(glob) => (vec![glob], false),
        GlobsFile::Many(globs) => (globs, true),
    };
    if globs.len() > MAX_GLOBS {
        let message = format!("{} patterns; the limit is {MAX_GLOBS}", globs.len());
        checker.at_key("TS-0108", &["triggers", position, "file", key], message, None);
    }
    for (index, glob) in globs.iter().enumerate() {
        let index = index.to_string();
        let full = ["triggers", position, "file", key, &index];
        let path = if listed { &full[..] } else { &full[..4] };
        if let Some(reason) = words::path_problem(glob) {
            checker.at("TS-0103", path, format!("this is no pattern: {reason}"), None);
        } else if let Err(error) = globset::GlobBuilder::new(glob).literal_separator(true).build() {
            checker.at("TS-0103", path, format!("this is no pattern: {}", error.kind()), None);
        } else if glob.starts_with('/') || words::climbs(glob) {
            let help = Some("put the folder into `path` and a pattern such as \"**/*.csv\" here".to_owned());
            checker.at("TS-0103", path, "the pattern is for paths below the folder", help);
        }
    }
    globs
}

fn claim(
    folder: &str,
    (claim, to): (ClaimFile, Option<String>),
    (globs, exclude): (&[String], &[String]),
    position: &str,
    checker: &mut Checker<'_, '_>,
) -> Claim {
    let path = ["triggers", position, "file", "to"];
    if let Some(to) = &to {
        if let Some(reason) = words::path_problem(to) {
            checker.at("TS-0103", &path, format!("this is no folder: {reason}"), None);
        } else if words::climbs(to) {
            checker.at("TS-0103", &path, OUTSIDE, Some(OUTSIDE_HELP.to_owned()));
        } else if watches(folder, globs, exclude, to) {
            let message = "the trigger would find its own files there";
            let help = Some("name a folder beside `path`, or leave it out with `exclude`".to_owned());
            checker.at("TS-0110", &path, message, help);
        }
    }
    match (claim, to) {
        (ClaimFile::Move, None) => Claim::Move,
        (ClaimFile::Move, Some(to)) => Claim::MoveTo(to),
        (ClaimFile::Copy, Some(to)) => Claim::CopyTo(to),
        (ClaimFile::Copy, None) => {
            let help = Some("to: done".to_owned());
            let path = ["triggers", position, "file", "claim"];
            checker.at("TS-0102", &path, "`claim: copy` needs `to`, the folder for the copies", help);
            Claim::Keep
        }
        (ClaimFile::Keep, None) => Claim::Keep,
        (ClaimFile::Keep, Some(_)) => {
            checker.at_key("TS-0110", &path, "`to` is for `claim: move` and `claim: copy`", None);
            Claim::Keep
        }
    }
}

/// Whether files in the folder `to` may be the trigger's, as far as the two texts tell.
fn watches(folder: &str, globs: &[String], exclude: &[String], to: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    if folder.starts_with('/') != to.starts_with('/') {
        return false;
    }
    let (folder, to) = (parts(folder), parts(to));
    let Some(below) = to.strip_prefix(folder.as_slice()) else { return false };
    let below = below.join("/");
    let left_out = exclude.iter().any(|glob| {
        let folder = glob.strip_suffix("/**").and_then(|folder| globset::Glob::new(folder).ok());
        folder.is_some_and(|folder| folder.compile_matcher().is_match(&below))
    });
    let depth = if below.is_empty() { 0 } else { below.matches('/').count() + 1 };
    !left_out
        && globs.iter().any(|glob| glob.contains("**") || glob.contains('[') || glob.matches('/').count() == depth)
}

fn batch(batch: &BatchFile, position: &str, checker: &mut Checker<'_, '_>) -> FileBatch {
    let path = |key: &'static str| ["triggers", position, "file", "batch", key];
    if !(1..=MAX_BATCH).contains(&batch.max_files) {
        checker.at("TS-0103", &path("max_files"), format!("between 1 and {MAX_BATCH}"), None);
    }
    if batch.max_wait.as_millis() > LONGEST_BATCH_MS {
        checker.at("TS-0103", &path("max_wait"), "at most 1h", None);
    }
    FileBatch { max_files: batch.max_files, max_wait: batch.max_wait }
}
