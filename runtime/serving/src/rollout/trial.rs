//! A rollout of a model in service: whom the candidate answers, and what came of it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use trackside_models::{ModelError, Output};
use trackside_spec::SubjectKey;
use trackside_sync::lock;

use super::{
    Arm, Machine, Split, Standing, Status, Told,
    compare::{Compared, is_broken},
};
use crate::{clock::Clock, error::ServeError, request::Answer, watch::Bell};

/// A rollout of a model, as long as it goes on.
pub struct Trial {
    /// Its number in the store.
    pub id: i64,
    /// The model's name.
    pub model: String,
    /// The version in service.
    pub stable: u32,
    /// The one that is tried.
    pub candidate: u32,
    key: String,
    subject: Option<SubjectKey>,
    pub(crate) compared: Compared,
    machine: Mutex<Machine>,
    /// Of 100,000: as the machine says, read without its lock.
    share: AtomicU32,
    shadowed: AtomicU32,
    /// Requests of nobody: each is drawn for itself.
    nobody: AtomicU64,
    /// Its end is being written down.
    is_stopped: AtomicBool,
    /// Something was observed since it was kept.
    is_changed: AtomicBool,
    clock: Arc<dyn Clock>,
    passed: Mutex<Duration>,
    bell: Arc<Bell>,
}

/// A request's part in a rollout.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) trial: Arc<Trial>,
    pub(crate) arm: Arm,
    pub(crate) subject: Option<u64>,
}

/// What is known of a new trial.
pub struct NewTrial {
    /// Its number in the store.
    pub id: i64,
    /// The model's name.
    pub model: String,
    /// The version in service.
    pub stable: u32,
    /// The one that is tried.
    pub candidate: u32,
    /// What the split is keyed by.
    pub key: String,
    /// How it stands.
    pub machine: Machine,
}

impl Trial {
    pub(crate) fn new(new: NewTrial, clock: Arc<dyn Clock>, bell: Arc<Bell>) -> Arc<Self> {
        let NewTrial { id, model, stable, candidate, key, machine } = new;
        Arc::new(Self {
            id,
            model,
            stable,
            candidate,
            // Another point to count from in each process: who comes first is not always the same.
            nobody: AtomicU64::new(clock.wall_ms()),
            key,
            subject: machine.plan().subject.clone(),
            compared: Compared::of(machine.plan()),
            share: AtomicU32::new(machine.share()),
            shadowed: AtomicU32::new(machine.shadowed()),
            machine: Mutex::new(machine),
            is_stopped: AtomicBool::new(false),
            is_changed: AtomicBool::new(false),
            passed: Mutex::new(clock.running()),
            clock,
            bell,
        })
    }

    /// Where the name of who asks stands.
    #[must_use]
    pub fn subject(&self) -> Option<&SubjectKey> {
        self.subject.as_ref()
    }

    /// A subject as a number of this rollout.
    #[must_use]
    pub fn number(&self, subject: &str) -> u64 {
        Split { key: self.key.clone(), share: 0 }.number(subject)
    }

    /// Which version answers who asks.
    pub(crate) fn draw(self: &Arc<Self>, subject: Option<&str>) -> Part {
        let split = Split { key: self.key.clone(), share: self.share.load(Relaxed) };
        let number = match subject {
            Some(subject) => split.number(subject),
            None => split.number(&format!("\n{}", self.nobody.fetch_add(1, Relaxed))),
        };
        Part { trial: self.clone(), arm: split.arm(number), subject: subject.map(|_| number) }
    }

    /// Whether one more request is to be answered by both.
    pub(crate) fn is_shadowed(&self) -> bool {
        let share = self.shadowed.load(Relaxed);
        if share == 0 {
            return false;
        }
        let split = Split { key: self.key.clone(), share };
        split.arm(split.number(&format!("\n{}", self.nobody.fetch_add(1, Relaxed)))) == Arm::Candidate
    }

    /// Does something to the machine, and keeps what others read of it in step.
    pub fn with<T>(&self, work: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = lock(&self.machine);
        let now = self.clock.running();
        let passed = now.saturating_sub(std::mem::replace(&mut *lock(&self.passed), now));
        machine.pass(passed);
        let done = work(&mut machine);
        self.follow(&machine);
        done
    }

    /// One more observation.
    pub fn tell(&self, told: &Told) {
        self.is_changed.store(true, Relaxed);
        let mut machine = lock(&self.machine);
        if machine.tell(told) {
            // A broken gate: nobody else is to meet the candidate while its end is written down.
            self.follow(&machine);
            drop(machine);
            self.bell.ring();
        }
    }

    /// Gives the candidate nothing more, whatever the machine says: its end is being written down.
    pub fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
        self.share.store(0, Relaxed);
        self.shadowed.store(0, Relaxed);
    }

    /// What requests read is what the machine says.
    fn follow(&self, machine: &Machine) {
        if !self.is_stopped.load(Relaxed) {
            self.share.store(machine.share(), Relaxed);
            self.shadowed.store(machine.shadowed(), Relaxed);
        }
    }

    /// Whether something was observed since this was asked last.
    #[must_use]
    pub fn take_changed(&self) -> bool {
        self.is_changed.swap(false, Relaxed)
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.with(|machine| machine.standing())
    }

    /// How it stands in general.
    #[must_use]
    pub fn status(&self) -> Status {
        lock(&self.machine).status().clone()
    }
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("id", &self.id).field("model", &self.model).finish_non_exhaustive()
    }
}

impl Part {
    /// Tells what came of the request.
    pub(crate) fn tell(&self, answer: &Result<Answer, ServeError>, took: Duration) {
        let (failed, score) = match answer {
            Ok(answer) => (is_broken(&answer.outputs), self.trial.compared.score(&answer.outputs)),
            Err(error) => match fault(error) {
                Some(failed) => (failed, None),
                None => return,
            },
        };
        let seconds = (!failed).then_some(took.as_secs_f64());
        self.trial.tell(&Told::Answer { arm: self.arm, subject: self.subject, failed, seconds, score });
    }
}

/// Whether an error is the version's; none where it says nothing of it.
pub(crate) fn fault(error: &ServeError) -> Option<bool> {
    match error {
        ServeError::Run(error) => match &**error {
            ModelError::Input { .. } | ModelError::Output { .. } | ModelError::Cancelled { .. } => None,
            _ => Some(true),
        },
        // Values that an engine can not do: one version may be able to, and the other not.
        ServeError::Unfit { .. }
        | ServeError::Late { .. }
        | ServeError::CircuitOpen { .. }
        | ServeError::SetAside { .. }
        | ServeError::Load { .. }
        | ServeError::Lost { .. } => Some(true),
        _ => None,
    }
}

/// Whether an answer failed by its own version's fault.
pub(crate) fn failed(answer: &Result<Vec<(String, Output)>, ServeError>) -> Option<bool> {
    match answer {
        Ok(outputs) => Some(is_broken(outputs)),
        Err(error) => fault(error),
    }
}
