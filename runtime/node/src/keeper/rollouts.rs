//! Rollouts of models: taken up at the start, decided when they are due, counted on now and then.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use trackside_facts::Subject;
use trackside_serving::{
    ServeError, SlotState,
    rollout::{Due, Machine, NewTrial, Trial},
};
use trackside_spec::{CHAMPION, RolloutPlan};
use trackside_store::{ChangedRollout, RolloutRow, Write};
use trackside_sync::lock;

use super::{Part, Tools};
use crate::{
    node::NodeError,
    rollouts::{Ground, Settled, ended_without, settle},
};

/// What was only counted is kept so often: flash wears by the commit, and what a crash takes of it is evidence, not truth.
pub(super) const COUNTED: Duration = Duration::from_secs(60);
/// One that could not be taken up is tried again after so long.
pub(super) const AGAIN: Duration = Duration::from_secs(30);

/// Rollouts of models that are under way.
#[derive(Default)]
pub(super) struct Rollouts {
    taken_up: HashMap<i64, (Arc<Trial>, Instant)>,
    /// When those that could not be taken up were tried.
    failed: HashMap<i64, Instant>,
}

impl Part for Rollouts {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        let rows = tools.handle().readers().with(trackside_store::Reader::rollouts_under_way)?;
        // Ended by somebody: their end has been told to service.
        self.taken_up.retain(|id, _| rows.iter().any(|row| row.id == *id));
        self.failed.retain(|id, _| rows.iter().any(|row| row.id == *id));
        let mut sleep: Option<Duration> = None;
        let mut by = |next: Duration| sleep = Some(sleep.map_or(next, |sleep| sleep.min(next)));
        for row in &rows {
            let Some(model) = row.subject.strip_prefix(trackside_facts::MODEL) else { continue };
            if !self.taken_up.contains_key(&row.id) && !self.take_up(tools, row, model)? {
                by(AGAIN);
                continue;
            }
            let Some((trial, kept)) = self.taken_up.get_mut(&row.id) else { continue };
            while let Some(settled) = what_is_due(tools, trial) {
                if !settle(tools.handle(), &Ground::Model(trial.clone()), &settled)? || trial.status().is_over() {
                    break;
                }
                *kept = Instant::now();
            }
            if trial.status().is_over() {
                continue;
            }
            if kept.elapsed() >= COUNTED && trial.take_changed() {
                tools.keep(vec![counted(trial, of(trial), tools.now_ms(), true)])?;
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
        let going_on = self.taken_up.values().filter(|(trial, _)| !trial.status().is_over());
        tools.keep(going_on.map(|(trial, _)| counted(trial, of(trial), tools.now_ms(), false)).collect())
    }
}

impl Rollouts {
    /// Takes up one that goes on; false where it can not be now, or is over by that.
    fn take_up(&mut self, tools: &Tools, row: &RolloutRow, model: &str) -> Result<bool, NodeError> {
        if self.failed.get(&row.id).is_some_and(|at| at.elapsed() < AGAIN) {
            return Ok(false);
        }
        let end = |why: &str| {
            tracing::error!(model, rollout = row.id, "the rollout can not go on and was ended: {why}");
            let subject = Subject::Model(model.to_owned());
            tools.keep(vec![ended_without(row, subject, tools.now_ms(), "the node", "aborted", Some(why.to_owned()))])
        };
        let (Ok(stable), Ok(candidate)) = (row.stable.parse(), row.candidate.parse()) else {
            return end("its versions are none").map(|()| false);
        };
        if let Err(error) = tools.serving().prepare(model, stable, candidate) {
            tracing::error!(model, rollout = row.id, "the rollout can not be taken up: {error}");
            self.failed.insert(row.id, Instant::now());
            if is_of_the_candidate(tools, model, stable, &error) {
                let why = Some(format!("version {candidate} can not be loaded: {error}"));
                let subject = Subject::Model(model.to_owned());
                let ended = ended_without(row, subject, tools.now_ms(), "the rollout", "rolled-back", why);
                tools.keep(vec![ended])?;
            }
            return Ok(false);
        }
        // Loading took its time: what a person has said meanwhile counts.
        let doors = tools.handle().model_doors().clone();
        let _one = lock(&doors.change);
        let now = tools.handle().readers().with(|reader| reader.rollout(row.id))?;
        let Some(row) = now.filter(|row| row.ended_ms.is_none()) else { return Ok(false) };
        let plan: RolloutPlan = match serde_json::from_str(&row.plan) {
            Ok(plan) => plan,
            Err(error) => return end(&format!("its plan can not be read: {error}")).map(|()| false),
        };
        let machine = match Machine::read(plan, &row.state) {
            Ok(machine) => machine,
            Err(fault) => return end(&fault.to_string()).map(|()| false),
        };
        let new = NewTrial { id: row.id, model: model.to_owned(), stable, candidate, key: row.key.clone(), machine };
        let trial = tools.serving().begin(new);
        // That it goes on here is known before the candidate gets anything: one that takes the node down is noticed.
        tools.keep(vec![counted(&trial, of(&trial), tools.now_ms(), true)])?;
        tracing::info!(model, rollout = row.id, candidate, "rollout under way");
        tools.serving().admit(&trial);
        self.taken_up.insert(row.id, (trial, Instant::now()));
        Ok(true)
    }
}

/// Whether the version in service can be had, so that what can not is the candidate.
fn is_of_the_candidate(tools: &Tools, model: &str, stable: u32, error: &ServeError) -> bool {
    matches!(error, ServeError::Load { .. } | ServeError::SetAside { .. } | ServeError::UnknownVersion { .. })
        && tools.serving().open_here(model, &trackside_spec::ModelVersion::Number(stable), None).is_ok()
}

/// What is to be settled now.
fn what_is_due(tools: &Tools, trial: &Arc<Trial>) -> Option<Settled> {
    if let Ok(entry) = tools.serving().entry(&trial.model) {
        let champion = entry.aliases.get(CHAMPION);
        if champion != Some(&trial.stable) {
            let now = champion.map_or("nothing".to_owned(), u32::to_string);
            return Some(Settled::Gone(format!("the alias champion was moved meanwhile: it names {now}")));
        }
    }
    let due = trial.with(|machine| machine.due());
    if let Some(due @ Due::RollBack { .. }) = due {
        return Some(Settled::Due(due));
    }
    if let Ok(states) = tools.serving().state(&trial.model) {
        let of = states.iter().find(|state| state.version == trial.candidate);
        let out = of.into_iter().flat_map(|state| &state.engines).find_map(|(_, slot, _)| match slot {
            SlotState::Failed { reason } => Some(format!("version {} can not be loaded: {reason}", trial.candidate)),
            SlotState::SetAside { reason } => Some(format!("version {} was set aside: {reason}", trial.candidate)),
            _ => None,
        });
        if let Some(why) = out {
            return Some(Settled::Broken(why));
        }
    }
    due.map(Settled::Due)
}

fn of(trial: &Trial) -> Subject {
    Subject::Model(trial.model.clone())
}

/// The evidence of one that goes on. `open`: it goes on in this process.
pub(super) fn counted(trial: &Trial, subject: Subject, at_ms: i64, open: bool) -> Write {
    let (status, state) = trial.with(|machine| (machine.status().word().to_owned(), machine.kept(open)));
    Write::RolloutChanged(Box::new(ChangedRollout {
        subject,
        id: trial.id,
        status,
        state,
        at_ms,
        ends: false,
        event: None,
    }))
}
