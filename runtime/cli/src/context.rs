//! What every command starts from: the console and the project.

use std::{
    env,
    fs::{self, FileType},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::runtime::Runtime;
use trackside_codes::code;
use trackside_control::{socket_path, user_name};
use trackside_node::{Plugins, Project, compiling, plugin_sources, project_plugins};
use trackside_sandbox::{CompileProgram, SandboxSettings};
use trackside_spec::NodeConfig;
use trackside_store::Reader;

use crate::{allocator, args::Global, console::Console, failure::Failure};

/// The file that makes a folder a project.
pub const CONFIG: &str = "trackside.toml";

/// The command that compiles a plugin in a process of its own.
pub const COMPILE_WORKER: &str = "compile-worker";
/// The command that looks at a model in a process of its own.
pub const MODEL_WORKER: &str = "model-worker";
/// What of the environment leads to ONNX Runtime's library, and to the Python that may know it.
const LEADS_TO_ENGINE: [&str; 6] =
    ["ORT_DYLIB_PATH", "ORT_DISABLE_TELEMETRY", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "VIRTUAL_ENV"];

/// Console and project.
pub struct Context {
    /// Where words and data go.
    pub console: Console,
    root: PathBuf,
    /// Whether somebody named the folder.
    named: bool,
}

impl Context {
    /// As the options, the environment and the current folder say.
    pub fn new(global: &Global, console: Console) -> Result<Self, Failure> {
        let from_env = || env::var_os("TRACKSIDE_PROJECT").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let named = global.project.clone().or_else(from_env);
        let here = env::current_dir()
            .map_err(|error| Failure::new(code!("TS-0803"), format!("the current folder can not be used: {error}")))?;
        let (root, named) = match named {
            Some(root) => (here.join(root), true),
            None => (nearest(&here).unwrap_or(&here).to_owned(), false),
        };
        Ok(Self { console, root, named })
    }

    /// The same console on another folder.
    pub fn at(&self, root: &Path) -> Self {
        Self { console: self.console, root: root.to_owned(), named: true }
    }

    /// A command line of this program for the same project, as a person would type it here.
    pub fn command(&self, rest: &str) -> String {
        if self.named {
            format!("trackside --project {} {rest}", self.root.display())
        } else {
            format!("trackside {rest}")
        }
    }

    /// Reads the project; any folder will do, so that looking at files needs none.
    pub fn any_project(&self) -> Result<Project, Failure> {
        let mut project = Project::open(&self.root)?;
        // This very program, also when its file was replaced by an update meanwhile.
        project.compile_program = Some(CompileProgram {
            program: PathBuf::from("/proc/self/exe"),
            arguments: vec![COMPILE_WORKER.to_owned()],
            environment: vec![(allocator::VARIABLE.to_owned(), "system".to_owned())],
        });
        project.model_program = Some(model_program());
        Ok(project)
    }

    /// Reads the project, and refuses a folder that is none: a node would leave its data there.
    pub fn project(&self) -> Result<Project, Failure> {
        let project = self.any_project()?;
        if is_project(&project)? {
            return Ok(project);
        }
        let place = if self.named { "is no project" } else { "is no project, and nothing above it is" };
        let root = project.root.display();
        Err(Failure::new(
            code!("TS-0804"),
            format!(
                "{root} {place}: there is no {CONFIG} and no folder {}; go to a project, name one with --project, or \
             make one with `trackside init`",
                project.config.node.workflows
            ),
        ))
    }

    /// The data folder of a node that may be running: also with a config that has been broken since its start.
    pub fn node_dir(&self) -> Result<PathBuf, Failure> {
        let usual = self.root.join(&NodeConfig::default().node.data);
        match self.project() {
            Ok(project) => Ok(project.data_dir()),
            // Also where it can not be seen: who asks there is told that it is not theirs.
            Err(_) if !matches!(socket_path(&usual).try_exists(), Ok(false)) => Ok(usual),
            Err(error) => Err(error),
        }
    }

    /// The committed data of the project.
    pub fn reader(&self) -> Result<(Project, Reader), Failure> {
        let project = self.any_project()?;
        match self.reader_of(&project)? {
            Some(reader) => Ok((project, reader)),
            None => Err(Failure::new(
                code!("TS-0805"),
                format!(
                    "there is no data in {} yet: nothing has run there; is it the right project (--project)?",
                    project.data_dir().display()
                ),
            )),
        }
    }

    /// The committed data of a project; none where nothing has run yet.
    pub fn reader_of(&self, project: &Project) -> Result<Option<Reader>, Failure> {
        let data_dir = project.data_dir();
        let database = data_dir.join("trackside.db");
        // What can not be seen is not the same as what is not there.
        // (Asked by name: closing a file of the database would drop the locks that this process has on it.)
        match rustix::fs::access(&database, rustix::fs::Access::READ_OK).map_err(io::Error::from) {
            Ok(()) => Ok(Some(Reader::open(&data_dir)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(not_readable(&database, &error)),
        }
    }
}

/// This very program, as the one that looks at models.
fn model_program() -> CompileProgram {
    let known = LEADS_TO_ENGINE.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?)));
    CompileProgram {
        program: PathBuf::from("/proc/self/exe"),
        arguments: vec![MODEL_WORKER.to_owned()],
        environment: known.chain([(allocator::VARIABLE.to_owned(), "system".to_owned())]).collect(),
    }
}

