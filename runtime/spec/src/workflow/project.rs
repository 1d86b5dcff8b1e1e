//! What can only be seen with all workflows of a project at hand: steps that are runs of other workflows.

use std::collections::BTreeMap;

use super::{bind, checker::Checker};
use crate::{
    plan::{Action, ChildCall, MAX_CHILD_DEPTH, Param, Plan, Step},
    spec_error::{Report, SpecError, suggest},
    tree,
};

/// Checks how the workflows of a project fit together: every `workflow:` names one of them, its parameters fit, none
/// starts itself through others, and none waits for something that it holds itself.
///
/// `plans` holds each workflow with the name of its file. The answer holds the place in `plans` and the problems of each
/// workflow that cannot be used; it is empty when all can. Who leaves those out must check the others again: they may
/// have started one of them.
#[must_use]
pub fn check_project(plans: &[(&str, &Plan)]) -> BTreeMap<usize, SpecError> {
    let project = Project::new(plans);
    let mut refused = BTreeMap::new();
    for (index, (file, plan)) in plans.iter().enumerate() {
        let problems = project.problems(index);
        if problems.is_empty() {
            continue;
        }
        let mut report = Report::new(file, &plan.source);
        // It has been read before: it parses.
        if let Some(root) = tree::parse_yaml(&plan.source, &mut report) {
            let mut checker = Checker { root: &root, report: &mut report };
            for problem in problems {
                problem.tell(&mut checker);
            }
        }
        if let Err(error) = report.finish() {
            refused.insert(index, error);
        }
    }
    refused
}

/// Something wrong with one workflow and the keys that lead to it.
struct Found {
    path: Vec<String>,
    /// Whether the place is the key at the end of the path, and not its value.
    key: bool,
    message: String,
    help: Option<String>,
}

impl Found {
    fn new(step: &Step, below: &[&str], message: String, help: Option<String>) -> Self {
        let path = ["steps", &step.id].into_iter().chain(below.iter().copied()).map(str::to_owned).collect();
        Self { path, key: false, message, help }
    }

    fn at_key(self) -> Self {
        Self { key: true, ..self }
    }

    fn tell(self, checker: &mut Checker<'_, '_>) {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        if self.key {
            checker.at_key("TS-0112", &path, self.message, self.help);
        } else {
            checker.at("TS-0112", &path, self.message, self.help);
        }
    }
}

struct Project<'a> {
    plans: &'a [(&'a str, &'a Plan)],
    by_name: BTreeMap<&'a str, usize>,
    /// For each workflow the workflows that its steps start.
    starts: Vec<Vec<usize>>,
}

impl<'a> Project<'a> {
    fn new(plans: &'a [(&'a str, &'a Plan)]) -> Self {
        let by_name: BTreeMap<&str, usize> =
            plans.iter().enumerate().map(|(index, (_, plan))| (plan.name.as_str(), index)).collect();
        let starts = plans
            .iter()
            .map(|(_, plan)| calls(plan).filter_map(|(_, call)| by_name.get(call.workflow.as_str()).copied()).collect())
            .collect();
        Self { plans, by_name, starts }
    }

