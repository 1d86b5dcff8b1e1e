//! Whether the database itself is sound, beside what stands in it.

use crate::{error::StoreError, read::Reader};

/// What SQLite answers when all is well.
const SOUND: &str = "ok";

impl Reader {
    /// What is wrong with the database's pages and indexes, a few findings of it; nothing when it is sound. Reads all of it.
    ///
    /// # Errors
    /// When SQLite can not look.
    pub fn unsound(&self) -> Result<Vec<String>, StoreError> {
        match self.rows("PRAGMA integrity_check(5)", [], |row| row.get::<_, String>(0)) {
            Ok(lines) => Ok(lines.into_iter().filter(|line| line != SOUND).collect()),
            // Where the damage is deep, the check itself ends at it.
            Err(error) if error.is_damage() => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }
}
