//! A change of a rollout: committed first, then so.

use std::sync::{Arc, MutexGuard};

use trackside_codes::{Code, Coded, code};
use trackside_facts::{Subject, SubjectEvent};
use trackside_serving::rollout::{Due, Machine, Status, Trial};
use trackside_spec::CHAMPION;
use trackside_store::{ChangedRollout, MovedAlias, RolloutRow, Write};
use trackside_sync::lock;

use super::document::{evidence, why};
use crate::node::{Handle, NodeError};

/// Who changes what changes by itself.
const ITSELF: &str = "the rollout";

/// What a person says about a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// The candidate takes over now, whatever the evidence.
    Promote,
    /// The candidate is taken back now.
    Abort,
    /// The share stays, nothing is promoted.
    Hold,
    /// It goes on.
    Resume,
}

/// Why a rollout can not be changed.
#[derive(Debug, thiserror::Error)]
pub enum RolloutProblem {
    /// None goes on.
    #[error("[{code}] no rollout of {subject} goes on; `trackside rollout status` shows what there is", code = self.code())]
    None {
        /// What it was asked for.
        subject: String,
    },
    /// The node has not taken it up.
    #[error(
        "[{code}] the rollout of {subject} could not be taken up by this node: {why}. `trackside rollout abort` ends it",
        code = self.code()
    )]
    NotTakenUp {
        /// What is rolled out.
        subject: String,
        /// Why.
        why: String,
    },
    /// The node goes down, or the database refuses.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for RolloutProblem {
    fn code(&self) -> Code {
        match self {
            Self::None { .. } => code!("TS-1005"),
            Self::NotTakenUp { .. } => code!("TS-1006"),
            Self::Node(error) => error.code(),
        }
    }
}

/// What is settled.
pub(crate) enum Settled {
    /// What the rollout itself says is due.
    Due(Due),
    /// What a person says.
    Said(Say, String),
    /// It can not go on: taken back, with the reason.
    Broken(String),
    /// Its ground is gone: ended, with the reason.
    Gone(String),
}

impl Settled {
    fn apply(&self, machine: &mut Machine) -> bool {
        match self {
            Self::Due(due) => {
                machine.done(due);
                true
            }
            Self::Broken(why) => machine.say(Status::RolledBack { why: why.clone() }),
            Self::Gone(why) => machine.say(Status::Aborted { by: why.clone() }),
            Self::Said(say, by) => machine.say(match say {
                Say::Promote => Status::Promoted,
                Say::Abort => Status::Aborted { by: by.clone() },
                Say::Hold => Status::Held { by: by.clone() },
                Say::Resume => Status::Running,
            }),
        }
    }

    fn by(&self) -> &str {
        if let Self::Said(_, by) = self { by } else { ITSELF }
    }

    fn word(&self, status: &Status) -> &'static str {
        match (self, status) {
            (Self::Due(Due::Advance), _) => "advanced",
            (Self::Said(Say::Resume, _), _) => "resumed",
            (_, status) => status.word(),
        }
    }
}

/// Settles something about a rollout that goes on: commits it, then has it so. False where nothing was to be changed.
///
/// # Errors
/// When the node goes down; then it is as it was.
pub(crate) fn settle(handle: &Handle, trial: &Arc<Trial>, settled: &Settled) -> Result<bool, NodeError> {
    let doors = handle.model_doors().clone();
    let one = lock(&doors.change);
    settle_inside(handle, trial, settled, &one)
}

/// The same for who has the door already.
fn settle_inside(
    handle: &Handle,
    trial: &Arc<Trial>,
    settled: &Settled,
    _one: &MutexGuard<'_, ()>,
) -> Result<bool, NodeError> {
    let mut next = trial.with(|machine| machine.clone());
    // Somebody was faster, or it is not due any more.
    if next.status().is_over() || matches!(settled, Settled::Due(due) if next.due().as_ref() != Some(due)) {
        return Ok(false);
    }
    if !settled.apply(&mut next) {
        return Ok(false);
    }
    let (status, at_ms) = (next.status().clone(), handle.workshop().clock.now_ms());
    let about = About { model: &trial.model, id: trial.id, stable: trial.stable, candidate: trial.candidate };
    let writes = writes_of(&about, &next, settled, at_ms);
    if status.is_over() {
        // Before the commit: nobody else is to meet a candidate whose end is being written down.
        trial.stop();
    }
    handle.keep(writes)?;
    trial.with(|machine| settled.apply(machine));
    let serving = handle.workshop().models.serving();
    let (change, why) = (settled.word(&status), why(&status).unwrap_or_default());
    tracing::info!(model = trial.model, rollout = trial.id, why, "rollout {change}");
    if status.is_over() {
        if status == Status::Promoted
            && let Err(error) = serving.refresh(Some(&trial.model))
        {
            tracing::error!(model = trial.model, "the promoted version is not in service yet: {error}");
        }
        serving.end(trial);
    }
    Ok(true)
}

