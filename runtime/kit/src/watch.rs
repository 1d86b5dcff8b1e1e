//! Waiting for an author to save a file.

use std::{
    fs::{self, DirEntry, File},
    path::{Component, Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use trackside_spec::Digest;

use crate::error::KitError;

/// Editors save in several steps; a build begins when this long nothing more has come.
const QUIET: Duration = Duration::from_millis(150);
/// Files of a project whose content is looked at.
const MAX_FILES: usize = 10_000;
/// Folders that tools write to.
const TOOLS: [&str; 6] = ["dist", "target", "node_modules", "build", "__pycache__", "zig-out"];

/// Watches a project's sources.
pub struct Sources {
    /// Kept: dropping it ends the watch.
    _watcher: RecommendedWatcher,
    changes: Receiver<()>,
    root: PathBuf,
    output: PathBuf,
}

impl Sources {
    /// Begins to watch `folder`. The file that the build makes is `output`, relative to it.
    ///
    /// # Errors
    /// When the folder can not be watched.
    pub fn watch(folder: &Path, output: &Path) -> Result<Self, KitError> {
        let unwatchable = |error: notify::Error| {
            let source = std::io::Error::other(error);
            KitError::Io { what: "cannot watch", path: folder.to_owned(), source }
        };
        let root = folder.canonicalize().map_err(KitError::io("cannot watch", folder))?;
        let (tell, changes) = channel();
        let (base, made) = (root.clone(), output.to_owned());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = match &event {
                // The queue ran over: something has changed.
                Err(_) => true,
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_))
                        && event.paths.iter().any(|path| is_source(path, &base, &made))
                }
            };
            if counts {
                // Nobody listens any more when this fails.
                let _ = tell.send(());
            }
        })
        .map_err(unwatchable)?;
        watcher.watch(&root, RecursiveMode::Recursive).map_err(unwatchable)?;
        Ok(Self { _watcher: watcher, changes, root, output: output.to_owned() })
    }

    /// Waits until something was saved and it is quiet again. False when the watch is over.
    #[must_use]
    pub fn wait(&self) -> bool {
        if self.changes.recv().is_err() {
            return false;
        }
        loop {
            match self.changes.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Forgets what was saved until now, and tells the sources' state after that. What is saved from now on ends the next
    /// wait.
    #[must_use]
    pub fn state(&self) -> Digest {
        while self.changes.try_recv().is_ok() {}
        let mut text = String::new();
        let mut folders = vec![self.root.clone()];
        // Enough for any plugin; what lies beyond is seen by its events alone.
        let mut left = MAX_FILES;
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut entries: Vec<DirEntry> = entries.take(left).collect();
            left -= entries.len();
            entries.sort_by_key(DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                if !is_source(&path, &self.root, &self.output) {
                    continue;
                }
                if meta.is_dir() {
                    folders.push(path);
                } else if meta.is_file() {
                    let content = File::open(&path).and_then(|mut file| Digest::of_reader(&mut file));
                    let content = content.map_or_else(|error| error.to_string(), |digest| digest.to_string());
                    text.push_str(&format!("{content} {}\n", path.display()));
                }
            }
        }
        Digest::of(text.as_bytes())
    }
}

/// Whether a path below `root` is something that people edit.
fn is_source(path: &Path, root: &Path, output: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(root) else { return false };
    let tools = inside.components().any(|part| match part {
        Component::Normal(name) => {
            let name = name.to_string_lossy();
            TOOLS.contains(&name.as_ref()) || name.starts_with('.') || name.ends_with('~')
        }
        _ => false,
    });
    !tools && inside != output && !inside.as_os_str().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_people_edit_counts() {
        let (root, output) = (Path::new("/p"), Path::new("core.wasm"));
        for source in ["/p/src/lib.rs", "/p/plugin.toml", "/p/tests/a.yaml"] {
            assert!(is_source(Path::new(source), root, output), "{source}");
        }
        for other in ["/p", "/p/core.wasm", "/p/dist/a.wasm", "/p/target/x", "/p/.git/index", "/p/src/lib.rs~", "/q/a"]
        {
            assert!(!is_source(Path::new(other), root, output), "{other}");
        }
    }

    #[test]
    fn a_save_ends_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::watch(folder.path(), Path::new("out.wasm")).unwrap();
        std::fs::write(folder.path().join("out.wasm"), "made").unwrap();
        std::fs::write(folder.path().join("main.c"), "edited").unwrap();
        assert!(sources.wait());
    }

    #[test]
    fn the_state_is_that_of_the_contents() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir_all(folder.path().join("src/target")).unwrap();
        write("src/a.c", "one");
        let sources = Sources::watch(folder.path(), Path::new("out.wasm")).unwrap();
        let first = sources.state();
        write("out.wasm", "made");
        write("src/target/x", "made");
        write("src/a.c", "one");
        assert_eq!(sources.state(), first);
        write("src/a.c", "two");
        let second = sources.state();
        assert_ne!(second, first);
        std::fs::rename(folder.path().join("src/a.c"), folder.path().join("src/b.c")).unwrap();
        assert_ne!(sources.state(), second);
    }
}
