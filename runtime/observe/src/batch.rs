//! From entries to transactions.

use trackside_store::{JournalRow, Reader, StoreError, Txn, Write};

use crate::consumer::{Batch, Consumer};

/// The consumers of a node. They read together: what stands at the same place is given the same entries, and what is made of
/// them is one transaction with all their cursors. One that is behind is given what it lacks first, until it has caught up.
pub struct Consumers {
    seats: Vec<Seat>,
}

struct Seat {
    consumer: Box<dyn Consumer>,
    /// It failed, and is left out until the next round.
    failed: bool,
}

/// A consumer, as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// The name of its cursor.
    pub consumer: &'static str,
    /// Whether it comes on: one that fails is waited for only as far as its backlog goes.
    pub comes_on: bool,
}

impl Consumers {
    /// All that there are.
    #[must_use]
    pub fn new(consumers: Vec<Box<dyn Consumer>>) -> Self {
        Self { seats: consumers.into_iter().map(|consumer| Seat { consumer, failed: false }).collect() }
    }

    /// Whom retention waits for.
    #[must_use]
    pub fn awaited(&self) -> Vec<Awaited> {
        let of = |seat: &Seat| Awaited { consumer: seat.consumer.name(), comes_on: !seat.failed };
        self.seats.iter().map(of).collect()
    }

    /// A new round: one that failed is tried again.
    pub(crate) fn begin_round(&mut self) {
        self.seats.iter_mut().for_each(|seat| seat.failed = false);
    }

    /// What is made of the next entries; none when there are none, or fewer than `few` and none of them from before `known`. The
    /// transaction must be on disk before the next is asked for: the cursors are read from there.
    ///
    /// A cursor beyond the end of the journal belongs to another journal (a database that was put back and carries on
    /// from there): that is told, and the consumer goes on at the end. One that fails is told, and the others go on; its
    /// error is kept in `failed`, unless an earlier one stands there.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn next(
        &mut self,
        reader: &Reader,
        (known, few): (i64, i64),
        failed: &mut Option<StoreError>,
    ) -> Result<Option<Txn>, StoreError> {
        loop {
            let newest = reader.newest_entry()?;
            let mut cursors = Vec::new();
            for (place, seat) in self.seats.iter().enumerate().filter(|(_, seat)| !seat.failed) {
                cursors.push((reader.cursor(seat.consumer.name())?, place));
            }
            if let Some(&(cursor, place)) = cursors.iter().find(|(cursor, _)| *cursor > newest) {
                let consumer = self.seats[place].consumer.name();
                tracing::error!(
                    consumer,
                    cursor,
                    newest,
                    "[TS-0212] the cursor of this consumer lies beyond the end of the journal; it goes on at the end"
                );
                return Ok(Some(Txn::of(vec![Write::Cursor { consumer, seq: newest }])));
            }
            let is_enough = |first: &i64| *first < newest && (*first < known || newest - *first >= few);
            let Some(first) = cursors.iter().map(|(cursor, _)| *cursor).min().filter(is_enough) else {
                return Ok(None);
            };
            // Up to where the next one stands: from there on they read together.
            let ahead = cursors.iter().map(|(cursor, _)| *cursor).filter(|cursor| *cursor > first).min();
            let stop = ahead.unwrap_or(newest);
            let entries = reader.journal_batch(first, stop)?;
            let owners = reader.owners_of(entries.iter().filter_map(JournalRow::run))?;
            let batch = Batch { entries: &entries, owners: &owners };
            let together = cursors.iter().filter(|(cursor, _)| *cursor == first).map(|(_, place)| *place);
            let mut writes = Vec::new();
            for place in together {
                writes.extend(self.give(place, (first, stop), batch, reader, failed));
            }
            if !writes.is_empty() {
                return Ok(Some(Txn::of(writes)));
            }
        }
    }

    /// What one of them makes of entries between `first` and `stop`, with its cursor behind them; nothing when it fails.
    fn give(
        &mut self,
        place: usize,
        (first, stop): (i64, i64),
        batch: Batch<'_>,
        reader: &Reader,
        failed: &mut Option<StoreError>,
    ) -> Vec<Write> {
        let Seat { consumer, failed: is_left_out } = &mut self.seats[place];
        let (name, entries) = (consumer.name(), batch.entries);
        let seq = entries.last().map_or(stop, |last| last.seq);
        let missing = (seq - first) - i64::try_from(entries.len()).unwrap_or(i64::MAX);
        // One that begins sees what is there, and misses nothing.
        if first > 0 && missing > 0 {
            tracing::error!(
                consumer = name,
                missing,
                "[TS-0218] entries of the journal were removed before this consumer had come to them: it was further behind than \
                 `backlog` in [retention] allows; what it makes lacks them"
            );
        }
        match consumer.take(batch, reader) {
            Ok(mut writes) => {
                writes.push(Write::Cursor { consumer: name, seq });
                writes
            }
            Err(error) => {
                tracing::error!(
                    consumer = name,
                    after = first,
                    %error,
                    "[TS-0219] this consumer of the journal can not go on; the others do, and it is tried again"
                );
                *is_left_out = true;
                failed.get_or_insert(error);
                Vec::new()
            }
        }
    }
}
