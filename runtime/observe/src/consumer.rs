//! What every consumer of the journal is.

use trackside_store::{JournalRow, Reader, StoreError, Write};

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
    fn take(&mut self, entries: &[JournalRow], reader: &Reader) -> Result<Vec<Write>, StoreError>;
}
