//! The writer thread: many submissions, one commit, one flush.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    artifacts::Artifacts, commit::Committer, error::StoreError, inbox::Inbox, read::Reader, reserve::Reserve,
    write::Txn,
};

/// The number of a submission; commits happen in this order.
pub type TxnNumber = u64;

/// What the writer thread tells the node.
#[derive(Debug)]
pub enum CommitReport {
    /// Every submission up to this number is on disk.
    Committed(TxnNumber),
    /// The disk is full and the reserve was given up, or it is there again.
    Degraded(bool),
    /// A commit failed; it is tried again until it works. Nothing after the last `Committed` is on disk.
    Trouble(StoreError),
}

type Report = Box<dyn Fn(CommitReport) + Send>;

/// Submissions in one commit at most: bounds the time that the first of them waits.
const MAX_BATCH: usize = 512;
/// With relaxed durability: what was committed is on disk at most this much later.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// A batch waits for company as long as so many commits take: larger batches cost less processor time and write less for
/// each run (measured: with 1, a quiet box fell to batches that wrote a third more).
const PATIENCE: u32 = 4;
/// The log gets its full length after so many commits: one run by hand without a node would write 4 MB for nothing.
const LENGTHEN_AFTER: u64 = 64;
/// A trouble that lasts is logged again after so long.
const TELL_EVERY: Duration = Duration::from_secs(600);
/// A batch never waits longer for company.
const MAX_LINGER: Duration = Duration::from_millis(2);
/// Where a commit takes longer than that, a batch waits on as long as such a time brings somebody, ...
const BRINGS: Duration = Duration::from_millis(1);
/// ... but no longer than the commit before took, and never longer than this.
const MAX_WAIT: Duration = Duration::from_millis(8);

/// The open store. Dropping it commits what was submitted and ends the writer thread.
pub struct Store {
    inbox: Arc<Inbox>,
    submitted: AtomicU64,
    company: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
    last_commit: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    artifacts: Arc<Artifacts>,
    reserve: Arc<Reserve>,
    data_dir: PathBuf,
}

impl Store {
    /// Puts an open data folder to work. `report` is called on the writer thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(committer: Committer, report: Report) -> Result<Self, StoreError> {
        let inbox = Arc::new(Inbox::default());
        let company = Arc::new(AtomicU64::new(0));
        let commits = Arc::new(AtomicU64::new(0));
        let last_commit = Arc::new(AtomicU64::new(0));
        let closing = Arc::new(AtomicBool::new(false));
        let (artifacts, data_dir) = (committer.artifacts().clone(), committer.data_dir().to_owned());
        let reserve = committer.reserve().clone();
        let worker = Worker {
            committer,
            inbox: inbox.clone(),
            report,
            company: company.clone(),
            commits: commits.clone(),
            last_commit: last_commit.clone(),
            closing: closing.clone(),
            done: 0,
            degraded: false,
        };
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || worker.work())
            .map_err(StoreError::io("start the writer thread for", &data_dir))?;
        Ok(Self {
            inbox,
            submitted: AtomicU64::new(0),
            company,
            commits,
            last_commit,
            closing,
            thread: Some(thread),
            artifacts,
            reserve,
            data_dir,
        })
    }

    /// Hands transactions over, in this order. Only the dispatcher calls this, so numbers are in order. Gives the number
    /// of the last.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the writer thread is gone.
    pub fn submit(&self, txns: Vec<Txn>) -> Result<TxnNumber, StoreError> {
        let count = txns.len() as u64;
        if !self.inbox.put(txns) {
            return Err(StoreError::Closed);
        }
        Ok(self.submitted.fetch_add(count, Ordering::Relaxed) + count)
    }

    /// Tells the writer how many runs are under way: with many, a commit waits a little for company, since a flush
    /// costs the same for one as for sixty-four.
    pub fn set_company(&self, runs: u64) {
        self.company.store(runs, Ordering::Relaxed);
    }

    /// How long a commit waits for company where its disk is fast: as long as some of them take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        patience(&self.last_commit)
    }

    /// Counts the commits so far: each is one flush, many submissions may share one.
    #[must_use]
    pub fn commits(&self) -> Arc<AtomicU64> {
        self.commits.clone()
    }

    /// The artifacts beside the database.
    #[must_use]
    pub fn artifacts(&self) -> &Arc<Artifacts> {
        &self.artifacts
    }

    /// The room that is held for a full disk.
    #[must_use]
    pub const fn reserve(&self) -> &Arc<Reserve> {
        &self.reserve
    }

    /// A new reader of committed data.
    ///
    /// # Errors
    /// When the database can not be opened.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.data_dir)
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.inbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Worker {
    committer: Committer,
    inbox: Arc<Inbox>,
    report: Report,
    company: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    /// How long the last one took, nanoseconds.
    last_commit: Arc<AtomicU64>,
    done: TxnNumber,
    degraded: bool,
}

