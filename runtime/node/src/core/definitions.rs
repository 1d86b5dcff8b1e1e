//! The definitions in use: workflows by name, triggers that wait for what happens on the box, and what somebody has paused.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use trackside_spec::{Plan, Trigger, TriggerKind};

/// What new runs start on.
#[derive(Default)]
pub(super) struct Definitions {
    workflows: BTreeMap<String, Arc<Plan>>,
    /// With their workflows.
    followers: Vec<(String, Trigger)>,
    /// Triggers that start nothing.
    paused: BTreeSet<String>,
}

impl Definitions {
    /// Adds a workflow under its name.
    pub(super) fn add(&mut self, plan: Arc<Plan>) {
        self.workflows.insert(plan.name.clone(), plan);
    }

    /// Other definitions instead of all that are in use. Pauses stay.
    pub(super) fn replace(&mut self, workflows: BTreeMap<String, Arc<Plan>>, followers: Vec<(String, Trigger)>) {
        self.workflows = workflows;
        self.followers.clear();
        followers.into_iter().for_each(|(workflow, trigger)| self.add_follower(workflow, trigger));
    }

    /// Adds a trigger that waits for what happens on the box. One of another kind is left out.
    pub(super) fn add_follower(&mut self, workflow: String, trigger: Trigger) {
        if matches!(
            trigger.kind,
            TriggerKind::Workflow(_) | TriggerKind::Dataset(_) | TriggerKind::Event(_) | TriggerKind::Drift(_)
        ) {
            self.followers.push((workflow, trigger));
        }
    }

    /// The workflow of this name.
    pub(super) fn workflow(&self, name: &str) -> Option<&Arc<Plan>> {
        self.workflows.get(name)
    }

    /// Which workflows there are, or how to come by one: a clause for who asked for another.
    pub(super) fn known(&self) -> String {
        known_workflows(self.workflows.keys().map(String::as_str))
    }

    /// Whether anything waits for the ends of runs.
    pub(super) fn waits_for_ends(&self) -> bool {
        self.followers.iter().any(|(_, trigger)| matches!(trigger.kind, TriggerKind::Workflow(_)))
    }

    /// Whether anything waits for datasets.
    pub(super) fn waits_for_datasets(&self) -> bool {
        self.followers.iter().any(|(_, trigger)| matches!(trigger.kind, TriggerKind::Dataset(_)))
    }

    /// The triggers that wait for this, with their workflows.
    pub(super) fn followers(&self, waits: impl Fn(&TriggerKind) -> bool) -> Vec<(Arc<Plan>, Trigger)> {
        let waiting = self.followers.iter().filter(|(_, trigger)| waits(&trigger.kind));
        waiting.filter_map(|(name, trigger)| Some((self.workflows.get(name)?.clone(), trigger.clone()))).collect()
    }

    /// Pauses or resumes a trigger; whether that changes anything.
    pub(super) fn pause(&mut self, trigger: &str, pause: bool) -> bool {
        if pause { self.paused.insert(trigger.to_owned()) } else { self.paused.remove(trigger) }
    }

    /// Whether a trigger starts nothing.
    pub(super) fn is_paused(&self, trigger: &str) -> bool {
        self.paused.contains(trigger)
    }
}

/// Which workflows the project has, or how to come by one: a clause for who asked for another.
#[must_use]
pub fn known_workflows<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = names.collect();
    if known.is_empty() {
        return "the project has none: write one, workflows/NAME.yaml".to_owned();
    }
    format!("the project has: {}", known.join(", "))
}
