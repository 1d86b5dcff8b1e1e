//! Where the registry is changed: on a node of this process, or on a data folder that no node has. All of it blocks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use trackside_models::{
    EngineChoice, EngineKind, ModelLimits, Probe, ProbeError, ProbeLimits, ProbeSettings, Prober,
    package::{Kept, PackageLimits, Shelf},
};
use trackside_node::{Handle, ModelDoors, ModelTrust, Offline, Project};
use trackside_serving::{Serving, drift::KeyKind};
use trackside_store::{Clock, Reader, StoreError, SystemClock, Write};

use super::ModelsError;

/// Where the registry is changed, and in whose name.
pub struct ModelPlace {
    books: Books,
    project: Arc<Project>,
    by: String,
    doors: Arc<ModelDoors>,
}

enum Books {
    Node(Box<Handle>),
    Folder(Box<Offline>),
}

impl ModelPlace {
    /// On a node.
    #[must_use]
    pub fn of_node(handle: &Handle, by: &str) -> Self {
        let (project, doors) = (handle.project(), handle.model_doors().clone());
        Self { books: Books::Node(Box::new(handle.clone())), project, by: by.to_owned(), doors }
    }

    /// On the data folder of a project, which is taken for as long as this lives.
    ///
    /// # Errors
    /// When a node has it, or it can not be used.
    pub fn of_folder(project: Arc<Project>, by: &str) -> Result<Self, StoreError> {
        let offline = Offline::open(&project.data_dir())?;
        Ok(Self { books: Books::Folder(Box::new(offline)), project, by: by.to_owned(), doors: Arc::default() })
    }

    pub(crate) fn read<T>(&self, ask: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.books {
            Books::Node(handle) => handle.readers().with(ask),
            Books::Folder(offline) => ask(offline.reader()),
        }
    }

    /// Writes rows that go together; they are on disk when this ends.
    pub(crate) fn keep(&mut self, writes: Vec<Write>) -> Result<(), ModelsError> {
        if writes.is_empty() {
            return Ok(());
        }
        match &mut self.books {
            Books::Node(handle) => {
                handle.keep(writes)?;
                handle.workshop().models.changed();
                // A rollout may rest on what was changed.
                handle.workshop().models.serving().bell().ring();
                Ok(())
            }
            Books::Folder(offline) => Ok(offline.keep(writes)?),
        }
    }

    /// Has what windows are compared with made anew: on disk, and then in memory, with nothing kept in between.
    pub(crate) fn reset_drift(&mut self, kind: KeyKind, name: &str, write: Write) -> Result<(), ModelsError> {
        let Books::Node(handle) = &self.books else { return self.keep(vec![write]) };
        let board = handle.workshop().models.serving().board().clone();
        let _keeping = board.keeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.keep(vec![write])?;
        board.reset(kind, name);
        Ok(())
    }

    /// A version that was there has more signatures now.
    pub(super) fn signed(&self) {
        if let Books::Node(handle) = &self.books {
            handle.workshop().models.signed();
        }
    }

    /// The node, where there is one.
    pub(crate) fn node(&self) -> Option<&Handle> {
        if let Books::Node(handle) = &self.books { Some(handle) } else { None }
    }

    /// The models in service, where there is a node.
    pub(crate) fn serving(&self) -> Option<Serving> {
        self.node().map(|handle| handle.workshop().models.serving().clone())
    }

    /// The project, as it is in use.
    pub(crate) fn project(&self) -> Arc<Project> {
        self.node().map_or_else(|| self.project.clone(), Handle::project)
    }

    /// There is something to be taken up.
    pub(crate) fn rung(&self) {
        if let Some(serving) = self.serving() {
            serving.bell().ring();
        }
    }

    /// Asks the database, with errors of one's own.
    pub(crate) fn with_reader<T, E: From<StoreError>>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        self.read(|reader| Ok(ask(reader)))?
    }

    pub(crate) fn doors(&self) -> Arc<ModelDoors> {
        self.doors.clone()
    }

    pub(crate) fn by(&self) -> String {
        self.by.clone()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        match &self.books {
            Books::Node(handle) => handle.workshop().clock.now_ms(),
            Books::Folder(_) => SystemClock.now_ms(),
        }
    }

    pub(crate) fn shelf(&self) -> Shelf {
        let keep_free = self.project.config.node.min_free.as_bytes();
        let limits = PackageLimits::of(&self.project.config.model_limits);
        Shelf::of(&self.project.data_dir()).taking(limits).keeping_free(keep_free)
    }

    /// Whose signatures of models count.
    pub(super) fn trust(&self) -> ModelTrust {
        ModelTrust::of(&self.project.root, &self.project.config.policy)
    }

    /// Whether the project declares a model of this name itself.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.project.config.models.get(name).is_some_and(|model| model.path.is_some())
    }

    /// Looks at a package that nobody knows yet, on the engine that would run it.
    pub(super) fn probe(&self, name: &str, package: &Kept) -> Result<Probe, ModelsError> {
        let settings = probe_settings(&self.project, name, package.manifest.engine, package.golden());
        // Where it lies for now is nobody's business.
        let here = format!("{}/", package.folder.display());
        let probed = prober(&self.project)?.probe(&package.model(), &settings);
        Ok(probed.map_err(|error| match error {
            ProbeError::Refused { code, text } => ProbeError::Refused { code, text: text.replace(&here, "") },
            other => other,
        })?)
    }
}

/// What looks at models for this project.
pub(crate) fn prober(project: &Project) -> Result<Prober, ProbeError> {
    let program = project
        .model_program
        .clone()
        .ok_or_else(|| ProbeError::NotStarted { reason: "this program does not know how to be one".to_owned() })?;
    Ok(Prober { program, limits: ProbeLimits::of(&project.config.model_limits, run_limit(project)) })
}

pub(super) fn run_limit(project: &Project) -> Duration {
    project.config.limits.wall.to_std().max(Duration::from_millis(1))
}

fn probe_settings(project: &Project, name: &str, choice: EngineChoice, golden: Option<PathBuf>) -> ProbeSettings {
    let engine = &project.config.engine;
    ProbeSettings {
        name: name.to_owned(),
        choice,
        golden,
        configured: engine.onnxruntime.as_ref().map(|path| project.root.join(path)),
        data_dir: project.data_dir(),
        prefer: if engine.prefer == EngineChoice::Rten { EngineKind::Rten } else { EngineKind::OnnxRuntime },
        run_ms: u64::try_from(run_limit(project).as_millis()).unwrap_or(u64::MAX),
        limits: ModelLimits::of(&project.config.model_limits),
    }
}
