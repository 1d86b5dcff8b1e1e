//! A run's events, history and live, each exactly once and in order.
//!
//! The journal and the live updates overlap: the node is asked for updates first, then the journal is read, so nothing can fall
//! between them; what comes twice is left out by the number of its journal entry. A follower that falls behind is dropped
//! by the node; it starts again after the last entry that it has given. History is read as it is asked for, some of it at a
//! time: who reads slowly, or not at all, has little of it in memory.

use std::{collections::VecDeque, sync::Arc};
use trackside_codes::{Code, Coded, code};

use tokio::sync::mpsc::Receiver;
use trackside_engine::{Event, RunId};
use trackside_node::{Handle, NodeError, OnItsWay, core::RunUpdate};
use trackside_spec::Plan;
use trackside_store::{JournalRow, Reader, StoreError};

/// Bytes of the journal that are read at one time.
const PAGE: usize = 64 << 10;

/// Why a run can not be followed (any further).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The node is going down.
    #[error(transparent)]
    Closed(NodeError),
    /// Its past can not be read, or an entry of it is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was removed while it was read.
    #[error("[{code}] run {0} was removed meanwhile: retention does not keep it", code = self.code())]
    Gone(RunId),
    /// It has not ended, and the node does not have it.
    #[error("[{code}] run {0} is not under way here: the node could not take it up, and its log says why", code = self.code())]
    NotTakenUp(RunId),
}

impl From<NodeError> for FollowError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Store(error) => Self::Store(error),
            error => Self::Closed(error),
        }
    }
}

