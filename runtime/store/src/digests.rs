//! Which row an artifact has, by its digest.
//!
//! Digests are random, so that an index over all of them is written at a place of its own for each new artifact: a page and more
//! for each run that has one. So the index (`digests`) is written later. A new artifact's row is entered in the order of the rows
//! (`late_digests`) and in memory ([`Late`]); when many are there, a hand goes round the digests and enters, with each commit, as
//! many neighbours as came: they share their pages. Whoever asks looks in both.

use std::{cell::RefCell, collections::BTreeSet, ops::Bound};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use trackside_spec::Digest;

use crate::{error::StoreError, read::Reader};

/// How a digest begins. Two that begin alike are told apart by their rows.
pub(crate) type Prefix = [u8; 6];

/// So many wait, about a megabyte of memory. The more there are, the more of them share a page: with this many, an index of 100,000
/// artifacts writes a seventh of a page for each, and one of a million two thirds.
const MOST: usize = 16_384;
/// Rows of `late_digests` that are removed at a time, and for how many that were entered.
const SLICE: usize = 2_048;

pub(crate) fn prefix(digest: &Digest) -> Prefix {
    let [a, b, c, d, e, f, ..] = *digest.as_bytes();
    [a, b, c, d, e, f]
}

/// Rows that a commit asks the index about, after a start.
const LOOKED_AT: usize = 512;

/// The rows that the index does not have yet, and after a start some that it has: each commit looks at a few of them.
#[derive(Debug)]
pub(crate) struct Late {
    rows: BTreeSet<(Prefix, i64)>,
    most: usize,
    /// What was entered last; the next one comes behind it.
    hand: Prefix,
    /// Entered since rows of the table were removed.
    entered: usize,
    slice: usize,
    /// From which row on it has not been asked whether the index has it.
    unknown: Option<(Prefix, i64)>,
}

/// A process that lives briefly enters rows and is gone before it removes them from where they waited: the next one does.
fn tidy(connection: &mut Connection, most: usize) -> rusqlite::Result<()> {
    let count: i64 = connection.query_row("SELECT count(*) FROM late_digests", [], |row| row.get(0))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    if count <= most.saturating_mul(2) {
        return Ok(());
    }
    let txn = connection.transaction()?;
    let newest = "SELECT artifact FROM late_digests ORDER BY artifact DESC LIMIT 1 OFFSET ?1";
    let first: i64 = txn.query_row(newest, [most], |row| row.get(0))?;
    txn.execute(
        "INSERT OR IGNORE INTO digests SELECT prefix, artifact FROM late_digests WHERE artifact <= ?1 ORDER BY prefix",
        [first],
    )?;
    txn.execute("DELETE FROM late_digests WHERE artifact <= ?1", [first])?;
    txn.commit()
}

fn rows(all: &BTreeSet<(Prefix, i64)>, prefix: Prefix) -> impl Iterator<Item = i64> + '_ {
    all.range((prefix, i64::MIN)..=(prefix, i64::MAX)).map(|(_, row)| *row)
}

/// What one commit does with it. Nothing of it counts before that is on disk.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    new: BTreeSet<(Prefix, i64)>,
    gone: BTreeSet<(Prefix, i64)>,
    entered: Vec<(Prefix, i64)>,
    /// Rows of the table were removed.
    has_removed: bool,
    /// Of those that were looked at after a start, what the index had, and from where on the rest has to be looked at.
    had: Vec<(Prefix, i64)>,
    unknown: Option<(Prefix, i64)>,
}

/// What the end of a commit does.
pub(crate) struct Next {
    entered: Vec<(Prefix, i64)>,
    /// Rows of the table below this one wait no longer, and so many of them are to be removed.
    over: Option<(i64, i64)>,
    looked_at: Vec<(Prefix, i64)>,
    unknown: Option<(Prefix, i64)>,
}

impl Default for Late {
    fn default() -> Self {
        Self { rows: BTreeSet::new(), most: MOST, hand: Prefix::default(), entered: 0, slice: SLICE, unknown: None }
    }
}

impl Late {
    /// As the database has it.
    pub(crate) fn open(connection: &mut Connection) -> rusqlite::Result<Self> {
        tidy(connection, MOST)?;
        Self::load(connection)
    }

    fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut query = connection.prepare("SELECT artifact, prefix, hand FROM late_digests ORDER BY artifact")?;
        let mut found = query.query([])?;
        let mut late = Self::default();
        while let Some(row) = found.next()? {
            // What is no beginning of a digest belongs to none.
            let beginning = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| Prefix::try_from(bytes).ok());
            if let Some(prefix) = beginning(row.get(1)?) {
                late.rows.insert((prefix, row.get(0)?));
            }
            if let Some(hand) = beginning(row.get(2)?) {
                late.hand = hand;
            }
        }
        late.unknown = late.rows.first().copied();
        Ok(late)
    }

    /// Rows whose digests begin as this one does.
    pub(crate) fn rows(&self, prefix: Prefix) -> impl Iterator<Item = i64> + '_ {
        rows(&self.rows, prefix)
    }

    /// The next ones for the index: as many as came, so that as many wait as should.
    fn next(&self, changes: &Changes) -> Vec<(Prefix, i64)> {
        let came = changes.new.len();
        let over = (self.rows.len() + came).saturating_sub(self.most);
        let behind = self.rows.range((Bound::Excluded((self.hand, i64::MAX)), Bound::Unbounded));
        let before = self.rows.range(..=(self.hand, i64::MAX));
        let stay = behind.chain(before).filter(|row| !changes.gone.contains(row));
        stay.take(over.min(2 * came)).copied().collect()
    }

    /// The commit is on disk.
    pub(crate) fn committed(&mut self, changes: Changes) {
        let Changes { new, gone, entered, has_removed, had, unknown } = changes;
        self.unknown = unknown;
        if let Some((prefix, _)) = entered.last() {
            self.hand = *prefix;
        }
        self.entered += entered.len();
        if has_removed {
            self.entered = 0;
        }
        for row in gone.iter().chain(&entered).chain(&had) {
            self.rows.remove(row);
        }
        self.rows.extend(new);
    }
}

impl Changes {
    /// The row of an artifact, and whether that is a file.
    pub(crate) fn find(
        &self,
        late: &[i64],
        txn: &Transaction<'_>,
        digest: &Digest,
    ) -> rusqlite::Result<Option<(i64, bool)>> {
        let (prefix, read) = (prefix(digest), |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?)));
        for row in rows(&self.new, prefix).chain(late.iter().copied()) {
            let found = txn
                .prepare_cached("SELECT id, content IS NULL FROM artifacts WHERE id = ?1 AND digest = ?2")?
                .query_row(params![row, digest.as_bytes()], read)
                .optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        // Nearly all are new: the table of artifacts is not looked into then.
        let entered = "SELECT a.id, a.content IS NULL FROM digests d CROSS JOIN artifacts a ON a.id = d.artifact
             WHERE d.prefix = ?1 AND a.digest = ?2";
        txn.prepare_cached(entered)?.query_row(params![prefix, digest.as_bytes()], read).optional()
    }

    /// A row has come.
    pub(crate) fn add(&mut self, txn: &Transaction<'_>, digest: &Digest, row: i64) -> rusqlite::Result<()> {
        let prefix = prefix(digest);
        txn.prepare_cached("INSERT OR REPLACE INTO late_digests (artifact, prefix) VALUES (?1, ?2)")?
            .execute(params![row, prefix])?;
        self.new.insert((prefix, row));
        Ok(())
    }

    /// A row goes.
    pub(crate) fn remove(&mut self, txn: &Transaction<'_>, digest: &Digest, row: i64) -> rusqlite::Result<()> {
        let prefix = prefix(digest);
        txn.prepare_cached("DELETE FROM digests WHERE prefix = ?1 AND artifact = ?2")?.execute(params![prefix, row])?;
        txn.prepare_cached("DELETE FROM late_digests WHERE artifact = ?1")?.execute([row])?;
        self.new.remove(&(prefix, row));
        self.gone.insert((prefix, row));
        Ok(())
    }

    /// What this commit enters, and up to which row nothing waits any more, where rows of the table are to be removed.
    pub(crate) fn next(&self, late: &Late) -> Next {
        let entered = late.next(self);
        let mut rest = late.unknown.into_iter().flat_map(|from| late.rows.range(from..)).copied();
        let looked_at: Vec<_> = rest.by_ref().take(LOOKED_AT.min(late.slice)).collect();
        let unknown = rest.next();
        // Not before it is known what waits.
        let is_time = late.unknown.is_none() && late.entered + entered.len() >= late.slice;
        let over = is_time.then(|| {
            // What is not in the index has a higher number than these, or one of these that was given again.
            let waiting = late.rows.iter().chain(&self.new).map(|(_, row)| *row).min().unwrap_or(i64::MAX);
            // More than came, so that none stays behind for ever, and not all at once.
            (waiting, i64::try_from(2 * late.slice).unwrap_or(i64::MAX))
        });
        Next { entered, over, looked_at, unknown }
    }

    /// Does it.
    pub(crate) fn enter(&mut self, txn: &Transaction<'_>, next: Next) -> rusqlite::Result<()> {
        let Next { entered, over, looked_at, unknown } = next;
        let mut is_entered = txn.prepare_cached("SELECT 1 FROM digests WHERE prefix = ?1 AND artifact = ?2")?;
        for (prefix, row) in looked_at {
            if is_entered.exists(params![prefix, row])? {
                self.had.push((prefix, row));
            }
        }
        let mut enter = txn.prepare_cached("INSERT OR IGNORE INTO digests (prefix, artifact) VALUES (?1, ?2)")?;
        for (prefix, row) in &entered {
            enter.execute(params![prefix, row])?;
        }
        // In a row that is written in any case: on a box that is often switched off the hand goes on where it was.
        if let (Some((hand, _)), Some(newest)) = (entered.last(), self.new.iter().map(|(_, row)| row).max()) {
            txn.prepare_cached("UPDATE late_digests SET hand = ?1 WHERE artifact = ?2")?
                .execute(params![hand, newest])?;
        }
        if let Some((waiting, most)) = over {
            txn.prepare_cached(
                "DELETE FROM late_digests WHERE artifact IN (
                     SELECT artifact FROM late_digests WHERE artifact < ?1 ORDER BY artifact LIMIT ?2)",
            )?
            .execute(params![waiting, most])?;
        }
        (self.entered, self.has_removed, self.unknown) = (entered, over.is_some(), unknown);
        Ok(())
    }
}

