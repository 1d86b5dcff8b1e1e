//! Whether the components of a project are all on this box: those that the lock file names, and those that its workflows use.

use std::collections::BTreeSet;

use trackside_node::{PluginProblem, Project, plugin_sources};
use trackside_packages::Lock;
use trackside_spec::Action;

/// What was looked at, and what is wrong.
pub struct Installed {
    /// How many plugins were looked at.
    pub checked: u64,
    /// Names, and what is wrong with each.
    pub problems: Vec<(String, String)>,
}

/// Looks at all of them. What a policy or a key says against one is no damage, and is `check`'s to tell.
pub fn look(project: &Project) -> Installed {
    let mut problems = Vec::new();
    let mut names: BTreeSet<String> = match Lock::read(&project.root) {
        Ok(lock) => lock.unwrap_or_default().plugins().map(|(name, _)| name.to_owned()).collect(),
        Err(error) => {
            problems.push(("workflow.lock".to_owned(), error.to_string()));
            BTreeSet::new()
        }
    };
    let steps = project.workflows.values().flat_map(|plan| &plan.steps);
    names.extend(steps.filter_map(|step| match &step.action {
        Action::Plugin(call) => Some(call.plugin.clone()),
        _ => None,
    }));
    let sources = plugin_sources(project);
    for name in &names {
        match sources.find(name) {
            Ok(_) | Err(PluginProblem::Unsigned { .. } | PluginProblem::Key(_) | PluginProblem::Lock(_)) => {}
            Err(problem) => problems.push((name.clone(), problem.to_string())),
        }
    }
    Installed { checked: names.len() as u64, problems }
}
