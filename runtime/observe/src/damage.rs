//! Entries that can not be read.

use trackside_store::JournalRow;

/// Tells of a damaged entry; a consumer sees each once.
pub(crate) fn tell(consumer: &'static str, entry: &JournalRow, reason: &dyn std::fmt::Display) {
    tracing::error!(
        consumer,
        entry = entry.seq,
        of = %entry.about,
        "[TS-0211] an entry of the journal can not be read and is left out: {reason}; `trackside artifact verify` lists all of them"
    );
}
