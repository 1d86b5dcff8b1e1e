//! The writer thread: many submissions, one commit, one flush.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{artifacts::Artifacts, commit::Committer, error::StoreError, read::Reader, write::Txn};

/// The number of a submission; commits happen in this order.
pub type TxnNumber = u64;

/// What the writer thread tells the node.
#[derive(Debug)]
pub enum CommitReport {
    /// Every submission up to this number is on disk.
    Committed(TxnNumber),
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
/// A batch never waits longer for company.
const MAX_LINGER: Duration = Duration::from_millis(2);

/// The open store. Dropping it commits what was submitted and ends the writer thread.
pub struct Store {
    sender: Option<Sender<Txn>>,
    submitted: AtomicU64,
    company: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    artifacts: Arc<Artifacts>,
    data_dir: PathBuf,
}

impl Store {
    /// Puts an open data folder to work. `report` is called on the writer thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(committer: Committer, report: Report) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let company = Arc::new(AtomicU64::new(0));
        let commits = Arc::new(AtomicU64::new(0));
        let closing = Arc::new(AtomicBool::new(false));
        let (artifacts, data_dir) = (committer.artifacts().clone(), committer.data_dir().to_owned());
        let worker = Worker {
            committer,
            receiver,
            report,
            company: company.clone(),
            commits: commits.clone(),
            closing: closing.clone(),
            done: 0,
            last_commit: Duration::ZERO,
        };
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || worker.work())
            .map_err(StoreError::io("start the writer thread for", &data_dir))?;
        Ok(Self {
            sender: Some(sender),
            submitted: AtomicU64::new(0),
            company,
            commits,
            closing,
            thread: Some(thread),
            artifacts,
            data_dir,
        })
    }

    /// Hands a transaction over. Only the dispatcher calls this, so numbers are in order.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the writer thread is gone.
    pub fn submit(&self, txn: Txn) -> Result<TxnNumber, StoreError> {
        let sender = self.sender.as_ref().ok_or(StoreError::Closed)?;
        sender.send(txn).map_err(|_| StoreError::Closed)?;
        Ok(self.submitted.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Tells the writer how many runs are under way: with many, a commit waits a little for company, since a flush
    /// costs the same for one as for sixty-four.
    pub fn set_company(&self, runs: u64) {
        self.company.store(runs, Ordering::Relaxed);
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
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Worker {
    committer: Committer,
    receiver: Receiver<Txn>,
    report: Report,
    company: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    done: TxnNumber,
    last_commit: Duration,
}

impl Worker {
    fn work(mut self) {
        let mut unflushed: Option<Instant> = None;
        loop {
            let first = match unflushed.map(|since| FLUSH_EVERY.saturating_sub(since.elapsed())) {
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                // Also when submissions never pause.
                Some(Duration::ZERO) => Err(RecvTimeoutError::Timeout),
                Some(left) => self.receiver.recv_timeout(left),
            };
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.committer.flush() {
                        tracing::error!(%error, "the write-ahead log can not be flushed");
                    }
                    unflushed = None;
                    continue;
                }
            };
            if self.committer.is_relaxed() {
                unflushed.get_or_insert_with(Instant::now);
            }
            let batch = self.collect(first);
            if !self.commit_until_done(&batch) {
                return;
            }
            self.done += batch.len() as u64;
            (self.report)(CommitReport::Committed(self.done));
        }
    }

    /// Takes what waits, and waits for more when more is likely. Without the wait the batches of a busy node fall to
    /// one: each commit is then so short that only one submission arrives during it.
    fn collect(&self, first: Txn) -> Vec<Txn> {
        let mut batch = vec![first];
        let drain = |batch: &mut Vec<Txn>| {
            while batch.len() < MAX_BATCH {
                let Ok(txn) = self.receiver.try_recv() else { break };
                batch.push(txn);
            }
        };
        drain(&mut batch);
        let wanted = usize::try_from(self.company.load(Ordering::Relaxed)).unwrap_or(0).min(MAX_BATCH);
        let patience = (self.last_commit * PATIENCE).min(MAX_LINGER);
        let start = Instant::now();
        while batch.len() < wanted {
            let Some(left) = patience.checked_sub(start.elapsed()) else { break };
            match self.receiver.recv_timeout(left) {
                Ok(txn) => batch.push(txn),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
            drain(&mut batch);
        }
        batch
    }

    /// Says whether the batch is on disk; false only when the store is being closed on a disk that refuses.
    fn commit_until_done(&mut self, batch: &[Txn]) -> bool {
        let mut wait = Duration::from_millis(250);
        loop {
            let start = Instant::now();
            match self.committer.commit(batch) {
                Ok(()) => {
                    self.last_commit = start.elapsed();
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Err(error) => {
                    tracing::error!(%error, waiting = batch.len(), "commit failed; it is tried again");
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
