//! Taking a file out of its folder, or copying it, once its run is on disk.

use std::{io, path::PathBuf};

use trackside_spec::Claim;

use super::{
    folder::Folder,
    host::Decision,
    place,
    same::{self, Now},
    settling::Key,
    spot::{Look, Spot},
    watcher::{MAX_PENDING, Round},
};

/// A file whose run is on disk and which another trigger still wants to read.
#[derive(Debug)]
pub(super) struct Leaving {
    key: Key,
    look: Look,
    relative: String,
    identity: String,
}

impl Round {
    /// Does with the file of an accepted run what the trigger's `claim` says.
    pub(super) fn claim(&mut self, key: &Key, look: Look, relative: &str, identity: &str) {
        let folder = &self.folders[key.0];
        if folder.watched.trigger.claim == Claim::Keep {
            return self.deal_with(key, look);
        }
        let Some(root) = folder.root.clone() else { return };
        let held = self.held_path(key);
        match Spot::find(&root, &held) {
            Ok(spot) => self.clear_away(key, look, relative, identity, &spot),
            // Somebody else removed the folder that held it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.is_away(key, look, identity),
            Err(error) => {
                self.not_claimed(key, look, relative, identity, Decision::NotRemoved { error: error.to_string() })
            }
        }
    }

    /// The same for a file whose folder is at hand.
    pub(super) fn clear_away(&mut self, key: &Key, look: Look, relative: &str, identity: &str, spot: &Spot<'_>) {
        let stat = match same::now(spot, look, Folder::digest_of(identity)) {
            Ok(Now::Same(stat)) => stat,
            Ok(Now::Gone) => return self.is_away(key, look, identity),
            Ok(Now::Another) => {
                if self.strangers.len() < MAX_PENDING {
                    self.strangers.insert(key.clone());
                }
                self.host.claimed(&self.folders[key.0].watched.trigger_id, identity);
                self.look_again(key);
                return self.release(key);
            }
            // Whatever it is when it stands still: the ledger tells then what is left to do.
            Ok(Now::Changing) => {
                self.look_again(key);
                return self.release(key);
            }
            Err(error) => {
                let decision = Decision::NotRemoved { error: error.to_string() };
                return self.not_claimed(key, look, relative, identity, decision);
            }
        };
        let look = Look { stat, ..look };
        let takes_away = self.folders[key.0].watched.trigger.claim.takes_away();
        if takes_away && self.others_want(key, look) {
            return self.wait_for_others(key, look, relative, identity);
        }
        let watched = &self.folders[key.0].watched;
        let to = watched.to.as_ref().map(|to| to.join(relative));
        let done = match (&watched.trigger.claim, &to) {
            (Claim::MoveTo(_), Some(to)) => place::move_to(spot, look.stat, to),
            (Claim::CopyTo(_), Some(to)) => place::copy_to(spot, look.stat, to),
            _ => spot.remove(look.stat),
        };
        match (done, to) {
            (Ok(true), _) => {
                self.host.claimed(&self.folders[key.0].watched.trigger_id, identity);
                if !takes_away {
                    self.memory.keep(key, look, self.epoch);
                }
                self.release(key);
            }
            // Changed in this very moment.
            (Ok(false), _) => {
                self.look_again(key);
                self.release(key);
            }
            (Err(error), Some(to)) => {
                self.not_claimed(key, look, relative, identity, Decision::NotPlaced { to, error: error.to_string() });
            }
            (Err(error), None) => {
                self.not_claimed(key, look, relative, identity, Decision::NotRemoved { error: error.to_string() });
            }
        }
    }

    /// Somebody else took it away, or it has another name now.
    fn is_away(&mut self, key: &Key, look: Look, identity: &str) {
        self.host.claimed(&self.folders[key.0].watched.trigger_id, identity);
        self.note_vanished(key.0, look, identity);
        self.release(key);
    }

    fn not_claimed(&mut self, key: &Key, look: Look, relative: &str, identity: &str, decision: Decision) {
        // Its run is accepted: it does not get its own name back, under which another box would take it.
        self.tell(key, Some(look.stat), relative, Some(identity.to_owned()), decision);
        self.deal_with(key, look);
    }

    /// Whether another trigger has yet to deal with the file.
    fn others_want(&mut self, key: &Key, look: Look) -> bool {
        // Where boxes compete for a file, the triggers of one box do, too.
        if self.folders.len() == 1 || self.folders[key.0].watched.shared_as.is_some() {
            return false;
        }
        let Some(path) = self.path_of(key) else { return false };
        (0..self.folders.len()).filter(|index| *index != key.0).any(|index| {
            let folder = &self.folders[index];
            let Some(relative) = folder.root.as_ref().and_then(|root| path.strip_prefix(root).ok()) else {
                return false;
            };
            let ours = folder.matches(relative)
                && relative.parent().is_none_or(|above| above.as_os_str().is_empty() || folder.reaches_below(above));
            ours && !self.memory.holds(&(index, relative.to_owned().into()), look, None)
        })
    }

    fn wait_for_others(&mut self, key: &Key, look: Look, relative: &str, identity: &str) {
        // Not read again meanwhile.
        self.memory.keep(key, look, self.epoch);
        let Some(path) = self.path_of(key) else { return };
        if self.leaving.len() >= MAX_PENDING {
            // The ledger knows it: a later look through the folder takes it out.
            self.memory.drop(key);
            self.lost = true;
            return;
        }
        let leaving = Leaving { key: key.clone(), look, relative: relative.to_owned(), identity: identity.to_owned() };
        self.leaving.entry(path).or_default().push(leaving);
    }

    /// This trigger has nothing more to do about the file as it is.
    pub(super) fn deal_with(&mut self, key: &Key, look: Look) {
        self.memory.keep(key, look, self.epoch);
        self.release(key);
    }

    /// Whoever waited for this trigger goes on.
    fn release(&mut self, key: &Key) {
        if self.leaving.is_empty() {
            return;
        }
        let Some(waiting) = self.path_of(key).and_then(|path| self.leaving.remove(&path)) else { return };
        for Leaving { key, look, relative, identity } in waiting {
            self.claim(&key, look, &relative, &identity);
        }
    }

    /// What waits can not be found any more under its name: it is looked for again.
    pub(super) fn forget_leaving(&mut self) {
        for leaving in std::mem::take(&mut self.leaving).into_values().flatten() {
            self.memory.drop(&leaving.key);
        }
    }

    fn path_of(&self, key: &Key) -> Option<PathBuf> {
        self.folders[key.0].root.as_ref().map(|root| root.join(&*key.1))
    }
}
