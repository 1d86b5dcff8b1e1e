//! Which files are dealt with, so that a look through a folder does not read them again.
//!
//! Two hashes of 64 bits stand for path and state, about 40 bytes a file. Should two paths collide they only push each
//! other out and are looked up in the ledger again; to be passed over wrongly a file must collide in both hashes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use super::{settling::Key, spot::Look};

/// Files remembered at most; a folder with more kept files makes the ledger be asked again for the rest.
const CAPACITY: usize = 1_000_000;

/// The files of all triggers that are dealt with in their present state.
#[derive(Debug, Default)]
pub struct Memory {
    seeds: RandomState,
    handled: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    look: u64,
    /// The scan that last saw the file: what a scan did not see is forgotten.
    epoch: u32,
    trigger: u32,
}

impl Memory {
    /// Whether the file, looking like this, is dealt with. `epoch` marks it as seen by that scan.
    pub fn holds(&mut self, key: &Key, look: Look, epoch: Option<u32>) -> bool {
        let state = self.seeds.hash_one(look);
        match self.handled.get_mut(&self.seeds.hash_one(key)) {
            Some(entry) if entry.look == state => {
                entry.epoch = epoch.unwrap_or(entry.epoch);
                true
            }
            _ => false,
        }
    }

    /// Remembers that the file, looking like this, is dealt with.
    pub fn keep(&mut self, key: &Key, look: Look, epoch: u32) {
        let path = self.seeds.hash_one(key);
        if self.handled.len() < CAPACITY || self.handled.contains_key(&path) {
            let trigger = u32::try_from(key.0).unwrap_or(u32::MAX);
            self.handled.insert(path, Entry { look: self.seeds.hash_one(look), epoch, trigger });
        }
    }

    /// Forgets a file.
    pub fn drop(&mut self, key: &Key) {
        self.handled.remove(&self.seeds.hash_one(key));
    }

    /// Forgets the files of `trigger` that no scan has seen since `epoch`, and gives their memory back.
    pub fn sweep(&mut self, trigger: usize, epoch: u32) {
        let trigger = u32::try_from(trigger).unwrap_or(u32::MAX);
        self.handled.retain(|_, entry| entry.trigger != trigger || entry.epoch >= epoch);
        self.handled.shrink_to(self.handled.len().saturating_mul(2));
    }

    /// Whether nothing more can be remembered.
    pub fn is_full(&self) -> bool {
        self.handled.len() >= CAPACITY
    }
}