    fn plan(&self, index: usize) -> &'a Plan {
        self.plans[index].1
    }

    fn problems(&self, own: usize) -> Vec<Found> {
        let mut found = Vec::new();
        for (step, call) in calls(self.plan(own)) {
            let Some(&child) = self.by_name.get(call.workflow.as_str()) else {
                let known: Vec<&str> =
                    self.by_name.keys().copied().filter(|name| *name != self.plan(own).name).collect();
                let message = format!("the project has no usable workflow `{}`", call.workflow);
                found.push(Found::new(step, &["workflow"], message, suggest(&call.workflow, &known)));
                continue;
            };
            found.extend(misfits(step, call, self.plan(child)));
            if let Some(way) = self.way(child, own) {
                let message =
                    format!("these workflows start each other: {} -> {}", self.plan(own).name, self.names(&way));
                found.push(Found::new(step, &["workflow"], message, None));
            } else {
                found.extend(self.too_deep(own, child, step));
                found.extend(self.deadlock(own, child, step));
            }
        }
        found
    }

    fn names(&self, way: &[usize]) -> String {
        way.iter().map(|&index| self.plan(index).name.as_str()).collect::<Vec<_>>().join(" -> ")
    }

    /// The shortest way of starts from one workflow to another, both included.
    fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut before: Vec<Option<usize>> = vec![None; self.plans.len()];
        let mut todo = std::collections::VecDeque::from([from]);
        let mut seen = vec![false; self.plans.len()];
        seen[from] = true;
        while let Some(at) = todo.pop_front() {
            if at == to {
                let mut way = vec![at];
                let mut step = at;
                while let Some(earlier) = before[step] {
                    way.push(earlier);
                    step = earlier;
                }
                way.reverse();
                return Some(way);
            }
            for &next in &self.starts[at] {
                if !std::mem::replace(&mut seen[next], true) {
                    before[next] = Some(at);
                    todo.push_back(next);
                }
            }
        }
        None
    }

    /// The workflows that runs of `from` may start, itself included.
    fn reach(&self, from: usize) -> Vec<usize> {
        let mut seen = vec![false; self.plans.len()];
        let mut todo = vec![from];
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                todo.extend(&self.starts[at]);
            }
        }
        (0..seen.len()).filter(|&index| seen[index]).collect()
    }

    /// Whether the longest chain of starts below is longer than a run's depth may be. Walks in rounds, so that a circle
    /// further down, which is another workflow's problem, ends with the limit.
    fn too_deep(&self, own: usize, child: usize, step: &Step) -> Option<Found> {
        let mut level = vec![child];
        let mut depth = 1;
        while !level.is_empty() && depth <= MAX_CHILD_DEPTH {
            let mut next: Vec<usize> = level.iter().flat_map(|&at| self.starts[at].iter().copied()).collect();
            next.sort_unstable();
            next.dedup();
            level = next;
            depth += 1;
        }
        (!level.is_empty()).then(|| {
            let message = format!(
                "runs of `{}` would start runs more than {MAX_CHILD_DEPTH} deep, through `{}`",
                self.plan(own).name,
                self.plan(child).name
            );
            Found::new(step, &["workflow"], message, Some("start some of them from the same workflow".to_owned()))
        })
    }

    /// Whether the step would wait for a run that waits for what the step or its run holds.
    fn deadlock(&self, own: usize, child: usize, step: &Step) -> Option<Found> {
        let below = self.reach(child);
        if let Some(mutex) = &step.mutex {
            let holder =
                below.iter().find(|&&index| self.plan(index).steps.iter().any(|s| s.mutex.as_ref() == Some(mutex)));
            if let Some(&index) = holder {
                let message = format!(
                    "the step holds the mutex `{mutex}` while it waits for `{}`, which has a step that waits for it",
                    self.plan(index).name
                );
                return Some(Found::new(step, &["mutex"], message, None));
            }
        }
        let group = group_of(self.plan(own))?;
        let narrow = |index: &&usize| {
            let concurrency = self.plan(**index).concurrency.as_ref();
            concurrency.is_some_and(|c| c.limit == 1) && group_of(self.plan(**index)) == Some(group)
        };
        let rival = below.iter().find(narrow)?;
        let message = format!(
            "the run is in the concurrency group `{group}` while it waits for `{}`, which needs a place in the same group",
            self.plan(*rival).name
        );
        let help = Some("give one of them another group, or the group a limit above 1".to_owned());
        Some(Found::new(step, &["workflow"], message, help))
    }
}

/// The steps of a workflow that start others.
fn calls(plan: &Plan) -> impl Iterator<Item = (&Step, &ChildCall)> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::Workflow(call) => Some((step, call)),
        _ => None,
    })
}

/// The group's name where no expression makes it.
fn group_of(plan: &Plan) -> Option<&str> {
    plan.concurrency.as_ref()?.group.constant_at(&[])?.as_str()
}

/// What is wrong with the parameters that a step gives, as far as they are fixed.
fn misfits(step: &Step, call: &ChildCall, child: &Plan) -> Vec<Found> {
    let Some(given) = call.params.keys() else { return Vec::new() };
    let mut found = Vec::new();
    let known: Vec<&str> = child.params.iter().map(|param| param.name.as_str()).collect();
    for name in &given {
        let Some(param) = child.params.iter().find(|param| param.name == *name) else {
            let message = format!("workflow `{}` has no parameter `{name}`", child.name);
            found.push(Found::new(step, &["params", name], message, suggest(name, &known)).at_key());
            continue;
        };
        if let Some(value) = call.params.constant_at(&[name])
            && let Err(reason) = bind::check_value(param, value)
        {
            let message = format!("the parameter `{name}` of `{}` does not fit: {reason}", child.name);
            found.push(Found::new(step, &["params", name], message, None));
        }
    }
    let missing = |param: &&Param| param.default.is_none() && !given.contains(&param.name.as_str());
    for param in child.params.iter().filter(missing) {
        let message = format!("workflow `{}` requires the parameter `{}`", child.name, param.name);
        let help = Some(format!("add it under `params`: {}", bind::kind_name(param.kind)));
        found.push(Found::new(step, &["params"], message, help).at_key());
    }
    found
}
