//! Who wants to know of committed events, and how much of them may be on its way to those who do not read.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use trackside_engine::RunId;
use trackside_spec::Plan;

use crate::core::{RunUpdate, weight_of};

/// Gets committed events of all runs. One that does not keep up is dropped.
pub type Watcher = mpsc::Sender<RunUpdate>;

/// Gets committed events of one run. One that does not keep up is dropped, and finds what it missed in the journal.
pub type Follower = mpsc::Sender<Arc<OnItsWay>>;

/// Called with the definition of a run that is followed from now on; with none when nothing of it is to come.
pub type Following = Box<dyn FnOnce(Option<Arc<Plan>>) + Send>;

/// Updates that a follower may be behind: more than a brief run has, and what a long one has is in the journal.
pub(crate) const FOLLOWER_BUFFER: usize = 64;
/// KiB of events that may be on their way to all followers together.
const ROOM: usize = 16 << 10;

/// An update that followers have not taken yet.
pub struct OnItsWay {
    /// What happened.
    pub update: RunUpdate,
    _room: OwnedSemaphorePermit,
}

/// All of them.
pub(crate) struct Watchers {
    of_run: HashMap<RunId, Vec<Follower>>,
    of_all: Vec<Watcher>,
    room: Arc<Semaphore>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self { of_run: HashMap::new(), of_all: Vec::new(), room: Arc::new(Semaphore::new(ROOM)) }
    }
}

impl Watchers {
    pub(crate) fn watch(&mut self, watcher: Watcher) {
        self.of_all.push(watcher);
    }

    pub(crate) fn follow(&mut self, run: RunId, follower: Follower) {
        let followers = self.of_run.entry(run).or_default();
        // Nothing may happen in a run for weeks, and those who follow it come and go.
        if followers.len() == followers.capacity() {
            followers.retain(|follower| !follower.is_closed());
        }
        followers.push(follower);
    }

    pub(crate) fn publish(&mut self, update: &RunUpdate) {
        self.of_all.retain(|watcher| watcher.try_send(update.clone()).is_ok());
        if self.of_run.is_empty() {
            return;
        }
        let Some(followers) = self.of_run.get_mut(&update.run) else { return };
        match self.room.clone().try_acquire_many_owned(kib_of(update)) {
            Ok(room) => {
                let update = Arc::new(OnItsWay { update: update.clone(), _room: room });
                followers.retain(|follower| follower.try_send(update.clone()).is_ok());
            }
            Err(_) => followers.clear(),
        }
        if followers.is_empty() || update.settled {
            self.of_run.remove(&update.run);
        }
    }
}

fn kib_of(update: &RunUpdate) -> u32 {
    u32::try_from(1 + weight_of(&update.events) / 1024).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_engine::Event;
    use trackside_facts::TriggerDocument;

    use super::*;

    fn update(run: RunId, entry: u32, size: usize) -> RunUpdate {
        let trigger = TriggerDocument::from_json(json!({ "kind": "manual" }));
        let started = Event::Started { params: "x".repeat(size).into(), trigger, logical_time_ms: 0, parent: None };
        RunUpdate { run, at_ms: 0, events: Arc::new(vec![started]), entry, settled: false }
    }

    #[test]
    fn a_follower_that_does_not_read_is_dropped_and_one_that_reads_has_all() {
        let (mut watchers, run) = (Watchers::default(), RunId::from_i64(1));
        let ((lazy, mut behind), (keen, mut reads)) = (mpsc::channel(FOLLOWER_BUFFER), mpsc::channel(FOLLOWER_BUFFER));
        watchers.follow(run, lazy);
        watchers.follow(run, keen);
        for entry in 0..200 {
            watchers.publish(&update(run, entry, 10));
            assert_eq!(reads.try_recv().unwrap().update.entry, entry);
        }
        let came = std::iter::from_fn(|| behind.try_recv().ok()).count();
        assert_eq!((came, behind.is_closed()), (FOLLOWER_BUFFER, true));
    }

    #[test]
    fn what_is_on_its_way_to_all_followers_is_bounded_and_room_comes_back() {
        let mut watchers = Watchers::default();
        let mut behind: Vec<_> = (0..64)
            .map(|number| {
                let (follower, updates) = mpsc::channel(FOLLOWER_BUFFER);
                watchers.follow(RunId::from_i64(number), follower);
                updates
            })
            .collect();
        for number in 0..64 {
            watchers.publish(&update(RunId::from_i64(number), 1, 1 << 20));
        }
        let held = behind.iter().filter(|updates| !updates.is_empty()).count();
        assert!((1..16).contains(&held), "a megabyte each, sixteen together: {held}");
        assert!(behind.iter().filter(|updates| updates.is_closed()).count() == 64 - held, "the others are dropped");
        let keeps = behind.iter_mut().find(|updates| !updates.is_closed()).unwrap();
        keeps.try_recv().unwrap();
        watchers.publish(&update(RunId::from_i64(0), 2, 1 << 20));
        assert_eq!(keeps.try_recv().unwrap().update.entry, 2);
    }

    #[test]
    fn who_has_left_is_forgotten_though_nothing_happens() {
        let (mut watchers, run) = (Watchers::default(), RunId::from_i64(1));
        for _ in 0..10_000 {
            watchers.follow(run, mpsc::channel(FOLLOWER_BUFFER).0);
        }
        assert!(watchers.of_run[&run].len() < 16);
    }
}
