//! From a plugin's name in a workflow to a component that is ready to run.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use trackside_codes::{Code, Coded, code};

use tokio::task::JoinError;
use trackside_packages::{KeyError, LockError};
use trackside_sandbox::{CompileWorker, LoadError, Plugin, Sandbox, SandboxError, SandboxSettings};
use trackside_spec::Digest;
use trackside_sync::lock;

use crate::{
    plugin_slot::{Ready, Slot},
    plugin_source::{PluginOrigin, PluginSources},
    project::Project,
};

/// How long a step waits for a component that has been changed before it begins on the last good one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a plugin is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PluginProblem {
    /// No such plugin.
    #[error(
        "[{code}] there is no plugin `{name}`: looked in {lock}, for {}, and among the bundled ones ({}); install it with \
         `trackside plugin add`, put the component there, or correct the name{}", file.display(), names.join(", "),
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
        code = self.code()
    )]
    Unknown {
        /// As in the workflow.
        name: String,
        /// Where it would lie.
        file: PathBuf,
        /// The lock file's name.
        lock: &'static str,
        /// What there is.
        names: Vec<&'static str>,
        /// The one that is most likely meant, installed ones and the project's own included.
        near: Option<String>,
    },
    /// Its file can not be read.
    #[error("[{code}] plugin `{name}`: cannot read {}: {reason}", file.display(), code = self.code())]
    Unreadable {
        /// As in the workflow.
        name: String,
        /// Where it lies.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The lock file names it, and it is not there.
    #[error(
        "[{code}] plugin `{name}` is in workflow.lock, but its component {digest} is not on this box; fetch it with \
         `trackside plugin sync`",
        code = self.code()
    )]
    NotInstalled {
        /// As in the workflow.
        name: String,
        /// What the lock file says.
        digest: Digest,
    },
    /// It is there, and is something else.
    #[error(
        "[{code}] plugin `{name}`: {} has the digest {found}, but workflow.lock says {wanted}: it was changed or damaged \
         and is not used; fetch it again with `trackside plugin sync`", file.display(),
        code = self.code()
    )]
    Changed {
        /// As in the workflow.
        name: String,
        /// Where it lies.
        file: PathBuf,
        /// The digest of what is there.
        found: Digest,
        /// What the lock file says.
        wanted: Digest,
    },
    /// The policy wants a signature.
    #[error(
        "[{code}] plugin `{name}` is not signed by a key of [plugins] keys: {reason}; sign it (`trackside plugin sign`), \
         add the signer's key, or set require_signature = false",
        code = self.code()
    )]
    Unsigned {
        /// As in the workflow.
        name: String,
        /// What there is instead.
        reason: String,
        /// The component.
        digest: Digest,
    },
    /// The lock file.
    #[error(transparent)]
    Lock(LockError),
    /// A reference that the lock file does not know.
    #[error(
        "[{code}] {reference} is not in workflow.lock, and a node fetches nothing by itself; run \
         `trackside plugin add {reference}`",
        code = self.code()
    )]
    NotLocked {
        /// As in the workflow.
        reference: String,
    },
    /// A key of the config.
    #[error(transparent)]
    Key(KeyError),
    /// It has more bytes than a component may have.
    #[error(
        "[{code}] {} has {size} bytes; the limit is {limit}: strip its debug sections, or split it", file.display(),
        code = self.code()
    )]
    TooLarge {
        /// Where it lies.
        file: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The sandbox refuses it.
    #[error(transparent)]
    Load(Arc<LoadError>),
    /// There is no sandbox.
    #[error("plugin `{name}` cannot be loaded: {source}")]
    NoSandbox {
        /// As in the workflow.
        name: String,
        /// Why.
        source: Arc<SandboxError>,
    },
    /// What loaded it broke.
    #[error("plugin `{name}` cannot be loaded: {source}")]
    Broke {
        /// As in the workflow.
        name: String,
        /// How.
        source: Arc<JoinError>,
    },
}

impl Coded for PluginProblem {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-0601"),
            Self::Unreadable { .. } => code!("TS-0602"),
            Self::NotInstalled { .. } => code!("TS-0603"),
            Self::Changed { .. } => code!("TS-0604"),
            Self::Unsigned { .. } => code!("TS-0605"),
            Self::Lock(error) => error.code(),
            Self::NotLocked { .. } => code!("TS-0608"),
            Self::Key(error) => error.code(),
            Self::TooLarge { .. } => code!("TS-0310"),
            Self::Load(error) => error.code(),
            Self::NoSandbox { source, .. } => source.code(),
            Self::Broke { .. } => code!("TS-0720"),
        }
    }

    fn message(&self) -> String {
        match self {
            // The code stands before the reason, and not before the whole.
            Self::NoSandbox { name, source } => format!("plugin `{name}` cannot be loaded: {}", source.message()),
            _ => self.code().without(&self.to_string()).to_owned(),
        }
    }
}

