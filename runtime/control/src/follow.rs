//! A run's events, history and live, each exactly once and in order.
//!
//! The journal and the live updates overlap: the watch is set first, then the journal is read, so nothing can fall
//! between them; what comes twice is left out by the number of its journal entry. A watcher that falls behind is dropped
//! by the node; it starts again after the last entry that it has given.

use std::collections::VecDeque;
use trackside_codes::{Code, Coded};

use tokio::sync::mpsc::Receiver;
use trackside_engine::{Event, RunId};
use trackside_node::{Handle, NodeError, core::RunUpdate};
use trackside_store::{JournalRow, StoreError};

/// Why a run can not be followed (any further).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The node is going down.
    #[error(transparent)]
    Closed(#[from] NodeError),
    /// Its past can not be read, or an entry of it is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for FollowError {
    fn code(&self) -> Code {
        match self {
            Self::Closed(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

/// What a [`RunFollower`] gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// Something happened; it is on disk.
    Event {
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// What.
        event: Event,
    },
    /// The run has ended and everything that it staged was carried out. The last.
    Settled,
}

/// Follows one run.
pub struct RunFollower {
    handle: Handle,
    run: RunId,
    /// Journal entries given so far.
    given: u32,
    queue: VecDeque<Followed>,
    live: Option<Receiver<RunUpdate>>,
    over: bool,
}

/// What the store knows of a run at one moment.
struct Snapshot {
    settled: bool,
    rows: Vec<JournalRow>,
}

impl RunFollower {
    /// Starts to follow a run, from its first event. `None` when there is no such run.
    ///
    /// # Errors
    /// When the store can not be read or the node is going down.
    pub async fn open(handle: Handle, run: RunId) -> Result<Option<Self>, FollowError> {
        let mut follower = Self { handle, run, given: 0, queue: VecDeque::new(), live: None, over: false };
        Ok(follower.catch_up().await?.then_some(follower))
    }

    /// What happened next; `None` after [`Followed::Settled`].
    ///
    /// # Errors
    /// [`FollowError::Closed`] when the node goes down before the run is over, or as [`RunFollower::open`].
    pub async fn next(&mut self) -> Result<Option<Followed>, FollowError> {
        loop {
            if let Some(next) = self.queue.pop_front() {
                self.over |= next == Followed::Settled;
                return Ok(Some(next));
            }
            if self.over {
                return Ok(None);
            }
            match &mut self.live {
                Some(live) => match live.recv().await {
                    Some(update) => self.take(&update),
                    // It fell behind, or the node is going down; in the second case the new watch is refused.
                    None => self.live = None,
                },
                None => {
                    self.catch_up().await?;
                }
            }
        }
    }

    /// Queues what the journal has and has not been given; watches unless the run is settled. Says whether there is
    /// such a run.
    async fn catch_up(&mut self) -> Result<bool, FollowError> {
        let Some(before) = self.snapshot().await? else { return Ok(false) };
        if before.settled {
            self.queue_rows(&before.rows)?;
            self.queue.push_back(Followed::Settled);
            return Ok(true);
        }
        // The node takes messages in order: what is committed after the snapshot below is published to this watch.
        let live = self.handle.watch(Some(self.run))?;
        let Some(after) = self.snapshot().await? else { return Ok(false) };
        self.queue_rows(&after.rows)?;
        if after.settled {
            self.queue.push_back(Followed::Settled);
        } else {
            self.live = Some(live);
        }
        Ok(true)
    }

    fn queue_rows(&mut self, rows: &[JournalRow]) -> Result<(), FollowError> {
        for row in rows.iter().skip(usize::try_from(self.given).unwrap_or(usize::MAX)) {
            let events = row.events()?;
            self.queue.extend(events.into_iter().map(|event| Followed::Event { at_ms: row.at_ms, event }));
        }
        self.given = self.given.max(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    fn take(&mut self, update: &RunUpdate) {
        if update.entry > self.given {
            self.given = update.entry;
            let events = update.events.iter().cloned();
            self.queue.extend(events.map(|event| Followed::Event { at_ms: update.at_ms, event }));
        }
        if update.settled {
            self.queue.push_back(Followed::Settled);
        }
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>, FollowError> {
        let run = self.run;
        self.read(move |reader| {
            let Some(row) = reader.run(run)? else { return Ok(None) };
            // Asked before the journal is read: a run that is settled now has its whole journal.
            let settled = row.ended_ms.is_some() && reader.outbox_of(run)? == 0;
            Ok(Some(Snapshot { settled, rows: reader.journal(run)? }))
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&trackside_store::Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, FollowError> {
        let readers = self.handle.readers().clone();
        let answer = tokio::task::spawn_blocking(move || readers.with(ask)).await;
        Ok(answer.map_err(|_| NodeError::Closed)??)
    }
}
