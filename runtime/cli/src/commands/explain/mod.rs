//! `trackside explain`: what was decided about a workflow, a trigger, a run or a file, and why. Reads the store directly; a
//! node may or may not be running. One that runs is asked how a file or a watched folder stands now.

mod records;
mod sight;
mod subject;

use clap::Args;
use serde::Serialize;
use trackside_engine::RunId;
use trackside_facts::TriggerDocument;
use trackside_node::{Project, rfc3339};
use trackside_spec::Digest;
use trackside_store::{ActivationRow, Reader};

use self::{
    records::{Record, about_path, of_run, of_trigger},
    sight::{Sight, Watcher},
    subject::{Subject, Watching},
};
use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, escape, local_time, short_digest, shorten},
    view::{RunView, trigger_line},
};

/// Say what was decided about a workflow, a trigger, a run or a file, and why
///
/// Every time due and every file seen has a decision on disk: what started a run, what did not, and why not. A workflow tells
/// which version of it was in use when; a run what it was started by; a file what each trigger that watches its folder made of
/// it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside explain report/cron-0\n  trackside explain inbox/flow.csv")]
pub struct Arguments {
    /// A workflow's name for its versions and all its triggers; a trigger's id, such as nightly/cron-0; a run's id, its
    /// beginning, or `last`; or a file
    #[arg(value_name = "WORKFLOW|TRIGGER|RUN|FILE")]
    subject: String,
    /// How many decisions of each trigger, and versions of a workflow, at most, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// The answer. Its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
struct Explanation {
    /// `workflow`, `trigger`, `run` or `file`.
    subject: &'static str,
    /// The workflow, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<WorkflowFacts>,
    /// The run, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunFacts>,
    /// One for each trigger concerned.
    triggers: Vec<TriggerFacts>,
}

/// What is known of a workflow.
#[derive(Debug, Serialize)]
struct WorkflowFacts {
    workflow: String,
    /// What new runs started on, newest first.
    versions: Vec<Version>,
}

#[derive(Debug, Serialize)]
struct Version {
    since: String,
    /// None from when the workflow was taken out.
    digest: Option<Digest>,
    file: String,
    /// A user, a signal, the start, or the folder itself.
    by: String,
    #[serde(skip)]
    since_ms: i64,
}

/// What is known of a run.
#[derive(Debug, Serialize)]
struct RunFacts {
    run: RunId,
    workflow: String,
    state: String,
    started: String,
    trigger: TriggerDocument,
    /// The run that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    started_ms: i64,
}

/// What is known of a trigger.
#[derive(Debug, Serialize)]
struct TriggerFacts {
    trigger: String,
    /// The file's path below the watched folder, when it is about a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Since when and by whom it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Paused>,
    /// Times that wait for a run of the trigger to end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<String>,
    /// How the file, or the trigger's folder, stands with the running node.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Sight>,
    /// Newest first.
    decisions: Vec<Record>,
    /// What can be said where nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Serialize)]
struct Paused {
    since: String,
    by: String,
}

/// Explains it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let limit = arguments.limit;
    let one = |id: &str| trigger(&project, &reader, id, limit);
    let explanation = match subject::find(&project, &reader, &arguments.subject)? {
        Subject::Workflow(name, ids) => Explanation {
            subject: "workflow",
            workflow: Some(workflow(&reader, name, limit)?),
            run: None,
            triggers: ids.iter().map(|id| one(id)).collect::<Result<_, _>>()?,
        },
        Subject::Trigger(id) => {
            Explanation { subject: "trigger", workflow: None, run: None, triggers: vec![one(&id)?] }
        }
        Subject::Run(run) => self::run(&reader, run, limit)?,
        Subject::File(watching) => Explanation {
            subject: "file",
            workflow: None,
            run: None,
            triggers: watching.iter().map(|one| file(&project, &reader, one, limit)).collect::<Result<_, _>>()?,
        },
    };
    let console = context.console;
    if console.json { console.print_json(&explanation) } else { console.print(&page(&explanation, console.out)) }
}

fn facts(reader: &Reader, trigger: &str, decisions: Vec<Record>) -> Result<TriggerFacts, Failure> {
    let paused = reader.paused()?.into_iter().find(|row| row.trigger == trigger);
    Ok(TriggerFacts {
        trigger: trigger.to_owned(),
        path: None,
        paused: paused.map(|row| Paused { since: rfc3339(row.at_ms), by: row.by }),
        waiting: Vec::new(),
        now: None,
        decisions,
        note: None,
    })
}

fn workflow(reader: &Reader, workflow: String, limit: u32) -> Result<WorkflowFacts, Failure> {
    let rows = reader.activations(&workflow, limit)?;
    let version = |row: ActivationRow| Version {
        since: rfc3339(row.at_ms),
        digest: row.digest,
        file: row.file,
        by: row.by,
        since_ms: row.at_ms,
    };
    Ok(WorkflowFacts { workflow, versions: rows.into_iter().map(version).collect() })
}

fn trigger(project: &Project, reader: &Reader, id: &str, limit: u32) -> Result<TriggerFacts, Failure> {
    let mut facts = facts(reader, id, of_trigger(reader, id, limit)?)?;
    facts.waiting = reader.cron_queue(id)?.into_iter().map(|(at, _)| rfc3339(at)).collect();
    if facts.decisions.is_empty() {
        facts.note = Some("nothing has come yet".to_owned());
    }
    if subject::watches_files(project, id) {
        facts.now = Some(Watcher::find(project)?.sight(id, ""));
    }
    Ok(facts)
}

fn run(reader: &Reader, run: RunId, limit: u32) -> Result<Explanation, Failure> {
    let view = RunView::read(reader, run)?.ok_or_else(|| Failure::usage(format!("[TS-0811] there is no run {run}")))?;
    let mut triggers = Vec::new();
    if let Some(id) = view.trigger.id() {
        let decisions = of_run(reader, id, run, limit)?;
        // A run by hand has no trigger that decided anything.
        if !decisions.is_empty() {
            triggers.push(facts(reader, id, decisions)?);
        }
    }
    let run = RunFacts {
        run,
        workflow: view.workflow,
        state: view.state,
        started: view.started,
        trigger: view.trigger,
        retry_of: view.retry_of,
        error: view.error.map(|error| error.message),
        started_ms: view.started_ms,
    };
    Ok(Explanation { subject: "run", workflow: None, run: Some(run), triggers })
}

fn file(project: &Project, reader: &Reader, watching: &Watching, limit: u32) -> Result<TriggerFacts, Failure> {
    let mut facts = facts(reader, &watching.trigger, about_path(reader, &watching.trigger, &watching.path, limit)?)?;
    let now = Watcher::find(project)?.sight(&watching.trigger, &watching.path);
    if facts.decisions.is_empty() {
        facts.note = Some(watching.note(project, facts.paused.is_some(), &now));
    }
    facts.now = Some(now);
    facts.path = Some(watching.path.clone());
    Ok(facts)
}

fn page(explanation: &Explanation, paint: Paint) -> String {
    let mut parts = Vec::new();
    parts.extend(explanation.workflow.as_ref().map(|facts| versions(facts, paint)));
    if let Some(run) = &explanation.run {
        let mut table = Table::plain(2);
        let mut fact = |name: &str, value: String| table.row([Cell::dressed(name, Paint::dim), value.into()]);
        fact("workflow", run.workflow.clone());
        fact("trigger", trigger_line(&run.trigger));
        fact("started", local_time(run.started_ms));
        if let Some(other) = run.retry_of {
            fact("repeats", other.to_string());
        }
        if let Some(error) = &run.error {
            fact("error", shorten(&escape(error), 160));
        }
        let title = format!("{}  {}", paint.bold(&run.run.to_string()), paint.state(&run.state, &run.state));
        parts.push(format!("{title}\n{}", table.render(paint)));
    }
    parts.extend(explanation.triggers.iter().map(|facts| section(facts, paint)));
    parts.join("\n").trim_end().to_owned()
}

fn versions(facts: &WorkflowFacts, paint: Paint) -> String {
    let mut table = Table::plain(2);
    for version in &facts.versions {
        table.row([
            Cell::new(local_time(version.since_ms)),
            version.digest.as_ref().map_or_else(|| "taken out".to_owned(), short_digest).into(),
            shorten(&escape(&version.file), 60).into(),
            format!("by {}", shorten(&escape(&version.by), 60)).into(),
        ]);
    }
    let rows = match facts.versions.as_slice() {
        [] => "  no node has used it yet\n".to_owned(),
        _ => table.render(paint),
    };
    format!("{}\n{rows}", paint.bold(&escape(&facts.workflow)))
}

fn section(facts: &TriggerFacts, paint: Paint) -> String {
    let path = facts.path.as_ref().map(|path| format!("  {}", escape(path))).unwrap_or_default();
    let mut text = format!("{}{path}\n", paint.bold(&escape(&facts.trigger)));
    if let Some(paused) = &facts.paused {
        let line = format!("paused since {} by {}", paused.since, escape(&paused.by));
        text.push_str(&format!("  {}\n", paint.yellow(&line)));
    }
    if !facts.waiting.is_empty() {
        text.push_str(&format!("  waiting: {}\n", facts.waiting.join(", ")));
    }
    // A note about a file holds it already.
    if let Some(now) = facts.now.as_ref().filter(|_| facts.path.is_none() || facts.note.is_none()) {
        text.push_str(&format!("  now: {}\n", escape(&now.detail)));
    }
    let mut table = Table::plain(2);
    for record in &facts.decisions {
        let run = record.run.map(|run| run.to_string()).unwrap_or_default();
        table.row([
            Cell::new(local_time(record.at_ms)),
            Cell::dressed(record.decision.as_str(), records::dress(&record.decision)),
            shorten(&escape(&record.about), 60).into(),
            run.into(),
            shorten(&escape(&record.detail), 120).into(),
        ]);
    }
    text.push_str(&table.render(paint));
    if let Some(note) = &facts.note {
        text.push_str(&format!("  {}\n", escape(note)));
    }
    text
}
