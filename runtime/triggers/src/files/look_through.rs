//! Looking through the folders: what is there that the ledger may not know.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use trackside_spec::Existing;

use super::{
    coverage::Coverage,
    folder::{Folder, Verdict},
    host::{FolderNotice, SeenFile},
    reserve::own_path,
    scan::{Oldest, walk},
    settling::Key,
    spot::Look,
    watcher::{MAX_PENDING, POLL_PERIOD, Round},
};

/// Excluded files that one look through a folder tells of; the next one tells of more.
const MAX_TOLD: usize = 1000;

/// `existing: ignore` files recorded in one call.
const RECORD_BATCH: usize = 1000;

impl Round {
    /// Looks through the folders that ask for it, as long as there is room.
    pub(super) fn look_through(&mut self) {
        if !self.has_room() {
            return;
        }
        // With the memory full, the files left out before would be left out again and again.
        let left_out = std::mem::take(&mut self.backlog);
        // Told again when a new heap comes in.
        self.backlog_told &= left_out;
        let backlog = left_out && !self.memory.is_full();
        if backlog | std::mem::take(&mut self.lost) {
            // What a paused trigger leaves lying would be left out again and again, too.
            let wakeful = |folder: &&mut Folder| !self.host.is_paused(&folder.watched.trigger_id);
            self.folders.iter_mut().filter(wakeful).for_each(|folder| folder.scan_wanted = true);
        }
        for index in 0..self.folders.len() {
            if self.folders[index].root.is_some() && std::mem::take(&mut self.folders[index].scan_wanted) {
                self.scan(index, Path::new(""), Reach::All);
            }
        }
        self.signals.renewed();
    }

    /// Looks through a folder or one of its sub-folders and enters what is new into the table.
    pub(super) fn scan(&mut self, index: usize, start: &Path, reach: Reach) {
        let now = self.now();
        let whole = start.as_os_str().is_empty() && reach == Reach::All;
        let Some(root) = self.folders[index].root.clone() else { return };
        let trigger_id = self.folders[index].watched.trigger_id.clone();
        if whole {
            self.epoch = self.epoch.wrapping_add(1);
        }
        let ignore = self.folders[index].watched.trigger.existing == Existing::Ignore;
        // Only a look through all of it can be the first one.
        let first = match if whole { self.host.first_seen(&trigger_id) } else { Ok(false) } {
            Ok(first) => first,
            Err(error) => return self.host_failed(index, "reading whether a trigger is new", &error),
        };
        let mut failed = Vec::new();
        let walked = if first && ignore {
            self.record_existing(index, &root, &mut failed)
        } else {
            self.sight_files(index, &root, (start, reach), now, &mut failed)
        };
        match walked {
            Ok(()) => {}
            Err(Walked::Host(error)) => return self.host_failed(index, "recording the files that were there", &error),
            // A sub-folder that is gone again is no news.
            Err(Walked::Folder(_)) if !whole => return,
            Err(Walked::Folder(error)) => {
                failed.push((PathBuf::new(), error.to_string()));
                self.report_unreadable(index, &root, start, failed);
                if !root.is_dir() {
                    return self.check_root(index);
                }
                self.folders[index].retry_at = Some(now + POLL_PERIOD);
                return;
            }
        }
        let complete = failed.is_empty();
        self.report_unreadable(index, &root, start, failed);
        if whole && complete {
            self.memory.sweep(index, self.epoch);
        }
        if first && let Err(error) = self.host.scanned(&trigger_id) {
            self.host_failed(index, "recording that a trigger is known", &error);
        }
    }

    fn sight_files(
        &mut self,
        index: usize,
        root: &Path,
        (start, reach): (&Path, Reach),
        now: Duration,
        failed: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), Walked> {
        let (folder, memory, table, flying, epoch) =
            (&self.folders[index], &mut self.memory, &mut self.table, &self.flying, self.epoch);
        let mut oldest = Oldest::new(table.room());
        let host = Arc::clone(&self.host);
        let (mut excluded, mut nameless) = (Vec::new(), Vec::new());
        let mut cover = Coverage::of(folder, &mut self.signals);
        if reach == Reach::OneFolder {
            cover = cover.only_new_below(start);
        }
        let visit = |relative: PathBuf, look: Look, verdict: Verdict| {
            if verdict == Verdict::Taken {
                // Under way, or left behind by a crash.
                let Some(own) = own_path(host.as_ref(), &folder.watched, &relative)? else {
                    let key: Key = (index, Arc::new(relative));
                    if !memory.holds(&key, Look::EXCLUDED, Some(epoch)) && nameless.len() < MAX_TOLD {
                        nameless.push((key, look.stat));
                    }
                    return Ok(());
                };
                let key: Key = (index, Arc::new(own));
                // Under its own name where its run is accepted, under the box's where it needs none.
                let held = (index, Arc::new(relative));
                let known = memory.holds(&key, look, Some(epoch)) || memory.holds(&held, look, Some(epoch));
                if !flying.contains_key(&key) && !known {
                    table.finish(&key, now);
                }
                return Ok(());
            }
            let key: Key = (index, Arc::new(relative));
            if verdict == Verdict::Excluded {
                if !memory.holds(&key, Look::EXCLUDED, Some(epoch)) && excluded.len() < MAX_TOLD {
                    excluded.push((key, look.stat));
                }
                return Ok(());
            }
            if !flying.contains_key(&key) && !memory.holds(&key, look, Some(epoch)) {
                if table.contains(&key) {
                    table.sight(&key, look.stat, folder.settle(), now);
                } else {
                    oldest.push(Arc::unwrap_or_clone(key.1), look);
                }
            }
            Ok(())
        };
        let walked = walk(
            folder,
            root,
            start,
            |path| cover.enter(root, path),
            visit,
            |path, error| {
                note(failed, path, &error);
            },
        );
        let coverage = cover.done();
        let (remote, settle) = (folder.remote, folder.settle());
        self.note_coverage(index, root, coverage);
        walked.map_err(Walked::Folder)?;
        for (key, stat) in &excluded {
            self.table.forget(key);
            self.tell_excluded(key, Some(*stat));
        }
        for (key, stat) in nameless {
            self.tell_nameless(&key, stat);
        }
        self.note_backlog(index, oldest.dropped());
        let table = &mut self.table;
        // A file that nobody has touched for the settle time has settled. Its change time cannot be set by hand; but it is
        // another machine's clock on a remote file system, so there the wait is ours.
        let settle_ns = i64::try_from(settle.as_nanos()).unwrap_or(i64::MAX);
        let wall_ns = self.host.now_ms().saturating_mul(1_000_000);
        for (relative, look) in oldest.into_files() {
            let age = wall_ns.saturating_sub(look.changed_ns);
            let settle = if !remote && age >= settle_ns { Duration::ZERO } else { settle };
            table.sight(&(index, Arc::new(relative)), look.stat, settle, now);
        }
        Ok(())
    }

