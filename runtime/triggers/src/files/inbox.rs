//! What reaches the watcher's thread: hints of the operating system, outcomes of fires, requests to scan or to stop.
//!
//! Senders never block and never allocate without bound: hints about one path are merged, and when there are too many
//! paths they are dropped and a scan is asked for instead.

use std::{
    collections::HashMap,
    mem,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, mpsc::Sender},
    time::{Duration, Instant},
};

use trackside_sync::{lock, wait};

use super::{host::FireOutcome, sight::Sight};

/// Paths that are remembered between two rounds of the thread.
const MAX_HINTS: usize = 16_384;

/// Questions that wait for an answer at most; who asks one too many gets none.
const MAX_QUESTIONS: usize = 64;

/// Somebody wants to know how a file stands.
#[derive(Debug)]
pub struct Question {
    /// The trigger's id.
    pub trigger: String,
    /// The path below its folder.
    pub relative: PathBuf,
    /// Where the answer goes.
    pub answer: Sender<Option<Sight>>,
}

/// How the file at a path may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Permissions or times changed, or nobody knows.
    Stirred,
    /// Created or written.
    Written,
    /// Closed after writing or moved in.
    Finished,
    /// Removed or moved away.
    Gone,
}

/// What may have happened to a path. Hints about one path are added up, and none hides another: a folder that appeared did
/// so whatever is said of it afterwards (GNU tar sets its time alone, which looks like writing to it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// How its file stands now.
    pub standing: Standing,
    /// A folder appeared under the name, or something was moved there.
    pub appeared: bool,
    /// What had the name before was removed or moved away.
    pub left: bool,
    /// Its file was closed after writing or moved in, whatever came after that.
    pub finished: bool,
}

impl Hint {
    /// Permissions or times changed, or nobody knows.
    pub const STIRRED: Self = Self::of(Standing::Stirred);
    /// Created or written.
    pub const WRITTEN: Self = Self::of(Standing::Written);
    /// Closed after writing.
    pub const CLOSED: Self = Self { finished: true, ..Self::of(Standing::Finished) };
    /// Moved in, a file or a folder.
    pub const MOVED_IN: Self = Self { appeared: true, ..Self::CLOSED };
    /// A folder was made.
    pub const FOLDER: Self = Self { appeared: true, ..Self::of(Standing::Stirred) };
    /// Removed or moved away.
    pub const GONE: Self = Self { left: true, ..Self::of(Standing::Gone) };

    const fn of(standing: Standing) -> Self {
        Self { standing, appeared: false, left: false, finished: false }
    }

    /// One hint for two in a row. Of the file the later counts, but stirring changes nothing about what was known, unless it
    /// is that of another file that came after the first had gone.
    pub fn then(self, later: Self) -> Self {
        let stays = later.standing == Standing::Stirred && self.standing != Standing::Gone && !later.left;
        Self {
            standing: if stays { self.standing } else { later.standing },
            appeared: self.appeared || later.appeared,
            left: self.left || later.left,
            // What was finished before it went is not what is there now.
            finished: later.finished || (self.finished && !later.left),
        }
    }
}

/// Everything that arrived since the last round.
#[derive(Debug, Default)]
pub struct Batch {
    /// Paths in the order in which each was first hinted at.
    pub hints: Vec<(PathBuf, Hint)>,
    /// Fire numbers and their outcomes.
    pub outcomes: Vec<(u64, FireOutcome)>,
    /// Hints were lost, or somebody asked for it: look through all folders.
    pub rescan: bool,
    /// Hints were lost: what was known of the folders can not be relied on.
    pub lost: bool,
    /// Directories that can no longer be watched, with the reason.
    pub broken: Vec<(Option<PathBuf>, String)>,
    /// What people want to know.
    pub questions: Vec<Question>,
    /// Time to end.
    pub stop: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    hints: HashMap<PathBuf, (usize, Hint)>,
    outcomes: Vec<(u64, FireOutcome)>,
    rescan: bool,
    lost: bool,
    broken: Vec<(Option<PathBuf>, String)>,
    questions: Vec<Question>,
    stop: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        let idle = !self.rescan && !self.lost && !self.stop;
        let quiet = self.hints.is_empty() && self.questions.is_empty();
        idle && quiet && self.outcomes.is_empty() && self.broken.is_empty()
    }
}

