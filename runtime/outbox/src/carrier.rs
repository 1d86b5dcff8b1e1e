//! Carries the outbox out: one thread, in the order of commits, at least once.
//!
//! A folder that can not be written to holds up what goes there and nothing else; it is tried again after growing waits.
//! So does a broker that is away; what waits for it goes on when it is there. A message is handed to its broker's client
//! and done when the broker has acknowledged it; meanwhile the thread goes on.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use trackside_engine::RunId;
use trackside_facts::{Delivery, Effect, OutgoingMessage};
use trackside_spec::StepIndex;
use trackside_store::{Artifacts, OutboxRow, Readers, StoreError};

use crate::{
    carried::{Carried, CarriedResult},
    deliver::{DeliveryError, carry_out},
    publish::{Publication, Publish, Sent},
};

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const PAGE: u32 = 256;
/// Messages that a broker's client has in hand at one time.
const IN_HAND: usize = 32;

/// The thread's handle. Dropping it stops the thread after the entry in hand.
pub struct Carrier {
    wake: Sender<Wake>,
    thread: Option<JoinHandle<()>>,
}

/// To the thread.
pub enum Wake {
    /// There are new rows on disk, or a broker has come back.
    Rows,
    /// What became of a message.
    Sent(Entry, Sent),
    /// The end.
    Stop,
}

impl Carrier {
    /// Starts the thread; `report` is called on it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        readers: Arc<Readers>,
        artifacts: Arc<Artifacts>,
        project: PathBuf,
        brokers: Arc<dyn Publish>,
        report: impl Fn(Carried) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (wake, woken) = channel();
        let mut rounds = Rounds::new(artifacts, project, brokers, wake.clone());
        let thread = std::thread::Builder::new().name("outbox".into()).spawn(move || {
            rounds.work(&woken, &readers, &report);
        })?;
        Ok(Self { wake, thread: Some(thread) })
    }

    /// There are new rows on disk.
    pub fn wake(&self) {
        // The thread lives as long as this handle.
        let _ = self.wake.send(Wake::Rows);
    }

    /// The same, for others to keep.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let wake = self.wake.clone();
        move || {
            // After the end there is nothing to wake.
            let _ = wake.send(Wake::Rows);
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One pass over the outbox after the other. Public so that the simulation can drive it without a thread.
pub struct Rounds {
    artifacts: Arc<Artifacts>,
    project: PathBuf,
    brokers: Arc<dyn Publish>,
    /// For the brokers' answers.
    wake: Sender<Wake>,
    /// Entries that were carried out and whose removal is not on disk yet. Not by row: row ids are used again.
    done: HashSet<Entry>,
    /// Messages that a broker's client has, by entry, and where they go.
    in_hand: HashMap<Entry, InHand>,
    blocked: HashMap<Place, Blocked>,
}

/// Run, step, item, place in the outbox.
pub type Entry = (RunId, u16, Option<u32>, u32);

/// What can hold up entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Folder(String),
    Broker(String),
}

struct InHand {
    row: i64,
    broker: String,
    target: String,
}

struct Blocked {
    until: Instant,
    wait: Duration,
}

impl Rounds {
    /// Deliveries go below `project`; the brokers' answers come to `wake`.
    pub fn new(artifacts: Arc<Artifacts>, project: PathBuf, brokers: Arc<dyn Publish>, wake: Sender<Wake>) -> Self {
        let (done, in_hand, blocked) = (HashSet::new(), HashMap::new(), HashMap::new());
        Self { artifacts, project, brokers, wake, done, in_hand, blocked }
    }

