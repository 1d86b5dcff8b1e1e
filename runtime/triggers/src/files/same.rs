//! Whether a file that looks different by now is the one whose run is on disk.
//!
//! Uploaders close a file and then set its time, its mode or its owner, or give it another name. In that moment the file may
//! be taken already. The same path with the same bytes is the same file: it starts no second run, and nothing stays behind.

use std::{
    collections::HashMap,
    io::{self, Read},
    time::Duration,
};

use trackside_spec::{Digest, Identity};

use super::{
    folder::Folder,
    host::{FileStat, LedgerState},
    spot::{Look, Spot, look_at},
    watcher::{MAX_IN_FLIGHT, Round},
};

/// A file that stays in its folder and whose time is set within this after its run was accepted was being delivered still.
pub const DELIVERY: Duration = Duration::from_secs(60);

/// What has the name of a file now.
#[derive(Debug, PartialEq, Eq)]
pub enum Now {
    /// The file, which looks like this.
    Same(FileStat),
    /// Another one.
    Another,
    /// It changes while it is looked at.
    Changing,
    /// Nothing.
    Gone,
}

/// Looks whether the file is the one that looked like this and had this digest. It is read only when it looks different: its
/// change time, which can not be set by hand, included.
///
/// # Errors
/// The operating system's.
pub fn now(spot: &Spot<'_>, before: Look, digest: Option<Digest>) -> io::Result<Now> {
    match look(spot, before, digest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Now::Gone),
        other => other,
    }
}

fn look(spot: &Spot<'_>, Look { stat, changed_ns }: Look, digest: Option<Digest>) -> io::Result<Now> {
    let Some(now) = spot.look()? else { return Ok(Now::Another) };
    if now.stat == stat && (now.changed_ns == changed_ns || digest.is_none()) {
        return Ok(Now::Same(stat));
    }
    let Some(digest) = digest.filter(|_| now.stat.size == stat.size) else { return Ok(Now::Another) };
    let Some((file, before)) = spot.open()? else { return Ok(Now::Another) };
    // One that grows for ever is not read for ever.
    let read = Digest::of_reader(&mut (&file).take(stat.size.saturating_add(1)))?;
    let after = look_at(&file)?;
    if after.is_none_or(|after| after.stat != before.stat) {
        return Ok(Now::Changing);
    }
    Ok(if read == digest && before.stat.size == stat.size { Now::Same(before.stat) } else { Now::Another })
}

/// Files that were not in their place when their run was on disk: under another name they are the same files.
#[derive(Debug, Default)]
pub struct Vanished(HashMap<(usize, FileStat), (String, Duration)>);

impl Vanished {
    fn note(&mut self, trigger: usize, stat: FileStat, identity: &str, now: Duration) {
        if self.0.len() >= MAX_IN_FLIGHT {
            self.0.retain(|_, (_, at)| now.saturating_sub(*at) < DELIVERY);
        }
        if self.0.len() < MAX_IN_FLIGHT {
            self.0.insert((trigger, stat), (identity.to_owned(), now));
        }
    }

    fn take(&mut self, trigger: usize, stat: FileStat, digest: Digest, now: Duration) -> Option<String> {
        let (identity, at) = self.0.remove(&(trigger, stat))?;
        (now.saturating_sub(at) < DELIVERY && Folder::digest_of(&identity) == Some(digest)).then_some(identity)
    }
}

impl Round {
    /// The file of an accepted run is not there any more, and it was not this box that took it away.
    pub(super) fn note_vanished(&mut self, index: usize, look: Look, identity: &str) {
        let now = self.now();
        self.vanished.note(index, look.stat, identity, now);
    }

    /// The identity of a file that vanished and is this one, under another name.
    pub(super) fn renamed_from(&mut self, index: usize, look: Look, digest: Digest) -> Option<String> {
        let now = self.now();
        self.vanished.take(index, look.stat, digest, now)
    }

    /// The row of the run that this very file has started, if there is one.
    ///
    /// # Errors
    /// When the ledger can not be read.
    pub(super) fn row_of(
        &self,
        index: usize,
        relative: &str,
        look: Look,
        digest: Digest,
        identity: &str,
    ) -> io::Result<(Option<LedgerState>, bool)> {
        let folder = &self.folders[index];
        let trigger = &folder.watched.trigger_id;
        let is_it = |state: &LedgerState| is_left_over(folder, state, relative, look);
        if let Some(state) = self.host.lookup(trigger, identity)? {
            let is_it = is_it(&state);
            return Ok((Some(state), is_it));
        }
        if folder.watched.trigger.identity == Identity::Content {
            return Ok((None, false));
        }
        let rows = self.host.lookup_path(trigger, relative)?;
        let same = |state: &LedgerState| Folder::digest_of(&state.identity) == Some(digest) && is_it(state);
        let row = rows.into_iter().find(same);
        let is_it = row.is_some();
        Ok((row, is_it))
    }
}

/// Whether a file with the bytes of this row is what its run left over, and not one that was delivered again.
fn is_left_over(folder: &Folder, state: &LedgerState, relative: &str, look: Look) -> bool {
    if !state.started || state.path != relative {
        return false;
    }
    let trigger = &folder.watched.trigger;
    let same_inode = state.stat.inode == look.stat.inode;
    if state.stat == look.stat {
        true
    } else if trigger.claim.takes_away() {
        // What was taken out is not here: this came later.
        !state.claimed && (trigger.identity == Identity::Content || same_inode)
    } else {
        let until = i128::from(state.at_ms) + i128::try_from(DELIVERY.as_millis()).unwrap_or(0);
        same_inode && i128::from(look.changed_ns) / 1_000_000 <= until
    }
}
