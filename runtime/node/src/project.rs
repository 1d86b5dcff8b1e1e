//! A project folder as it is on disk: `trackside.toml`, workflow files, and where everything else lies.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use trackside_codes::{Code, Coded, Reason, code};

use trackside_intake::Definitions;
use trackside_sandbox::CompileProgram;
use trackside_spec::{Digest, NodeConfig, Plan, Problem, SpecError, Trigger, load_node_config};
use trackside_worker::Program;

use crate::reload::{InUse, PluginCheck, fit, folder};

/// Why a project can not be opened at all. A broken workflow is no such reason: it is told and the rest runs.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The folder is not there.
    #[error(
        "[{code}] {} is not a folder; name the project's folder with --project, or make one with `trackside init`", .0.display(),
        code = self.code()
    )]
    NoFolder(PathBuf),
    /// A file can not be read.
    #[error("[{code}] cannot read {}: {reason}", path.display(), code = self.code())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        reason: io::Error,
    },
    /// The node's config is wrong.
    #[error("{0}")]
    Config(SpecError),
}

impl Coded for ProjectError {
    fn code(&self) -> Code {
        match self {
            Self::NoFolder(_) => code!("TS-0621"),
            Self::Unreadable { .. } => code!("TS-0622"),
            Self::Config(error) => error.code(),
        }
    }

    fn has_places(&self) -> bool {
        matches!(self, Self::Config(_))
    }
}

/// A project.
#[derive(Debug)]
pub struct Project {
    /// Its folder, absolute.
    pub root: PathBuf,
    /// `trackside.toml`, or the defaults where there is none.
    pub config: Arc<NodeConfig>,
    /// Of the text of `trackside.toml`.
    pub config_digest: Digest,
    /// The workflows that are used, by name.
    pub workflows: BTreeMap<String, Arc<Plan>>,
    /// Their files, relative to the project.
    pub origins: BTreeMap<String, PathBuf>,
    /// What is wrong with the others, and with files whose last good version is used.
    pub problems: Arc<Vec<WorkflowProblem>>,
    /// Which folder its workflow files were read from.
    pub(crate) folder_identity: Option<(u64, u64)>,
    /// The program that compiles plugins in a process of its own; set by the program itself, which alone knows how to be one.
    /// Without one they are compiled in the node.
    pub compile_program: Option<CompileProgram>,
    /// The program that looks at unknown models in a process of its own; set like the one above. Without one no model is taken.
    pub model_program: Option<Program>,
}

/// A workflow file that can not be used.
#[derive(Debug)]
pub struct WorkflowProblem {
    /// Relative to the project.
    pub file: PathBuf,
    /// What is wrong.
    pub reason: WorkflowReason,
    /// The workflow, and the definition of it that is used all the same: the last good one.
    pub kept: Option<(String, Digest)>,
}

/// What is wrong with a workflow file.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowReason {
    /// Its text.
    #[error("{0}")]
    Spec(SpecError),
    /// It can not be read.
    #[error("[{code}] cannot be read: {0}", code = self.code())]
    Unreadable(#[source] Reason),
    /// The folder with the workflow files, of which some are in use, is not there.
    #[error(
        "[{code}] the folder {} is not there ({reason}): the workflows go on with their last good versions, and it is looked \
         for every 2 s; put it back or mount it. To take workflows out remove their files, not the folder",
        folder.display(),
        code = self.code()
    )]
    FolderAway {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another file has a workflow of the same name.
    #[error(
        "[{code}] workflow `{name}` is already defined in {}; names are unique in a project: rename one", other.display(),
        code = self.code()
    )]
    SameName {
        /// The name.
        name: String,
        /// The other file.
        other: PathBuf,
    },
    /// A trigger that does not fit the rest of the project. The workflow runs all the same; that trigger starts nothing.
    #[error("{problem}")]
    Trigger {
        /// The trigger's id.
        trigger: String,
        /// What is wrong.
        problem: Box<Problem>,
    },
    /// A changed workflow needs a plugin that can not be used.
    #[error("step `{step}`: {problem}")]
    Plugin {
        /// Which step.
        step: String,
        /// What is wrong, with a code of its own.
        problem: String,
    },
    /// The change, or that the file is gone, would break another workflow that is in use.
    #[error(
        "[{code}] the change is not used, because with it {} could not be used any more:\n{problem}", other.display(),
        code = self.code()
    )]
    Breaks {
        /// The other file.
        other: PathBuf,
        /// What would be wrong there.
        problem: String,
    },
}

impl Coded for WorkflowReason {
    fn code(&self) -> Code {
        match self {
            Self::Spec(error) => error.code(),
            Self::Unreadable(_) => code!("TS-0622"),
            Self::FolderAway { .. } => code!("TS-0638"),
            Self::SameName { .. } => code!("TS-0623"),
            Self::Trigger { problem, .. } => problem.code,
            // The reason has a code of its own.
            Self::Plugin { .. } => code!("TS-0625"),
            Self::Breaks { .. } => code!("TS-0624"),
        }
    }

