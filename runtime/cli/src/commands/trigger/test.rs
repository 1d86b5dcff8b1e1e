//! `trackside trigger test`: what a trigger would do now. Nothing is started, moved or written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use trackside_control::{InUse, describe_trigger, next_times};
use trackside_node::{Project, rfc3339};
use trackside_spec::{CronTrigger, Digest, FileTrigger, Identity, Overlap, Plan, Trigger, TriggerKind};
use trackside_store::{Clock, Reader, RunFilter, SystemClock};
use trackside_triggers::files::{Wanted, wants};

use super::{
    find,
    list::{last_look, zone},
};
use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Table, duration_ms, escape, shorten, zoned_time},
};

/// Say what a trigger would do now, without doing it
///
/// For a schedule: the next times, and what a run under way would mean to them. For a file trigger: each file that lies in
/// its folder and what would become of it. Nothing is started, moved or written.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its id, as `trackside trigger list` prints it
    trigger: String,
}

/// Files that are told of at most.
const MAX_FILES: usize = 200;
/// Entries of folders that are looked at at most.
const MAX_ENTRIES: usize = 20_000;
/// A larger file is not read to know whether the ledger has it.
const MAX_READ: u64 = 64 << 20;

/// One thing that would happen.
#[derive(Debug, Serialize)]
struct Outlook {
    /// A file's path below the folder, or a time.
    about: String,
    /// `start`, or why not.
    would: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The same for people, where it reads otherwise.
    #[serde(skip)]
    shown: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    trigger: &'a str,
    what: String,
    paused: bool,
    outlook: Vec<Outlook>,
    /// What keeps every run from starting.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Says it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let reader = context.reader_of(&project)?;
    let in_use = runtime()?.block_on(InUse::of(&project, reader.as_ref()))?;
    let (plan, trigger) = find(&in_use.workflows, &arguments.trigger)?;
    let paused = match &reader {
        Some(reader) => reader.paused()?.iter().any(|row| row.trigger == trigger.id),
        None => false,
    };
    let outlook = match &trigger.kind {
        TriggerKind::File(file) => files(&project, trigger, file, reader.as_ref(), paused)?,
        TriggerKind::Cron(cron) => times(plan, trigger, cron, reader.as_ref(), paused)?,
        TriggerKind::Poll(_) => vec![poll(trigger, reader.as_ref(), paused)?],
        TriggerKind::Webhook(_)
        | TriggerKind::Mqtt(_)
        | TriggerKind::Workflow(_)
        | TriggerKind::Dataset(_)
        | TriggerKind::Event(_) => {
            let would = if paused { "paused" } else { "wait" };
            vec![Outlook { about: describe_trigger(trigger), would, detail: String::new(), shown: None }]
        }
    };
    let problem = match trigger.kind.has_payload() {
        true => None,
        // Its runs bring no parameters: each must have a default.
        false => plan.bind_params(&serde_json::Map::new()).err().map(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("; ")
        }),
    };
    let answer = Answer { trigger: &trigger.id, what: describe_trigger(trigger), paused, outlook, problem };
    let console = context.console;
    if console.json {
        console.print_json(&answer)?;
    } else {
        let mut table = Table::plain(2);
        for one in &answer.outlook {
            table.row([
                Cell::new(one.would),
                shorten(&escape(one.shown.as_ref().unwrap_or(&one.about)), 80).into(),
                shorten(&escape(&one.detail), 120).into(),
            ]);
        }
        let pause = if paused { "  paused" } else { "" };
        console.print(&format!("{}  {}{pause}", console.out.bold(answer.trigger), escape(&answer.what)))?;
        if !answer.outlook.is_empty() {
            console.print(table.render(console.out).trim_end())?;
        } else if let TriggerKind::File(file) = &trigger.kind {
            console.say(&format!("No file that fits lies in {} now.", escape(&file.path)));
        }
        console.say(&in_use.source());
        if let Some(problem) = &answer.problem {
            console.complain(format!("its runs are refused: {}", escape(problem)));
        }
    }
    if answer.problem.is_some() { Err(Failure::bad()) } else { Ok(()) }
}

/// What a look now would be held against.
fn poll(trigger: &Trigger, reader: Option<&Reader>, paused: bool) -> Result<Outlook, Failure> {
    let look = reader.map(|reader| last_look(trigger, reader)).transpose()?.flatten();
    let detail = match look {
        None => "it has not looked yet".to_owned(),
        Some(look) => format!("{} it saw version {}, {}", rfc3339(look.looked_ms), look.version, look.in_words()),
    };
    let would = if paused { "paused" } else { "look" };
    Ok(Outlook { about: describe_trigger(trigger), would, detail, shown: None })
}

