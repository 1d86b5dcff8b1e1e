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
            Ok(lines) => {
                let mut found: Vec<String> = lines.into_iter().filter(|line| line != SOUND).collect();
                found.extend(self.lost_artifacts()?);
                Ok(found)
            }
            // Where the damage is deep, the check itself ends at it.
            Err(error) if error.is_damage() => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }

    /// What SQLite can not know: artifacts that nobody finds by their digests.
    fn lost_artifacts(&self) -> Result<Option<String>, StoreError> {
        if !self.has_table("late_digests")? {
            return Ok(None);
        }
        let lost = self.rows(
            "SELECT count(*) FROM artifacts AS a
             WHERE NOT EXISTS (SELECT 1 FROM digests WHERE prefix = substr(a.digest, 1, 6) AND artifact = a.id)
             AND NOT EXISTS (SELECT 1 FROM late_digests WHERE artifact = a.id AND prefix = substr(a.digest, 1, 6))",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        let count = lost.first().copied().unwrap_or_default();
        Ok((count > 0).then(|| format!("the index of artifacts by digest lacks {count}")))
    }
}
