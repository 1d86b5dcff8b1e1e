//! What the core reads: the real database, or a disk that does not give it.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use trackside_engine::RunId;
use trackside_store::{LedgerRow, Reader, StoreError};

use crate::core::{History, PastEnd};

use super::witness::Witness;

pub struct Disk {
    pub reader: Reader,
    /// Reads fail.
    pub fails: Arc<AtomicBool>,
    pub witness: Arc<Mutex<Witness>>,
}

impl Disk {
    fn fails(&self, what: &'static str) -> Result<(), StoreError> {
        if !self.fails.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Nobody else asks it while the core is asked something.
        if let Ok(mut witness) = self.witness.try_lock() {
            witness.saw(what);
        }
        let source = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
        Err(StoreError::Io { action: "read", path: "trackside.db".into(), source })
    }
}

impl History for Disk {
    fn ledger(&self, trigger: &str, identity: &str) -> Result<Option<LedgerRow>, StoreError> {
        self.fails(match trigger {
            "workflow" => "children that could not be looked up",
            _ if identity.starts_with("at:") => "times that could not be looked up",
            _ => "files that could not be looked up",
        })?;
        self.reader.ledger(trigger, identity)
    }

    fn end_of(&self, run: RunId) -> Result<Option<PastEnd>, StoreError> {
        self.fails("ends that could not be looked up")?;
        History::end_of(&self.reader, run)
    }
}