fn patience(last_commit: &AtomicU64) -> Duration {
    (Duration::from_nanos(last_commit.load(Ordering::Relaxed)) * PATIENCE).min(MAX_LINGER)
}

impl Worker {
    fn work(mut self) {
        let mut unflushed: Option<Instant> = None;
        loop {
            // Also when submissions never pause: what was committed is flushed in time.
            let left = unflushed.map(|since| FLUSH_EVERY.saturating_sub(since.elapsed()));
            let first = if left == Some(Duration::ZERO) { Vec::new() } else { self.inbox.take(1, MAX_BATCH, left) };
            if first.is_empty() {
                if unflushed.is_none() || self.inbox.is_over() {
                    return;
                }
                if let Err(error) = self.committer.flush() {
                    tracing::error!(%error, "the write-ahead log can not be flushed");
                }
                unflushed = None;
                continue;
            }
            if self.committer.is_relaxed() {
                unflushed.get_or_insert_with(Instant::now);
            }
            let batch = self.collect(first);
            if !self.commit_until_done(&batch) {
                return;
            }
            let given_up = self.committer.reserve().is_given_up();
            if given_up || self.degraded {
                self.degraded = given_up;
                // Before the commit is told: what comes because of it finds the door closed.
                (self.report)(CommitReport::Degraded(given_up));
            }
            self.done += batch.len() as u64;
            (self.report)(CommitReport::Committed(self.done));
            if self.commits.load(Ordering::Relaxed) == LENGTHEN_AFTER {
                self.lengthen_log();
            }
        }
    }

    fn lengthen_log(&self) {
        if let Err(error) = self.committer.lengthen_log() {
            tracing::debug!(%error, "the write-ahead log can not be given its length; it grows as it is written");
        }
    }

    /// Waits for more when more is likely. Without the wait the batches of a busy node fall to one: each commit is then
    /// so short that only one submission arrives during it.
    fn collect(&self, mut batch: Vec<Txn>) -> Vec<Txn> {
        let wanted = usize::try_from(self.company.load(Ordering::Relaxed)).unwrap_or(0).min(MAX_BATCH);
        let mut wait_for = |patience| {
            let missing = wanted.saturating_sub(batch.len());
            if missing > 0 {
                let before = batch.len();
                batch.extend(self.inbox.take(missing, MAX_BATCH - before, Some(patience)));
                return batch.len() > before;
            }
            false
        };
        let began = Instant::now();
        wait_for(patience(&self.last_commit));
        // What does not come before this commit waits for two of them, so that on a slow disk half of all would be in every second.
        let last = Duration::from_nanos(self.last_commit.load(Ordering::Relaxed)).min(MAX_WAIT);
        if last > MAX_LINGER {
            while began.elapsed() < last && wait_for(BRINGS) {}
        }
        batch
    }

    /// Says whether the batch is on disk; false only when the store is being closed on a disk that refuses.
    fn commit_until_done(&mut self, batch: &[Txn]) -> bool {
        let mut wait = Duration::from_millis(250);
        let mut trouble: Option<Trouble> = None;
        loop {
            let start = Instant::now();
            match self.committer.commit(batch) {
                Ok(()) => {
                    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    self.last_commit.store(took, Ordering::Relaxed);
                    if let Some(trouble) = trouble {
                        let seconds = trouble.since.elapsed().as_secs();
                        tracing::info!(after_s = seconds, "commits work again: what waited is on disk");
                    }
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Err(error) => {
                    Trouble::tell(&mut trouble, &error, batch.len());
                    (self.report)(CommitReport::Trouble(error));
                }
            }
            // The node is going down, and the submissions were never acknowledged.
            if self.closing.load(Ordering::Acquire) {
                return false;
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }
}

/// Commits that fail, since when, and what the log has of it.
struct Trouble {
    since: Instant,
    told: String,
    told_at: Instant,
}

impl Trouble {
    /// Says it when it begins, when the reason becomes another, and now and then: tries come every few seconds, and a disk
    /// may be full for months.
    fn tell(trouble: &mut Option<Self>, error: &StoreError, waiting: usize) {
        let (now, text) = (Instant::now(), error.to_string());
        let known = trouble.as_ref().is_some_and(|it| it.told == text && now - it.told_at < TELL_EVERY);
        if !known {
            tracing::error!(%error, waiting, "commits fail; they are tried again until they work");
            let since = trouble.as_ref().map_or(now, |trouble| trouble.since);
            *trouble = Some(Self { since, told: text, told_at: now });
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Also after a panic: whoever submits is told.
        self.inbox.close();
    }
}
