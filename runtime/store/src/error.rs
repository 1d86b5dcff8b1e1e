//! What can go wrong with the data folder.

use std::path::PathBuf;

/// A failure of the store. Codes TS-02xx.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or a file in it can not be used.
    #[error("[TS-0201] cannot {action} {}: {source}; check that the folder exists, is writable and has space", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has the data folder.
    #[error("[TS-0202] {} is in use by another Trackside process ({holder}); talk to it over its socket, or stop it first", path.display())]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// What the lock file says of the holder.
        holder: String,
    },
    /// SQLite refused.
    #[error(
        "[TS-0203] the database trackside.db in the data folder refused to {action}: {source}; when it says that the file \
         is damaged or no database, move it away and put back the latest copy"
    )]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// The database was written by a newer Trackside.
    #[error(
        "[TS-0204] {} has schema version {found}, this binary knows up to {known}; install the newer Trackside again, or \
         restore the copy of the data folder from before the update", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A row does not hold what it should.
    #[error(
        "[TS-0205] damaged row in table {table}: {reason}; run `trackside artifact verify` and restore from a copy"
    )]
    Damaged {
        /// Which table.
        table: &'static str,
        /// What was found.
        reason: String,
    },
    /// The writer thread is gone; the process is ending.
    #[error("[TS-0206] the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether what was asked for is there and can not be understood, now and later. Everything else may pass: a disk that is
    /// full or away, a lock.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite { source, .. } => match source {
                rusqlite::Error::SqliteFailure(error, _) => {
                    matches!(error.code, rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
                }
                // A value of another type than the column has, or a row that another one names and that is not there.
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::QueryReturnedNoRows => true,
                _ => false,
            },
            _ => false,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn sqlite(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { action, source }
    }
}
