//! From a settled file to an accepted run: look, read, ask the ledger, fire, and clear away.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use trackside_spec::{Claim, Identity, media_type};

use super::{
    folder::{Folder, Verdict},
    host::{Decision, FileDecision, FileStat, FireOutcome, FiredFile, FolderNotice, LedgerState, SeenFile},
    same::{self, Now},
    settling::{Due, Key},
    spot::{self, Look, Spot, look_at},
    watcher::{Flight, MAX_PENDING, Passenger, Round},
};

/// When a file is offered again that the node had no room for, or about which the ledger could not be asked.
const BUSY_DELAY: Duration = Duration::from_secs(1);
/// The first and the longest wait after the store failed to take a file.
const STORE_DELAY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

impl Round {
    /// Deals with a file whose wait is over. Every way out leaves it in the table, in flight, or remembered.
    pub(super) fn pick_up(&mut self, due: Due, now: Duration) {
        let (key, observed) = (due.key.clone(), due.observed);
        let Some(root) = self.folders[key.0].root.clone() else { return };
        if self.host.is_paused(&self.folders[key.0].watched.trigger_id) {
            // Neither read nor remembered: the look through the folder after the pause finds it.
            return;
        }
        let path = Arc::clone(&key.1);
        if self.folders[key.0].verdict(&path) == Verdict::Excluded {
            if Spot::find(&root, &path).and_then(|spot| spot.look()).is_ok_and(|look| look.is_some()) {
                self.tell_excluded(&key, observed);
            }
            return;
        }
        let held = self.held_path(&key);
        let taken = match self.held_look(&key) {
            // It is dealt with and could not have its own name again, because the next file has it: that one's turn has come.
            Some(look) if self.memory.holds(&self.held_key(&key), look, None) => match self.trade_places(&key) {
                Ok(traded) => traded,
                Err(error) => return self.no_trade(&key, &held, &error),
            },
            // What a crash left behind under this box's name comes before a new file of the same name.
            look => look.is_some(),
        };
        let spot = match Spot::find(&root, if taken { &held } else { &path }) {
            Ok(spot) => spot,
            Err(error) => {
                if error.kind() == io::ErrorKind::NotFound && !root.is_dir() {
                    self.check_root(key.0);
                }
                // Otherwise it is gone, or a link is in the way: not ours.
                return;
            }
        };
        let (file, look) = match spot.open() {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(error) => return self.cannot_open(&key, &spot, &error),
        };
        if observed.is_some_and(|before| before != look.stat) {
            self.table.touch_again(&due, look.stat, self.folders[key.0].settle(), now);
            return self.judge(&key);
        }
        if self.memory.holds(&key, look, None) {
            return;
        }
        if self.aboard.contains(&(key.0, look.stat)) {
            // The same file is under way under another name: what becomes of that is awaited.
            return self.table.defer(&key, now + BUSY_DELAY);
        }
        let (relative, utf8) = spot::text(&path);
        if !utf8 {
            return self.settle_without_run(&key, look, &relative, None, Decision::NameNotUtf8);
        }
        let (spot, look) = match taken {
            true => (spot, look),
            false => match self.reserve(&key, &spot) {
                Ok(true) => {
                    let name = held.file_name().unwrap_or_default();
                    // The change of its name is the only change, and ours.
                    (Spot { name, ..spot }, look_at(&file).ok().flatten().unwrap_or(look))
                }
                // Another box has it.
                Ok(false) => return,
                Err(error) => {
                    let decision = Decision::NotTaken { error: error.to_string() };
                    return self.settle_without_run(&key, look, &relative, None, decision);
                }
            },
        };
        let is_stranger = self.strangers.remove(&key);
        match if is_stranger { Ok(false) } else { self.known(&key, look, &relative, &spot) } {
            Ok(true) => {}
            Ok(false) => self.read_and_fire(&key, look, relative, file, &spot),
            Err(error) => self.ledger_failed(&key, &error),
        }
    }

