//! From what people type to what they ask about.

use std::{
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use trackside_engine::RunId;
use trackside_node::Project;
use trackside_spec::{Plan, Trigger, TriggerKind, load_workflow, nearest};
use trackside_store::Reader;
use trackside_triggers::files::{Wanted, wants};

use super::sight::Sight;
use crate::{QueryError, find_run};

/// What is asked about.
pub(super) enum Subject {
    /// A workflow and its triggers, by id.
    Workflow(String, Vec<String>),
    /// A trigger, by id.
    Trigger(String),
    /// A run.
    Run(RunId),
    /// A file, as each trigger that watches its folder sees it.
    File(Vec<Watching>),
}

/// A file below a watched folder.
pub(super) struct Watching {
    /// The trigger.
    pub(super) trigger: String,
    /// The file's path below the folder.
    pub(super) path: String,
}

/// Workflows and triggers first, then runs, then files: a file that is called like a trigger is reached by `./`.
pub(super) fn find(project: &Project, reader: &Reader, text: &str) -> Result<Subject, QueryError> {
    if let Some(triggers) = triggers_of(project, reader, text)? {
        return Ok(Subject::Workflow(text.to_owned(), triggers));
    }
    // One that the project has no longer may have left decisions.
    let left = || -> Result<bool, QueryError> {
        Ok(!reader.decisions(text, None, 1)?.is_empty() || !reader.accepted(text, None, 1)?.is_empty())
    };
    if triggers(project).any(|trigger| trigger.id == text) || left()? {
        return Ok(Subject::Trigger(text.to_owned()));
    }
    let no_run = match find_run(reader, text) {
        Ok(run) => return Ok(Subject::Run(run)),
        Err(problem) => problem,
    };
    let watching = watching(project, reader, text)?;
    if !watching.is_empty() {
        return Ok(Subject::File(watching));
    }
    // More than one run begins with it: nothing else was meant.
    if matches!(no_run, QueryError::ManyRuns { .. }) {
        return Err(no_run);
    }
    let known: Vec<&str> = triggers(project).map(|trigger| trigger.id.as_str()).collect();
    let names = known.iter().copied().chain(project.workflows.keys().map(String::as_str));
    let remedy = match (nearest(text, names), known.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "the project has no triggers".to_owned(),
        (None, known) => format!("the triggers are {}", known.join(", ")),
    };
    Err(QueryError::NoSubject { text: text.to_owned(), remedy })
}

/// The triggers of the workflow of this name; none when there is and was no such workflow. Where its file is broken or gone, they
/// are those of the version that was in use last.
fn triggers_of(project: &Project, reader: &Reader, name: &str) -> Result<Option<Vec<String>>, QueryError> {
    let ids = |plan: &Plan| plan.triggers.iter().map(|trigger| trigger.id.clone()).collect();
    if let Some(plan) = project.workflows.get(name) {
        return Ok(Some(ids(plan)));
    }
    let versions = reader.activations(name, u32::MAX)?;
    let last = versions.iter().find_map(|row| load_workflow(&row.file, row.source.as_ref()?).ok());
    Ok((!versions.is_empty()).then(|| last.as_ref().map(ids).unwrap_or_default()))
}

fn triggers(project: &Project) -> impl Iterator<Item = &Trigger> {
    project.workflows.values().flat_map(|plan| &plan.triggers)
}

/// Whether the project has this trigger, and it is one for files.
pub(super) fn watches_files(project: &Project, id: &str) -> bool {
    triggers(project).any(|trigger| trigger.id == id && matches!(trigger.kind, TriggerKind::File(_)))
}

/// The triggers that watch the file's folder. A file need not be there any more; its path may also be given as the
/// decisions have it, below the folder.
fn watching(project: &Project, reader: &Reader, text: &str) -> Result<Vec<Watching>, QueryError> {
    let here = std::env::current_dir().unwrap_or_default();
    let places = [tidy(&here.join(text)), tidy(&project.root.join(text))];
    let mut found = Vec::new();
    for trigger in triggers(project) {
        let TriggerKind::File(file) = &trigger.kind else { continue };
        let folder = tidy(&project.root.join(&file.path));
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let below = places.iter().find_map(|place| {
            let path = place.strip_prefix(&folder).or_else(|_| place.strip_prefix(&real)).ok()?;
            // The folder itself can be asked about, too.
            path.to_str().filter(|path| !path.is_empty() || place.is_dir()).map(str::to_owned)
        });
        let known = || -> Result<bool, QueryError> {
            let seen = reader.decisions(&trigger.id, Some(text), 1)?;
            Ok(!seen.is_empty() || !reader.ledger_by_path(&trigger.id, text)?.is_empty())
        };
        let path = match below {
            Some(path) => path,
            None if known()? => text.to_owned(),
            None => continue,
        };
        found.push(Watching { trigger: trigger.id.clone(), path });
    }
    Ok(found)
}

/// Without `.` and `..`: the file itself need not exist.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

impl Watching {
    /// What can be said of a file, or a folder, about which nothing was decided; `now` is what the node says of it.
    pub(super) fn note(&self, project: &Project, paused: bool, now: &Sight) -> String {
        let trigger = triggers(project).find(|trigger| trigger.id == self.trigger);
        let Some(TriggerKind::File(file)) = trigger.map(|trigger| &trigger.kind) else {
            return "the project has no such trigger any more".to_owned();
        };
        let path = project.root.join(&file.path).join(&self.path);
        if path.is_dir() {
            return now.detail.clone();
        }
        match wants(file, &self.path) {
            Err(error) => error.to_string(),
            Ok(Wanted::No) => format!("nothing was decided: `glob` ({}) does not match it", file.globs.join(", ")),
            Ok(Wanted::Excluded) => "nothing was decided: `exclude` leaves it out".to_owned(),
            Ok(Wanted::Yes) if !path.exists() => absent(now),
            Ok(Wanted::Yes) if paused => "it waits in the folder until the trigger is resumed".to_owned(),
            Ok(Wanted::Yes) => waiting(&path, file.settle.to_std(), now),
        }
    }
}

/// A wanted file that is not there, and about which nothing is on disk. A node takes a file out of the folder a moment before
/// what it decided is on disk.
fn absent(now: &Sight) -> String {
    let absent = "nothing was decided, and it is not there";
    match now.state.as_str() {
        "no-node" => absent.to_owned(),
        "unknown" => format!("{absent}: {}", now.detail),
        _ => format!("{absent}; if it is taken at this very moment, the next look tells"),
    }
}

/// Why a file that is there and wanted has no decision yet.
fn waiting(path: &Path, settle: std::time::Duration, now: &Sight) -> String {
    let changed = path.symlink_metadata().map(|metadata| metadata.ctime());
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let stood = changed.map_or(0, |changed| i64::try_from(clock.as_secs()).unwrap_or(i64::MAX).saturating_sub(changed));
    let is_young = stood <= i64::try_from(settle.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
    if is_young && matches!(now.state.as_str(), "watched" | "settling") {
        return format!(
            "nothing was decided yet: it changed {stood} s ago, and is taken when it is closed or has stood still for {} s",
            settle.as_secs_f64()
        );
    }
    format!("nothing was decided yet, and it has stood still for {stood} s: {}", now.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_simple_without_looking_at_the_disk() {
        assert_eq!(tidy(Path::new("/a/./b/../c.csv")), Path::new("/a/c.csv"));
        assert_eq!(tidy(Path::new("/../a")), Path::new("/a"));
    }
}
