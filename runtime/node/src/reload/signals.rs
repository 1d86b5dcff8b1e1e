//! The operating system's word that something may have changed.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::Sender,
};

use notify::{
    Config, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};

use super::{folder::is_workflow, work::Notice};

/// Everything that changes a file, and closing after writing. Never opening or reading: the node reads the files itself.
const EVENTS: EventKindMask = EventKindMask::CORE.union(EventKindMask::ACCESS_CLOSE);

/// What an event says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stir {
    /// Bytes were written; whoever did that has the file open.
    Writing(PathBuf),
    /// Something else, after which the file is as its writer wants it.
    Done(PathBuf),
}

/// The paths that decide what the project's workflows are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    pub(crate) workflows: PathBuf,
    pub(crate) plugins: PathBuf,
}

impl Places {
    /// Whether a change of `path` can matter.
    fn concern(&self, path: &Path) -> bool {
        let named = ["trackside.toml", "workflow.lock"].iter().any(|name| *path == self.root.join(name));
        // Also what is no workflow by its name: files may be links to what lies elsewhere.
        let inside = path.parent().is_some_and(|parent| parent == self.workflows || parent == self.plugins);
        named || inside || self.is_folder(path)
    }

    /// Whether `path` is one of the folders, or above one of them: what was watched may be another folder now.
    pub(crate) fn is_folder(&self, path: &Path) -> bool {
        self.workflows.starts_with(path) || self.plugins.starts_with(path)
    }

    /// The folders to watch: those with the files, and those above them in the project, as far as they exist.
    fn folders(&self) -> Vec<PathBuf> {
        let above = |folder: &PathBuf| -> Vec<PathBuf> {
            let inside = folder.ancestors().take_while(|path| path.starts_with(&self.root));
            let outside = (!folder.starts_with(&self.root)).then_some(folder.as_path());
            inside.chain(outside).map(Path::to_owned).collect()
        };
        let mut folders: Vec<PathBuf> = [&self.workflows, &self.plugins].into_iter().flat_map(above).collect();
        folders.push(self.root.clone());
        folders.sort();
        folders.dedup();
        folders.retain(|folder| folder.is_dir());
        folders
    }
}

/// Sets all watches. They last as long as what is given back.
///
/// # Errors
/// Why nothing, or not all of it, can be watched.
pub(crate) fn watch(places: &Places, tell: &Sender<Notice>) -> Result<RecommendedWatcher, notify::Error> {
    let (tell, concerned) = (tell.clone(), places.clone());
    let config = Config::default().with_event_kinds(EVENTS);
    let receive = move |event: notify::Result<Event>| {
        let notice = match event {
            Ok(event) if event.need_rescan() => Some(Notice::Lost),
            Ok(event) => stir(event, &concerned).map(Notice::Stirred),
            Err(_) => Some(Notice::Lost),
        };
        if let Some(notice) = notice {
            // After the end nobody is there to hear it.
            let _ = tell.send(notice);
        }
    };
    let mut watcher = RecommendedWatcher::new(receive, config)?;
    for folder in places.folders() {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn stir(event: Event, places: &Places) -> Option<Stir> {
    // A rename has two paths: either may be the one that counts.
    let path = event.paths.into_iter().find(|path| places.concern(path))?;
    match event.kind {
        // Only what is read is waited for: an editor has its own file open for as long as it runs.
        EventKind::Modify(ModifyKind::Data(_)) if is_workflow(&path) => Some(Stir::Writing(path)),
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Create(_)
        | EventKind::Remove(_)
        | EventKind::Modify(_)
        | EventKind::Any
        | EventKind::Other => Some(Stir::Done(path)),
        EventKind::Access(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_being_written_is_waited_for_and_an_editors_own_is_not() {
        let places = Places { root: "/p".into(), workflows: "/p/w".into(), plugins: "/p/plugins".into() };
        let event = |kind, path: &str| stir(Event::new(kind).add_path(path.into()), &places);
        let writing = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        assert_eq!(event(writing, "/p/w/a.yaml"), Some(Stir::Writing("/p/w/a.yaml".into())));
        assert_eq!(event(writing, "/p/w/.a.yaml.swp"), Some(Stir::Done("/p/w/.a.yaml.swp".into())));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(event(closed, "/p/w/a.yaml"), Some(Stir::Done("/p/w/a.yaml".into())));
        assert_eq!(event(EventKind::Access(AccessKind::Open(AccessMode::Read)), "/p/w/a.yaml"), None);
        assert_eq!(event(closed, "/p/inbox/a.csv"), None);
    }

    #[test]
    fn only_what_can_change_a_definition_is_listened_to() {
        let places = Places { root: "/p".into(), workflows: "/p/conf/workflows".into(), plugins: "/p/plugins".into() };
        for path in
            ["/p/trackside.toml", "/p/conf", "/p/conf/workflows", "/p/conf/workflows/..data", "/p/workflow.lock"]
        {
            assert!(places.concern(Path::new(path)), "{path}");
        }
        for path in ["/p/inbox", "/p/a.csv", "/p/.trackside", "/p/conf/workflows/deep/a.yaml", "/p/conf/a.yaml"] {
            assert!(!places.concern(Path::new(path)), "{path}");
        }
    }
}
