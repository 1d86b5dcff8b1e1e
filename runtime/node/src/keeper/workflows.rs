//! Rollouts of workflows: a share of their runs starts on another definition, and the ends of all are the evidence.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use trackside_codes::{Class, Reason};
use trackside_engine::{Event, RunId};
use trackside_facts::{Subject, SubjectEvent};
use trackside_serving::{
    Bell,
    rollout::{Arm, Due, Machine, NewTrial, Told},
};
use trackside_spec::{Digest, RolloutPlan};
use trackside_store::{ChangedRollout, Reader, RolloutRow, Write};
use trackside_sync::lock;

use super::{
    Part, Tools,
    rollouts::{AGAIN, COUNTED, counted},
};
use crate::{
    core::RunUpdate,
    node::NodeError,
    reload::load_definition,
    rollouts::{Ground, PROMOTING, Settled, WorkflowTrial, ended_without, settle},
    run_history,
};

/// How the names of workflows begin among those of subjects.
const WORKFLOW: &str = "workflow/";

/// Rollouts of workflows that are under way.
#[derive(Default)]
pub(super) struct Workflows {
    taken_up: HashMap<i64, (Arc<WorkflowTrial>, Instant)>,
    /// When those that could not be taken up, or not be put in place, were tried.
    failed: HashMap<i64, Instant>,
    /// Runs that have ended, while somebody wants to know.
    ends: Option<Receiver<RunId>>,
}

impl Part for Workflows {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        let rows = tools.handle().readers().with(Reader::rollouts_under_way)?;
        self.taken_up.retain(|id, _| rows.iter().any(|row| row.id == *id));
        self.failed.retain(|id, _| rows.iter().any(|row| row.id == *id));
        let rows: Vec<&RolloutRow> = rows.iter().filter(|row| row.subject.starts_with(WORKFLOW)).collect();
        if rows.is_empty() {
            self.ends = None;
            return Ok(None);
        }
        let mut sleep: Option<Duration> = None;
        let mut by = |next: Duration| sleep = Some(sleep.map_or(next, |sleep| sleep.min(next)));
        for row in &rows {
            let waits = self.failed.get(&row.id).is_some_and(|at| at.elapsed() < AGAIN);
            if row.status == PROMOTING {
                if waits || !self.put_in_place(tools, row)? {
                    by(AGAIN);
                }
            } else if !self.taken_up.contains_key(&row.id) && (waits || !self.take_up(tools, row)?) {
                by(AGAIN);
            }
        }
        self.observe(tools)?;
        for (workflow, kept) in self.taken_up.values_mut() {
            let trial = &workflow.trial;
            while let Some(settled) = what_is_due(tools, workflow) {
                if !settle(tools.handle(), &Ground::Workflow(workflow.clone()), &settled)? {
                    break;
                }
                *kept = Instant::now();
                if trial.status().is_over() {
                    // The candidate may be to be put in place.
                    by(Duration::ZERO);
                    break;
                }
            }
            if trial.status().is_over() {
                continue;
            }
            if kept.elapsed() >= COUNTED && trial.take_changed() {
                tools.keep(vec![counted(trial, of(workflow), tools.now_ms(), true)])?;
                *kept = Instant::now();
            }
            by(COUNTED);
            if let Some(next) = trial.with(|machine| machine.next()) {
                by(next);
            }
        }
        Ok(sleep)
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        self.observe(tools)?;
        let going_on = self.taken_up.values().filter(|(workflow, _)| !workflow.trial.status().is_over());
        let kept = going_on.map(|(workflow, _)| counted(&workflow.trial, of(workflow), tools.now_ms(), false));
        tools.keep(kept.collect())
    }
}

fn of(workflow: &WorkflowTrial) -> Subject {
    Subject::Workflow(workflow.trial.model.clone())
}