    /// `existing: ignore`: what is there when the trigger is new is entered into the ledger and remembered.
    fn record_existing(
        &mut self,
        index: usize,
        root: &Path,
        failed: &mut Vec<(PathBuf, String)>,
    ) -> Result<(), Walked> {
        let (folder, memory, host, epoch) = (&self.folders[index], &mut self.memory, &self.host, self.epoch);
        let mut cover = Coverage::of(folder, &mut self.signals);
        let trigger_id = &folder.watched.trigger_id;
        let mut batch = Vec::with_capacity(RECORD_BATCH);
        let mut refused = None;
        let visit = |relative: PathBuf, look: Look, verdict: Verdict| {
            if verdict != Verdict::Ours {
                return Ok(());
            }
            // A name that is not UTF-8 has no place in the ledger and is refused later in any case.
            if let Some(text) = relative.to_str() {
                batch.push(SeenFile { relative: text.to_owned(), stat: look.stat });
                memory.keep(&(index, Arc::new(relative)), look, epoch);
            }
            if batch.len() == RECORD_BATCH {
                host.record_existing(trigger_id, &batch).inspect_err(|_| refused = Some(()))?;
                batch.clear();
            }
            Ok(())
        };
        let walked = walk(
            folder,
            root,
            Path::new(""),
            |path| cover.enter(root, path),
            visit,
            |path, error| {
                note(failed, path, &error);
            },
        );
        let recorded = match (walked, refused) {
            (Err(error), Some(())) => Err(Walked::Host(error)),
            (Err(error), None) => Err(Walked::Folder(error)),
            (Ok(()), _) if batch.is_empty() => Ok(()),
            (Ok(()), _) => host.record_existing(trigger_id, &batch).map_err(Walked::Host),
        };
        let coverage = cover.done();
        self.note_coverage(index, root, coverage);
        recorded
    }

    fn note_backlog(&mut self, index: usize, dropped: bool) {
        self.backlog |= dropped;
        if dropped && !std::mem::replace(&mut self.backlog_told, true) {
            let notice = FolderNotice::Backlog { limit: MAX_PENDING };
            self.host.notice(&self.folders[index].watched.trigger_id, notice);
        }
    }

    fn report_unreadable(&mut self, index: usize, root: &Path, start: &Path, failed: Vec<(PathBuf, String)>) {
        let folder = &mut self.folders[index];
        if failed.is_empty() {
            folder.reported.retain(|part| !part.starts_with(start));
        }
        for (path, error) in failed {
            if folder.reported.insert(path.clone()) {
                let notice = FolderNotice::Unreadable { folder: root.join(path), error };
                self.host.notice(&folder.watched.trigger_id, notice);
            }
        }
    }

    fn host_failed(&mut self, index: usize, what: &'static str, error: &io::Error) {
        let retry = self.now() + POLL_PERIOD;
        let folder = &mut self.folders[index];
        folder.retry_at = Some(retry);
        self.host.notice(&folder.watched.trigger_id, FolderNotice::HostFailed { what, error: error.to_string() });
    }
}

/// How far a look through a folder goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To everything below it.
    All,
    /// To what lies in it, and to everything below those of its sub-folders that are not watched.
    OneFolder,
}

/// Whose fault a failed scan is.
enum Walked {
    Folder(io::Error),
    Host(io::Error),
}

/// Remembers a part of a folder that cannot be read, for a limited number of parts.
fn note(failed: &mut Vec<(PathBuf, String)>, path: &Path, error: &io::Error) {
    if failed.len() < 100 {
        failed.push((path.to_owned(), error.to_string()));
    }
}
