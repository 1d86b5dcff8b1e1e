//! The thread that drives the consumers of the journal and removes what is not kept: asleep until something was committed,
//! then a while for company, then until there is nothing more to do.

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::watch;
use trackside_observe::{Consumers, Pruner, Removed, Retention, Rules, Scene, Usage};
use trackside_spec::TriggerKind;
use trackside_store::{Artifacts, Clock, Reserve, StoreError, Txn};

use crate::{core::Input, dispatcher::Message, project::Project, readers::Readers, reload::InForce};

/// What was committed waits so long for company: each round costs a commit, and flash wears by the commit.
const COMPANY: Duration = Duration::from_secs(10);
/// A journal that is this far ahead is read at once, also by a node that only makes one run.
const FAR_AHEAD: i64 = 1_000;
/// How long the end of the node may wait for this thread to notice.
const LOOK_UP: Duration = Duration::from_millis(100);
/// A full disk is looked at again after so long.
const FULL_DISK: Duration = Duration::from_secs(5);
/// After a trouble with the database it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);

/// The consumers of the journal, in the order of their cursors' names.
pub(crate) fn consumers() -> Consumers {
    Consumers::new(vec![Box::new(Retention::new()), Box::new(Usage)])
}

/// What holds in a project.
#[must_use]
pub fn rules_of(project: &Project) -> Rules {
    let own = project.workflows.values().map(|plan| (plan.name.clone(), plan.retention));
    Rules { config: project.config.retention.clone(), workflows: own.collect() }
}

/// The folder that a file trigger watches.
#[must_use]
pub fn folder_of(project: &Project, trigger: &str) -> Option<PathBuf> {
    let mut triggers = project.workflows.values().flat_map(|plan| &plan.triggers);
    match &triggers.find(|known| known.id == trigger)?.kind {
        TriggerKind::File(file) => Some(project.root.join(&file.path)),
        _ => None,
    }
}

/// Is told what a round removed.
type Asker = Sender<Result<Removed, Arc<StoreError>>>;

/// Wakes the thread.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<Rung>,
    rings: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    committed: bool,
    /// Who wants a round now, and is told what it removed.
    asked: Vec<Asker>,
    closed: bool,
    /// Whether the thread sleeps until something is committed.
    sleeps: bool,
}

impl Bell {
    /// Something is on disk.
    pub(crate) fn committed(&self) {
        let mut state = self.state();
        state.committed = true;
        if std::mem::take(&mut state.sleeps) {
            self.rings.notify_one();
        }
    }

    fn ask(&self, reply: Asker) {
        self.state().asked.push(reply);
        self.rings.notify_one();
    }

