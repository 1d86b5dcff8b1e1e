//! Carries the outbox out: one thread, in the order of commits, at least once.
//!
//! A folder that can not be written to holds up what goes there and nothing else; it is tried again after growing waits.

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

use trackside_engine::RunId;
use trackside_spec::StepIndex;
use trackside_store::{Artifacts, OutboxRow, StoreError};

use crate::{
    core::{Carried, CarriedResult},
    deliver::{Delivery, DeliveryError},
    readers::Readers,
};

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const PAGE: u32 = 256;

/// The thread's handle. Dropping it stops the thread after the entry in hand.
pub struct Carrier {
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        report: impl Fn(Carried) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (wake, woken) = channel();
        let mut rounds = Rounds::new(artifacts, project);
        let thread = std::thread::Builder::new().name("outbox".into()).spawn(move || {
            rounds.work(&woken, &readers, &report);
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }

    /// There are new rows on disk.
    pub fn wake(&self) {
        if let Some(wake) = &self.wake {
            // The thread lives as long as this handle.
            let _ = wake.send(());
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One pass over the outbox after the other. Public to the crate so that the simulation can drive it without a thread.
pub(crate) struct Rounds {
    artifacts: Arc<Artifacts>,
    project: PathBuf,
    /// Entries that were carried out and whose removal is not on disk yet. Not by row: row ids are used again.
    done: HashSet<Entry>,
    blocked: HashMap<String, Blocked>,
}

/// Run, step, item, place in the outbox.
type Entry = (RunId, u16, Option<u32>, u32);

struct Blocked {
    until: Instant,
    wait: Duration,
}

impl Rounds {
    pub(crate) fn new(artifacts: Arc<Artifacts>, project: PathBuf) -> Self {
        Self { artifacts, project, done: HashSet::new(), blocked: HashMap::new() }
    }

    fn work(&mut self, woken: &Receiver<()>, readers: &Readers, report: &dyn Fn(Carried)) {
        loop {
            // Whatever was in the outbox at the start is carried out before the first wake-up.
            if let Err(error) = self.round(&|after| readers.with(|reader| reader.outbox(after, PAGE)), report) {
                tracing::error!(%error, "the outbox can not be read");
            }
            let next = self.blocked.values().map(|blocked| blocked.until).min();
            let woke = match next {
                None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => woken.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            if woke == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            while woken.try_recv().is_ok() {}
        }
    }

    /// Carries out every row that is not held up.
    pub(crate) fn round(
        &mut self,
        page: &dyn Fn(i64) -> Result<Vec<OutboxRow>, StoreError>,
        report: &dyn Fn(Carried),
    ) -> Result<(), StoreError> {
        let mut after = 0;
        let mut seen = HashSet::new();
        let now = Instant::now();
        let mut held: HashSet<String> =
            self.blocked.iter().filter(|(_, b)| b.until > now).map(|(folder, _)| folder.clone()).collect();
        loop {
            let rows = page(after)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in rows {
                seen.insert(entry(&row));
                if !self.done.contains(&entry(&row)) {
                    self.carry(&row, &mut held, report);
                }
            }
        }
        self.done.retain(|entry| seen.contains(entry));
        // What was tried again and failed has a new time; the rest has nothing left to wait for.
        self.blocked.retain(|_, blocked| blocked.until > now);
        Ok(())
    }

    fn carry(&mut self, row: &OutboxRow, held: &mut HashSet<String>, report: &dyn Fn(Carried)) {
        let ended = |target: String, result| Carried {
            row: row.id,
            run: row.run,
            step: StepIndex(row.step),
            item: row.item,
            entry: row.entry,
            target,
            result,
        };
        let carried = match serde_json::from_str::<Delivery>(&row.body) {
            Err(error) => ended(String::new(), CarriedResult::Refused(format!("damaged outbox entry: {error}"))),
            Ok(delivery) if held.contains(&delivery.folder) => return,
            Ok(delivery) => match delivery.carry_out(&self.artifacts, &self.project) {
                Ok(path) => {
                    self.blocked.remove(&delivery.folder);
                    ended(display(&path, &self.project), CarriedResult::Done)
                }
                Err(DeliveryError::Refused(reason)) => ended(delivery.target(), CarriedResult::Refused(reason)),
                Err(error @ DeliveryError::Io { .. }) => {
                    let wait =
                        self.blocked.get(&delivery.folder).map_or(FIRST_WAIT, |b| (b.wait * 2).min(LONGEST_WAIT));
                    tracing::warn!(run = %row.run, %error, retry_in = ?wait, "a delivery failed; it is tried again");
                    held.insert(delivery.folder.clone());
                    self.blocked.insert(delivery.folder, Blocked { until: Instant::now() + wait, wait });
                    return;
                }
            },
        };
        self.done.insert(entry(row));
        report(carried);
    }
}

const fn entry(row: &OutboxRow) -> Entry {
    (row.run, row.step, row.item, row.entry)
}

fn display(path: &Path, project: &Path) -> String {
    path.strip_prefix(project).unwrap_or(path).display().to_string()
}
