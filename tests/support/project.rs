//! A project in a folder of its own.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use trackside_spec::Digest;
use trackside_store::Artifacts;

use super::{
    command::{Ran, Trackside},
    node::Node,
    repository,
    wait::wait_until,
};

/// What examples write while they run; a copy begins without it.
const LEFT_BEHIND: [&str; 10] = [
    ".trackside",
    "inbox",
    "accepted",
    "quarantine",
    "alerts",
    "rejected",
    "reports",
    "predicted",
    "forecasts",
    "orders",
];

/// A project. Its folder goes with it.
pub struct Project {
    folder: TempDir,
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

impl Project {
    /// One without workflows.
    pub fn new() -> Self {
        // A short name: the path of its socket must fit the kernel.
        let folder = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
        let project = Self { folder };
        project.write("trackside.toml", "[node]\nname = \"test\"\n");
        project
    }

    /// A copy of an example, with the lines of `engine` added to its config.
    pub fn example(name: &str, engine: &str) -> Self {
        let project = Self::new();
        copy(&repository::example(name), project.root());
        let config = format!("{}\n{engine}\n", project.read("trackside.toml"));
        project.write("trackside.toml", config);
        project
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// Writes a file of it, folders included.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Reads a file of it.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What an artifact holds, by its digest, wherever it lies.
    #[track_caller]
    pub fn artifact(&self, digest: &str) -> String {
        self.run(&["artifact", "get", digest]).ok().stdout
    }

    /// The digits of all artifacts, files and those in the database.
    pub fn artifacts(&self) -> BTreeSet<String> {
        let all = Artifacts::read_only(&self.path(".trackside")).list().unwrap();
        all.iter().map(Digest::hex).collect()
    }

    /// The file of an artifact; none where it stands in the database.
    pub fn artifact_file(&self, digest: &str) -> Option<PathBuf> {
        let hex = digest.trim_start_matches("sha256:");
        Some(self.path(&format!(".trackside/artifacts/{}/{hex}", &hex[..2]))).filter(|file| file.is_file())
    }

    /// Names of the files in one of its folders, sorted; none when there is no such folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Adds the workflow `name` with everything below its name as given.
    pub fn workflow(&self, name: &str, rest: &str) {
        self.write(&format!("workflows/{name}.yaml"), format!("version: 1\nname: {name}\n{rest}"));
    }

    /// Puts the plugin that breaks every rule among the project's own, as `name`.
    pub fn misbehave(&self, name: &str) {
        let component = fs::read(repository::component("testing/misbehave.wasm")).unwrap();
        self.write(&format!("plugins/{name}.wasm"), component);
    }

    /// Drops a file into a watched folder as a careful program does: whole, by a rename.
    pub fn drop_file(&self, path: &str, content: impl AsRef<[u8]>) {
        let (target, part) = (self.path(path), self.path(&format!(".part-{}", path.replace('/', "-"))));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&part, content).unwrap();
        fs::rename(part, target).unwrap();
    }

    /// A command in this project.
    pub fn command(&self, arguments: &[&str]) -> Trackside {
        Trackside::new(arguments).within(self.root())
    }

    /// Runs a command in this project.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).run()
    }

    /// `runs list`, newest first.
    #[track_caller]
    pub fn runs(&self) -> Vec<Value> {
        let list = self.run(&["runs", "list", "--limit", "100000", "--json"]).ok().json();
        list.as_array().expect("a list").clone()
    }

    /// Waits until there are so many runs and all of them have ended. Gives them, oldest first.
    #[track_caller]
    pub fn wait_runs(&self, number: usize) -> Vec<Value> {
        wait_until(&format!("{number} runs that have ended"), || {
            let mut runs = self.runs();
            assert!(runs.len() <= number, "{} runs where {number} were expected: {runs:#?}", runs.len());
            runs.reverse();
            (runs.len() == number && runs.iter().all(|run| run["state"] != "running")).then_some(runs)
        })
    }

    /// `runs show`.
    #[track_caller]
    pub fn show(&self, run: &str) -> Value {
        self.run(&["runs", "show", run, "--json"]).ok().json()
    }

    /// Waits for the end of a run, deliveries included, and shows it.
    #[track_caller]
    pub fn wait_end(&self, run: &str) -> Value {
        wait_until(&format!("the end of run {run}"), || {
            let view = self.show(run);
            (view["state"] != "running" && view["outbox_waiting"] == 0).then_some(view)
        })
    }

    /// Starts a node on it and waits until that is ready.
    #[track_caller]
    pub fn serve(&self) -> Node {
        Node::start(self.root())
    }
}

/// The step of this id in what `runs show` prints.
#[track_caller]
pub fn step<'v>(view: &'v Value, id: &str) -> &'v Value {
    let steps = view["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}: {view:#}"))
}

/// Copies a folder's files, without what running leaves behind.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        // Links are the toolchains' of other languages, and may lead nowhere by now.
        if LEFT_BEHIND.iter().any(|left| name == *left) || entry.file_type().unwrap().is_symlink() {
            continue;
        }
        let (source, target) = (entry.path(), to.join(name));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}
