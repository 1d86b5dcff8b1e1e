//! Checks of triggers that need more than one file: other workflows, and the node's config.

use std::{collections::BTreeMap, fmt};

use trackside_codes::Code;

use crate::{
    NodeConfig, Plan,
    spec_error::{Problem, problem_at, suggest},
    triggers::{Trigger, TriggerKind},
};

/// A trigger that is right by itself and can not work in its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerProblem {
    /// The workflow.
    pub workflow: String,
    /// The trigger's id.
    pub trigger_id: String,
    /// The key of the trigger that it is about; empty when it is about the trigger itself.
    pub key: &'static str,
    /// The stable code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do, if that is known.
    pub help: Option<String>,
}

impl TriggerProblem {
    /// The same, told where it stands in the workflow's file.
    #[must_use]
    pub fn at(&self, file: &str, plan: &Plan) -> Problem {
        let index = plan.triggers.iter().position(|trigger| trigger.id == self.trigger_id).unwrap_or_default();
        let kind = plan.triggers.get(index).map_or("", |trigger| trigger.kind.name());
        let (index, message) = (index.to_string(), format!("trigger {}: {}", self.trigger_id, self.message));
        let path = ["triggers", &index, kind, self.key];
        problem_at((file, &plan.source), &path, self.code, &message, self.help.clone())
    }
}

impl fmt::Display for TriggerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] trigger {}: {}", self.code, self.trigger_id, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

/// What is wrong with the triggers of a project's workflows taken together: names of workflows, brokers and secrets that
/// are not there, two webhooks with one address, workflows that start each other in a circle.
#[must_use]
pub fn check_triggers(plans: &[&Plan], config: &NodeConfig) -> Vec<TriggerProblem> {
    let mut problems = Vec::new();
    let workflows: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
    let brokers: Vec<&str> = config.mqtt.keys().map(String::as_str).collect();
    let mut hooks: BTreeMap<&str, &str> = BTreeMap::new();
    for (plan, trigger) in plans.iter().flat_map(|plan| plan.triggers.iter().map(move |trigger| (plan, trigger))) {
        let mut tell = |key, code, message, help| problems.push(problem(plan, trigger, (key, code), message, help));
        match &trigger.kind {
            TriggerKind::Workflow(other) if !workflows.contains(&other.name.as_str()) => {
                let message = format!("there is no workflow `{}` in this project", other.name);
                tell("name", "TS-0104", message, suggest(&other.name, &workflows));
            }
            TriggerKind::Mqtt(mqtt) if !config.mqtt.contains_key(&mqtt.broker) => {
                let message = format!("there is no broker `{}` in trackside.toml", mqtt.broker);
                let help = suggest(&mqtt.broker, &brokers).unwrap_or_else(|| format!("[mqtt.{}]", mqtt.broker));
                tell("broker", "TS-0104", message, Some(help));
            }
            TriggerKind::Webhook(hook) => {
                if let Some(other) = hooks.insert(&hook.name, &trigger.id) {
                    let message = format!("the webhook `{}` belongs to the trigger {other} already", hook.name);
                    tell(
                        "name",
                        "TS-0110",
                        message,
                        Some("every webhook of a project has a name of its own".to_owned()),
                    );
                }
                if let Some(name) = hook.signature.secret()
                    && !config.secrets.get(name).is_some_and(|secret| secret.node)
                {
                    let message = format!("`{name}` is no secret that the node may use");
                    tell(
                        "signature",
                        "TS-0104",
                        message,
                        Some(format!("[secrets.{name}] with node = true in trackside.toml")),
                    );
                }
            }
            TriggerKind::Poll(poll) => {
                for (key, message, help) in poll.refusals(config) {
                    tell(key, "TS-0115", message, Some(help));
                }
            }
            _ => {}
        }
    }
    problems.extend(circles(plans));
    problems
}

fn problem(
    plan: &Plan,
    trigger: &Trigger,
    (key, code): (&'static str, &'static str),
    message: String,
    help: Option<String>,
) -> TriggerProblem {
    TriggerProblem {
        workflow: plan.name.clone(),
        trigger_id: trigger.id.clone(),
        key,
        code: code.into(),
        message,
        help,
    }
}

/// Workflows whose runs start each other without end. Each circle is told once, with the way round.
fn circles(plans: &[&Plan]) -> Vec<TriggerProblem> {
    let mut problems = Vec::new();
    let mut done = vec![false; plans.len()];
    for first in 0..plans.len() {
        let mut way = Vec::new();
        follow(plans, first, &mut done, &mut way, &mut problems);
    }
    problems
}

/// Walks from a workflow to those that it waits for.
fn follow<'p>(
    plans: &[&'p Plan],
    at: usize,
    done: &mut [bool],
    way: &mut Vec<(usize, &'p Trigger)>,
    problems: &mut Vec<TriggerProblem>,
) {
    if done[at] {
        return;
    }
    for trigger in &plans[at].triggers {
        let TriggerKind::Workflow(other) = &trigger.kind else { continue };
        let Some(next) = plans.iter().position(|plan| plan.name == other.name) else { continue };
        way.push((at, trigger));
        if let Some(start) = way.iter().position(|(workflow, _)| *workflow == next) {
            // The end of the one starts the other: the way of the runs is the way back.
            let mut names: Vec<&str> =
                way[start..].iter().map(|(workflow, _)| plans[*workflow].name.as_str()).collect();
            names.push(&plans[next].name);
            names.reverse();
            let message = format!("workflows start each other without end: {}", names.join(" -> "));
            problems.push(problem(plans[at], trigger, ("", "TS-0106"), message, None));
        } else {
            follow(plans, next, done, way, problems);
        }
        way.pop();
    }
    done[at] = true;
}
