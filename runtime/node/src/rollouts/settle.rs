//! A change of a rollout: committed first, then so.

use std::sync::MutexGuard;

use trackside_codes::{Code, Coded, code};
use trackside_facts::{Subject, SubjectEvent};
use trackside_serving::rollout::{Due, Machine, Standing, Status};
use trackside_store::{ChangedRollout, RolloutRow, Write};
use trackside_sync::lock;

use super::{
    document::{evidence, why},
    ground::{Ground, champion},
};
use crate::node::{Handle, NodeError};

/// How the row of a rollout stands while its candidate is put in place.
pub(crate) const PROMOTING: &str = "promoting";
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
pub(crate) fn settle(handle: &Handle, ground: &Ground, settled: &Settled) -> Result<bool, NodeError> {
    let doors = handle.model_doors().clone();
    let one = lock(&doors.change);
    settle_inside(handle, ground, settled, &one)
}

/// The same for who has the door already.
fn settle_inside(
    handle: &Handle,
    ground: &Ground,
    settled: &Settled,
    _one: &MutexGuard<'_, ()>,
) -> Result<bool, NodeError> {
    let trial = ground.trial();
    let mut next = trial.with(|machine| machine.clone());
    // Somebody was faster, or it is not due any more.
    if next.status().is_over() || matches!(settled, Settled::Due(due) if next.due().as_ref() != Some(due)) {
        return Ok(false);
    }
    if !settled.apply(&mut next) {
        return Ok(false);
    }
    let (status, at_ms) = (next.status().clone(), handle.workshop().clock.now_ms());
    let (subject, (stable, candidate)) = (ground.subject(), ground.versions());
    let about = About { subject: &subject, id: trial.id, stable: &stable, candidate: &candidate };
    let mut writes = if status == Status::Promoted { ground.promoting(at_ms, settled.by()) } else { Vec::new() };
    // What is promoted by a file is not over before the file is there.
    let ends = status.is_over() && (status != Status::Promoted || ground.is_promoted_by_its_commit());
    writes.push(about.changed(&next, settled, at_ms, ends));
    if status.is_over() {
        // Before the commit: nobody else is to meet a candidate whose end is being written down.
        trial.stop();
    }
    handle.keep(writes)?;
    trial.with(|machine| settled.apply(machine));
    let (change, why) = (settled.word(&status), why(&status).unwrap_or_default());
    tracing::info!(%subject, rollout = trial.id, why, "rollout {change}");
    ground.act(handle, &status);
    Ok(true)
}

/// Which rollout.
struct About<'a> {
    subject: &'a Subject,
    id: i64,
    stable: &'a str,
    candidate: &'a str,
}

impl About<'_> {
    /// What is written when it stands as `next` does.
    fn changed(&self, next: &Machine, settled: &Settled, at_ms: i64, ends: bool) -> Write {
        let status = next.status();
        Write::RolloutChanged(Box::new(ChangedRollout {
            subject: self.subject.clone(),
            id: self.id,
            status: if status.is_over() && !ends { PROMOTING } else { status.word() }.to_owned(),
            state: next.kept(true),
            at_ms,
            ends,
            event: Some(SubjectEvent::Rollout {
                rollout: self.id,
                change: settled.word(status).to_owned(),
                stable: self.stable.to_owned(),
                candidate: self.candidate.to_owned(),
                share: f64::from(next.share()) / 1000.0,
                why: why(status),
                evidence: Some(evidence(&next.standing())),
                by: settled.by().to_owned(),
            }),
        }))
    }
}

/// What is written when a person says something about a rollout that no node has; nothing where that changes nothing.
///
/// # Errors
/// When what is kept of it can not be read; aborted it can be all the same.
pub fn say_without_node(row: &RolloutRow, say: Say, by: &str, at_ms: i64) -> Result<Vec<Write>, RolloutProblem> {
    let told = |why: String| RolloutProblem::NotTakenUp { subject: row.subject.clone(), why };
    let Some(subject) = Subject::of_rollout(&row.subject) else {
        return Err(told("it is of nothing known".to_owned()));
    };
    let plan = serde_json::from_str(&row.plan).map_err(|error| told(error.to_string()));
    let machine = plan.and_then(|plan| Machine::read(plan, &row.state).map_err(|fault| told(fault.to_string())));
    let mut machine = match machine {
        Ok(machine) => machine,
        Err(_) if say == Say::Abort => return Ok(vec![ended_without(row, subject, at_ms, by, "aborted", None)]),
        Err(problem) => return Err(problem),
    };
    let settled = Settled::Said(say, by.to_owned());
    if !settled.apply(&mut machine) {
        return Ok(Vec::new());
    }
    let about = About { subject: &subject, id: row.id, stable: &row.stable, candidate: &row.candidate };
    let is_promoted = *machine.status() == Status::Promoted;
    let mut writes = Vec::new();
    if let (true, Subject::Model(name), Ok(to)) = (is_promoted, &subject, row.candidate.parse()) {
        writes.push(champion(name, to, at_ms, by));
    }
    // A workflow's file is put in place by the node that starts next.
    let ends = machine.status().is_over() && !(is_promoted && matches!(subject, Subject::Workflow(_)));
    writes.push(about.changed(&machine, &settled, at_ms, ends));
    Ok(writes)
}

impl Handle {
    /// How a rollout stands that goes on here, to the last observation.
    #[must_use]
    pub fn rollout_standing(&self, row: &RolloutRow) -> Option<Standing> {
        let ground = Ground::of(self, &row.subject)?;
        let trial = ground.trial();
        (trial.id == row.id && row.ended_ms.is_none()).then(|| trial.standing())
    }

    /// A person has said something about a rollout, by the name of its subject: `model/NAME`. It is on disk when this ends. For a thread
    /// that may block.
    ///
    /// # Errors
    /// When none goes on, or the node goes down.
    pub fn say_rollout(&self, subject: &str, say: Say, by: &str) -> Result<(), RolloutProblem> {
        let doors = self.model_doors().clone();
        let one = lock(&doors.change);
        // Behind the door: nobody takes one up meanwhile.
        if let Some(ground) = Ground::of(self, subject)
            && settle_inside(self, &ground, &Settled::Said(say, by.to_owned()), &one)?
        {
            self.workshop().models.serving().bell().ring();
            return Ok(());
        }
        let row =
            self.readers().with(|reader| reader.rollouts_of(subject, 1)).map_err(NodeError::Store)?.into_iter().next();
        let Some(row) = row.filter(|row| row.ended_ms.is_none() && row.status != PROMOTING) else {
            return Err(RolloutProblem::None { subject: subject.to_owned() });
        };
        let writes = say_without_node(&row, say, by, self.workshop().clock.now_ms())?;
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
