//! The thread that drives the consumers of the journal and removes what is not kept: asleep until something was committed,
//! then a while for company, then until there is nothing more to do.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use trackside_observe::Removed;
use trackside_steps::give_back;
use trackside_store::{Artifacts, Clock, Reader, Readers, Reserve, StoreError, Txn};
use trackside_sync::{lock, wait};

use crate::{
    core::Input,
    dispatcher::Message,
    reload::InForce,
    rounds::{Ground, Rounds, has_ages, is_over, restore},
};

/// What was committed waits so long for company: each round costs a commit, and flash wears by the commit.
const COMPANY: Duration = Duration::from_secs(10);
/// After so many commits it is looked whether there is more than is kept, which does not wait.
const MANY: u32 = 512;
/// A journal that is this far ahead is read at once, also by a node that only makes one run.
const FAR_AHEAD: i64 = 1_000;
/// How long the end of the node may wait for this thread to notice.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How often an age is looked at.
const EVERY_HOUR: Duration = Duration::from_secs(3600);
/// A full disk is looked at again after so long.
const FULL_DISK: Duration = Duration::from_secs(5);
/// After a trouble with the database it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);

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
    /// Since it was looked at last.
    commits: u32,
    /// Who wants a round now, and is told what it removed.
    asked: Vec<Asker>,
    closed: bool,
}

impl Bell {
    /// Something is on disk.
    pub(crate) fn committed(&self) {
        let mut state = self.state();
        state.commits = state.commits.saturating_add(1);
        // Those between change nothing.
        if state.commits == 1 || state.commits.is_multiple_of(MANY) {
            self.rings.notify_one();
        }
    }

    /// Asks for a round now; what it removed is on disk when the answer comes.
    pub(crate) fn ask(&self) -> Receiver<Result<Removed, Arc<StoreError>>> {
        let (reply, answer) = channel();
        self.state().asked.push(reply);
        self.rings.notify_one();
        answer
    }

    fn close(&self) {
        self.state().closed = true;
        self.rings.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, Rung> {
        lock(&self.state)
    }

    /// Sleeps until something was committed and has waited for company, or somebody asks; none at the end. `at_most` bounds
    /// the sleep; what `is_urgent` waits for no company.
    fn wait(&self, at_most: Option<Duration>, is_urgent: impl Fn() -> bool) -> Option<Vec<Asker>> {
        let mut state = self.sleep(at_most, |state| state.commits == 0 && state.is_quiet());
        let (until, mut looked) = (Instant::now() + COMPANY, state.commits);
        while state.commits > 0 && state.is_quiet() && Instant::now() < until {
            drop(state);
            // Not while it is locked: whoever commits would wait.
            if looked >= MANY && is_urgent() {
                state = self.state();
                break;
            }
            let enough = (looked / MANY + 1).saturating_mul(MANY);
            let left = until.saturating_duration_since(Instant::now());
            state = self.sleep(Some(left), |state| state.commits < enough && state.is_quiet());
            looked = state.commits;
        }
        state.commits = 0;
        (!state.closed).then(|| std::mem::take(&mut state.asked))
    }

    /// Sleeps while `on` says so, at most so long.
    fn sleep(&self, at_most: Option<Duration>, on: impl Fn(&Rung) -> bool) -> MutexGuard<'_, Rung> {
        let until = at_most.map(|most| Instant::now() + most);
        let mut state = self.state();
        while on(&state) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state = wait(&self.rings, state, left);
        }
        state
    }
}

impl Rung {
    /// Nobody asks, and it is not the end.
    fn is_quiet(&self) -> bool {
        self.asked.is_empty() && !self.closed
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
        let work = Work { bell: bell.clone(), rounds: Rounds::new(), tools };
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

struct Work {
    bell: Arc<Bell>,
    rounds: Rounds,
    tools: Tools,
}

impl Work {
    fn work(mut self) {
        self.tools.reserve.set_size(self.tools.in_force.borrow().project.config.retention.reserve.as_bytes());
        self.restore_reserve();
        // A process that makes one run and goes leaves it to the next one, until much has come together.
        let mut at_most = self.is_far_ahead().then_some(Duration::ZERO);
        while let Some(asked) = self.bell.wait(at_most, || self.holds_too_much()) {
            let mut made = 0;
            let round = self.round(&mut made);
            at_most = match &round {
                Ok(Some(_)) => self.until_due(),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "the consumers of the journal can not go on now; tried again in {} s", AGAIN.as_secs());
                    Some(AGAIN)
                }
            };
            let told = round.map(Option::unwrap_or_default).map_err(Arc::new);
            if made == 0 {
                // Nothing has happened since the round before: the load, if there was one, is over.
                give_back();
            }
            // Who asked may have gone.
            asked.into_iter().for_each(|reply| drop(reply.send(told.clone())));
        }
    }

    /// Whether the box holds more than it may, as far as that can be said now.
    fn holds_too_much(&self) -> bool {
        let in_force = self.tools.in_force.borrow().clone();
        let asked = |reader: &Reader| is_over(&in_force.project, reader, &self.tools.artifacts);
        self.tools.readers.with(asked).unwrap_or_default()
    }

    fn is_far_ahead(&self) -> bool {
        let behind = self.tools.readers.with(|reader| self.rounds.behind(reader));
        behind.is_ok_and(|behind| behind > FAR_AHEAD)
    }

    /// How long nothing can become too old: an age is looked at once an hour, and not at all where none is set.
    fn until_due(&self) -> Option<Duration> {
        if self.tools.reserve.is_given_up() {
            return Some(FULL_DISK);
        }
        let in_force = self.tools.in_force.borrow().clone();
        has_ages(&in_force.project).then_some(EVERY_HOUR)
    }

    /// Works everything in and removes what can go, in `made` transactions. None when the node is going down.
    fn round(&mut self, made: &mut u32) -> Result<Option<Removed>, StoreError> {
        let Self { bell, rounds, tools } = self;
        let in_force = tools.in_force.clone();
        let ground = Ground {
            readers: &tools.readers,
            artifacts: &tools.artifacts,
            reserve: &tools.reserve,
            clock: &*tools.clock,
            project: &|| in_force.borrow().project.clone(),
            prunes: tools.prunes,
        };
        let Some(removed) = rounds.round(&ground, |txn| {
            *made += 1;
            Ok(commit(tools, bell, txn))
        })?
        else {
            return Ok(None);
        };
        self.restore_reserve();
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

    /// Makes the reserve when it is missing and there is room; then the node takes on runs again.
    fn restore_reserve(&self) {
        let reserve = &self.tools.reserve;
        if (self.tools.stays || reserve.is_given_up()) && restore(reserve) {
            tracing::info!("there is room on the disk again: the reserve is restored and new runs are accepted");
            // The writer tells the dispatcher with its next commit, in the order in which things are.
            commit(&self.tools, &self.bell, Txn::default());
        }
    }
}

/// Hands a transaction to the one writer and waits until it is on disk; false when the node is going down.
fn commit(tools: &Tools, bell: &Bell, txn: Txn) -> bool {
    let (done, kept) = channel();
    let tell = Box::new(move || {
        // Nobody waits any more only when this thread is being ended.
        let _ = done.send(());
    });
    if tools.inbox.send(Message::Input(Input::Keep(txn, tell))).is_err() {
        return false;
    }
    // The dispatcher drops the sender when it ends; a disk that refuses commits may keep it for months.
    loop {
        match kept.recv_timeout(LOOK_UP) {
            Ok(()) => return true,
            Err(RecvTimeoutError::Timeout) if !bell.is_closed() => {}
            Err(_) => return false,
        }
    }
}