impl Coded for FollowError {
    fn code(&self) -> Code {
        match self {
            Self::Closed(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Gone(_) => code!("TS-0715"),
            Self::NotTakenUp(_) => code!("TS-0634"),
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
    /// The definition that it has; none when this version of the program does not take it.
    plan: Option<Arc<Plan>>,
    /// Journal entries given so far, or about to be.
    given: u32,
    /// Where entries lie that are to be read.
    unread: VecDeque<i64>,
    queue: VecDeque<Followed>,
    then: Then,
}

/// What comes after what is known.
enum Then {
    /// What happens next.
    Live(Receiver<Arc<OnItsWay>>),
    /// Nobody knows: it is to be asked.
    Ask,
    /// The end of the stream.
    Settled,
    /// Nothing.
    Nothing,
}

/// What the store knows of a run at one moment.
struct Snapshot {
    settled: bool,
    /// Its definition, where nobody has said it yet.
    plan: Option<Arc<Plan>>,
    /// The first entries that are wanted.
    rows: Vec<JournalRow>,
    /// Where those after them lie.
    unread: VecDeque<i64>,
    entries: u32,
}

impl RunFollower {
    /// Starts to follow a run, from its first event. `None` when there is no such run.
    ///
    /// # Errors
    /// When the store can not be read or the node is going down.
    pub async fn open(handle: Handle, run: RunId) -> Result<Option<Self>, FollowError> {
        let (unread, queue) = (VecDeque::new(), VecDeque::new());
        let mut follower = Self { handle, run, plan: None, given: 0, unread, queue, then: Then::Ask };
        Ok(follower.catch_up().await?.then_some(follower))
    }

    /// The definition that the run has; none when this version of the program does not take it.
    #[must_use]
    pub const fn plan(&self) -> Option<&Arc<Plan>> {
        self.plan.as_ref()
    }

    /// What happened next; `None` after [`Followed::Settled`].
    ///
    /// # Errors
    /// [`FollowError::Closed`] when the node goes down before the run is over, or as [`RunFollower::open`].
    pub async fn next(&mut self) -> Result<Option<Followed>, FollowError> {
        loop {
            if let Some(next) = self.ready() {
                return Ok(Some(next));
            }
            if !self.unread.is_empty() {
                self.read_on().await?;
                continue;
            }
            match &mut self.then {
                Then::Live(live) => match live.recv().await {
                    Some(update) => self.take(&update.update),
                    // It fell behind, or the node is going down; in the second case it says so when it is asked.
                    None => self.then = Then::Ask,
                },
                Then::Ask => {
                    if !self.catch_up().await? {
                        return Err(FollowError::Gone(self.run));
                    }
                }
                Then::Settled => self.queue.push_back(Followed::Settled),
                Then::Nothing => return Ok(None),
            }
        }
    }

    /// What has happened already and is at hand.
    pub fn ready(&mut self) -> Option<Followed> {
        if self.queue.is_empty() && self.unread.is_empty() {
            match &mut self.then {
                Then::Live(live) => {
                    let update = live.try_recv().ok()?;
                    self.take(&update.update);
                }
                Then::Settled => self.queue.push_back(Followed::Settled),
                Then::Ask | Then::Nothing => {}
            }
        }
        let next = self.queue.pop_front()?;
        if next == Followed::Settled {
            self.then = Then::Nothing;
        }
        Some(next)
    }

    /// Asks the node for what happens from now on, and the store for what has happened and has not been given. Says whether
    /// there is such a run.
    async fn catch_up(&mut self) -> Result<bool, FollowError> {
        // What is committed after this is told: the snapshot has all that was committed before.
        let live = self.handle.follow(self.run).await?.map(|(plan, live)| {
            self.plan = Some(plan);
            live
        });
        let (run, given, handle, is_named) = (self.run, self.given, self.handle.clone(), self.plan.is_some());
        let ask = move |reader: &Reader| snapshot(reader, &handle, run, given, is_named);
        let Some(Snapshot { settled, plan, rows, unread, entries }) = self.handle.read(ask).await? else {
            return Ok(false);
        };
        self.plan = self.plan.take().or(plan);
        self.queue_rows(&rows)?;
        self.unread = unread;
        self.given = self.given.max(entries);
        self.then = match live {
            _ if settled => Then::Settled,
            Some(live) => Then::Live(live),
            None => return Err(FollowError::NotTakenUp(run)),
        };
        Ok(true)
    }

    /// Reads some more of the past.
    async fn read_on(&mut self) -> Result<(), FollowError> {
        let (run, places) = (self.run, self.unread.clone());
        let rows = self.handle.read(move |reader| match reader.run(run)? {
            Some(_) => reader.entries_at(run, places, PAGE).map(Some),
            None => Ok(None),
        });
        let rows = rows.await?.ok_or(FollowError::Gone(run))?;
        self.queue_rows(&rows)?;
        self.unread.drain(..rows.len());
        Ok(())
    }

    fn queue_rows(&mut self, rows: &[JournalRow]) -> Result<(), FollowError> {
        for row in rows {
            let events = row.events()?;
            self.queue.extend(events.into_iter().map(|event| Followed::Event { at_ms: row.at_ms, event }));
        }
        Ok(())
    }

    fn take(&mut self, update: &RunUpdate) {
        if update.entry > self.given {
            self.given = update.entry;
            let events = update.events.iter().cloned();
            self.queue.extend(events.map(|event| Followed::Event { at_ms: update.at_ms, event }));
        }
        if update.settled {
            self.then = Then::Settled;
        }
    }
}

/// What there is after so many entries; `None` when there is no such run.
fn snapshot(
    reader: &Reader,
    handle: &Handle,
    run: RunId,
    given: u32,
    is_named: bool,
) -> Result<Option<Snapshot>, StoreError> {
    let Some(row) = reader.run(run)? else { return Ok(None) };
    let plan = if is_named { None } else { handle.plan_of(reader, &row)? };
    let settled = row.ended_ms.is_some() && reader.outbox_of(run)? == 0;
    let places = reader.places(run)?;
    let entries = u32::try_from(places.len()).unwrap_or(u32::MAX);
    let mut unread: VecDeque<i64> = places.into_iter().skip(usize::try_from(given).unwrap_or(usize::MAX)).collect();
    let rows = reader.entries_at(run, unread.iter().copied(), PAGE)?;
    unread.drain(..rows.len());
    Ok(Some(Snapshot { settled, plan, rows, unread, entries }))
}
