//! Read connections, lent out one at a time.

use std::{path::PathBuf, sync::Mutex};

use trackside_sync::lock;

use crate::{error::StoreError, read::Reader};

/// No more connections than this are kept when nobody uses them.
const KEPT: usize = 4;

/// A pool of readers of one database.
pub struct Readers {
    data_dir: PathBuf,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    readers: Vec<Reader>,
    /// None is kept any more.
    is_over: bool,
}

impl Readers {
    /// A pool that opens its connections when they are needed.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, idle: Mutex::default() }
    }

    /// Whether there is a database to ask.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.data_dir.join("trackside.db").is_file()
    }

    /// Asks a question.
    ///
    /// # Errors
    /// When no connection can be opened, or the question's own.
    pub fn with<T>(&self, ask: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = lock(&self.idle).readers.pop();
        let reader = idle.map_or_else(|| Reader::open(&self.data_dir), Ok)?;
        let answer = ask(&reader);
        let mut idle = lock(&self.idle);
        if idle.readers.len() < KEPT && !idle.is_over {
            idle.readers.push(reader);
        }
        answer
    }

    /// Closes what nobody uses, now and from now on: whoever closes the last connection tidies up the log, and only the one that
    /// writes can.
    pub(crate) fn end(&self) {
        let mut idle = lock(&self.idle);
        idle.is_over = true;
        idle.readers.clear();
    }
}
