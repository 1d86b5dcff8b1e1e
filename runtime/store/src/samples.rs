//! Samples of what the entries of each definition look like, and entries that are written as what is not in them
//! ([`crate::alike`]).
//!
//! A sample is made of the first entries of a definition that are not like each other, and never changed: entries that were
//! written with it need it. Where entries are not like it any more (a plugin was updated), another is made. They go with their
//! definition, and that goes after the last of its runs.

use std::{cell::RefCell, collections::HashMap};

use rusqlite::{OptionalExtension, Transaction, params};
use trackside_spec::Digest;

use crate::{
    alike::{LARGEST, Sample, restore, sample_of},
    read::Reader,
};

/// A sample is made of what is new in so many entries.
const SEEN: u32 = 24;
/// Bytes of one entry that go into a sample at most: one with much to say leaves room for others.
const OF_ONE: usize = 512;
/// After so many entries it is asked whether the sample is still worth it.
const JUDGED: u32 = 512;
/// Samples of a definition at most. Each is as large as some dozens of entries.
const MOST: i64 = 8;
/// Definitions whose samples are kept in memory.
const KEPT: usize = 1024;

/// What the writer knows of samples, by definition.
#[derive(Default)]
pub(crate) struct Samples(HashMap<i64, State>);

enum State {
    /// Entries are looked at, and written as they are.
    Gathering {
        sample: Sample,
        seen: u32,
    },
    Ready {
        sample: Sample,
        seen: u32,
        plain: usize,
        pressed: usize,
    },
    /// There are samples enough, and none that helps.
    Never,
}

impl Samples {
    /// What is written of a packed entry; none: the entry.
    pub(crate) fn press(
        &mut self,
        txn: &Transaction<'_>,
        definition: i64,
        entry: &[u8],
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        if self.0.len() >= KEPT && !self.0.contains_key(&definition) {
            self.0.clear();
        }
        let state = match self.0.entry(definition) {
            std::collections::hash_map::Entry::Occupied(state) => state.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(State::load(txn, definition)?),
        };
        let (written, next) = match state {
            State::Never => (None, None),
            State::Gathering { sample, seen } => {
                *seen += 1;
                let is_like = sample.press(entry).is_some_and(|pressed| 3 * pressed.len() < entry.len());
                if !is_like && sample.bytes().len() < LARGEST {
                    let bytes = [sample.bytes(), &entry[..entry.len().min(OF_ONE)]].concat();
                    *sample = Sample::new(0, bytes);
                }
                let is_enough = *seen >= SEEN || sample.bytes().len() >= LARGEST;
                (None, is_enough.then(|| State::keep(txn, definition, sample.bytes())).transpose()?)
            }
            State::Ready { sample, seen, plain, pressed } => {
                let written = sample.press(entry);
                *seen += 1;
                *plain += entry.len();
                *pressed += written.as_ref().map_or(entry.len(), Vec::len);
                let is_over = *seen >= JUDGED;
                let helps = 3 * *pressed < 2 * *plain;
                if is_over {
                    (*seen, *plain, *pressed) = (0, 0, 0);
                }
                let next = (is_over && !helps).then(|| State::again(txn, definition)).transpose()?;
                (written, next)
            }
        };
        if let Some(next) = next {
            *state = next;
        }
        Ok(written)
    }

    /// The definition goes.
    pub(crate) fn forget(&mut self, txn: &Transaction<'_>, definition: i64) -> rusqlite::Result<()> {
        self.0.remove(&definition);
        txn.prepare_cached("DELETE FROM samples WHERE definition = ?1")?.execute([definition])?;
        Ok(())
    }

    /// What was done last is not on disk.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl State {
    const fn ready(sample: Sample) -> Self {
        Self::Ready { sample, seen: 0, plain: 0, pressed: 0 }
    }

    fn gathering() -> Self {
        Self::Gathering { sample: Sample::new(0, Vec::new()), seen: 0 }
    }

    fn load(txn: &Transaction<'_>, definition: i64) -> rusqlite::Result<Self> {
        let newest = txn
            .prepare_cached("SELECT id, bytes, digest FROM samples WHERE definition = ?1 ORDER BY id DESC LIMIT 1")?
            .query_row([definition], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let sound = newest.filter(|(_, bytes, digest): &(_, Vec<u8>, _)| is_sound(bytes, *digest));
        Ok(sound.map_or_else(Self::gathering, |(id, bytes, _)| Self::ready(Sample::new(id, bytes))))
    }

    fn keep(txn: &Transaction<'_>, definition: i64, bytes: &[u8]) -> rusqlite::Result<Self> {
        txn.prepare_cached("INSERT INTO samples (definition, bytes, digest) VALUES (?1, ?2, ?3)")?.execute(params![
            definition,
            bytes,
            Digest::of(bytes).as_bytes()
        ])?;
        Ok(Self::ready(Sample::new(txn.last_insert_rowid(), bytes.to_vec())))
    }

    fn again(txn: &Transaction<'_>, definition: i64) -> rusqlite::Result<Self> {
        let count: i64 = txn
            .prepare_cached("SELECT count(*) FROM samples WHERE definition = ?1")?
            .query_row([definition], |row| row.get(0))?;
        Ok(if count < MOST { Self::gathering() } else { Self::Never })
    }
}

/// Thousands of entries are restored with a sample: one in which a bit is another is told, and not believed in.
fn is_sound(bytes: &[u8], digest: [u8; 32]) -> bool {
    bytes.len() <= LARGEST && Digest::of(bytes).as_bytes() == &digest
}

/// Samples that a reader has read.
#[derive(Default)]
pub(crate) struct Restoring(RefCell<HashMap<i64, Vec<u8>>>);

impl Reader {
    /// An entry as it was before it was pressed. What can not be restored stays as it is, and is told as damaged by whoever reads it.
    pub(crate) fn restored(&self, entry: Vec<u8>) -> rusqlite::Result<Vec<u8>> {
        let Some(number) = sample_of(&entry) else { return Ok(entry) };
        let mut known = self.samples.0.borrow_mut();
        if !known.contains_key(&number) {
            if known.len() >= KEPT {
                known.clear();
            }
            let mut query = self.connection.prepare_cached("SELECT bytes, digest FROM samples WHERE id = ?1")?;
            let found = query.query_row([number], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))).optional()?;
            let Some((bytes, _)) = found.filter(|(bytes, digest)| is_sound(bytes, *digest)) else { return Ok(entry) };
            known.insert(number, bytes);
        }
        Ok(known.get(&number).and_then(|sample| restore(&entry, sample)).unwrap_or(entry))
    }
}
