//! Rollouts of workflows: which definition a run of a trigger starts on.

use std::sync::Arc;

use trackside_facts::TriggerDocument;
use trackside_serving::rollout::{Arm, Split};
use trackside_spec::{Digest, Plan};

use super::{accept::Origin, dispatch::Core};

/// A new definition that a share of a workflow's runs starts on.
#[derive(Debug, Clone)]
pub struct WorkflowSplit {
    /// The definition in use. Another one is not split.
    pub stable: Digest,
    /// The one that is tried.
    pub candidate: Arc<Plan>,
    /// The share, and what draws it.
    pub split: Split,
    /// The field of what started a run by which runs stay with one definition.
    pub subject: Option<String>,
}

impl WorkflowSplit {
    /// Who a run is for, as a number of the rollout.
    #[must_use]
    pub fn subject_of(&self, trigger: &TriggerDocument) -> Option<u64> {
        let subject = self.subject.as_ref().and_then(|path| trigger.text_at(path))?;
        Some(self.split.number(&subject))
    }
}

impl Core {
    /// A share of a workflow's runs starts on another definition from now on; without one, none does.
    pub(super) fn split(&mut self, workflow: String, split: Option<WorkflowSplit>) {
        match split {
            Some(split) => drop(self.splits.insert(workflow, split)),
            None => drop(self.splits.remove(&workflow)),
        }
    }

    /// The definition that a run starts on, where that is not the one in use. Runs of steps and repeated ones have theirs.
    pub(super) fn chosen(&mut self, plan: &Plan, origin: &Origin, trigger: &TriggerDocument) -> Option<Arc<Plan>> {
        if self.splits.is_empty() || matches!(origin, Origin::Child(_) | Origin::Repeat(_)) {
            return None;
        }
        let split = self.splits.get(&plan.name)?;
        if split.stable != plan.digest {
            return None;
        }
        let number = split.subject_of(trigger).unwrap_or_else(|| (self.chance)());
        (split.split.arm(number) == Arm::Candidate).then(|| split.candidate.clone())
    }
}
