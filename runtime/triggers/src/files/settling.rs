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
    /// When the file was first seen to be incomplete.
    pub since: Duration,
    /// Whether it was told as late.
    pub late: bool,
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
    /// Files that took too long, not yet told.
    late: Vec<Key>,
}

#[derive(Debug)]
struct Pending {
    place: (Duration, u64),
    observed: Option<FileStat>,
    since: Duration,
    late: bool,
}

impl Settling {
    /// An empty table for at most `capacity` files.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            pending: HashMap::new(),
            queue: BTreeMap::new(),
            arrivals: 0,
            overflow: false,
            late: Vec::new(),
        }
    }

    /// The file was written or seen and looks like `stat`: its wait of `settle` begins now.
    pub fn touch(&mut self, key: &Key, stat: FileStat, settle: Duration, now: Duration) {
        self.place(key, Some(stat), now.saturating_add(settle), now);
    }

    /// The file that was due turned out to be another by now: its wait begins again, and how long it has taken altogether
    /// is not forgotten.
    pub fn touch_again(&mut self, due: &Due, stat: FileStat, settle: Duration, now: Duration) {
        self.touch(&due.key, stat, settle, now);
        if let Some(pending) = self.pending.get_mut(&due.key) {
            (pending.since, pending.late) = (due.since, due.late);
        }
    }

    /// Says that a file is late if it has changed for longer than `max_wait`; [`Settling::take_late`] gives it once.
    pub fn judge(&mut self, key: &Key, max_wait: Duration, now: Duration) {
        if let Some(pending) = self.pending.get_mut(key)
            && pending.observed.is_some()
            && !pending.late
            && now.saturating_sub(pending.since) >= max_wait
        {
            pending.late = true;
            self.late.push(key.clone());
        }
    }

    /// The files that became late since the last call, with what they looked like.
    pub fn take_late(&mut self) -> Vec<(Key, Option<FileStat>)> {
        let late = std::mem::take(&mut self.late);
        let observed = |key: &Key| self.pending.get(key).and_then(|pending| pending.observed);
        late.into_iter().map(|key| (observed(&key), key)).map(|(observed, key)| (key, observed)).collect()
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
        self.place(key, None, now, now);
    }

    /// The file is to be offered again at `at`, whatever it looks like then.
    pub fn defer(&mut self, key: &Key, at: Duration) {
        self.place(key, None, at, at);
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
        let pending = self.pending.remove(&key)?;
        Some(Due { key, observed: pending.observed, since: pending.since, late: pending.late })
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

    fn place(&mut self, key: &Key, observed: Option<FileStat>, deadline: Duration, now: Duration) {
        if let Some(pending) = self.pending.get_mut(key) {
            // The place in the line is kept; only the deadline moves.
            let place = (deadline, pending.place.1);
            self.queue.remove(&pending.place);
            (pending.place, pending.observed) = (place, observed);
            self.queue.insert(place, key.clone());
        } else if self.pending.len() >= self.capacity {
            self.overflow = true;
        } else {
            self.arrivals += 1;
            let place = (deadline, self.arrivals);
            self.pending.insert(key.clone(), Pending { place, observed, since: now, late: false });
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

    fn due(name: &str, stat: FileStat, since: Duration) -> Due {
        Due { key: key(name), observed: Some(stat), since, late: false }
    }

    #[test]
    fn a_file_that_never_settles_is_late_once_also_when_it_was_due_in_between() {
        let mut table = Settling::new(10);
        let max_wait = at(10_000);
        let mut late = 0;
        for second in 0..30 {
            let now = at(second * 1000);
            match table.pop_due(now) {
                Some(due) => table.touch_again(&due, stat(second), at(1000), now),
                None => table.touch(&key("a"), stat(second), at(1000), now),
            }
            table.judge(&key("a"), max_wait, now);
            let told = table.take_late();
            assert_eq!(told.is_empty(), second != 10, "{second}");
            late += told.len();
        }
        assert_eq!(late, 1);
        // Closed at last, it is a file like any other.
        table.finish(&key("a"), at(31_000));
        assert_eq!(table.pop_due(at(31_000)).map(|due| due.observed), Some(None));
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
        assert_eq!(table.pop_due(at(2000)), Some(due("a", stat(1), at(0))));
        assert!(table.is_empty() && table.next_deadline().is_none());
    }

    #[test]
    fn every_write_starts_the_wait_again() {
        let mut table = Settling::new(10);
        for second in 0..5 {
            table.touch(&key("a"), stat(second), SETTLE, at(second * 1000));
        }
        assert_eq!(table.pop_due(at(5999)), None);
        assert_eq!(table.pop_due(at(6000)), Some(due("a", stat(4), at(0))));
    }

    #[test]
    fn closing_ends_the_wait_and_a_later_write_starts_it_again() {
        let mut table = Settling::new(10);
        table.touch(&key("a"), stat(1), SETTLE, at(0));
        table.finish(&key("a"), at(10));
        assert_eq!(table.next_deadline(), Some(at(10)));
        table.touch(&key("a"), stat(2), SETTLE, at(20));
        assert_eq!(table.pop_due(at(2019)), None);
        assert_eq!(table.pop_due(at(2020)), Some(due("a", stat(2), at(0))));
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