impl Workflows {
    /// Takes up one that goes on; false where it can not be now, or is over by that.
    fn take_up(&mut self, tools: &Tools, row: &RolloutRow) -> Result<bool, NodeError> {
        let Some(name) = row.subject.strip_prefix(WORKFLOW) else { return Ok(false) };
        let doors = tools.handle().model_doors().clone();
        let _one = lock(&doors.change);
        let now = tools.handle().readers().with(|reader| reader.rollout(row.id))?;
        let Some(row) = now.filter(|row| row.ended_ms.is_none() && row.status != PROMOTING) else { return Ok(false) };
        let made = self::made(tools, &row, name);
        match made {
            Ok(workflow) => {
                let workflow = Arc::new(workflow);
                tools.keep(vec![counted(&workflow.trial, of(&workflow), tools.now_ms(), true)])?;
                tracing::info!(workflow = name, rollout = row.id, "rollout under way");
                if self.ends.is_none() {
                    self.ends = Some(watch_ends(tools)?);
                }
                tools.handle().workflow_trials().put(name, Some(workflow.clone()));
                workflow.split(tools.handle(), workflow.trial.with(|machine| machine.share()));
                self.taken_up.insert(row.id, (workflow, Instant::now()));
                Ok(true)
            }
            Err(why) => {
                tracing::error!(workflow = name, rollout = row.id, "the rollout can not go on and was ended: {why}");
                let subject = Subject::Workflow(name.to_owned());
                tools.keep(vec![ended_without(
                    &row,
                    subject,
                    tools.now_ms(),
                    "the node",
                    "aborted",
                    Some(why.to_string()),
                )])?;
                Ok(false)
            }
        }
    }

    /// Counts runs that have ended.
    fn observe(&mut self, tools: &Tools) -> Result<(), NodeError> {
        let Some(ends) = &self.ends else { return Ok(()) };
        let mut lost = false;
        loop {
            let run = match ends.try_recv() {
                Ok(run) => run,
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    lost = true;
                    break;
                }
            };
            let Some(row) = tools.handle().readers().with(|reader| reader.run(run))? else { continue };
            let Some((workflow, _)) = self.taken_up.values().find(|(workflow, _)| workflow.trial.model == row.workflow)
            else {
                continue;
            };
            let arm = match &row.definition {
                known if *known == workflow.stable.to_string() => Arm::Stable,
                known if *known == workflow.candidate.digest.to_string() => Arm::Candidate,
                _ => continue,
            };
            let failed = match row.end.as_deref() {
                Some("succeeded") => false,
                Some("failed") => true,
                // Somebody stopped it: that says nothing of the definition.
                _ => continue,
            };
            let took = row.ended_ms.unwrap_or(row.started_ms).saturating_sub(row.started_ms).max(0);
            let seconds = (!failed).then(|| Duration::from_millis(took.unsigned_abs()).as_secs_f64());
            let subject = subject_of(tools, workflow, run)?;
            workflow.trial.tell(&Told::Answer { arm, subject, failed, seconds, score: None });
        }
        // It did not keep up, or the dispatcher is gone: what ended meanwhile is not counted.
        if lost {
            self.ends = watch_ends(tools).ok();
        }
        Ok(())
    }

    /// Puts a promoted definition in the place of the one before: its file, then the word that it is there. Again after a crash at any
    /// point.
    fn put_in_place(&mut self, tools: &Tools, row: &RolloutRow) -> Result<bool, NodeError> {
        let Some(name) = row.subject.strip_prefix(WORKFLOW) else { return Ok(false) };
        let project = tools.handle().project();
        let in_force = project.workflows.get(name).map(|plan| plan.digest.to_string());
        if in_force.as_deref() != Some(row.candidate.as_str()) {
            let file = project.origins.get(name).map(|file| project.root.join(file));
            let placed = match (&file, &row.content) {
                (Some(file), Some(text)) if in_force.as_deref() == Some(row.stable.as_str()) => replace(file, text),
                (Some(_), Some(_)) => Err(io::Error::other("another definition has come into use meanwhile")),
                _ => Err(io::Error::other("the workflow has no file")),
            };
            if let Err(error) = placed {
                let file = file.unwrap_or_default();
                tracing::error!(
                    workflow = name,
                    rollout = row.id,
                    "[TS-1010] the promoted definition can not be put into {}: {error}; it is tried again, and runs start on it meanwhile",
                    file.display()
                );
                self.failed.insert(row.id, Instant::now());
                return Ok(false);
            }
            if let Err(error) = tools.handle().reload_here("a rollout") {
                tracing::error!(
                    workflow = name,
                    rollout = row.id,
                    "the promoted definition is not in use yet: {error}"
                );
                self.failed.insert(row.id, Instant::now());
                return Ok(false);
            }
        }
        tools.keep(vec![Write::RolloutChanged(Box::new(ChangedRollout {
            subject: Subject::Workflow(name.to_owned()),
            id: row.id,
            status: "promoted".to_owned(),
            state: row.state.clone(),
            at_ms: tools.now_ms(),
            ends: true,
            event: Some(SubjectEvent::Rollout {
                rollout: row.id,
                change: "in-place".to_owned(),
                stable: row.stable.clone(),
                candidate: row.candidate.clone(),
                share: 100.0,
                why: None,
                evidence: None,
                by: "the rollout".to_owned(),
            }),
        }))])?;
        tools.handle().split(name, None);
        Ok(true)
    }
}