/// The box itself, shared by the thread and everybody who talks to it.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Inbox {
    /// A path may have changed.
    pub fn hint(&self, path: PathBuf, hint: Hint) {
        self.put(|waiting| {
            let order = waiting.hints.len();
            if let Some((_, earlier)) = waiting.hints.get_mut(&path) {
                *earlier = earlier.then(hint);
            } else if order < MAX_HINTS {
                waiting.hints.insert(path, (order, hint));
            } else {
                waiting.lost = true;
            }
        });
    }

    /// A scan is wanted.
    pub fn rescan(&self) {
        self.put(|waiting| waiting.rescan = true);
    }

    /// The operating system lost events.
    pub fn lost(&self) {
        self.put(|waiting| waiting.lost = true);
    }

    /// A directory (all of them for `None`) can no longer be watched.
    pub fn broken(&self, path: Option<PathBuf>, reason: String) {
        self.put(|waiting| {
            // The first tells the cause; the rest would only fill memory.
            if waiting.broken.len() < 64 {
                waiting.broken.push((path, reason));
            } else {
                waiting.lost = true;
            }
        });
    }

    /// Somebody asks. When there is no room the question is dropped, and with it the way back.
    pub fn ask(&self, question: Question) {
        self.put(|waiting| {
            if waiting.questions.len() < MAX_QUESTIONS {
                waiting.questions.push(question);
            }
        });
    }

    /// The thread is to end.
    pub fn stop(&self) {
        self.put(|waiting| waiting.stop = true);
    }

    /// Waits until something arrives or `timeout` (for ever if `None`) is over, and takes all there is.
    pub fn take(&self, timeout: Option<Duration>) -> Batch {
        let until = timeout.and_then(|limit| Instant::now().checked_add(limit));
        let mut waiting = self.lock();
        while waiting.is_empty() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            waiting = wait(&self.arrived, waiting, left);
        }
        let Waiting { hints, outcomes, rescan, lost, broken, questions, stop } = mem::take(&mut *waiting);
        drop(waiting);
        let mut ordered: Vec<_> = hints.into_iter().collect();
        ordered.sort_unstable_by_key(|(_, (order, _))| *order);
        let hints = ordered.into_iter().map(|(path, (_, hint))| (path, hint)).collect();
        Batch { hints, outcomes, rescan: rescan || lost, lost, broken, questions, stop }
    }

    fn put(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        let idle = waiting.is_empty();
        change(&mut waiting);
        drop(waiting);
        // Whoever waits, waits for the box to be no longer empty.
        if idle {
            self.arrived.notify_one();
        }
    }

    /// Keeps everybody out, so that a test can let a queue before it overflow.
    #[cfg(test)]
    pub fn hold(&self) -> impl Drop + '_ {
        self.lock()
    }

    /// No code panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

/// Where the outcome of one fire goes.
#[derive(Debug)]
pub struct ReplyTo {
    inbox: Arc<Inbox>,
    fire: u64,
}

impl ReplyTo {
    /// The way back for the fire with this number.
    pub fn new(inbox: Arc<Inbox>, fire: u64) -> Self {
        Self { inbox, fire }
    }

    /// Delivers the outcome.
    pub fn deliver(self, outcome: FireOutcome) {
        self.inbox.put(|waiting| waiting.outcomes.push((self.fire, outcome)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_about_one_path_are_merged_in_order_of_arrival() {
        let inbox = Inbox::default();
        for (path, hint) in [
            ("a", Hint::WRITTEN),
            ("b", Hint::WRITTEN),
            ("a", Hint::CLOSED),
            ("a", Hint::STIRRED),
            ("b", Hint::GONE),
            ("b", Hint::STIRRED),
        ] {
            inbox.hint(path.into(), hint);
        }
        let batch = inbox.take(None);
        assert_eq!(batch.hints, [("a".into(), Hint::CLOSED), ("b".into(), Hint { left: true, ..Hint::STIRRED })]);
        assert!(!batch.rescan && inbox.take(Some(Duration::ZERO)).hints.is_empty());
    }

    #[test]
    fn no_hint_hides_another_whatever_their_order() {
        let all = [Hint::STIRRED, Hint::WRITTEN, Hint::CLOSED, Hint::MOVED_IN, Hint::FOLDER, Hint::GONE];
        for first in all {
            for second in all {
                for third in all {
                    let one_by_one = first.then(second).then(third);
                    assert_eq!(one_by_one, first.then(second.then(third)), "{first:?} {second:?} {third:?}");
                    let some = |of: fn(Hint) -> bool| [first, second, third].into_iter().any(of);
                    assert_eq!(one_by_one.appeared, some(|hint| hint.appeared));
                    assert_eq!(one_by_one.left, some(|hint| hint.left));
                }
            }
        }
    }

    #[test]
    fn too_many_paths_become_a_scan() {
        let inbox = Inbox::default();
        for number in 0..=MAX_HINTS {
            inbox.hint(number.to_string().into(), Hint::WRITTEN);
        }
        let batch = inbox.take(None);
        assert_eq!((batch.hints.len(), batch.rescan, batch.lost), (MAX_HINTS, true, true));
    }

    #[test]
    fn a_reply_that_nobody_sends_is_busy() {
        let inbox = Arc::new(Inbox::default());
        drop(super::super::host::FireReply(Some(ReplyTo::new(Arc::clone(&inbox), 7))));
        super::super::host::FireReply(Some(ReplyTo::new(Arc::clone(&inbox), 8))).send(FireOutcome::Accepted);
        assert_eq!(inbox.take(None).outcomes, [(7, FireOutcome::Busy), (8, FireOutcome::Accepted)]);
    }
}