fn times(
    plan: &Plan,
    trigger: &Trigger,
    cron: &CronTrigger,
    reader: Option<&Reader>,
    paused: bool,
) -> Result<Vec<Outlook>, Failure> {
    let next = next_times(trigger, cron, reader, SystemClock.now_ms(), 5)?;
    let busy = match reader {
        None => None,
        Some(reader) => {
            let filter = RunFilter {
                workflow: Some(plan.name.clone()),
                state: Some("running".to_owned()),
                before: None,
                limit: 50,
            };
            reader.runs(&filter)?.into_iter().find(|run| run.trigger == "cron").map(|run| run.run)
        }
    };
    let overlap = match (busy, cron.overlap) {
        (None, _) | (_, Overlap::Allow) => String::new(),
        (Some(run), Overlap::Skip) => format!("unless run {run} is still under way"),
        (Some(run), Overlap::Queue) => format!("after run {run}"),
        (Some(run), Overlap::CancelPrevious) => format!("and cancels run {run}"),
    };
    let delay = (next.delay_ms > 0).then(|| format!("{} after it (jitter)", duration_ms(next.delay_ms)));
    let detail = [delay, (!overlap.is_empty()).then_some(overlap)].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let would = if paused { "paused" } else { "start" };
    let outlook = |at: &i64| Outlook {
        about: rfc3339(*at),
        would,
        detail: detail.clone(),
        shown: Some(zoned_time(*at, zone(trigger))),
    };
    Ok(next.times.iter().map(outlook).collect())
}

fn files(
    project: &Project,
    trigger: &Trigger,
    file: &FileTrigger,
    reader: Option<&Reader>,
    paused: bool,
) -> Result<Vec<Outlook>, Failure> {
    let folder = project.root.join(&file.path);
    let mut found = Vec::new();
    for relative in below(&folder) {
        let wanted = wants(file, &relative)?;
        if wanted == Wanted::No {
            continue;
        }
        if found.len() == MAX_FILES {
            let detail = format!("only the first {MAX_FILES} are told");
            found.push(Outlook { about: "more files".to_owned(), would: "look", detail, shown: None });
            break;
        }
        let (would, detail) = match wanted {
            Wanted::Excluded | Wanted::No => ("excluded", "`exclude` leaves it out".to_owned()),
            Wanted::Yes => fate(&folder.join(&relative), trigger, file, reader, paused)?,
        };
        found.push(Outlook { about: relative, would, detail, shown: None });
    }
    Ok(found)
}

fn fate(
    path: &Path,
    trigger: &Trigger,
    file: &FileTrigger,
    reader: Option<&Reader>,
    paused: bool,
) -> Result<(&'static str, String), Failure> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Ok(("blocked", error.to_string())),
    };
    if let Some(reader) = reader {
        let known = match file.identity {
            Identity::Content if metadata.len() > MAX_READ => None,
            Identity::Content => match digest(path) {
                Ok(digest) => reader.ledger(&trigger.id, &digest)?,
                Err(error) => return Ok(("blocked", error.to_string())),
            },
            Identity::Stat => None,
        };
        if let Some(row) = known {
            let run = row.run.map(|run| format!(", run {run}")).unwrap_or_default();
            return Ok(("deduped", format!("the ledger knows it as {}{run}", row.path)));
        }
    }
    if paused {
        return Ok(("stay", "the trigger is paused".to_owned()));
    }
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
    if age < file.settle.to_std() {
        return Ok(("wait", format!("it has not stood still for {}", file.settle)));
    }
    let unread = metadata.len() > MAX_READ && file.identity == Identity::Content;
    let detail = match (unread, &file.batch) {
        (true, _) => "unless the ledger knows it; it is too large to be read for this".to_owned(),
        (false, Some(batch)) => format!("together with up to {} others", batch.max_files.saturating_sub(1)),
        (false, None) => String::new(),
    };
    Ok(("start", detail))
}

fn digest(path: &Path) -> std::io::Result<String> {
    // At most MAX_READ, which is what a person waits for gladly.
    Ok(Digest::of(&fs::read(path)?).to_string())
}

/// Regular files below a folder, by path; links are not followed.
fn below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    let mut seen = 0;
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(folder.join(&next)).into_iter().flatten().flatten() {
            seen += 1;
            let Ok(kind) = entry.file_type() else { continue };
            let path = next.join(entry.file_name());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path.to_string_lossy().into_owned());
            }
        }
        if seen > MAX_ENTRIES {
            break;
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_subfolders_are_found_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/x.csv"), "x").unwrap();
        fs::write(folder.path().join("a.csv"), "a").unwrap();
        std::os::unix::fs::symlink(folder.path().join("a.csv"), folder.path().join("link.csv")).unwrap();
        assert_eq!(below(folder.path()), ["a.csv", "b/x.csv"]);
        assert!(below(&folder.path().join("missing")).is_empty());
    }
}