    fn has_places(&self) -> bool {
        matches!(self, Self::Spec(_) | Self::Trigger { .. })
    }
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
            Err(error) => return Err(ProjectError::Unreadable { path: file, reason: error }),
        };
        let config = load_node_config("trackside.toml", &text).map_err(ProjectError::Config)?;
        let project = Self {
            root,
            config: Arc::new(config),
            config_digest: Digest::of(text.as_bytes()),
            workflows: BTreeMap::new(),
            origins: BTreeMap::new(),
            problems: Arc::default(),
            folder_identity: None,
            compile_program: None,
            model_program: None,
        };
        project.with_workflows(&Vec::new(), None)
    }

    /// Where its workflow files lie.
    #[must_use]
    pub fn workflow_dir(&self) -> PathBuf {
        self.root.join(&self.config.node.workflows)
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

    /// Reads the workflow files as they are now. `last` are the definitions in use: they stay in use where a file is not
    /// right any more. `plugins` says what is wrong with a plugin that a changed workflow names.
    pub(crate) fn with_workflows(
        mut self,
        last: &InUse,
        plugins: Option<PluginCheck<'_>>,
    ) -> Result<Self, ProjectError> {
        let folder = self.workflow_dir();
        let identity = folder::identity(&folder);
        let read = folder::read(&self.root, &folder);
        let files = match read {
            // What was taken out file by file is gone; an empty folder that came in place of another has lost them.
            Ok(files) if files.is_empty() && !last.is_empty() && self.is_another_folder(identity) => {
                return Ok(self.without_folder(last, "it is empty, and another folder than before"));
            }
            Ok(files) => files,
            Err(error) if !last.is_empty() => return Ok(self.without_folder(last, &error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => folder::Files::new(),
            Err(error) => return Err(ProjectError::Unreadable { path: folder, reason: error }),
        };
        self.folder_identity = identity;
        let fitted = fit(files, last, &self.config, plugins);
        self.problems = Arc::new(fitted.problems);
        self.origins = fitted.workflows.iter().map(|(name, (file, _))| (name.clone(), file.clone())).collect();
        self.workflows = fitted.workflows.into_iter().map(|(name, (_, plan))| (name, plan)).collect();
        Ok(self)
    }

    fn is_another_folder(&self, identity: Option<(u64, u64)>) -> bool {
        self.folder_identity.is_some_and(|known| Some(known) != identity)
    }

    /// The folder with the workflow files is not there (moved away, not mounted): that takes nothing out.
    fn without_folder(mut self, last: &InUse, reason: &str) -> Self {
        let folder = self.workflow_dir();
        let file = folder.strip_prefix(&self.root).unwrap_or(&folder).to_owned();
        let reason = WorkflowReason::FolderAway { folder, reason: reason.to_owned() };
        self.problems = Arc::new(vec![WorkflowProblem { file, reason, kept: None }]);
        self.origins = last.iter().map(|(file, plan)| (plan.name.clone(), file.clone())).collect();
        self.workflows = last.iter().map(|(_, plan)| (plan.name.clone(), plan.clone())).collect();
        self
    }

    /// Whether its workflows go on without the folder that they were read from.
    pub(crate) fn is_without_folder(&self) -> bool {
        self.problems.iter().any(|problem| matches!(problem.reason, WorkflowReason::FolderAway { .. }))
    }

    /// Takes an empty folder for what it is, because somebody asked to read it.
    pub(crate) fn taking_any_folder(self) -> Self {
        Self { folder_identity: None, ..self }
    }

    /// The same project, without its workflows.
    pub(crate) fn bare(&self) -> Self {
        Self {
            root: self.root.clone(),
            config: self.config.clone(),
            config_digest: self.config_digest,
            workflows: BTreeMap::new(),
            origins: BTreeMap::new(),
            problems: Arc::default(),
            folder_identity: self.folder_identity,
            compile_program: self.compile_program.clone(),
            model_program: self.model_program.clone(),
        }
    }

    /// What is wrong with the file of this workflow, where something is: the one that its last good version is from, or one
    /// that has its name.
    #[must_use]
    pub fn problem_of(&self, workflow: &str) -> Option<&WorkflowProblem> {
        self.problems.iter().find(|problem| match &problem.kept {
            Some((kept, _)) => kept == workflow,
            None => problem.file.file_stem().is_some_and(|stem| stem == workflow),
        })
    }

    /// The same project, for a node that starts nothing by itself.
    pub(crate) fn for_runs_by_hand(&self) -> Self {
        Self {
            workflows: self.workflows.clone(),
            origins: self.origins.clone(),
            problems: self.problems.clone(),
            ..self.bare()
        }
    }

    /// Its definitions, with their files.
    pub(crate) fn in_use(&self) -> InUse {
        let file = |name: &String| self.origins.get(name).cloned().unwrap_or_default();
        self.workflows.iter().map(|(name, plan)| (file(name), plan.clone())).collect()
    }

    /// The triggers that can work, as far as their project goes.
    pub fn usable_triggers(&self) -> impl Iterator<Item = (&Arc<Plan>, &Trigger)> {
        self.triggers().filter(|(_, trigger)| !self.is_refused(&trigger.id))
    }

    /// All triggers, for those who start runs by them.
    pub(crate) fn definitions(&self) -> Definitions {
        let mut definitions = Definitions::default();
        self.triggers().for_each(|(plan, trigger)| definitions.add(plan, trigger, !self.is_refused(&trigger.id)));
        definitions
    }

    fn triggers(&self) -> impl Iterator<Item = (&Arc<Plan>, &Trigger)> {
        self.workflows.values().flat_map(|plan| plan.triggers.iter().map(move |trigger| (plan, trigger)))
    }

    fn is_refused(&self, id: &str) -> bool {
        let mut problems = self.problems.iter().filter(|problem| problem.kept.is_none());
        problems.any(|problem| matches!(&problem.reason, WorkflowReason::Trigger { trigger, .. } if trigger == id))
    }
}
