//! Which version of every workflow is used: the file's own where it is right and goes with all the others, otherwise the
//! last good one.
//!
//! The versions that were in use go together, so that going back is always possible: a change that does not fit is taken
//! back, and what is left is looked at again, until nothing is wrong any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use trackside_spec::{Action, NodeConfig, Plan, SpecError, TriggerProblem, check_project, check_triggers};

use super::folder::Files;
use crate::project::{WorkflowProblem, WorkflowReason};

/// The definitions in use, with their files.
pub(crate) type InUse = Vec<(PathBuf, Arc<Plan>)>;

/// Why a plugin of this name cannot be used, where that is so.
pub(crate) type PluginCheck<'c> = &'c dyn Fn(&str) -> Option<String>;

/// What is to be used, and what is wrong.
pub(crate) struct Fitted {
    /// By name, with the files.
    pub(crate) workflows: BTreeMap<String, (PathBuf, Arc<Plan>)>,
    /// In the order of the files.
    pub(crate) problems: Vec<WorkflowProblem>,
}

/// One workflow file, there or gone.
struct Choice {
    file: PathBuf,
    new: Option<Arc<Plan>>,
    last: Option<Arc<Plan>>,
    takes: Takes,
    /// Not even what was in use before can be used.
    given_up: bool,
    problems: Vec<WorkflowReason>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    New,
    Last,
    Nothing,
}

impl Choice {
    /// Keeps what is wrong with a trigger of the definition that it takes.
    fn tell(&mut self, problem: &TriggerProblem) {
        let Some(plan) = self.plan() else { return };
        let problem = WorkflowReason::Trigger {
            trigger: problem.trigger_id.clone(),
            problem: Box::new(problem.at(&self.file.display().to_string(), plan)),
        };
        self.problems.push(problem);
    }

    fn plan(&self) -> Option<&Arc<Plan>> {
        match self.takes {
            Takes::New => self.new.as_ref(),
            Takes::Last => self.last.as_ref(),
            Takes::Nothing => None,
        }
    }

    /// Whether what it takes is another thing than what was in use.
    fn is_change(&self) -> bool {
        !self.given_up && self.plan().map(|plan| plan.digest) != self.last.as_ref().map(|plan| plan.digest)
    }

    /// Takes what was in use before, or nothing where that is what it takes already.
    fn go_back(&mut self) {
        if self.is_change() && self.last.is_some() {
            self.takes = Takes::Last;
        } else {
            (self.takes, self.given_up) = (Takes::Nothing, true);
        }
    }
}

/// Chooses. `last` are the definitions in use; none for a project that nobody runs.
pub(crate) fn fit(files: Files, last: &InUse, config: &NodeConfig, plugins: Option<PluginCheck<'_>>) -> Fitted {
    let mut choices = choices(files, last);
    let mut last_plans: Vec<&Plan> = last.iter().map(|(_, plan)| plan.as_ref()).collect();
    last_plans.sort_by(|a, b| a.name.cmp(&b.name));
    let known: BTreeSet<String> = check_triggers(&last_plans, config).iter().map(ToString::to_string).collect();
    missing_plugins(&mut choices, plugins);
    while same_names(&mut choices) || misfits(&mut choices) || triggers(&mut choices, config, &known) {}
    let taken = |choice: &Choice| choice.plan().map(|plan| (plan.name.clone(), (choice.file.clone(), plan.clone())));
    let workflows: BTreeMap<_, _> = choices.iter().filter_map(taken).collect();
    let plans: Vec<&Plan> = workflows.values().map(|(_, plan)| plan.as_ref()).collect();
    // Those that cannot be helped: the workflow runs, the trigger starts nothing.
    for problem in check_triggers(&plans, config) {
        if let Some(choice) =
            choices.iter_mut().find(|choice| choice.plan().is_some_and(|p| p.name == problem.workflow))
        {
            choice.tell(&problem);
        }
    }
    let problems = choices.into_iter().flat_map(|choice| {
        let in_use = choice.plan().filter(|_| choice.takes == Takes::Last).map(|plan| (plan.name.clone(), plan.digest));
        let Choice { file, problems, .. } = choice;
        problems.into_iter().map(move |reason| WorkflowProblem { file: file.clone(), reason, kept: in_use.clone() })
    });
    Fitted { problems: problems.collect(), workflows }
}

