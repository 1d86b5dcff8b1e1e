//! From a plugin's name in a workflow to a component that is ready to run.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use trackside_sandbox::{Plugin, Sandbox, SandboxSettings};

use crate::bundled::{BUNDLED, bundled};

/// Why a plugin is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PluginProblem {
    /// No such plugin.
    #[error(
        "[TS-0601] there is no plugin `{name}`: looked for {} and among the bundled ones ({}); put the component there, or \
         correct the name", file.display(), names.join(", ")
    )]
    Unknown {
        /// As in the workflow.
        name: String,
        /// Where it would lie.
        file: PathBuf,
        /// What there is.
        names: Vec<&'static str>,
    },
    /// Its file can not be read.
    #[error("[TS-0602] plugin `{name}`: cannot read {}: {reason}", file.display())]
    Unreadable {
        /// As in the workflow.
        name: String,
        /// Where it lies.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The sandbox refuses it, or there is no sandbox.
    #[error("plugin `{name}`: {reason}")]
    Refused {
        /// As in the workflow.
        name: String,
        /// With a code of its own.
        reason: String,
    },
}

/// The plugins of a project. Each is loaded when it is first needed and then kept.
pub struct Plugins {
    project: PathBuf,
    folder: PathBuf,
    settings: SandboxSettings,
    sandbox: OnceLock<Result<Sandbox, String>>,
    /// By name, and whether instructions are counted.
    loaded: Mutex<HashMap<(String, bool), Arc<Slot>>>,
}

/// Held locked while its plugin is being loaded, so that two steps do not compile the same component.
type Slot = Mutex<Option<Arc<Plugin>>>;

impl Plugins {
    /// The plugins of the project at `project`, whose own components lie in `folder`.
    #[must_use]
    pub fn new(project: PathBuf, folder: PathBuf, settings: SandboxSettings) -> Self {
        Self { project, folder, settings, sandbox: OnceLock::new(), loaded: Mutex::default() }
    }

    /// The sandbox, made when it is first needed.
    ///
    /// # Errors
    /// When it can not be made; the reason says why.
    pub fn sandbox(&self) -> Result<&Sandbox, String> {
        let made = self.sandbox.get_or_init(|| Sandbox::new(self.settings.clone()).map_err(|error| error.to_string()));
        made.as_ref().map_err(Clone::clone)
    }

    /// The plugin that a workflow calls `name`. Blocks while the component is compiled.
    ///
    /// # Errors
    /// When there is none, or it can not be used. The next call tries again.
    pub fn get(&self, name: &str) -> Result<Arc<Plugin>, PluginProblem> {
        self.get_as(name, false)
    }

    /// The same; with `counting`, one whose instructions are counted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_as(&self, name: &str, counting: bool) -> Result<Arc<Plugin>, PluginProblem> {
        let slot = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.entry((name.to_owned(), counting)).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = &*slot {
            return Ok(plugin.clone());
        }
        let refused = |reason: String| PluginProblem::Refused { name: name.to_owned(), reason };
        let bytes = self.component(name)?;
        let sandbox = self.sandbox().map_err(refused)?;
        let loaded = if counting { sandbox.load_counting(&bytes, name) } else { sandbox.load(&bytes, name) };
        let plugin = loaded.map_err(|error| refused(error.to_string()))?;
        *slot = Some(plugin.clone());
        Ok(plugin)
    }

    /// The plugin, if it is loaded already. Never blocks for long.
    #[must_use]
    pub fn ready(&self, name: &str, counting: bool) -> Option<Arc<Plugin>> {
        let key = (name.to_owned(), counting);
        let slot = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&key)?.clone();
        slot.try_lock().ok().and_then(|slot| slot.clone())
    }

    /// Names of the bundled plugins and of the project's own.
    #[must_use]
    pub fn names(&self) -> Vec<(String, PluginOrigin)> {
        let mut names: Vec<_> = BUNDLED.iter().map(|(name, _)| ((*name).to_owned(), PluginOrigin::Bundled)).collect();
        let own = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        names.extend(own.filter_map(|entry| {
            let path = entry.path();
            let name = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == "wasm"))?.to_str()?;
            Some((name.to_owned(), PluginOrigin::File(path.clone())))
        }));
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        names
    }

    fn component(&self, name: &str) -> Result<std::borrow::Cow<'static, [u8]>, PluginProblem> {
        let file = self.file(name);
        match std::fs::read(&file) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let names = || BUNDLED.iter().map(|(name, _)| *name).collect();
                bundled(name).map(Into::into).ok_or_else(|| PluginProblem::Unknown {
                    name: name.to_owned(),
                    file,
                    names: names(),
                })
            }
            Err(error) => Err(PluginProblem::Unreadable { name: name.to_owned(), file, reason: error.to_string() }),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        if Path::new(name).extension().is_some_and(|extension| extension == "wasm") {
            self.project.join(name)
        } else {
            self.folder.join(format!("{name}.wasm"))
        }
    }
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginOrigin {
    /// Part of the binary.
    Bundled,
    /// A file of the project; it hides a bundled plugin of the same name.
    File(PathBuf),
}
