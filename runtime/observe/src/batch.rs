//! From entries to transactions.

use trackside_store::{Reader, StoreError, Txn, Write};

use crate::consumer::Consumer;

/// What a consumer makes of the next entries, with its cursor behind them.
#[derive(Debug)]
pub struct Batch {
    /// To be committed as it is.
    pub txn: Txn,
    /// How many entries were worked in.
    pub entries: usize,
}

/// The consumers of a node.
pub struct Consumers {
    consumers: Vec<Box<dyn Consumer>>,
}

impl Consumers {
    /// All that there are.
    #[must_use]
    pub fn new(consumers: Vec<Box<dyn Consumer>>) -> Self {
        Self { consumers }
    }

    /// Their names, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.consumers.iter().map(|consumer| consumer.name()).collect()
    }

    /// What one of them makes of the next entries; none when there are none. The transaction must be on disk before the
    /// consumer is asked again: it reads its cursor.
    ///
    /// A cursor beyond the end of the journal belongs to another journal (a database that was put back and carries on
    /// from there): that is told, and the consumer goes on at the end.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn next(&mut self, place: usize, reader: &Reader) -> Result<Option<Batch>, StoreError> {
        let Some(consumer) = self.consumers.get_mut(place) else { return Ok(None) };
        let name = consumer.name();
        let seq = reader.cursor(name)?;
        let entries = reader.journal_batch(seq)?;
        let Some(last) = entries.last() else {
            let newest = reader.newest_entry()?;
            if seq <= newest {
                return Ok(None);
            }
            tracing::error!(
                consumer = name,
                cursor = seq,
                newest,
                "[TS-0212] the cursor of this consumer lies beyond the end of the journal; it goes on at the end"
            );
            let txn = Txn::of(vec![Write::Cursor { consumer: name, seq: newest }]);
            return Ok(Some(Batch { txn, entries: 0 }));
        };
        let missing = (last.seq - seq) - i64::try_from(entries.len()).unwrap_or(i64::MAX);
        // One that begins sees what is there, and misses nothing.
        if seq > 0 && missing > 0 {
            tracing::error!(
                consumer = name,
                missing,
                "[TS-0218] entries of the journal were removed before this consumer had come to them: it was further behind than \
                 `backlog` in [retention] allows; what it makes lacks them"
            );
        }
        let seq = last.seq;
        let mut writes = consumer.take(&entries, reader)?;
        writes.push(Write::Cursor { consumer: name, seq });
        Ok(Some(Batch { txn: Txn::of(writes), entries: entries.len() }))
    }
}
