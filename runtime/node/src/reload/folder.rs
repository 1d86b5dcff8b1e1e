//! The workflow files of a project, read.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use trackside_codes::{Coded, Reason};
use trackside_spec::{Plan, Problem, SpecError, TriggerKind, load_workflow, problem_at};
use trackside_steps::Stamp;
use trackside_triggers::cron::{CronError, Times};

use crate::project::WorkflowReason;

/// A longer file is no workflow.
const LARGEST: u64 = 4 << 20;

/// Every workflow file with what it says, by its path relative to the project.
pub(crate) type Files = BTreeMap<PathBuf, Result<Arc<Plan>, WorkflowReason>>;

/// Which folder it is: another one under the same name has another identity, one that is mounted or was uncovered by
/// unmounting too.
pub(crate) fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The paths of the workflow files in a folder, sorted.
///
/// # Errors
/// When it is not there or cannot be read.
pub(crate) fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| is_workflow(file));
    files.sort();
    Ok(files)
}

/// Whether a file of this name is a workflow. Hidden files are those of editors and of programs that copy.
pub(crate) fn is_workflow(file: &Path) -> bool {
    let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// How the files of a folder look from outside: as long as it is the same, so are they.
pub(crate) type Looks = BTreeMap<PathBuf, Option<Stamp>>;

/// How they look now.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn looks(folder: &Path) -> io::Result<Looks> {
    Ok(paths(folder)?.into_iter().map(|path| (path.clone(), Stamp::of(&path))).collect())
}

/// Reads all of them; `root` is the project's folder.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn read(root: &Path, folder: &Path) -> io::Result<Files> {
    let file = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_owned();
    Ok(paths(folder)?.iter().map(|path| (file(path), read_workflow(path, &file(path)).map(Arc::new))).collect())
}

fn read_workflow(path: &Path, file: &Path) -> Result<Plan, WorkflowReason> {
    let unreadable = |error: io::Error| WorkflowReason::Unreadable(Reason::disk(error));
    // A pipe has no end, and a device may have effects.
    let meta = fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(WorkflowReason::Unreadable("it is not a regular file".into()));
    }
    if meta.len() > LARGEST {
        return Err(WorkflowReason::Unreadable(format!("it has {} bytes; the limit is {LARGEST}", meta.len()).into()));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    load_definition(&file.display().to_string(), &text).map_err(WorkflowReason::Spec)
}

/// Loads a workflow file, and looks its schedules up in the calendar.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_definition(file: &str, text: &str) -> Result<Plan, SpecError> {
    let plan = load_workflow(file, text)?;
    let problems: Vec<Problem> = plan
        .triggers
        .iter()
        .enumerate()
        .filter_map(|(index, trigger)| {
            let TriggerKind::Cron(cron) = &trigger.kind else { return None };
            let error = Times::parse(&cron.times).err()?;
            let key = if matches!(error, CronError::Zone { .. }) { "timezone" } else { "schedule" };
            let (code, index, message) = (error.code(), index.to_string(), error.message());
            Some(problem_at((file, text), &["triggers", &index, "cron", key], code, &message, None))
        })
        .collect();
    if problems.is_empty() { Ok(plan) } else { Err(SpecError { problems }) }
}
