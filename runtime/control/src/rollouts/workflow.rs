//! A rollout of a workflow begins.

use trackside_facts::Subject;
use trackside_node::{RolloutDocument, load_definition};
use trackside_spec::{Gate, Plan, RolloutMode, RolloutPlan, SubjectKey, check_project};
use trackside_sync::lock;

use super::{
    RolloutsError, StartRollout, WorkflowCandidate,
    start::{Begun, begin, check, plan_error},
};
use crate::ModelPlace;

/// Most bytes of a definition.
const MOST: usize = 1 << 20;

/// Begins a rollout of a workflow.
pub(super) fn start(
    place: &mut ModelPlace,
    wanted: &StartRollout,
    candidate: &WorkflowCandidate,
) -> Result<RolloutDocument, RolloutsError> {
    let plan = wanted.plan.clone().filled();
    check(&plan)?;
    fits(&plan)?;
    let name = &candidate.name;
    if candidate.definition.len() > MOST {
        return Err(RolloutsError::Nothing(format!("{}: a definition has at most {MOST} bytes", candidate.file)));
    }
    let new = load_definition(&candidate.file, &candidate.definition).map_err(RolloutsError::Definition)?;
    let project = place.project();
    let stable = project.workflows.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = project.workflows.keys().map(String::as_str).collect();
        let near = trackside_spec::nearest(name, known.iter().copied());
        let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        RolloutsError::Nothing(format!("there is no workflow `{name}`{near}: nothing to compare with"))
    })?;
    if stable.digest == new.digest {
        return Err(RolloutsError::Nothing(format!("{} is the definition of `{name}` that is in use", candidate.file)));
    }
    same_outside(&stable, &new)?;
    let others = project.workflows.iter().filter(|(other, _)| *other != name);
    let mut plans: Vec<(&str, &Plan)> = vec![(candidate.file.as_str(), &new)];
    plans.extend(others.map(|(other, plan)| (other.as_str(), &**plan)));
    if let Some(error) = check_project(&plans).remove(&0) {
        return Err(RolloutsError::Definition(error));
    }
    let doors = place.doors();
    let _one = lock(&doors.change);
    let versions = (stable.digest.to_string(), new.digest.to_string());
    let (what, content) = (format!("{} of the workflow `{name}`", candidate.file), Some(candidate.definition.clone()));
    let begun = Begun { subject: Subject::Workflow(name.clone()), what, versions, digest: new.digest, content };
    begin(place, plan, wanted.again, begun)
}

/// What a plan may not say of a workflow.
fn fits(plan: &RolloutPlan) -> Result<(), RolloutsError> {
    if plan.mode == RolloutMode::Shadow {
        return Err(plan_error("mode", "a workflow has no shadow: what its steps do, it would do twice"));
    }
    for gate in &plan.gates {
        if !matches!(gate, Gate::Errors { .. } | Gate::Latency { .. }) {
            return Err(plan_error("gates", &format!("{gate}: a workflow has gates of errors and of time")));
        }
    }
    match &plan.subject {
        None | Some(SubjectKey::Trigger(_)) => Ok(()),
        Some(other) => Err(plan_error("subject", &format!("{other}: of a workflow it is trigger:FIELD"))),
    }
}

/// Whoever starts it, and calls it, notices no difference.
fn same_outside(stable: &Plan, new: &Plan) -> Result<(), RolloutsError> {
    let mut differences = Vec::new();
    if stable.name != new.name {
        differences.push(format!("its name is `{}`, not `{}`", new.name, stable.name));
    }
    if stable.params != new.params {
        differences.push("its parameters are others".to_owned());
    }
    if stable.triggers != new.triggers {
        differences.push("its triggers are others".to_owned());
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(RolloutsError::Outside { workflow: stable.name.clone(), differences: differences.join("; ") })
}
