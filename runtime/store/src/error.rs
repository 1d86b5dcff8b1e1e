//! What can go wrong with the data folder.

use std::path::PathBuf;
use trackside_codes::{Code, Coded, code};

use rusqlite::ErrorCode;

/// A failure of the store. Codes TS-02xx.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or a file in it can not be used.
    #[error(
        "[{code}] cannot {action} {}: {source}; check that the folder exists, is writable and has space", path.display(),
        code = self.code()
    )]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has the data folder.
    #[error(
        "[{code}] {} is in use by another Trackside process ({holder}); talk to it over its socket, or stop it first", path.display(),
        code = self.code()
    )]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// What the lock file says of the holder.
        holder: String,
    },
    /// SQLite refused.
    #[error(
        "[{code}] the database trackside.db in the data folder refused to {action}: {source}{}", remedy(source),
        code = self.code()
    )]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// There is no room for what it was to write.
    #[error(
        "[{code}] the disk is full: the database trackside.db has no room to {action} ({source}); make room on the disk of \
         the data folder, it is not damaged; what was accepted is safe, and a running node tries again by itself and logs \
         when commits work again",
        code = self.code()
    )]
    Full {
        /// What was being done.
        action: &'static str,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// The database is not the file that was opened.
    #[error(
        "[{code}] {} is not the file that this process has open: {reason}; nothing is accepted meanwhile, because it would \
         be written to a file that nobody finds again; put back what was moved away, or restart the node to go on with what \
         lies there now", path.display(),
        code = self.code()
    )]
    Moved {
        /// The database or its log.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// The database was written by a newer Trackside.
    #[error(
        "[{code}] {} has schema version {found}, this binary knows up to {known}; install the newer Trackside again, or \
         restore the copy of the data folder from before the update", path.display(),
        code = self.code()
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
        "[{code}] damaged row in table {table}: {reason}; run `trackside artifact verify` and restore from a copy",
        code = self.code()
    )]
    Damaged {
        /// Which table.
        table: &'static str,
        /// What was found.
        reason: String,
    },
    /// The writer thread is gone; the process is ending.
    #[error("[{code}] the store is closed", code = self.code())]
    Closed,
}

impl Coded for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::Io { .. } => code!("TS-0201"),
            Self::Locked { .. } => code!("TS-0202"),
            Self::Sqlite { .. } => code!("TS-0203"),
            Self::Full { .. } => code!("TS-0207"),
            Self::Moved { .. } => code!("TS-0209"),
            Self::Newer { .. } => code!("TS-0204"),
            Self::Damaged { .. } => code!("TS-0205"),
            Self::Closed => code!("TS-0206"),
        }
    }
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

    /// Whether there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn sqlite(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { action, source },
            _ => Self::Sqlite { action, source },
        }
    }
}

/// What to do about it: only what the error itself tells. A good database must not be moved away.
fn remedy(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; the file is damaged: move it away and put back the latest copy"
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "; run this as the user that runs the node, and see that the disk of the data folder has room"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "; the disk refused: see that it has room, then look into the system's log for its errors"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another program holds the database: end it, then try again"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// What people read when SQLite gives this code.
    fn told(code: std::ffi::c_int) -> String {
        StoreError::sqlite("commit")(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).to_string()
    }

    #[test]
    fn only_a_damaged_database_is_to_be_moved_away() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CORRUPT_INDEX] {
            assert!(told(code).contains("move it away"), "{}", told(code));
        }
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_SHMSIZE,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_PERM,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_CONSTRAINT,
            ffi::SQLITE_NOMEM,
        ] {
            assert!(!told(code).contains("move it away"), "{}", told(code));
        }
    }

    #[test]
    fn a_full_disk_is_told_as_one() {
        let text = told(ffi::SQLITE_FULL);
        assert!(text.starts_with("[TS-0207] the disk is full") && text.contains("make room"), "{text}");
    }
}