/// Whether a node may be started there.
fn is_project(project: &Project) -> Result<bool, Failure> {
    for (path, wanted) in
        [(CONFIG, FileType::is_file as fn(&_) -> _), (&project.config.node.workflows, FileType::is_dir)]
    {
        let path = project.root.join(path);
        match fs::metadata(&path) {
            Ok(found) if wanted(&found.file_type()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(not_readable(&path, &error)),
            _ => {}
        }
    }
    Ok(false)
}

/// A file of the project that is there, or may be, and can not be read.
pub fn not_readable(path: &Path, error: &io::Error) -> Failure {
    // The nearest folder that can be seen tells whose it is.
    let owner = path.ancestors().find_map(|path| fs::metadata(path).ok()).map(|found| user_name(found.uid()));
    let remedy = match owner {
        Some(owner) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("a project's data is for its own user alone: run this as that user (it belongs to {owner})")
        }
        _ => "look at the disk and at the system's log".to_owned(),
    };
    Failure::new(code!("TS-0808"), format!("cannot read {}: {error}; {remedy}", path.display()))
}

fn nearest(here: &Path) -> Option<&Path> {
    here.ancestors().find(|folder| folder.join(CONFIG).is_file())
}

/// Refuses the data folder of another user, in the words of all commands. One that there is not yet is fine.
pub fn own_data(project: &Project) -> Result<(), Failure> {
    let folder = project.data_dir();
    match rustix::fs::access(&folder, rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK)
        .map_err(io::Error::from)
    {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(not_readable(&folder, &error)),
        _ => Ok(()),
    }
}

/// The plugins of a folder. Compiled code is kept only where a project is; the temporary folder must outlive them.
pub fn plugins_of(project: &Project) -> Result<(Plugins, Option<tempfile::TempDir>), Failure> {
    own_data(project)?;
    if is_project(project)? && project.data_dir().is_dir() {
        return Ok((project_plugins(project), None));
    }
    let temp = temp_dir("trackside-plugins-")?;
    let settings = SandboxSettings::new(temp.path().join("cache"), temp.path().join("cache.key"));
    Ok((Plugins::new(plugin_sources(project), compiling(project, settings)), Some(temp)))
}

/// A temporary folder for this user alone.
pub fn temp_dir(prefix: &str) -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new().prefix(prefix).tempdir().map_err(|error| {
        let folder = env::temp_dir();
        Failure::new(
            code!("TS-0806"),
            format!("cannot make a folder in {}: {error}; set TMPDIR to a folder with space", folder.display()),
        )
    })
}

/// Requests that ask the disk at the same time.
const BLOCKING: usize = 16;

/// A runtime for the CLI's own waiting; the node brings its threads along.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // For questions to the disk. Each thread has a stack and a heap of its own, and more of them make no disk faster.
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(Duration::from_secs(2))
        .build()
        .map_err(|error| Failure::new(code!("TS-0807"), format!("cannot start: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_with_a_config_is_the_project() {
        let top = tempfile::tempdir().unwrap();
        let inner = top.path().join("a/b/c");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(nearest(&inner), None);
        std::fs::write(top.path().join(CONFIG), "").unwrap();
        assert_eq!(nearest(&inner), Some(top.path()));
        std::fs::write(top.path().join("a/b").join(CONFIG), "").unwrap();
        assert_eq!(nearest(&inner), Some(top.path().join("a/b").as_path()));
    }
}
