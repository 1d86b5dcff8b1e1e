//! Reading and removing, in turns.

use trackside_store::{Reader, StoreError, Txn};

use crate::{
    batch::Consumers,
    retention::{Pruner, Removed, Rules, Scene},
};

/// How many transactions each side makes before it is the other's turn. Under a load that does not ease neither of them comes
/// to an end, and what retention may remove is what the consumers have read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Of the consumers.
    pub batches: u32,
    /// Of retention. More runs can go in a turn than entries for new ones come in.
    pub removals: u32,
    /// Entries that came after the round began are read in it when there are so many: they are worth a commit of their own. The rest
    /// waits for the next round.
    pub worth: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batches: 4, removals: 32, worth: 4_000 }
    }
}

/// The consumers of the journal and retention, one transaction after the other.
pub struct Turns {
    consumers: Consumers,
    pruner: Pruner,
    pace: Pace,
    side: Side,
    /// Transactions that the side at its turn may still make.
    left: u32,
    /// Whether one side has found something since reading began last.
    moved: bool,
    /// The newest entry when the round began: up to there everything is read.
    known: Option<i64>,
    /// The first error of a consumer in this round.
    failed: Option<StoreError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Read,
    Remove,
}

impl Turns {
    /// Nothing read yet.
    #[must_use]
    pub fn new(consumers: Consumers, pace: Pace) -> Self {
        let left = pace.batches;
        let pruner = Pruner::new();
        Self { consumers, pruner, pace, side: Side::Read, left, moved: false, known: None, failed: None }
    }

    /// The consumers.
    #[must_use]
    pub const fn consumers(&self) -> &Consumers {
        &self.consumers
    }

    /// What was removed since the round began.
    #[must_use]
    pub const fn removed(&self) -> Removed {
        self.pruner.removed()
    }

    /// A new round: what stayed or failed before is tried again.
    pub fn begin_round(&mut self) {
        self.consumers.begin_round();
        self.pruner.begin_round();
        self.failed = None;
        self.known = None;
        self.begin(Side::Read);
    }

    fn begin(&mut self, side: Side) {
        self.side = side;
        (self.left, self.moved) = match side {
            Side::Read => (self.pace.batches, false),
            Side::Remove => (self.pace.removals, self.moved),
        };
        if side == Side::Remove {
            self.pruner.begin_turn();
        }
    }

    /// What the consumers make of the next entries. Under a load that does not ease, a round would go on for ever, with a commit for
    /// every handful of entries, if it read whatever came.
    fn read(&mut self, reader: &Reader) -> Result<Option<Txn>, StoreError> {
        let known = match self.known {
            Some(known) => known,
            None => *self.known.insert(reader.newest_entry()?),
        };
        self.consumers.next(reader, (known, self.pace.worth), &mut self.failed)
    }

    /// The next transaction; none when the round is over: everything from before it is read, and nothing can go now. It must be on disk
    /// before the next is asked for. Without `rules` nothing is removed.
    ///
    /// # Errors
    /// When the database refuses; at the end of a round, when a consumer failed in it.
    pub fn next(&mut self, rules: Option<&Rules>, scene: &Scene<'_>) -> Result<Option<Txn>, StoreError> {
        loop {
            let txn = match (self.side, rules) {
                _ if self.left == 0 => None,
                (Side::Read, _) => scene.reader.snapshot(|reader| self.read(reader))?,
                (Side::Remove, Some(rules)) => self.pruner.next(rules, scene, &self.consumers.awaited())?,
                (Side::Remove, None) => None,
            };
            if txn.is_some() {
                self.left -= 1;
                self.moved = true;
                return Ok(txn);
            }
            match self.side {
                Side::Read => self.begin(Side::Remove),
                Side::Remove if self.moved => self.begin(Side::Read),
                Side::Remove => return self.failed.take().map_or(Ok(None), Err),
            }
        }
    }
}
