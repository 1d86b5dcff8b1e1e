//! Which parts of a folder are watched and which have to be looked through at intervals.
//!
//! A look through a folder sets the watches on its way: a sub-folder is watched before it is read, so nothing can come into
//! it unseen. Where that fails only the part below is looked through at intervals, and each time it is tried again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{folder::Folder, signals::Signals, spot::remote_file_system};

/// Why a part of a folder is looked through at intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// It is on a file system where other machines' changes raise no event. Watches are set all the same, for our own.
    Remote,
    /// It cannot be watched, for the time being.
    Refused,
}

/// What a look through a folder found out.
#[derive(Debug, Default)]
pub struct CoverageChange {
    /// Parts that are to be looked through at intervals from now on, and why, for people.
    pub refused: Vec<((PathBuf, Polled), String)>,
    /// Parts that are watched again.
    pub healed: Vec<PathBuf>,
}

impl CoverageChange {
    /// One part has become unwatchable.
    pub fn refused(part: &Path, reason: &str) -> Self {
        Self { refused: vec![((part.to_owned(), Polled::Refused), reason.to_owned())], healed: Vec::new() }
    }

    /// Whether no part is lost.
    pub fn is_whole(&self) -> bool {
        self.refused.is_empty()
    }
}

/// Sets watches while a folder is looked through.
pub struct Coverage<'a> {
    signals: &'a mut Signals,
    polled: BTreeMap<PathBuf, Polled>,
    change: CoverageChange,
    /// Where the look began, when it goes below that only into what is not watched.
    only_new_below: Option<PathBuf>,
}

impl<'a> Coverage<'a> {
    /// For a look through `folder`.
    pub fn of(folder: &Folder, signals: &'a mut Signals) -> Self {
        Self { signals, polled: folder.polled.clone(), change: CoverageChange::default(), only_new_below: None }
    }

    /// The look goes below `start` only into what is not watched.
    pub fn only_new_below(self, start: &Path) -> Self {
        Self { only_new_below: Some(start.to_owned()), ..self }
    }

    /// The part at `relative` below `root` is about to be read. False when it is to be passed over.
    pub fn enter(&mut self, root: &Path, relative: &Path) -> bool {
        let path = if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(relative) };
        if self.only_new_below.as_ref().is_some_and(|start| start != relative) && self.signals.covers(&path) {
            return false;
        }
        let nearest = relative.ancestors().find_map(|part| self.polled.get(part).map(|why| (part.to_owned(), *why)));
        match nearest {
            Some((_, Polled::Remote)) => {
                // As good as it gets; a failure changes nothing.
                let _ = self.signals.cover(&path);
            }
            Some((part, Polled::Refused)) => {
                // Only the uppermost part is tried again: below it the answer would be the same many times.
                if part == relative && self.signals.cover(&path).is_ok() {
                    self.polled.remove(&part);
                    self.change.healed.push(part);
                }
            }
            None => {
                if let Some(kind) = remote_file_system(&path) {
                    let _ = self.signals.cover(&path);
                    let reason = format!("it is on {kind}, where changes made by other machines raise no event");
                    self.refuse(relative, Polled::Remote, reason);
                } else if let Err(reason) = self.signals.cover(&path) {
                    self.refuse(relative, Polled::Refused, reason.to_string());
                }
            }
        }
        true
    }

    /// What was found out.
    pub fn done(self) -> CoverageChange {
        self.change
    }

    fn refuse(&mut self, relative: &Path, why: Polled, reason: String) {
        self.polled.insert(relative.to_owned(), why);
        self.change.refused.push(((relative.to_owned(), why), reason));
    }
}