    /// Whether the ledger knows this path in this state. If it does, what is left to do is done: a file whose run was
    /// accepted before a crash is cleared away.
    fn known(&mut self, key: &Key, look: Look, relative: &str, spot: &Spot<'_>) -> io::Result<bool> {
        let watched = &self.folders[key.0].watched;
        let rows = self.host.lookup_path(&watched.trigger_id, relative)?;
        let Some(state) = rows.into_iter().find(|state| state.stat == look.stat) else { return Ok(false) };
        self.finish_claim(key, look, relative, &state, spot);
        Ok(true)
    }

    /// Does what is left to do for a file whose run was accepted earlier.
    fn finish_claim(&mut self, key: &Key, look: Look, relative: &str, state: &LedgerState, spot: &Spot<'_>) {
        let to_do = match self.folders[key.0].watched.trigger.claim {
            Claim::Move | Claim::MoveTo(_) => state.started,
            Claim::CopyTo(_) => state.started && !state.claimed,
            Claim::Keep => false,
        };
        if to_do {
            self.clear_away(key, look, relative, &state.identity, spot);
        } else {
            self.leave(key, look);
        }
    }

    fn read_and_fire(&mut self, key: &Key, look: Look, relative: String, file: File, spot: &Spot<'_>) {
        let folder = &self.folders[key.0];
        let name = key.1.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut source = Source { file, failed: false };
        let artifact = match self.host.store_file(&mut source, &name, media_type(&name)) {
            Ok(artifact) => artifact,
            Err(error) if source.failed => return self.unreadable(key, look, &relative, &error),
            Err(error) => return self.not_stored(key, look, relative, &error),
        };
        self.failures = (0, Duration::ZERO);
        self.unstored.remove(key);
        let after = look_at(&source.file).ok().flatten().unwrap_or(look);
        // Its time alone may have been set while it was read.
        let same =
            after == look || same::now(spot, look, Some(artifact.digest)).is_ok_and(|now| now == Now::Same(after.stat));
        if !same || artifact.size != look.stat.size {
            // Written to while it was read: what was read is worth nothing.
            let (settle, now) = (folder.settle(), self.now());
            self.give_back(key);
            self.table.touch(key, after.stat, settle, now);
            return self.judge(key);
        }
        let look = after;
        let identity = match folder.watched.trigger.identity {
            Identity::Content => artifact.digest.to_string(),
            Identity::Stat => Folder::stat_identity(&relative, look.stat, artifact.digest),
        };
        if let Some(first) = self.renamed_from(key.0, look, artifact.digest) {
            return self.clear_away(key, look, &relative, &first, spot);
        }
        match self.row_of(key.0, &relative, look, artifact.digest, &identity) {
            Err(error) => return self.ledger_failed(key, &error),
            Ok((Some(state), true)) => {
                self.remember_look(key, look, &relative, &state);
                return self.finish_claim(key, look, &relative, &state, spot);
            }
            Ok((Some(state), false)) => {
                let decision = Decision::Duplicate { path: state.path };
                return self.settle_without_run(key, look, &relative, Some(identity), decision);
            }
            Ok((None, _)) => {}
        }
        let folder = &self.folders[key.0];
        if folder.batch.twin(&identity) {
            // Its twin's run is not on disk yet; after that the ledger will name it.
            let at = folder.batch.deadline().unwrap_or_default().max(self.now()).saturating_add(BUSY_DELAY);
            self.give_back(key);
            return self.table.defer(key, at);
        }
        let file = FiredFile {
            identity: identity.clone(),
            path: folder.root.as_ref().map(|root| root.join(&*key.1)).unwrap_or_default(),
            relative: relative.clone(),
            name,
            size: look.stat.size,
            modified_ms: look.stat.modified_ns.div_euclid(1_000_000),
            stat: look.stat,
            artifact,
        };
        self.set_out(key.0, Passenger { key: key.clone(), look, relative, identity, hint: None }, file);
    }