/// Which rollout.
struct About<'a> {
    model: &'a str,
    id: i64,
    stable: u32,
    candidate: u32,
}

/// What is written when a rollout stands as `next` does.
fn writes_of(about: &About<'_>, next: &Machine, settled: &Settled, at_ms: i64) -> Vec<Write> {
    let (status, mut writes) = (next.status(), Vec::new());
    if *status == Status::Promoted {
        writes.push(Write::ModelAliasMoved(MovedAlias {
            name: about.model.to_owned(),
            alias: CHAMPION.to_owned(),
            to: Some(about.candidate),
            at_ms,
            by: settled.by().to_owned(),
        }));
    }
    writes.push(Write::RolloutChanged(Box::new(ChangedRollout {
        subject: Subject::Model(about.model.to_owned()),
        id: about.id,
        status: status.word().to_owned(),
        state: next.kept(true),
        at_ms,
        ends: status.is_over(),
        event: Some(SubjectEvent::Rollout {
            rollout: about.id,
            change: settled.word(status).to_owned(),
            stable: about.stable.to_string(),
            candidate: about.candidate.to_string(),
            share: f64::from(next.share()) / 1000.0,
            why: why(status),
            evidence: Some(evidence(&next.standing())),
            by: settled.by().to_owned(),
        }),
    })));
    writes
}

/// What is written when a person says something about a rollout that no node has; nothing where that changes nothing.
///
/// # Errors
/// When what is kept of it can not be read; aborted it can be all the same.
pub fn say_without_node(
    row: &RolloutRow,
    model: &str,
    say: Say,
    by: &str,
    at_ms: i64,
) -> Result<Vec<Write>, RolloutProblem> {
    let subject = Subject::Model(model.to_owned());
    let told = |why: String| RolloutProblem::NotTakenUp { subject: row.subject.clone(), why };
    let plan = serde_json::from_str(&row.plan).map_err(|error| told(error.to_string()));
    let machine = plan.and_then(|plan| Machine::read(plan, &row.state).map_err(|fault| told(fault.to_string())));
    let versions = row.stable.parse().ok().zip(row.candidate.parse().ok());
    let (mut machine, (stable, candidate)) = match (machine, versions) {
        (Ok(machine), Some(versions)) => (machine, versions),
        _ if say == Say::Abort => return Ok(vec![ended_without(row, subject, at_ms, by, "aborted", None)]),
        (Err(problem), _) => return Err(problem),
        (_, None) => return Err(told("its versions are none".to_owned())),
    };
    let settled = Settled::Said(say, by.to_owned());
    if !settled.apply(&mut machine) {
        return Ok(Vec::new());
    }
    Ok(writes_of(&About { model, id: row.id, stable, candidate }, &machine, &settled, at_ms))
}

impl Handle {
    /// A person has said something about the rollout of a model. It is on disk when this ends. For a thread that may block.
    ///
    /// # Errors
    /// When none goes on, or the node goes down.
    pub fn say_rollout(&self, model: &str, say: Say, by: &str) -> Result<(), RolloutProblem> {
        let subject = Subject::Model(model.to_owned()).to_string();
        let doors = self.model_doors().clone();
        let one = lock(&doors.change);
        // Behind the door: nobody takes one up meanwhile.
        if let Some(trial) = self.workshop().models.serving().trial(model)
            && settle_inside(self, &trial, &Settled::Said(say, by.to_owned()), &one)?
        {
            self.workshop().models.serving().bell().ring();
            return Ok(());
        }
        let row =
            self.readers().with(|reader| reader.rollouts_of(&subject, 1)).map_err(NodeError::Store)?.into_iter().next();
        let Some(row) = row.filter(|row| row.ended_ms.is_none()) else { return Err(RolloutProblem::None { subject }) };
        let writes = say_without_node(&row, model, say, by, self.workshop().clock.now_ms())?;
        self.keep(writes)?;
        self.workshop().models.changed();
        self.workshop().models.serving().bell().ring();
        Ok(())
    }
}

/// The end of a rollout that nobody has taken up.
pub(crate) fn ended_without(
    row: &RolloutRow,
    subject: Subject,
    at_ms: i64,
    by: &str,
    status: &str,
    why: Option<String>,
) -> Write {
    Write::RolloutChanged(Box::new(ChangedRollout {
        subject,
        id: row.id,
        status: status.to_owned(),
        state: row.state.clone(),
        at_ms,
        ends: true,
        event: Some(SubjectEvent::Rollout {
            rollout: row.id,
            change: status.to_owned(),
            stable: row.stable.clone(),
            candidate: row.candidate.clone(),
            share: 0.0,
            why,
            evidence: None,
            by: by.to_owned(),
        }),
    }))
}
