//! What a rollout is of, and what its end does there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use trackside_facts::{MODEL, Subject};
use trackside_serving::rollout::{Split, Status, Trial};
use trackside_spec::{CHAMPION, Digest, Plan, SubjectKey};
use trackside_store::{MovedAlias, Write};
use trackside_sync::lock;

use crate::{core::WorkflowSplit, node::Handle};

/// A rollout of a workflow that goes on here.
#[derive(Debug)]
pub(crate) struct WorkflowTrial {
    /// The evidence; `model` is the workflow's name.
    pub(crate) trial: Arc<Trial>,
    /// What draws its runs.
    pub(crate) key: String,
    /// The definition in use.
    pub(crate) stable: Digest,
    /// The one that is tried.
    pub(crate) candidate: Arc<Plan>,
}

/// Those of all workflows, by name.
#[derive(Debug, Default)]
pub(crate) struct WorkflowTrials(Mutex<HashMap<String, Arc<WorkflowTrial>>>);

impl WorkflowTrials {
    pub(crate) fn of(&self, workflow: &str) -> Option<Arc<WorkflowTrial>> {
        lock(&self.0).get(workflow).cloned()
    }

    pub(crate) fn put(&self, workflow: &str, trial: Option<Arc<WorkflowTrial>>) {
        match trial {
            Some(trial) => drop(lock(&self.0).insert(workflow.to_owned(), trial)),
            None => drop(lock(&self.0).remove(workflow)),
        }
    }
}

/// What a rollout is of.
pub(crate) enum Ground {
    /// A model.
    Model(Arc<Trial>),
    /// A workflow.
    Workflow(Arc<WorkflowTrial>),
}

impl Ground {
    /// The one of this subject that goes on here.
    pub(crate) fn of(handle: &Handle, subject: &str) -> Option<Self> {
        if let Some(model) = subject.strip_prefix(MODEL) {
            return handle.workshop().models.serving().trial(model).map(Self::Model);
        }
        handle.workflow_trials().of(subject.strip_prefix("workflow/")?).map(Self::Workflow)
    }

    pub(crate) fn trial(&self) -> &Arc<Trial> {
        match self {
            Self::Model(trial) => trial,
            Self::Workflow(workflow) => &workflow.trial,
        }
    }

    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Model(trial) => Subject::Model(trial.model.clone()),
            Self::Workflow(workflow) => Subject::Workflow(workflow.trial.model.clone()),
        }
    }

    /// The version in service, and the one that is tried.
    pub(crate) fn versions(&self) -> (String, String) {
        match self {
            Self::Model(trial) => (trial.stable.to_string(), trial.candidate.to_string()),
            Self::Workflow(workflow) => (workflow.stable.to_string(), workflow.candidate.digest.to_string()),
        }
    }

    /// What is written with its promotion.
    pub(crate) fn promoting(&self, at_ms: i64, by: &str) -> Vec<Write> {
        match self {
            Self::Model(trial) => vec![champion(&trial.model, trial.candidate, at_ms, by)],
            Self::Workflow(_) => Vec::new(),
        }
    }

    /// Whether the commit of its promotion is all there is to do.
    pub(crate) fn is_promoted_by_its_commit(&self) -> bool {
        matches!(self, Self::Model(_))
    }

    /// What was committed is so from now on.
    pub(crate) fn act(&self, handle: &Handle, status: &Status) {
        match self {
            Self::Model(trial) if status.is_over() => {
                let serving = handle.workshop().models.serving();
                if *status == Status::Promoted
                    && let Err(error) = serving.refresh(Some(&trial.model))
                {
                    tracing::error!(model = trial.model, "the promoted version is not in service yet: {error}");
                }
                serving.end(trial);
            }
            Self::Model(_) => {}
            Self::Workflow(workflow) => {
                let share = match status {
                    // Until its file is there.
                    Status::Promoted => Split::percent(100.0),
                    _ => workflow.trial.with(|machine| machine.share()),
                };
                workflow.split(handle, share);
                if status.is_over() {
                    handle.workflow_trials().put(&workflow.trial.model, None);
                }
            }
        }
    }
}

impl WorkflowTrial {
    /// So many of its runs, of 100,000, start on the candidate from now on.
    pub(crate) fn split(&self, handle: &Handle, share: u32) {
        let subject = match self.trial.subject() {
            Some(SubjectKey::Trigger(path)) => Some(path.clone()),
            _ => None,
        };
        let split = (share > 0).then(|| {
            Box::new(WorkflowSplit {
                stable: self.stable,
                candidate: self.candidate.clone(),
                split: Split { key: self.key.clone(), share },
                subject,
            })
        });
        handle.split(&self.trial.model, split);
    }
}

/// The candidate takes over.
pub(crate) fn champion(name: &str, to: u32, at_ms: i64, by: &str) -> Write {
    let (name, alias, by) = (name.to_owned(), CHAMPION.to_owned(), by.to_owned());
    Write::ModelAliasMoved(MovedAlias { name, alias, to: Some(to), at_ms, by })
}
