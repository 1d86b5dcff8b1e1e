//! A project folder as it is on disk: `trackside.toml`, workflow files, and where everything else lies.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use trackside_spec::{
    NodeConfig, Plan, SpecError, TriggerProblem, check_project, check_triggers, load_node_config, load_workflow,
};

/// Why a project can not be opened at all. A broken workflow is no such reason: it is told and the rest runs.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The folder is not there.
    #[error("[TS-0621] {} is not a folder; name the project's folder with --project, or make one with `trackside init`", .0.display())]
    NoFolder(PathBuf),
    /// A file can not be read.
    #[error("[TS-0622] cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The node's config is wrong.
    #[error("{0}")]
    Config(SpecError),
}

/// A project.
#[derive(Debug)]
pub struct Project {
    /// Its folder, absolute.
    pub root: PathBuf,
    /// `trackside.toml`, or the defaults where there is none.
    pub config: Arc<NodeConfig>,
    /// The workflows that are right, by name.
    pub workflows: BTreeMap<String, Arc<Plan>>,
    /// What is wrong with the others.
    pub problems: Vec<WorkflowProblem>,
    /// The program that compiles plugins in a process of its own, and the arguments that make it do so; set by the program
    /// itself, which alone knows. Without one they are compiled in the node.
    pub compile_program: Option<(PathBuf, Vec<String>)>,
}

/// A workflow file that can not be used.
#[derive(Debug)]
pub struct WorkflowProblem {
    /// Relative to the project.
    pub file: PathBuf,
    /// What is wrong.
    pub reason: WorkflowReason,
}

/// What is wrong with a workflow file.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowReason {
    /// Its text.
    #[error("{0}")]
    Spec(SpecError),
    /// It can not be read.
    #[error("[TS-0622] cannot be read: {0}")]
    Unreadable(String),
    /// Another file has a workflow of the same name.
    #[error("[TS-0623] workflow `{name}` is already defined in {}; names are unique in a project: rename one", other.display())]
    SameName {
        /// The name.
        name: String,
        /// The other file.
        other: PathBuf,
    },
    /// A trigger that does not fit the rest of the project. The workflow runs all the same; that trigger starts nothing.
    #[error("{0}")]
    Trigger(TriggerProblem),
    /// A schedule that no calendar knows.
    #[error("{0}")]
    Schedule(String),
}

impl Project {
    /// Reads the project at `root`.
    ///
    /// # Errors
    /// When the folder or its `trackside.toml` can not be used.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let root = root.canonicalize().map_err(|_| ProjectError::NoFolder(root.to_owned()))?;
        if !root.is_dir() {
            return Err(ProjectError::NoFolder(root));
        }
        let file = root.join("trackside.toml");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(ProjectError::Unreadable { path: file, reason: error.to_string() }),
        };
        let config = load_node_config("trackside.toml", &text).map_err(ProjectError::Config)?;
        let mut project = Self {
            root,
            config: Arc::new(config),
            workflows: BTreeMap::new(),
            problems: Vec::new(),
            compile_program: None,
        };
        project.read_workflows()?;
        Ok(project)
    }

    /// Where the node keeps its data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.root.join(&self.config.node.data)
    }

    /// Where the project's own plugins lie.
    #[must_use]
    pub fn plugin_dir(&self) -> PathBuf {
        self.root.join(&self.config.node.plugins)
    }

    fn read_workflows(&mut self) -> Result<(), ProjectError> {
        let folder = self.root.join(&self.config.node.workflows);
        let unreadable =
            |error: std::io::Error| ProjectError::Unreadable { path: folder.clone(), reason: error.to_string() };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut files =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
        files.sort();
        let mut origins: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in files {
            let file = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
            match read_workflow(&path, &file) {
                Ok(plan) => match origins.get(&plan.name) {
                    Some(other) => {
                        let reason = WorkflowReason::SameName { name: plan.name, other: other.clone() };
                        self.problems.push(WorkflowProblem { file, reason });
                    }
                    None => {
                        origins.insert(plan.name.clone(), file);
                        self.workflows.insert(plan.name.clone(), Arc::new(plan));
                    }
                },
                Err(reason) => self.problems.push(WorkflowProblem { file, reason }),
            }
        }
        self.refuse_misfits(&origins);
        let plans: Vec<&Plan> = self.workflows.values().map(Arc::as_ref).collect();
        for problem in check_triggers(&plans, &self.config) {
            let file = origins.get(&problem.workflow).cloned().unwrap_or_default();
            self.problems.push(WorkflowProblem { file, reason: WorkflowReason::Trigger(problem) });
        }
        Ok(())
    }

    /// Takes out the workflows that do not fit together with the others, until all that are left do.
    fn refuse_misfits(&mut self, origins: &BTreeMap<String, PathBuf>) {
        loop {
            let of = |name: &str| origins.get(name).map(|file| file.display().to_string()).unwrap_or_default();
            let files: Vec<String> = self.workflows.keys().map(|name| of(name)).collect();
            let plans: Vec<(&str, &Plan)> =
                files.iter().map(String::as_str).zip(self.workflows.values().map(Arc::as_ref)).collect();
            let names: Vec<String> = self.workflows.keys().cloned().collect();
            let refused = check_project(&plans);
            if refused.is_empty() {
                return;
            }
            for (index, error) in refused {
                let Some(name) = names.get(index) else { continue };
                self.workflows.remove(name);
                let file = origins.get(name).cloned().unwrap_or_default();
                self.problems.push(WorkflowProblem { file, reason: WorkflowReason::Spec(error) });
            }
        }
    }
}

fn read_workflow(path: &Path, file: &Path) -> Result<Plan, WorkflowReason> {
    let text = std::fs::read_to_string(path).map_err(|error| WorkflowReason::Unreadable(error.to_string()))?;
    let plan = load_workflow(&file.display().to_string(), &text).map_err(WorkflowReason::Spec)?;
    for trigger in &plan.triggers {
        if let trackside_spec::TriggerKind::Cron(cron) = &trigger.kind {
            trackside_triggers::cron::Times::parse(&cron.times)
                .map_err(|error| WorkflowReason::Schedule(format!("trigger {}: {error}", trigger.id)))?;
        }
    }
    Ok(plan)
}
