//! Read connections, lent out one at a time.

use std::{path::PathBuf, sync::Mutex};

use trackside_sync::lock;

use crate::{error::StoreError, read::Reader};

/// No more connections than this are kept when nobody uses them.
const KEPT: usize = 4;

/// A pool of readers of one database.
pub struct Readers {
    data_dir: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    /// A pool that opens its connections when they are needed.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, idle: Mutex::default() }
    }

    /// Asks a question.
    ///
    /// # Errors
    /// When no connection can be opened, or the question's own.
    pub fn with<T>(&self, ask: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = lock(&self.idle).pop();
        let reader = idle.map_or_else(|| Reader::open(&self.data_dir), Ok)?;
        let answer = ask(&reader);
        let mut idle = lock(&self.idle);
        if idle.len() < KEPT {
            idle.push(reader);
        }
        answer
    }
}