/// What goes on here of a row; else why it can not.
fn made(tools: &Tools, row: &RolloutRow, name: &str) -> Result<WorkflowTrial, Reason> {
    let project = tools.handle().project();
    let gone = || Reason::from(format!("there is no workflow `{name}` any more"));
    let stable = project.workflows.get(name).ok_or_else(gone)?.digest;
    if stable.to_string() != row.stable {
        return Err(format!("the workflow was changed meanwhile: its definition is {stable}").into());
    }
    let lost = || Reason::from("its definition was not kept");
    let text = row.content.as_deref().ok_or_else(lost)?;
    let candidate = load_definition(name, text).map_err(|error| {
        Reason::by(Class::BadFile, error).told(|text| format!("its definition is not taken: {text}"))
    })?;
    if candidate.digest.to_string() != row.candidate {
        return Err("its definition is not what it was".into());
    }
    let plan: RolloutPlan = serde_json::from_str(&row.plan)
        .map_err(|error| Reason::by(Class::Damaged, error).told(|text| format!("its plan can not be read: {text}")))?;
    let machine = Machine::read(plan, &row.state).map_err(|fault| Reason::by(Class::Damaged, fault))?;
    let new = NewTrial { id: row.id, model: name.to_owned(), stable: 0, candidate: 0, key: row.key.clone(), machine };
    let trial = tools.serving().begin(new);
    Ok(WorkflowTrial { trial, key: row.key.clone(), stable, candidate: Arc::new(candidate) })
}

/// What is to be settled now.
fn what_is_due(tools: &Tools, workflow: &WorkflowTrial) -> Option<Settled> {
    let in_force: Option<Digest> =
        tools.handle().project().workflows.get(&workflow.trial.model).map(|plan| plan.digest);
    if in_force != Some(workflow.stable) {
        let now = in_force.map_or("gone".to_owned(), |digest| digest.to_string());
        return Some(Settled::Gone(format!("the workflow was changed meanwhile: its definition is {now}")));
    }
    let due: Option<Due> = workflow.trial.with(|machine| machine.due());
    due.map(Settled::Due)
}

/// Who a run was for, as a number of the rollout.
fn subject_of(tools: &Tools, workflow: &WorkflowTrial, run: RunId) -> Result<Option<u64>, NodeError> {
    let Some(trackside_spec::SubjectKey::Trigger(path)) = workflow.trial.subject() else { return Ok(None) };
    let entries = tools.handle().readers().with(|reader| run_history::entries(reader, run))?;
    let trigger = entries.iter().flat_map(|entry| &entry.events).find_map(|event| match event {
        Event::Started { trigger, .. } => Some(trigger),
        _ => None,
    });
    let subject = trigger.and_then(|trigger| trigger.text_at(path));
    Ok(subject.map(|subject| workflow.trial.number(&subject)))
}

/// Tells of runs that end, from now on. What is told is on disk.
fn watch_ends(tools: &Tools) -> Result<Receiver<RunId>, NodeError> {
    let mut updates = tools.handle().watch()?;
    let (sender, ends): (Sender<RunId>, _) = channel();
    let bell: Arc<Bell> = tools.serving().bell().clone();
    let work = move || {
        while let Some(RunUpdate { run, events, .. }) = updates.blocking_recv() {
            if !events.iter().any(|event| matches!(event, Event::Ended { .. })) {
                continue;
            }
            if sender.send(run).is_err() {
                return;
            }
            bell.ring();
        }
    };
    let started = std::thread::Builder::new().name("run-ends".to_owned()).spawn(work);
    started.map(|_| ends).map_err(|error| NodeError::Start {
        what: "the thread that counts the ends of runs",
        reason: Reason::by(Class::Setup, error),
    })
}

/// Puts a text in the place of a file, so that after a crash the one or the other is there as a whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("the path has no folder"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // No name of a workflow begins with a dot.
    let beside = folder.join(format!(".{name}.rollout"));
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    if let Ok(meta) = fs::metadata(path) {
        file.set_permissions(meta.permissions())?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}
