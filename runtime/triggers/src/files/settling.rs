//! When a file counts as complete: a table of pending files on a clock that the caller brings.
//!
//! A file is complete when it was closed after writing or moved in ([`Settling::finish`]), or when its size and
//! modification time have not changed for the trigger's settle time. A later write starts the wait again.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::host::FileStat;

/// A pending file: the trigger's number in the watcher, and the path below the trigger's folder.
pub type Key = (usize, Arc<PathBuf>);

/// A file whose wait is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which file.
    pub key: Key,
    /// What it looked like when the wait began. The caller looks again and, if it changed, [`Settling::touch`]es it.
    /// `None`: the file was finished, no comparison is needed.
    pub observed: Option<FileStat>,
}

/// The table. It holds no more than its capacity; what does not fit is dropped and [`Settling::take_overflow`] says so,
/// so that the caller looks through the folders again when there is room.
#[derive(Debug)]
pub struct Settling {
    capacity: usize,
    pending: HashMap<Key, Pending>,
    /// By deadline, then by arrival: the oldest first.
    queue: BTreeMap<(Duration, u64), Key>,
    arrivals: u64,
    overflow: bool,
}

#[derive(Debug)]
struct Pending {
    place: (Duration, u64),
    observed: Option<FileStat>,
}

impl Settling {
    /// An empty table for at most `capacity` files.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, pending: HashMap::new(), queue: BTreeMap::new(), arrivals: 0, overflow: false }
    }

    /// The file was written or seen and looks like `stat`: its wait of `settle` begins now.
    pub fn touch(&mut self, key: &Key, stat: FileStat, settle: Duration, now: Duration) {
        self.place(key, Some(stat), now.saturating_add(settle));
    }

    /// The file was seen by a look through the folder: its wait begins now unless it is waiting in the same state
    /// already, or is finished.
    pub fn sight(&mut self, key: &Key, stat: FileStat, settle: Duration, now: Duration) {
        let known = self.pending.get(key).is_some_and(|pending| pending.observed.is_none_or(|seen| seen == stat));
        if !known {
            self.touch(key, stat, settle, now);
        }
    }

    /// The file was closed after writing or moved in: it is complete now.
    pub fn finish(&mut self, key: &Key, now: Duration) {
        self.place(key, None, now);
    }

    /// The file is to be offered again at `at`, whatever it looks like then.
    pub fn defer(&mut self, key: &Key, at: Duration) {
        self.place(key, None, at);
    }

    /// The file is gone.
    pub fn forget(&mut self, key: &Key) {
        if let Some(pending) = self.pending.remove(key) {
            self.queue.remove(&pending.place);
        }
    }

    /// Takes the file with the earliest deadline out of the table if that has come.
    pub fn pop_due(&mut self, now: Duration) -> Option<Due> {
        let entry = self.queue.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let key = entry.remove();
        let observed = self.pending.remove(&key).and_then(|pending| pending.observed);
        Some(Due { key, observed })
    }

    /// When the next file is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|(place, _)| place.0)
    }

    /// Whether the file is pending.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.pending.contains_key(key)
    }

    /// How many files are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether no file is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many more files fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.pending.len())
    }

    /// Whether a file was dropped for lack of room since the last call.
    pub fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.overflow)
    }

    fn place(&mut self, key: &Key, observed: Option<FileStat>, deadline: Duration) {
        if let Some(pending) = self.pending.get_mut(key) {
            // The place in the line is kept; only the deadline moves.
            let place = (deadline, pending.place.1);
            self.queue.remove(&pending.place);
            *pending = Pending { place, observed };
            self.queue.insert(place, key.clone());
        } else if self.pending.len() >= self.capacity {
            self.overflow = true;
        } else {
            self.arrivals += 1;
            let place = (deadline, self.arrivals);
            self.pending.insert(key.clone(), Pending { place, observed });
            self.queue.insert(place, key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn key(name: &str) -> Key {
        (0, Arc::new(PathBuf::from(name)))
    }

    fn stat(size: u64) -> FileStat {
        FileStat { size, modified_ns: 5, inode: 9 }
    }

    fn names(table: &mut Settling, now: Duration) -> Vec<String> {
        std::iter::from_fn(|| table.pop_due(now)).map(|due| due.key.1.display().to_string()).collect()
    }

    #[test]
    fn a_file_is_due_when_it_stood_still() {
        let mut table = Settling::new(10);
        table.touch(&key("a"), stat(1), SETTLE, at(0));
        assert_eq!(table.next_deadline(), Some(at(2000)));
        assert_eq!(table.pop_due(at(1999)), None);
        assert_eq!(table.pop_due(at(2000)), Some(Due { key: key("a"), observed: Some(stat(1)) }));
        assert!(table.is_empty() && table.next_deadline().is_none());
    }

    #[test]
    fn every_write_starts_the_wait_again() {
        let mut table = Settling::new(10);
        for second in 0..5 {
            table.touch(&key("a"), stat(second), SETTLE, at(second * 1000));
        }
        assert_eq!(table.pop_due(at(5999)), None);
        assert_eq!(table.pop_due(at(6000)), Some(Due { key: key("a"), observed: Some(stat(4)) }));
    }

    #[test]
    fn closing_ends_the_wait_and_a_later_write_starts_it_again() {
        let mut table = Settling::new(10);
        table.touch(&key("a"), stat(1), SETTLE, at(0));
        table.finish(&key("a"), at(10));
        assert_eq!(table.next_deadline(), Some(at(10)));
        table.touch(&key("a"), stat(2), SETTLE, at(20));
        assert_eq!(table.pop_due(at(2019)), None);
        assert_eq!(table.pop_due(at(2020)), Some(Due { key: key("a"), observed: Some(stat(2)) }));
    }

    #[test]
    fn a_scan_does_not_prolong_the_wait_of_an_unchanged_file() {
        let mut table = Settling::new(10);
        table.sight(&key("a"), stat(1), SETTLE, at(0));
        table.sight(&key("a"), stat(1), SETTLE, at(1000));
        assert_eq!(table.next_deadline(), Some(at(2000)));
        table.sight(&key("a"), stat(2), SETTLE, at(1500));
        assert_eq!(table.next_deadline(), Some(at(3500)));
        table.finish(&key("a"), at(1600));
        table.sight(&key("a"), stat(3), SETTLE, at(1700));
        assert_eq!(table.next_deadline(), Some(at(1600)));
    }

    #[test]
    fn files_come_out_oldest_first() {
        let mut table = Settling::new(10);
        for name in ["c", "a", "b"] {
            table.finish(&key(name), at(7));
        }
        table.finish(&key("early"), at(6));
        assert_eq!(names(&mut table, at(7)), ["early", "c", "a", "b"]);
    }

    #[test]
    fn a_removed_file_is_never_due() {
        let mut table = Settling::new(10);
        table.touch(&key("a"), stat(1), SETTLE, at(0));
        table.forget(&key("a"));
        table.forget(&key("unknown"));
        assert_eq!((table.pop_due(at(9999)), table.len()), (None, 0));
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_said_once() {
        let mut table = Settling::new(2);
        for name in ["a", "b", "c"] {
            table.finish(&key(name), at(1));
        }
        assert_eq!((table.len(), table.room()), (2, 0));
        assert!(table.take_overflow() && !table.take_overflow());
        // A pending file can still change.
        table.touch(&key("a"), stat(1), SETTLE, at(2));
        assert!(!table.take_overflow());
        assert_eq!(names(&mut table, at(1)), ["b"]);
    }
}
