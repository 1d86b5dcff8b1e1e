//! Commits, one after the other: what the writer thread does, and what a simulation does without a thread.

use std::{
    fs::OpenOptions,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, TransactionBehavior};
use trackside_spec::config::Durability;

use crate::{
    artifacts::Artifacts,
    contents::Contents,
    digests::Late,
    error::StoreError,
    lock::DataLock,
    models,
    prune::Prune,
    reserve::Reserve,
    run_rows::RunRows,
    schema::{self, LOG_BYTES},
    write::{self, Known, Txn, Write},
};

/// The write-ahead log's name in the data folder.
const LOG: &str = "trackside.db-wal";

/// The one connection that writes, and the lock of the data folder.
pub struct Committer {
    connection: Connection,
    artifacts: Arc<Artifacts>,
    known: Known,
    data_dir: PathBuf,
    durability: Durability,
    reserve: Arc<Reserve>,
    /// The database and its log, and which files they were when they were opened.
    opened: Vec<(PathBuf, Number)>,
    _lock: DataLock,
}

/// Which file it is: its file system, and its number there.
type Number = (u64, u64);

fn number_of(path: &Path) -> std::io::Result<Number> {
    std::fs::metadata(path).map(|data| (data.dev(), data.ino()))
}

impl Committer {
    /// Opens a data folder for writing, creating what is missing.
    ///
    /// # Errors
    /// When another process writes there, the folder can not be used, or the database is newer than this binary.
    pub fn open(data_dir: &Path, durability: Durability) -> Result<Self, StoreError> {
        let lock = DataLock::take(data_dir)?;
        // Made with the first database that lay here, after it.
        let had_artifacts = data_dir.join("artifacts").is_dir();
        let database = data_dir.join("trackside.db");
        let mut connection = Connection::open(&database).map_err(StoreError::sqlite("open"))?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Relaxed => "NORMAL",
        };
        let is_new = schema::prepare(&mut connection, &database, synchronous)?;
        models::sweep(data_dir, &connection)?;
        models::sweep_pulls(data_dir);
        let late = Late::open(&mut connection).map_err(StoreError::sqlite("find the newest artifacts"))?;
        let artifacts = Arc::new(Artifacts::open(data_dir, late)?);
        if is_new && had_artifacts {
            tracing::warn!(
                database = %database.display(),
                "[TS-0210] the database was missing or empty and has been made anew, while the folder artifacts beside it \
                 is that of an earlier one: runs, their small artifacts, the state of workflows and the memory of which \
                 files had their run are gone or begin anew, so that files that lie in watched folders start a run once \
                 more; if that is not what you want, stop the node and put a copy of the data folder back"
            );
        }
        connection.set_prepared_statement_cache_capacity(64);
        let mut opened = Vec::new();
        for path in [database, data_dir.join(LOG)] {
            match number_of(&path) {
                Ok(number) => opened.push((path, number)),
                // A log that SQLite has not begun yet.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::io("look at", path)(error)),
            }
        }
        Ok(Self {
            connection,
            artifacts,
            known: Known::default(),
            data_dir: data_dir.to_owned(),
            durability,
            reserve: Arc::new(Reserve::new(data_dir)),
            opened,
            _lock: lock,
        })
    }

    /// Makes the transactions durable together.
    ///
    /// # Errors
    /// When the disk or SQLite refuses, or the database is not where it was; nothing is then written and the same batch may be committed again.
    pub fn commit(&mut self, batch: &[Txn]) -> Result<(), StoreError> {
        self.look_for_the_files()?;
        match self.try_to(batch) {
            Err(error) if error.is_full() && self.reserve.give_up() => {
                tracing::error!(
                    %error,
                    "[TS-0216] the disk is full and the reserve has been given up: what was accepted goes on, nothing new is \
                     accepted until there is room again, and what retention does not keep is removed; make room on the disk \
                     of the data folder, or let [retention] keep less"
                );
                self.checkpoint("TRUNCATE");
                self.try_to(batch)?;
            }
            tried => tried?,
        }
        let gives_back = |write: &Write| matches!(write, Write::Prune(Prune::Pages(_)));
        if batch.iter().flat_map(|txn| &txn.writes).any(gives_back) {
            // The file gets shorter only when the log has been moved into it, and an idle node would not do that.
            self.checkpoint("PASSIVE");
        }
        Ok(())
    }

    /// Files of artifacts first: what refers to them is never without them.
    fn try_to(&mut self, batch: &[Txn]) -> Result<(), StoreError> {
        for digest in batch.iter().flat_map(|txn| &txn.artifacts) {
            self.artifacts.make_durable(digest)?;
        }
        let result = self.write(batch);
        self.artifacts.holds().have_left();
        if result.is_err() {
            // Definitions and samples inserted by the failed transaction are gone with it.
            self.known.clear();
        }
        result
    }

    /// Moves what the log holds into the database; with `TRUNCATE` its room is given back. A log that grew when the disk
    /// filled keeps what it has, and the database could not grow for it.
    fn checkpoint(&self, mode: &str) {
        let moved = self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
        if let Err(error) = moved {
            tracing::warn!(%error, "the write-ahead log can not be moved into the database now");
        }
    }

    /// The room that is held for a full disk.
    #[must_use]
    pub const fn reserve(&self) -> &Arc<Reserve> {
        &self.reserve
    }

    /// SQLite writes on to files that were removed, moved away or replaced, and all of it is gone when the process ends.
    fn look_for_the_files(&self) -> Result<(), StoreError> {
        for (path, opened) in &self.opened {
            let reason = match number_of(path) {
                Ok(number) if number == *opened => continue,
                Ok(_) => "another file lies there",
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "it is not there any more",
                Err(error) => return Err(StoreError::io("look at", path)(error)),
            };
            return Err(StoreError::Moved { path: path.clone(), reason });
        }
        Ok(())
    }

    fn write(&mut self, batch: &[Txn]) -> Result<(), StoreError> {
        let txn = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::sqlite("begin a transaction"))?;
        let (mut runs, mut contents) = (RunRows::default(), Contents::of(&self.artifacts));
        for write in batch.iter().flat_map(|txn| &txn.writes) {
            write::apply(&txn, write, &mut contents, &mut self.known, &mut runs)
                .map_err(StoreError::sqlite("take a row"))?;
        }
        runs.write(&txn).map_err(StoreError::sqlite("take a row"))?;
        for digest in batch.iter().flat_map(|txn| &txn.artifacts) {
            contents.bring(&txn, digest).map_err(StoreError::sqlite("take an artifact"))?;
        }
        contents.enter(&txn).map_err(StoreError::sqlite("enter artifacts"))?;
        txn.commit().map_err(StoreError::sqlite("commit"))?;
        contents.committed();
        Ok(())
    }

    /// Whether commits are not flushed one by one.
    #[must_use]
    pub fn is_relaxed(&self) -> bool {
        self.durability == Durability::Relaxed
    }

    /// Flushes what was committed; with full durability every commit has done so itself.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn flush(&self) -> Result<(), StoreError> {
        let log = self.data_dir.join(LOG);
        let flushed = std::fs::File::open(&log).and_then(|file| file.sync_data());
        flushed.map_err(StoreError::io("flush", log))
    }

    /// Gives the write-ahead log the length that it has when it begins anew, of zeros: a flush of what was written over is a write of
    /// that and nothing else, while one of a file that grew writes its length and its map, too (measured on ext4 with a journal: half
    /// the bytes, and 1 ms instead of 5 at the 99th percentile). Zeros end a log like the end of its file. Nothing is done on a disk
    /// that has less than sixteen times as much free: others need it more.
    ///
    /// # Errors
    /// When the disk refuses: the log then grows as it is written.
    pub(crate) fn lengthen_log(&self) -> std::io::Result<()> {
        let log = match OpenOptions::new().write(true).open(self.data_dir.join(LOG)) {
            Ok(log) => log,
            // SQLite has not begun it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut at = log.metadata()?.len();
        if at >= LOG_BYTES || self.reserve.free()? < LOG_BYTES * 16 {
            return Ok(());
        }
        // In small pieces: the system then keeps it in small pages, and counts and writes those that changed.
        let zeros = vec![0; 4 << 10];
        while at < LOG_BYTES {
            let piece = usize::try_from(LOG_BYTES - at).unwrap_or(usize::MAX).min(zeros.len());
            log.write_all_at(&zeros[..piece], at)?;
            at += piece as u64;
        }
        log.sync_data()
    }

    /// The artifacts of the data folder.
    #[must_use]
    pub fn artifacts(&self) -> &Arc<Artifacts> {
        &self.artifacts
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.artifacts.readers().end();
    }
}