fn choices(files: Files, last: &InUse) -> Vec<Choice> {
    let mut before: BTreeMap<&Path, &Arc<Plan>> = last.iter().map(|(file, plan)| (file.as_path(), plan)).collect();
    // A file that was given another name is the same one.
    let gone: Vec<&Path> = before.keys().copied().filter(|file| !files.contains_key(*file)).collect();
    let mut moved: BTreeMap<&str, &Arc<Plan>> = BTreeMap::new();
    for file in gone {
        let Some(plan) = before.get(file).copied() else { continue };
        let is_it = |(other, read): (&PathBuf, &Result<Arc<Plan>, WorkflowReason>)| {
            !before.contains_key(other.as_path()) && read.as_ref().is_ok_and(|new| new.name == plan.name)
        };
        if files.iter().any(is_it) {
            before.remove(file);
            moved.insert(&plan.name, plan);
        }
    }
    let mut choices = Vec::new();
    for (file, read) in files {
        let last = before.remove(file.as_path()).cloned();
        let (new, problems) = match read {
            Ok(plan) => (Some(plan), Vec::new()),
            Err(reason) => (None, vec![reason]),
        };
        let last = last.or_else(|| moved.remove(new.as_ref()?.name.as_str()).cloned());
        let takes = match (&new, &last) {
            (Some(_), _) => Takes::New,
            (None, Some(_)) => Takes::Last,
            (None, None) => Takes::Nothing,
        };
        choices.push(Choice { file, new, last, takes, given_up: false, problems });
    }
    let gone = before.into_iter().map(|(file, plan)| Choice {
        file: file.to_owned(),
        new: None,
        last: Some(plan.clone()),
        takes: Takes::Nothing,
        given_up: false,
        problems: Vec::new(),
    });
    choices.extend(gone);
    choices.sort_by(|a, b| a.file.cmp(&b.file));
    choices
}

/// A changed workflow whose plugins are not there waits for them. A new one is used as far as it goes.
fn missing_plugins(choices: &mut [Choice], plugins: Option<PluginCheck<'_>>) {
    let Some(check) = plugins else { return };
    for choice in choices.iter_mut().filter(|choice| choice.last.is_some() && choice.is_change()) {
        let Some(plan) = choice.plan() else { continue };
        let problem = plan.steps.iter().find_map(|step| match &step.action {
            Action::Plugin(call) => check(&call.plugin).map(|problem| (step.id.clone(), problem)),
            _ => None,
        });
        if let Some((step, problem)) = problem {
            choice.problems.push(WorkflowReason::Plugin { step, problem });
            choice.go_back();
        }
    }
}

/// Gives a name to the workflow that had it, or else to the first file. Whether something was taken back.
fn same_names(choices: &mut [Choice]) -> bool {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let had = |choice: &Choice, name: &str| choice.last.as_ref().is_some_and(|plan| plan.name == name);
    let order = |index: &usize| choices[*index].plan().is_none_or(|plan| !had(&choices[*index], &plan.name));
    let mut indices: Vec<usize> = (0..choices.len()).collect();
    indices.sort_by_key(order);
    for index in indices {
        let Some(name) = choices[index].plan().map(|plan| plan.name.clone()) else { continue };
        let Some(owner) = owners.get(&name).copied() else {
            owners.insert(name, index);
            continue;
        };
        let other = choices[owner].file.clone();
        choices[index].problems.push(WorkflowReason::SameName { name, other });
        choices[index].go_back();
        return true;
    }
    false
}

