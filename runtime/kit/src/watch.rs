//! Waiting for an author to save a file.

use std::{
    path::{Component, Path},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::error::KitError;

/// Editors save in several steps; a build begins when this long nothing more has come.
const QUIET: Duration = Duration::from_millis(150);
/// Folders that tools write to.
const TOOLS: [&str; 6] = ["dist", "target", "node_modules", "build", "__pycache__", "zig-out"];

/// Watches a project's sources.
pub struct Sources {
    /// Kept: dropping it ends the watch.
    _watcher: RecommendedWatcher,
    changes: Receiver<()>,
}

impl Sources {
    /// Begins to watch `folder`. The file that the build makes is `output`, relative to it.
    ///
    /// # Errors
    /// When the folder can not be watched.
    pub fn watch(folder: &Path, output: &Path) -> Result<Self, KitError> {
        let unwatchable = |error: notify::Error| {
            let source = std::io::Error::other(error.to_string());
            KitError::Io { what: "cannot watch", path: folder.to_owned(), source }
        };
        let root = folder.canonicalize().map_err(KitError::io("cannot watch", folder))?;
        let (tell, changes) = channel();
        let (base, output) = (root.clone(), output.to_owned());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = match &event {
                // The queue ran over: something has changed.
                Err(_) => true,
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_))
                        && event.paths.iter().any(|path| is_source(path, &base, &output))
                }
            };
            if counts {
                // Nobody listens any more when this fails.
                let _ = tell.send(());
            }
        })
        .map_err(unwatchable)?;
        watcher.watch(&root, RecursiveMode::Recursive).map_err(unwatchable)?;
        Ok(Self { _watcher: watcher, changes })
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

    /// Forgets what was saved until now.
    pub fn forget(&self) {
        while self.changes.try_recv().is_ok() {}
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
        sources.forget();
    }
}
