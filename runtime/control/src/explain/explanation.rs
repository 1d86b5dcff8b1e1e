//! What was decided about a workflow, a trigger, a run or a file, and why.

use serde::Serialize;
use trackside_engine::RunId;
use trackside_facts::TriggerDocument;
use trackside_node::{Project, rfc3339};
use trackside_spec::Digest;
use trackside_store::{ActivationRow, Reader};

use super::{
    records::{Record, about_path, of_run, of_trigger},
    sight::{Sight, Watcher},
    subject::{self, Subject, Watching},
};
use crate::{QueryError, RunView};

/// The answer. Its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `workflow`, `trigger`, `run` or `file`.
    pub subject: &'static str,
    /// The workflow, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowFacts>,
    /// The run, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunFacts>,
    /// One for each trigger concerned.
    pub triggers: Vec<TriggerFacts>,
}

/// What is known of a workflow.
#[derive(Debug, Serialize)]
pub struct WorkflowFacts {
    /// Its name.
    pub workflow: String,
    /// What new runs started on, newest first.
    pub versions: Vec<Version>,
}

/// A version of a workflow that was in use.
#[derive(Debug, Serialize)]
pub struct Version {
    /// From when, RFC 3339.
    pub since: String,
    /// None from when the workflow was taken out.
    pub digest: Option<Digest>,
    /// Its file, relative to the project.
    pub file: String,
    /// A user, a signal, the start, or the folder itself.
    pub by: String,
    /// From when, milliseconds since 1970.
    #[serde(skip)]
    pub since_ms: i64,
}

/// What is known of a run.
#[derive(Debug, Serialize)]
pub struct RunFacts {
    /// Its id.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// As in its document.
    pub state: String,
    /// When it was accepted, RFC 3339.
    pub started: String,
    /// What started it.
    pub trigger: TriggerDocument,
    /// The run that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// Whether the run that it repeats is not kept any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retry_of_gone: bool,
    /// Why it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was accepted, milliseconds since 1970.
    #[serde(skip)]
    pub started_ms: i64,
}

/// What is known of a trigger.
#[derive(Debug, Serialize)]
pub struct TriggerFacts {
    /// Its id.
    pub trigger: String,
    /// The file's path below the watched folder, when it is about a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Since when and by whom it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Times that wait for a run of the trigger to end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// How the file, or the trigger's folder, stands with the running node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Sight>,
    /// Newest first.
    pub decisions: Vec<Record>,
    /// What can be said where nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A pause.
#[derive(Debug, Serialize)]
pub struct Paused {
    /// From when, RFC 3339.
    pub since: String,
    /// Who paused it.
    pub by: String,
}

/// An explanation of what is on disk. A node that runs knows besides how files and watched folders stand now.
pub struct Explained {
    explanation: Explanation,
    /// What it is to be asked about.
    watched: Vec<Watching>,
}

/// Explains it: `text` is a workflow's name, a trigger's id, a run or a file. `limit` bounds the decisions of each trigger and the
/// versions of a workflow.
///
/// # Errors
/// When `text` means nothing, or the database refuses.
pub fn explain(project: &Project, reader: &Reader, text: &str, limit: u32) -> Result<Explained, QueryError> {
    let folder = |id: &String| Watching { trigger: id.clone(), path: String::new() };
    let watched = |ids: &[String]| ids.iter().filter(|id| subject::watches_files(project, id)).map(folder).collect();
    let none = |subject| Explanation { subject, workflow: None, run: None, triggers: Vec::new() };
    let (explanation, watched) = match subject::find(project, reader, text)? {
        Subject::Workflow(name, ids) => {
            let triggers = ids.iter().map(|id| trigger(reader, id, limit)).collect::<Result<_, _>>()?;
            let workflow = Some(workflow(reader, name, limit)?);
            (Explanation { workflow, triggers, ..none("workflow") }, watched(&ids))
        }
        Subject::Trigger(id) => {
            let triggers = vec![trigger(reader, &id, limit)?];
            (Explanation { triggers, ..none("trigger") }, watched(&[id]))
        }
        Subject::Run(run) => (self::run(reader, run, limit)?, Vec::new()),
        Subject::File(watching) => {
            let triggers = watching.iter().map(|one| file(reader, one, limit)).collect::<Result<_, _>>()?;
            (Explanation { triggers, ..none("file") }, watching)
        }
    };
    Ok(Explained { explanation, watched })
}

impl Explained {
    /// With what the node of `watcher` says of files and watched folders; it is asked only where there are some.
    pub async fn seen_by(self, project: &Project, watcher: Watcher) -> Explanation {
        let Self { mut explanation, watched } = self;
        for watching in watched {
            let now = watcher.sight(&watching.trigger, &watching.path).await;
            let of = |facts: &&mut TriggerFacts| facts.trigger == watching.trigger;
            let Some(facts) = explanation.triggers.iter_mut().find(of) else { continue };
            if facts.path.is_some() && facts.decisions.is_empty() {
                facts.note = Some(watching.note(project, facts.paused.is_some(), &now));
            }
            facts.now = Some(now);
        }
        explanation
    }
}

fn facts(reader: &Reader, trigger: &str, decisions: Vec<Record>) -> Result<TriggerFacts, QueryError> {
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

fn workflow(reader: &Reader, workflow: String, limit: u32) -> Result<WorkflowFacts, QueryError> {
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

fn trigger(reader: &Reader, id: &str, limit: u32) -> Result<TriggerFacts, QueryError> {
    let mut facts = facts(reader, id, of_trigger(reader, id, limit)?)?;
    facts.waiting = reader.cron_queue(id)?.into_iter().map(|(at, _)| rfc3339(at)).collect();
    if facts.decisions.is_empty() {
        facts.note = Some("nothing has come yet".to_owned());
    }
    Ok(facts)
}

fn run(reader: &Reader, run: RunId, limit: u32) -> Result<Explanation, QueryError> {
    let view = RunView::read(reader, run)?.ok_or_else(|| QueryError::NoRun(run))?;
    let mut triggers = Vec::new();
    if let Some(id) = view.trigger.id() {
        let decisions = of_run(reader, id, run, limit)?;
        // A run by hand has no trigger that decided anything.
        if !decisions.is_empty() {
            triggers.push(facts(reader, id, decisions)?);
        }
    }
    let is_kept = |run| Ok::<_, QueryError>(reader.run(run)?.is_some());
    let run = RunFacts {
        run,
        workflow: view.workflow,
        state: view.state,
        started: view.started,
        trigger: view.trigger,
        retry_of: view.retry_of,
        retry_of_gone: !view.retry_of.map(is_kept).transpose()?.unwrap_or(true),
        error: view.error.map(|error| error.message),
        started_ms: view.started_ms,
    };
    Ok(Explanation { subject: "run", workflow: None, run: Some(run), triggers })
}

fn file(reader: &Reader, watching: &Watching, limit: u32) -> Result<TriggerFacts, QueryError> {
    let decisions = about_path(reader, &watching.trigger, &watching.path, limit)?;
    Ok(TriggerFacts { path: Some(watching.path.clone()), ..facts(reader, &watching.trigger, decisions)? })
}