    fn work(&mut self, woken: &Receiver<Wake>, readers: &Readers, report: &dyn Fn(Carried)) {
        loop {
            // Whatever was in the outbox at the start is carried out before the first wake-up.
            if let Err(error) = self.round(&|after| readers.with(|reader| reader.outbox(after, PAGE)), report) {
                tracing::error!(%error, "the outbox can not be read");
            }
            let next = self.blocked.values().map(|blocked| blocked.until).min();
            let mut woke = match next {
                None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => woken.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            loop {
                match woke {
                    Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Wake::Rows) => {}
                    Ok(Wake::Sent(entry, sent)) => self.sent(entry, sent, report),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                woke = woken.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
        }
    }

    /// A broker's client is through with a message.
    pub fn sent(&mut self, entry: Entry, sent: Sent, report: &dyn Fn(Carried)) {
        let Some(InHand { row, broker, target }) = self.in_hand.remove(&entry) else { return };
        let place = Place::Broker(broker);
        let result = match sent {
            Sent::Acknowledged => CarriedResult::Done,
            Sent::Refused(reason) => CarriedResult::Refused(reason),
            // The next round hands it over again, or finds the broker away.
            Sent::Lost => return,
            Sent::Later(reason) => {
                let wait = self.block(place);
                tracing::warn!(run = %entry.0, target, reason, retry_in = ?wait, "a message was not taken; it is sent again");
                return;
            }
        };
        self.blocked.remove(&place);
        self.done.insert(entry);
        let (run, step, item, entry) = entry;
        report(Carried { row, run, step: StepIndex(step), item, entry, target, result });
    }

    /// What was held up is tried again: in the simulation no real time passes.
    pub fn let_time_pass(&mut self) {
        self.blocked.clear();
    }

    /// How many entries it still has in mind.
    pub fn left_over(&self) -> usize {
        self.done.len() + self.in_hand.len() + self.blocked.len()
    }

    /// Nothing goes there for a while; for how long.
    fn block(&mut self, place: Place) -> Duration {
        let wait = self.blocked.get(&place).map_or(FIRST_WAIT, |b| (b.wait * 2).min(LONGEST_WAIT));
        self.blocked.insert(place, Blocked { until: Instant::now() + wait, wait });
        wait
    }

    /// Carries out every row that is not held up. `page` gives the rows after one, in the order of their commits.
    ///
    /// # Errors
    /// When the outbox can not be read.
    pub fn round(
        &mut self,
        page: &dyn Fn(i64) -> Result<Vec<OutboxRow>, StoreError>,
        report: &dyn Fn(Carried),
    ) -> Result<(), StoreError> {
        let mut after = 0;
        let mut seen = HashSet::new();
        let now = Instant::now();
        let mut held: HashSet<Place> =
            self.blocked.iter().filter(|(_, b)| b.until > now).map(|(place, _)| place.clone()).collect();
        loop {
            let rows = page(after)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in rows {
                seen.insert(entry(&row));
                if !self.done.contains(&entry(&row)) && !self.in_hand.contains_key(&entry(&row)) {
                    self.carry(&row, &mut held, report);
                }
            }
        }
        self.done.retain(|entry| seen.contains(entry));
        self.in_hand.retain(|entry, _| seen.contains(entry));
        // What was tried again and failed has a new time; the rest has nothing left to wait for.
        self.blocked.retain(|_, blocked| blocked.until > now);
        Ok(())
    }

    fn carry(&mut self, row: &OutboxRow, held: &mut HashSet<Place>, report: &dyn Fn(Carried)) {
        let (target, result) = match Effect::read(&row.body) {
            Err(error) => (String::new(), CarriedResult::Refused(error.to_string())),
            Ok(Effect::Publish(message)) => match self.hand_over(row, message, held) {
                None => return,
                Some(refused) => refused,
            },
            Ok(Effect::Emit(event)) => (format!("event {}", event.name), CarriedResult::Emitted(event)),
            Ok(Effect::Deliver(delivery)) => match self.deliver(row, delivery, held) {
                None => return,
                Some(ended) => ended,
            },
        };
        self.done.insert(entry(row));
        let (run, step) = (row.run, StepIndex(row.step));
        report(Carried { row: row.id, run, step, item: row.item, entry: row.entry, target, result });
    }

    /// Puts a file where it belongs; `None` when that has to wait.
    fn deliver(
        &mut self,
        row: &OutboxRow,
        delivery: Delivery,
        held: &mut HashSet<Place>,
    ) -> Option<(String, CarriedResult)> {
        let place = Place::Folder(delivery.folder.clone());
        if held.contains(&place) {
            return None;
        }
        match carry_out(&delivery, &self.artifacts, &self.project) {
            Ok(path) => {
                self.blocked.remove(&place);
                Some((display(&path, &self.project), CarriedResult::Done))
            }
            Err(DeliveryError::Refused(reason)) => Some((delivery.target(), CarriedResult::Refused(reason))),
            Err(error @ DeliveryError::Io { .. }) => {
                held.insert(place.clone());
                let wait = self.block(place);
                tracing::warn!(run = %row.run, %error, retry_in = ?wait, "a delivery failed; it is tried again");
                None
            }
        }
    }

    /// Gives a message to its broker's client; something comes back only when it can never be sent.
    fn hand_over(
        &mut self,
        row: &OutboxRow,
        message: OutgoingMessage,
        held: &mut HashSet<Place>,
    ) -> Option<(String, CarriedResult)> {
        let place = Place::Broker(message.broker.clone());
        let target = format!("{}: {}", message.broker, message.topic);
        let in_hand = self.in_hand.values().filter(|one| one.broker == message.broker).count();
        // Behind one that waits all others wait: they are sent in the order of their commits.
        if held.contains(&place) || in_hand >= IN_HAND {
            held.insert(place);
            return None;
        }
        let payload = match STANDARD.decode(&message.payload) {
            Ok(payload) => payload,
            Err(error) => return Some((target, CarriedResult::Refused(format!("damaged outbox entry: {error}")))),
        };
        let (wake, key) = (self.wake.clone(), entry(row));
        let done = Box::new(move |sent| {
            // After the end the row is still there for the next start.
            let _ = wake.send(Wake::Sent(key, sent));
        });
        let mut attributes = message.attributes;
        attributes.push(("trackside-key".to_owned(), message.key));
        let publication = Publication { topic: message.topic, payload, attributes, done };
        if self.brokers.publish(&message.broker, publication).is_err() {
            held.insert(place);
            return None;
        }
        self.in_hand.insert(key, InHand { row: row.id, broker: message.broker, target });
        None
    }
}

const fn entry(row: &OutboxRow) -> Entry {
    (row.run, row.step, row.item, row.entry)
}

fn display(path: &Path, project: &Path) -> String {
    path.strip_prefix(project).unwrap_or(path).display().to_string()
}