    fn close(&self) {
        self.state().closed = true;
        self.rings.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, Rung> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until something was committed and has waited for company, or somebody asks; none at the end. `at_most` bounds
    /// the sleep.
    fn wait(&self, at_most: Option<Duration>) -> Option<Vec<Asker>> {
        let mut state = self.state();
        while !(state.committed || state.closed) && state.asked.is_empty() {
            state.sleeps = true;
            match at_most {
                None => state = self.rings.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(most) => {
                    let (woken, timeout) = self.rings.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner);
                    state = woken;
                    if timeout.timed_out() {
                        break;
                    }
                }
            }
        }
        state.sleeps = false;
        if state.committed && state.asked.is_empty() && !state.closed {
            let enough = |state: &mut Rung| state.asked.is_empty() && !state.closed;
            state = self.rings.wait_timeout_while(state, COMPANY, enough).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.committed = false;
        (!state.closed).then(|| std::mem::take(&mut state.asked))
    }
}

/// The thread, and the way to it.
pub(crate) struct Observer {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works with.
pub(crate) struct Tools {
    pub(crate) inbox: Sender<Message>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) in_force: watch::Receiver<Arc<InForce>>,
    /// Whether this is a node that stays: a process that makes one run leaves no reserve behind.
    pub(crate) stays: bool,
    /// False where the rules of a workflow are not known: its file can not be read, and nobody says what held before.
    pub(crate) prunes: bool,
}

impl Observer {
    pub(crate) fn start(bell: Arc<Bell>, tools: Tools) -> std::io::Result<Self> {
        let work = Work { bell: bell.clone(), consumers: consumers(), pruner: Pruner::new(), tools };
        let thread = std::thread::Builder::new().name("observe".into()).spawn(move || work.work())?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Ends the thread after what it is doing.
    pub(crate) fn close(&mut self) {
        self.bell.close();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Asks for a round now; what it removed is on disk when the answer comes.
pub(crate) fn prune_now(bell: &Bell) -> std::sync::mpsc::Receiver<Result<Removed, Arc<StoreError>>> {
    let (reply, answer) = channel();
    bell.ask(reply);
    answer
}

struct Work {
    bell: Arc<Bell>,
    consumers: Consumers,
    pruner: Pruner,
    tools: Tools,
}

impl Work {
    fn work(mut self) {
        self.tools.reserve.set_size(self.tools.in_force.borrow().project.config.retention.reserve.as_bytes());
        self.restore_reserve();
        // A process that makes one run and goes leaves it to the next one, until much has come together.
        let mut at_most = match self.is_far_ahead() {
            true => Some(Duration::ZERO),
            false => None,
        };
        while let Some(asked) = self.bell.wait(at_most) {
            let round = self.round();
            at_most = match &round {
                Ok(Some(_)) => self.until_due(),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "the consumers of the journal can not go on now; tried again in {} s", AGAIN.as_secs());
                    Some(AGAIN)
                }
            };
            let told = round.map(Option::unwrap_or_default).map_err(Arc::new);
            // Who asked may have gone.
            asked.into_iter().for_each(|reply| drop(reply.send(told.clone())));
        }
    }

    fn is_far_ahead(&self) -> bool {
        let names = self.consumers.names();
        let behind = self.tools.readers.with(|reader| {
            let newest = reader.newest_entry()?;
            let slowest = names.iter().map(|name| reader.cursor(name)).collect::<Result<Vec<_>, _>>()?;
            Ok(newest - slowest.into_iter().min().unwrap_or(newest))
        });
        behind.is_ok_and(|behind: i64| behind > FAR_AHEAD)
    }

    /// How long nothing can become too old: an age is looked at once an hour, and not at all where none is set.
    fn until_due(&self) -> Option<Duration> {
        if self.tools.reserve.is_given_up() {
            return Some(FULL_DISK);
        }
        let in_force = self.tools.in_force.borrow().clone();
        let rules = rules_of(&in_force.project);
        rules.has_ages().then_some(Duration::from_secs(3600))
    }

    /// Works everything in and removes what can go. None when the node is going down.
    fn round(&mut self) -> Result<Option<Removed>, StoreError> {
        let readers = self.tools.readers.clone();
        for place in 0..self.consumers.names().len() {
            loop {
                let batch = readers.with(|reader| self.consumers.next(place, reader))?;
                let Some(batch) = batch else { break };
                if !self.commit(batch.txn) {
                    return Ok(None);
                }
            }
        }
        let names = self.consumers.names();
        self.pruner.begin_round();
        while self.tools.prunes {
            let in_force = self.tools.in_force.borrow().clone();
            let (rules, project) = (rules_of(&in_force.project), &in_force.project);
            let folder_of = |trigger: &str| folder_of(project, trigger);
            let next = readers.with(|reader| {
                let scene = Scene {
                    reader,
                    artifacts: &self.tools.artifacts,
                    folder_of: &folder_of,
                    now_ms: self.tools.clock.now_ms(),
                    lacks: self.lacks(),
                    consumers: &names,
                };
                self.pruner.next(&rules, &scene)
            })?;
            let Some(txn) = next else { break };
            if !self.commit(txn) {
                return Ok(None);
            }
        }
        self.restore_reserve();
        let removed = self.pruner.removed();
        if removed != Removed::default() {
            tracing::info!(
                runs = removed.runs,
                files = removed.files,
                bytes = removed.bytes,
                "retention has removed what is not kept"
            );
        }
        Ok(Some(removed))
    }

    /// What the disk lacks before the node can leave its reserve.
    fn lacks(&self) -> u64 {
        let reserve = &self.tools.reserve;
        if !reserve.is_given_up() {
            return 0;
        }
        reserve.lacks().unwrap_or_else(|error| {
            tracing::warn!(%error, "the free space of the disk can not be asked for");
            0
        })
    }

    /// Makes the reserve when it is missing and there is room; then the node takes on runs again.
    fn restore_reserve(&self) {
        let was_given_up = self.tools.reserve.is_given_up();
        if !self.tools.stays && !was_given_up {
            return;
        }
        match self.tools.reserve.make() {
            Ok(true) if was_given_up => {
                tracing::info!("there is room on the disk again: the reserve is restored and new runs are accepted");
                // The writer tells the dispatcher with its next commit, in the order in which things are.
                self.commit(Txn::default());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "[TS-0217] the reserve beside the database can not be made; it is tried again")
            }
        }
    }

    /// Hands a transaction to the one writer and waits until it is on disk; false when the node is going down.
    fn commit(&self, txn: Txn) -> bool {
        let (done, kept) = channel();
        let tell = Box::new(move || {
            // Nobody waits any more only when this thread is being ended.
            let _ = done.send(());
        });
        let sent = self.tools.inbox.send(Message::Input(Input::Keep(txn, tell))).is_ok();
        sent && !self.bell.is_closed() && self.await_commit(&kept)
    }

    fn await_commit(&self, kept: &std::sync::mpsc::Receiver<()>) -> bool {
        // The dispatcher drops the sender when it ends; a disk that refuses commits may keep it for months.
        loop {
            match kept.recv_timeout(LOOK_UP) {
                Ok(()) => return true,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if !self.bell.is_closed() => {}
                Err(_) => return false,
            }
        }
    }
}
