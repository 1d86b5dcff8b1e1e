//! What a kind of trigger is to the node that runs it.

use std::sync::Arc;

use trackside_codes::Reason;
use trackside_spec::{Plan, Trigger};

/// One kind of trigger with a life of its own. Dropping it stops it.
pub trait Intake: Send {
    /// Begins with these definitions. Called once.
    ///
    /// # Errors
    /// When a thread or a watch can not be had.
    fn start(&mut self, now: &Definitions) -> Result<(), NotStarted>;

    /// Before other definitions are in force: what must not go on meanwhile is given up.
    fn retire(&mut self, _next: &Definitions) {}

    /// Other definitions are in force. When this returns, what was taken out starts nothing any more, and what is new does.
    /// What does not work is told, and tried again with the next definitions.
    fn switch(&mut self, next: &Definitions);

    /// Starts nothing any more. Called while the dispatcher still answers.
    fn stop(&mut self);
}

/// Something that an intake needs can not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {what}: {reason}")]
pub struct NotStarted {
    /// What.
    pub what: &'static str,
    /// Why.
    #[source]
    pub reason: Reason,
}

/// The triggers that are in force.
#[derive(Debug, Default, Clone)]
pub struct Definitions {
    triggers: Vec<(Arc<Plan>, Trigger, bool)>,
}

impl Definitions {
    /// One more trigger of a workflow; `usable` says whether it fits the rest of the project.
    pub fn add(&mut self, plan: &Arc<Plan>, trigger: &Trigger, usable: bool) {
        self.triggers.push((plan.clone(), trigger.clone(), usable));
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<Plan>, &Trigger)> {
        self.triggers.iter().map(|(plan, trigger, _)| (plan, trigger))
    }

    /// Those that can work, as far as their project goes.
    pub fn usable(&self) -> impl Iterator<Item = (&Arc<Plan>, &Trigger)> {
        self.triggers.iter().filter(|(.., usable)| *usable).map(|(plan, trigger, _)| (plan, trigger))
    }
}
