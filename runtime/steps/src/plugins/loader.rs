//! From a plugin's name in a workflow to a component that is ready to run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use trackside_sandbox::{CompileProgram, CompileWorker, Plugin, Sandbox, SandboxError, SandboxSettings};
use trackside_spec::config::PluginsConfig;
use trackside_sync::lock;

use super::{
    problem::PluginProblem,
    slot::{Ready, Slot},
    source::{PluginOrigin, PluginSources},
};

/// How long a step waits for a component that has been changed before it begins on the last good one.
const PATIENCE: Duration = Duration::from_secs(5);

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
pub fn compiling(
    config: &PluginsConfig,
    program: Option<&CompileProgram>,
    settings: SandboxSettings,
) -> SandboxSettings {
    let worker = program.map(|program| CompileWorker {
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