/// The row of the digest `?1`, where the index has it.
const ENTERED: &str = "digest = ?1 AND id IN (SELECT artifact FROM digests WHERE prefix = substr(?1, 1, 6))";
/// Rows of the digests from `?1` to `?2`, wherever they are.
pub(crate) const BETWEEN: &str = "digest BETWEEN ?1 AND ?2 AND id IN (
     SELECT artifact FROM digests WHERE prefix BETWEEN substr(?1, 1, 6) AND substr(?2, 1, 6)
     UNION ALL SELECT artifact FROM late_digests WHERE prefix BETWEEN substr(?1, 1, 6) AND substr(?2, 1, 6))";

/// Where the reader of a database looks for an artifact.
#[derive(Debug)]
pub(crate) enum Look {
    /// Everywhere: the database may be one of before, and what waits is not known.
    Everywhere,
    /// In the index and at these rows. They were asked for before the reader looks: what waits no longer is in the index.
    At(Vec<i64>),
}

/// What waited for the index when a reader looked last: thousands are not gone through for each artifact that it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Waiting(RefCell<Box<[(Prefix, i64)]>>);

impl Waiting {
    fn rows(&self, prefix: Prefix) -> Vec<i64> {
        let all = self.0.borrow();
        let from = all.partition_point(|(other, _)| *other < prefix);
        all[from..].iter().take_while(|(other, _)| *other == prefix).map(|(_, row)| *row).collect()
    }
}

impl Reader {
    /// What `columns` say of an artifact.
    pub(crate) fn artifact<T>(
        &self,
        digest: &Digest,
        look: &Look,
        columns: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Copy,
    ) -> Result<Option<T>, StoreError> {
        let ask = |place: &str, params: &[&dyn rusqlite::ToSql]| -> Result<Option<T>, StoreError> {
            let found = self.rows(&format!("SELECT {columns} FROM artifacts WHERE {place}"), params, read)?;
            Ok(found.into_iter().next())
        };
        let bytes = digest.as_bytes();
        let look_at = |rows: &[i64]| {
            for row in rows {
                if let Some(found) = ask("digest = ?1 AND id = ?2", &[bytes, row])? {
                    return Ok(Some(found));
                }
            }
            ask(ENTERED, &[bytes])
        };
        match look {
            Look::Everywhere if !self.has_table("late_digests")? => ask("digest = ?1", &[bytes]),
            Look::Everywhere => match look_at(&self.waiting.rows(prefix(digest)))? {
                None => {
                    // It came later, or was given the row of another. In this order: what waits no longer is in the index.
                    self.load_waiting()?;
                    look_at(&self.waiting.rows(prefix(digest)))
                }
                found => Ok(found),
            },
            Look::At(rows) => look_at(rows),
        }
    }

    /// What waits for the index now.
    fn load_waiting(&self) -> Result<(), StoreError> {
        let all = self.rows("SELECT prefix, artifact FROM late_digests", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let prefix = |(bytes, row): (Vec<u8>, i64)| Some((Prefix::try_from(bytes).ok()?, row));
        let mut all: Box<[_]> = all.into_iter().filter_map(prefix).collect();
        all.sort_unstable();
        *self.waiting.0.borrow_mut() = all;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const TABLES: &str = "CREATE TABLE artifacts (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, content BLOB) STRICT;
        CREATE TABLE digests (prefix BLOB NOT NULL, artifact INTEGER NOT NULL, PRIMARY KEY (prefix, artifact))
            STRICT, WITHOUT ROWID;
        CREATE TABLE late_digests (artifact INTEGER PRIMARY KEY, prefix BLOB NOT NULL, hand BLOB) STRICT;";

    /// Numbers that look like chance (xorshift).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, most: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % most
        }
    }