impl PluginProblem {
    /// Whether the name means nothing any more. Everything else is a state that passes: a file that is being written, a
    /// component that is still to be fetched.
    pub(crate) fn is_removal(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::NotLocked { .. })
    }

    /// The component that it is about, where the message is about one.
    pub(crate) fn digest(&self) -> Option<Digest> {
        match self {
            Self::NotInstalled { digest, .. } | Self::Unsigned { digest, .. } => Some(*digest),
            Self::Changed { found, .. } => Some(*found),
            _ => None,
        }
    }
}

/// The plugins of a project. Each is loaded when it is first needed, and again when its files have changed; what was
/// loaded before is freed with the last call that uses it.
pub struct Plugins {
    sources: PluginSources,
    settings: SandboxSettings,
    sandbox: OnceLock<Sandbox>,
    /// Held by who makes the sandbox.
    making: Mutex<()>,
    /// By name, and whether instructions are counted.
    loaded: Mutex<HashMap<(String, bool), Arc<Slot>>>,
}

impl Plugins {
    /// The plugins that `sources` finds.
    #[must_use]
    pub fn new(sources: PluginSources, settings: SandboxSettings) -> Self {
        Self { sources, settings, sandbox: OnceLock::new(), making: Mutex::default(), loaded: Mutex::default() }
    }

    /// The sandbox, made when it is first needed.
    ///
    /// # Errors
    /// When it can not be made; the reason says why. The next call tries again: a disk that is full or away comes back.
    pub fn sandbox(&self) -> Result<&Sandbox, SandboxError> {
        if let Some(sandbox) = self.sandbox.get() {
            return Ok(sandbox);
        }
        let _making = lock(&self.making);
        if let Some(sandbox) = self.sandbox.get() {
            return Ok(sandbox);
        }
        let made = Sandbox::new(self.settings.clone())?;
        Ok(self.sandbox.get_or_init(|| made))
    }

    /// The plugin that a workflow calls `name`, as its files are now. Blocks while the component is compiled.
    ///
    /// # Errors
    /// When there is none, or it can not be used and no earlier one was. The next call tries again.
    pub fn get(&self, name: &str) -> Result<Arc<Plugin>, PluginProblem> {
        self.get_as(name, false)
    }

    /// The same; with `counting`, one whose instructions are counted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_as(&self, name: &str, counting: bool) -> Result<Arc<Plugin>, PluginProblem> {
        self.slot(name, counting).get(&self.sources, name, |found| {
            let unable = |error| PluginProblem::NoSandbox { name: name.to_owned(), source: Arc::new(error) };
            let sandbox = self.sandbox().map_err(unable)?;
            let loaded =
                if counting { sandbox.load_counting(&found.bytes, name) } else { sandbox.load(&found.bytes, name) };
            loaded.map_err(|error| PluginProblem::Load(Arc::new(error)))
        })
    }

    /// The plugin for a step that begins now: as its files are, loaded off the async threads where that is needed. One that
    /// was changed is waited for a little; meanwhile, and when it can not be used, steps get the last good one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn for_step(self: &Arc<Self>, name: &str, counting: bool) -> Result<Arc<Plugin>, PluginProblem> {
        let last_good = match self.slot(name, counting).ready(&self.sources, name) {
            Ready::Current(plugin) => return Ok(plugin),
            Ready::Changed(plugin) => Some(plugin),
            Ready::Absent => None,
        };
        let (plugins, wanted) = (self.clone(), name.to_owned());
        let loading = tokio::task::spawn_blocking(move || plugins.get_as(&wanted, counting));
        let loaded = match last_good {
            None => loading.await,
            Some(last_good) => match tokio::time::timeout(PATIENCE, loading).await {
                Ok(loaded) => loaded,
                // The loading goes on by itself.
                Err(_) => return Ok(last_good),
            },
        };
        loaded.unwrap_or_else(|error| Err(PluginProblem::Broke { name: name.to_owned(), source: Arc::new(error) }))
    }

    fn slot(&self, name: &str, counting: bool) -> Arc<Slot> {
        let mut loaded = lock(&self.loaded);
        loaded.entry((name.to_owned(), counting)).or_default().clone()
    }

    /// Names that can be used, with what each means; sorted.
    ///
    /// # Errors
    /// When the lock file can not be used.
    pub fn names(&self) -> Result<Vec<(String, PluginOrigin)>, PluginProblem> {
        self.sources.names()
    }

    /// Where they are looked for.
    #[must_use]
    pub fn sources(&self) -> &PluginSources {
        &self.sources
    }
}

/// Settings with the project's way to compile: in a process of its own where there is a program for it, on more than one
/// thread where the box is large.
#[must_use]
pub fn compiling(project: &Project, settings: SandboxSettings) -> SandboxSettings {
    let config = &project.config.plugins;
    let worker = project.compile_program.as_ref().map(|program| CompileWorker {
        program: program.clone(),
        memory: config.compile_memory.as_bytes(),
        time: config.compile_time.to_std(),
    });
    SandboxSettings { worker, compile_threads: compile_threads(), ..settings }
}

/// Half of the cores, at most four; one where memory is short, because every thread takes its own.
fn compile_threads() -> usize {
    const ENOUGH_KIB: u64 = 3 << 20;
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    if total.is_none_or(|total| total < ENOUGH_KIB) {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, 4))
}
