//! Everything that starts runs, moved from one set of definitions to another.

use std::{
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use trackside_intake::{Intake, NotStarted};
use trackside_spec::TriggerKind;
use trackside_steps::Executor;
use trackside_store::Activation;
use trackside_triggers::cron::CronEntry;

use crate::{
    core::{Input, NewDefinitions},
    dispatcher::Message,
    project::Project,
};

/// How long the record of a change is waited for. With a disk that refuses commits the change holds all the same.
const RECORD: Duration = Duration::from_secs(10);

/// What starts runs, and what it takes to start it. Dropping it stops the kinds, in their order.
pub(crate) struct Intakes {
    pub(crate) inbox: Sender<Message>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) box_id: String,
    /// Every kind of trigger that has a life of its own.
    pub(crate) kinds: Vec<Box<dyn Intake>>,
}

impl Intakes {
    /// Starts every kind with the triggers of a project, or with none.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) fn start(&mut self, project: Option<&Project>) -> Result<(), NotStarted> {
        let now = project.map(Project::definitions).unwrap_or_default();
        self.kinds.iter_mut().try_for_each(|kind| kind.start(&now))
    }

    /// Takes other definitions into use: `publish` is called when new runs start on them. What was taken out starts nothing
    /// any more when this returns, what is new does.
    pub(crate) fn switch(&mut self, project: &Project, activations: Vec<Activation>, publish: impl FnOnce()) {
        let next = project.definitions();
        self.kinds.iter_mut().for_each(|kind| kind.retire(&next));
        let new: Vec<_> = activations.iter().filter_map(|activation| activation.plan.clone()).collect();
        self.activate(project, activations);
        publish();
        self.kinds.iter_mut().for_each(|kind| kind.switch(&next));
        self.executor.warm(new);
    }

    fn activate(&self, project: &Project, activations: Vec<Activation>) {
        let mut schedules = Vec::new();
        for trigger in project.workflows.values().flat_map(|plan| &plan.triggers) {
            let TriggerKind::Cron(cron) = &trigger.kind else { continue };
            match CronEntry::new(&trigger.id, cron, &self.box_id) {
                Ok(entry) => schedules.push((entry, schedule_key(&trigger.id, cron))),
                Err(error) => tracing::error!(trigger = trigger.id, %error, "the schedule is not used"),
            }
        }
        let followers = project.usable_triggers().map(|(plan, trigger)| (plan.name.clone(), trigger.clone())).collect();
        let new = NewDefinitions { workflows: project.workflows.clone(), schedules, followers, activations };
        let (done, kept) = channel();
        let tell = Box::new(move || {
            // It was waited for long enough.
            let _ = done.send(());
        });
        if self.inbox.send(Message::Input(Input::Activate(Box::new(new), tell))).is_ok()
            && kept.recv_timeout(RECORD).is_err()
        {
            tracing::warn!("the change of definitions holds, and its record still waits for the disk");
        }
    }
}

impl Drop for Intakes {
    fn drop(&mut self) {
        self.kinds.iter_mut().for_each(|kind| kind.stop());
    }
}

/// The key that a schedule's position is kept under: another schedule is another key.
pub(crate) fn schedule_key(trigger: &str, cron: &trackside_spec::CronTrigger) -> String {
    format!("{trigger} {}", cron.times.key())
}