fn refused(choices: &[Choice]) -> Vec<(usize, SpecError)> {
    let taken: Vec<usize> = (0..choices.len()).filter(|index| choices[*index].plan().is_some()).collect();
    let files: Vec<String> = taken.iter().map(|index| choices[*index].file.display().to_string()).collect();
    let plans = taken.iter().filter_map(|index| choices[*index].plan().map(Arc::as_ref));
    let plans: Vec<(&str, &Plan)> = files.iter().map(String::as_str).zip(plans).collect();
    check_project(&plans).into_iter().filter_map(|(at, error)| Some((*taken.get(at)?, error))).collect()
}

/// Takes back what does not go with the others. Whether something was.
fn misfits(choices: &mut [Choice]) -> bool {
    let refused = refused(choices);
    if refused.is_empty() {
        return false;
    }
    let (own, innocent): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(index, _)| choices[*index].is_change());
    if !own.is_empty() {
        for (index, error) in own {
            choices[index].problems.push(WorkflowReason::Spec(error));
            choices[index].go_back();
        }
        return true;
    }
    let Some((index, error)) = innocent.into_iter().next() else { return false };
    let file = choices[index].file.clone();
    let still = |choices: &[Choice]| refused_at(choices, &file);
    if !take_back_culprits(choices, &file, &error.to_string(), still) {
        // It went with the others before, and nothing has changed but the program or trackside.toml.
        choices[index].problems.push(WorkflowReason::Spec(error));
        choices[index].go_back();
    }
    true
}

fn refused_at(choices: &[Choice], file: &Path) -> bool {
    refused(choices).iter().any(|(index, _)| choices[*index].file == file)
}

fn trigger_problems(choices: &[Choice], config: &NodeConfig) -> Vec<TriggerProblem> {
    let mut plans: Vec<&Plan> = choices.iter().filter_map(|choice| choice.plan().map(Arc::as_ref)).collect();
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    check_triggers(&plans, config)
}

/// The same for triggers. A workflow that is new is used all the same, without the trigger.
fn triggers(choices: &mut [Choice], config: &NodeConfig, known: &BTreeSet<String>) -> bool {
    for problem in trigger_problems(choices, config) {
        let text = problem.to_string();
        let of = |choice: &Choice| choice.plan().is_some_and(|plan| plan.name == problem.workflow);
        let Some(index) = choices.iter().position(of) else { continue };
        let (is_change, is_new) = (choices[index].is_change(), choices[index].last.is_none());
        if is_change && !is_new {
            choices[index].tell(&problem);
            choices[index].go_back();
            return true;
        }
        if is_new || known.contains(&text) {
            continue;
        }
        let file = choices[index].file.clone();
        let still = |choices: &[Choice]| trigger_problems(choices, config).iter().any(|p| p.to_string() == text);
        if take_back_culprits(choices, &file, &text, still) {
            return true;
        }
    }
    false
}

/// Takes back the change that has brought a problem to a file that has not changed; all changes where it is no single one.
fn take_back_culprits(choices: &mut [Choice], file: &Path, problem: &str, still: impl Fn(&[Choice]) -> bool) -> bool {
    let changed: Vec<usize> = (0..choices.len()).filter(|index| choices[*index].is_change()).collect();
    let alone = changed.iter().copied().find(|index| {
        let before = (choices[*index].takes, choices[*index].given_up);
        choices[*index].go_back();
        let mended = !still(choices);
        (choices[*index].takes, choices[*index].given_up) = before;
        mended
    });
    let culprits = alone.map_or(changed, |index| vec![index]);
    for index in &culprits {
        let reason = WorkflowReason::Breaks { other: file.to_owned(), problem: problem.to_owned() };
        choices[*index].problems.push(reason);
        choices[*index].go_back();
    }
    !culprits.is_empty()
}