    /// A file that stays and looks different is known by its new look, too, also after a restart.
    fn remember_look(&self, key: &Key, look: Look, relative: &str, state: &LedgerState) {
        let watched = &self.folders[key.0].watched;
        if state.stat == look.stat || watched.trigger.claim.takes_away() {
            return;
        }
        let seen = SeenFile { relative: relative.to_owned(), stat: look.stat };
        if let Err(error) = self.host.record_existing(&watched.trigger_id, &[seen]) {
            let notice = FolderNotice::HostFailed { what: "recording how a file looks now", error: error.to_string() };
            self.host.notice(&watched.trigger_id, notice);
        }
    }

    /// Acts on the outcome of a fire.
    pub(super) fn land(&mut self, number: u64, outcome: &FireOutcome) {
        let Some(Flight { passengers }) = self.flights.remove(&number) else { return };
        for passenger in &passengers {
            self.flying.remove(&passenger.key);
            self.aboard.remove(&(passenger.key.0, passenger.look.stat));
        }
        let alone = passengers.len() == 1;
        for passenger in passengers {
            self.land_one(passenger, outcome, alone);
        }
    }

    fn land_one(&mut self, passenger: Passenger, outcome: &FireOutcome, alone: bool) {
        let Passenger { key, look, relative, identity, hint } = passenger;
        let now = self.now();
        match outcome {
            FireOutcome::Accepted => self.claim(&key, look, &relative, &identity),
            FireOutcome::Duplicate { path } if alone => {
                let decision = Decision::Duplicate { path: path.clone() };
                self.settle_without_run(&key, look, &relative, Some(identity), decision);
            }
            FireOutcome::Refused { reason } => {
                let decision = Decision::Refused { reason: reason.clone() };
                self.settle_without_run(&key, look, &relative, Some(identity), decision);
            }
            FireOutcome::Skipped { reason } => {
                let decision = Decision::Skipped { reason: reason.clone() };
                self.settle_without_run(&key, look, &relative, Some(identity), decision);
            }
            FireOutcome::Busy | FireOutcome::Duplicate { .. } => {
                self.give_back(&key);
                return self.table.defer(&key, now + BUSY_DELAY);
            }
        }
        // What happened to the file meanwhile was put off until now.
        if let (Some(hint), Some(root)) = (hint, &self.folders[key.0].root) {
            let path = root.join(&*key.1);
            if self.take_hint(key.0, Arc::unwrap_or_clone(key.1), &path, hint) {
                self.folders[key.0].scan_wanted = true;
            }
        }
    }

    /// Another file has taken the name, or this one has changed: its wait begins, if there is anything new about it.
    pub(super) fn look_again(&mut self, key: &Key) {
        let Some(root) = self.folders[key.0].root.clone() else { return };
        let look = Spot::find(&root, &key.1).and_then(|spot| spot.look());
        if let Ok(Some(look)) = look
            && !self.memory.holds(key, look, None)
        {
            let (settle, now) = (self.folders[key.0].settle(), self.now());
            self.table.touch(key, look.stat, settle, now);
        }
    }

    fn cannot_open(&mut self, key: &Key, spot: &Spot<'_>, error: &io::Error) {
        // A link is not ours, a file that is gone is no news.
        let Ok(Some(look)) = spot.look() else { return };
        let (relative, _) = spot::text(&key.1);
        if !self.memory.holds(key, look, None) {
            self.unreadable(key, look, &relative, error);
        }
    }

    fn unreadable(&mut self, key: &Key, look: Look, relative: &str, error: &io::Error) {
        self.settle_without_run(key, look, relative, None, Decision::Unreadable { error: error.to_string() });
    }

    fn not_stored(&mut self, key: &Key, look: Look, relative: String, error: &io::Error) {
        self.give_back(key);
        let now = self.now();
        let (mut count, mut retry_at) = self.failures;
        // What fails while others wait shares their wait: the trouble is the store's, not the file's.
        if now >= retry_at {
            let (first, longest) = STORE_DELAY;
            retry_at = now + first.saturating_mul(1 << count.min(6)).min(longest);
            count = count.saturating_add(1);
            self.failures = (count, retry_at);
        }
        if self.unstored.len() >= MAX_PENDING {
            self.unstored.clear();
        }
        if self.unstored.insert(key.clone()) {
            self.tell(key, Some(look.stat), &relative, None, Decision::NotStored { error: error.to_string() });
        }
        self.table.defer(key, retry_at);
    }

