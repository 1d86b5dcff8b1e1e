//! What the steps of a project need, as its config says.

use std::{path::Path, sync::Arc};

use trackside_sandbox::SandboxSettings;
use trackside_serving::SystemClock;
use trackside_steps::{Models, PluginSources, Plugins, Workshop};
use trackside_store::{Artifacts, Clock, Readers};

use crate::project::Project;

/// For a node that keeps what steps make in `artifacts`.
pub(crate) fn workshop(
    project: &Project,
    artifacts: Arc<Artifacts>,
    readers: Arc<Readers>,
    clock: Arc<dyn Clock>,
) -> Workshop {
    Workshop {
        project: project.root.clone(),
        config: project.config.clone(),
        plugins: Arc::new(plugins(project)),
        models: Arc::new(models(project, readers.clone())),
        artifacts,
        readers,
        clock,
        own: Arc::default(),
    }
}

/// What steps need, with what they write going to `scratch` and everything else read from the project. Works beside a
/// running node.
///
/// # Errors
/// When the scratch folder can not be prepared.
pub fn replay_workshop(project: &Project, scratch: &Path, clock: Arc<dyn Clock>) -> std::io::Result<Arc<Workshop>> {
    let data_dir = project.data_dir();
    let artifacts = Arc::new(Artifacts::beside(&data_dir, scratch)?);
    let readers = artifacts.readers().clone();
    Ok(Arc::new(workshop(project, artifacts, readers, clock)))
}

/// The models of a project, those of its registry as these readers see it.
fn models(project: &Project, readers: Arc<Readers>) -> Models {
    let clock = Arc::new(SystemClock::default());
    Models::new(project.root.clone(), project.data_dir(), project.config.clone(), readers, clock)
}

/// The models of a project that has no node here, or one in another process.
#[must_use]
pub fn project_models(project: &Project) -> Models {
    models(project, Arc::new(Readers::new(project.data_dir())))
}

/// The plugins of a project.
#[must_use]
pub fn plugins(project: &Project) -> Plugins {
    let (data, config) = (project.data_dir(), &project.config.plugins);
    let settings = SandboxSettings {
        concurrent_calls: max_steps(project),
        warm_instances: usize::try_from(config.warm_instances).unwrap_or(usize::MAX),
        warm_bytes: config.warm_memory.as_bytes(),
        ca_file: project.config.http.ca_file.as_ref().map(|file| project.root.join(file)),
        ..compiling(project, SandboxSettings::new(data.join("cache"), data.join("cache.key")))
    };
    Plugins::new(plugin_sources(project), settings)
}

/// Where the plugins of a project are looked for.
#[must_use]
pub fn plugin_sources(project: &Project) -> PluginSources {
    PluginSources::new(project.root.clone(), project.plugin_dir(), &project.data_dir(), &project.config.plugins)
}

/// Settings with the project's way to compile.
#[must_use]
pub fn compiling(project: &Project, settings: SandboxSettings) -> SandboxSettings {
    trackside_steps::compiling(&project.config.plugins, project.compile_program.as_ref(), settings)
}

/// Steps that run at the same time: what the config says, or two for each core.
pub(crate) fn max_steps(project: &Project) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wished = usize::try_from(project.config.node.max_steps).unwrap_or(usize::MAX);
    if wished == 0 { cores * 2 } else { wished }
}
