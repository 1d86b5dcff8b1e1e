//! What every consumer of the journal is.

use std::collections::HashMap;

use trackside_engine::RunId;
use trackside_store::{JournalRow, Reader, RunOwner, StoreError, Write};

/// Entries that are given together.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// In their order.
    pub entries: &'a [JournalRow],
    /// Whose the runs are that the entries are about, in the state of the last entry or a later one. Runs that are gone are not
    /// among them.
    pub owners: &'a HashMap<RunId, RunOwner>,
}

/// Makes something of the journal.
///
/// It may keep in memory only what it can do without: after a crash it is made anew and goes on behind its cursor.
pub trait Consumer: Send {
    /// The name of its cursor. Never another one: under a new name it would begin anew.
    fn name(&self) -> &'static str;

    /// Works committed entries in, in their order, each once, and gives what is to be written for them. It is written
    /// together with the cursor.
    ///
    /// An entry that can not be read is told and left out: it must not hold up what comes after it.
    ///
    /// # Errors
    /// When the database refuses: the same entries are given again.
    fn take(&mut self, batch: Batch<'_>, reader: &Reader) -> Result<Vec<Write>, StoreError>;
}