    /// One of a few thousand, of which about four begin alike.
    fn digest(chance: &mut Chance) -> Digest {
        let begins = Digest::of(&chance.below(500).to_le_bytes());
        let mut bytes = *begins.as_bytes();
        bytes[31] = u8::try_from(chance.below(4)).unwrap();
        Digest::from_bytes(bytes)
    }

    fn row_of(changes: &Changes, late: &Late, txn: &Transaction<'_>, digest: &Digest) -> Option<i64> {
        let late: Vec<i64> = late.rows(prefix(digest)).collect();
        changes.find(&late, txn, digest).unwrap().map(|(row, _)| row)
    }

    /// Some artifacts come and some go, in one transaction that may fail.
    fn batch(connection: &mut Connection, late: &mut Late, rows: &mut HashMap<Digest, i64>, chance: &mut Chance) {
        let (mut changes, mut after) = (Changes::default(), rows.clone());
        let txn = connection.transaction().unwrap();
        for _ in 0..chance.below(12) {
            let digest = digest(chance);
            let found = row_of(&changes, late, &txn, &digest);
            assert_eq!(found, after.get(&digest).copied(), "{digest}");
            match found {
                Some(row) if chance.below(3) == 0 => {
                    txn.execute("DELETE FROM artifacts WHERE id = ?1", [row]).unwrap();
                    changes.remove(&txn, &digest, row).unwrap();
                    after.remove(&digest);
                }
                Some(_) => {}
                None => {
                    // The number of the last one that went may be given again.
                    txn.execute("INSERT INTO artifacts (digest) VALUES (?1)", [digest.as_bytes()]).unwrap();
                    changes.add(&txn, &digest, txn.last_insert_rowid()).unwrap();
                    after.insert(digest, txn.last_insert_rowid());
                }
            }
        }
        let next = changes.next(late);
        changes.enter(&txn, next).unwrap();
        if chance.below(5) == 0 {
            return;
        }
        txn.commit().unwrap();
        late.committed(changes);
        *rows = after;
    }

    #[test]
    fn every_row_is_found_by_its_digest_whatever_came_went_failed_or_was_opened_again() {
        // How many wait, by what chance goes, after how many commits it is opened again, and how many rows there were before.
        for (most, seed, life, before) in [
            (0, 1, 100, 0),
            (1, 2, 100, 0),
            (40, 3, 100, 1_000_000),
            (40, 4, 3, 0),
            (300, 5, 100, 0),
            (40, 6, 1, 9_000),
        ] {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(TABLES).unwrap();
            connection.execute("INSERT INTO artifacts (id, digest) VALUES (?1, x'00')", [before]).unwrap();
            let chance = &mut Chance(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let (mut late, mut rows) = (Late { most, slice: 16, ..Late::default() }, HashMap::new());
            for step in 0..1_500 {
                batch(&mut connection, &mut late, &mut rows, chance);
                if step % life == life - 1 {
                    tidy(&mut connection, most).unwrap();
                    late = Late { most, slice: 16, ..Late::load(&connection).unwrap() };
                }
                if step % 100 == 99 {
                    // What is asked in another process sees all of them, and what has gone is in neither table.
                    let found = "SELECT count(*) FROM artifacts AS a WHERE EXISTS (SELECT 1 FROM digests AS d
                         WHERE d.prefix = substr(a.digest, 1, 6) AND d.artifact = a.id
                         UNION ALL SELECT 1 FROM late_digests AS d WHERE d.prefix = substr(a.digest, 1, 6) AND d.artifact = a.id)";
                    let stray = "SELECT count(*) FROM (SELECT artifact FROM digests UNION ALL SELECT artifact FROM late_digests)
                         WHERE artifact NOT IN (SELECT id FROM artifacts)";
                    let count = |query| {
                        usize::try_from(connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
                    };
                    assert_eq!((count(found), count(stray)), (rows.len(), 0));
                    let waiting = count("SELECT count(*) FROM late_digests");
                    assert!(waiting <= 4 * most + 100, "{waiting} wait where {most} should");
                    assert!(count("SELECT count(*) FROM digests") + waiting >= rows.len());
                }
            }
            assert!(rows.len() > 500, "{}", rows.len());
        }
    }
}