    fn ledger_failed(&mut self, key: &Key, error: &io::Error) {
        let notice = FolderNotice::HostFailed { what: "asking the ledger about a file", error: error.to_string() };
        self.host.notice(&self.folders[key.0].watched.trigger_id, notice);
        self.give_back(key);
        let at = self.now() + BUSY_DELAY;
        self.table.defer(key, at);
    }

    /// Tells the decision and remembers the file, so that in this state it is neither read nor told again.
    pub(super) fn settle_without_run(
        &mut self,
        key: &Key,
        look: Look,
        relative: &str,
        identity: Option<String>,
        decision: Decision,
    ) {
        self.tell(key, Some(look.stat), relative, identity, decision);
        self.leave(key, look);
    }

    /// The file can not be taken while the one before it has this box's name: told once.
    fn no_trade(&mut self, key: &Key, held: &Path, error: &io::Error) {
        let Some(root) = self.folders[key.0].root.clone() else { return };
        let Ok(Some(look)) = Spot::find(&root, &key.1).and_then(|spot| spot.look()) else { return };
        let error =
            format!("the file before it needs no run and can not change names with it ({error}); take away {held:?}");
        self.tell(key, Some(look.stat), &spot::text(&key.1).0, None, Decision::NotTaken { error });
        self.memory.keep(key, look, self.epoch);
    }

    /// Leaves the file where it is, under its own name if that is free, and remembers how it looks then.
    fn leave(&mut self, key: &Key, look: Look) {
        let look = self.give_back(key).unwrap_or(look);
        match self.held_look(key) {
            // The next file of its name is there already.
            Some(held) => {
                self.memory.keep(&self.held_key(key), held, self.epoch);
                self.look_again(key);
            }
            None => self.deal_with(key, look),
        }
    }

    /// A file that `exclude` leaves out is there; that is told once, however often it is written to.
    pub(super) fn tell_excluded(&mut self, key: &Key, stat: Option<FileStat>) {
        let (relative, _) = spot::text(&key.1);
        self.tell(key, stat, &relative, None, Decision::Excluded);
        self.memory.keep(key, Look::EXCLUDED, self.epoch);
    }

    /// A file that this box took under a cut name, and whose own name nobody knows.
    pub(super) fn tell_nameless(&mut self, key: &Key, stat: FileStat) {
        let (relative, _) = spot::text(&key.1);
        let error = "it was taken before a crash, and its whole name is not on record".to_owned();
        self.tell(key, Some(stat), &relative, None, Decision::NotTaken { error });
        self.memory.keep(key, Look::EXCLUDED, self.epoch);
    }

    /// Whether the file has changed for too long; it is told at the end of the round.
    pub(super) fn judge(&mut self, key: &Key) {
        let max_wait = self.folders[key.0].watched.trigger.max_wait.to_std();
        let now = self.now();
        self.table.judge(key, max_wait, now);
    }

    /// Tells of files that have changed for too long.
    pub(super) fn tell_late(&mut self) {
        for (key, stat) in self.table.take_late() {
            let waited_ms = self.folders[key.0].watched.trigger.max_wait.as_millis();
            let (relative, _) = spot::text(&key.1);
            self.tell(&key, stat, &relative, None, Decision::NotSettled { waited_ms });
        }
    }

    pub(super) fn tell(
        &self,
        key: &Key,
        stat: Option<FileStat>,
        relative: &str,
        identity: Option<String>,
        decision: Decision,
    ) {
        self.host.decision(FileDecision {
            trigger_id: self.folders[key.0].watched.trigger_id.clone(),
            relative: relative.to_owned(),
            stat,
            identity,
            decision,
        });
    }
}

/// The file as the store reads it; it tells whose fault a failure was.
struct Source {
    file: File,
    failed: bool,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer);
        // An interrupted read is tried again by whoever reads.
        self.failed |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}
