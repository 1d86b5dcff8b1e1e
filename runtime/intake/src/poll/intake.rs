//! The thread of all poll triggers, with a task for each. Without such a trigger there is none.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinHandle as Task,
};
use trackside_codes::{Class, Reason};
use trackside_spec::{Plan, PollTrigger, TriggerKind};
use trackside_sync::lock;

use super::poller::Poller;
use crate::{
    definitions::{Definitions, Intake, NotStarted},
    tools::Tools,
};

/// How many look at one time: each may have a body in memory.
const AT_ONCE: usize = 4;
/// How long a change of definitions is waited for.
const CHANGE: Duration = Duration::from_secs(5);

/// Poll triggers.
pub struct PollIntake {
    tools: Tools,
    box_id: String,
    thread: Option<(UnboundedSender<Order>, JoinHandle<()>)>,
}

/// The triggers that are wanted, by id.
type Wanted = BTreeMap<String, (Arc<Plan>, PollTrigger)>;

/// To the thread.
struct Order {
    wanted: Wanted,
    /// Whether those that are new begin; otherwise only those that are not wanted any more end.
    begin: bool,
    /// Dropped when it is done.
    _done: std::sync::mpsc::Sender<()>,
}

/// A trigger's task.
struct Running {
    settings: PollTrigger,
    plan: Arc<Mutex<Arc<Plan>>>,
    task: Task<()>,
}

impl PollIntake {
    /// Nothing is asked before it is started. `box_id` spreads the looks of boxes that start together.
    #[must_use]
    pub fn new(tools: &Tools, box_id: String) -> Self {
        Self { tools: tools.clone(), box_id, thread: None }
    }

    fn order(&mut self, wanted: Wanted, begin: bool) -> io::Result<()> {
        if self.thread.is_none() {
            if wanted.is_empty() || !begin {
                return Ok(());
            }
            self.thread = Some(self.spawn()?);
        }
        if let Some((orders, _)) = &self.thread {
            let (done, is_done) = std::sync::mpsc::channel();
            // Nothing is ever sent: it ends when the order is dropped. A thread that has ended looks at nothing.
            let _ = orders.send(Order { wanted, begin, _done: done });
            let _ = is_done.recv_timeout(CHANGE);
        }
        Ok(())
    }

    fn spawn(&self) -> io::Result<(UnboundedSender<Order>, JoinHandle<()>)> {
        let (sender, orders) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (tools, box_id) = (self.tools.clone(), self.box_id.clone());
        let thread = std::thread::Builder::new().name("poll".into());
        let thread = thread.spawn(move || work(runtime, orders, &tools, &box_id))?;
        Ok((sender, thread))
    }
}

impl Intake for PollIntake {
    fn start(&mut self, now: &Definitions) -> Result<(), NotStarted> {
        let started = self.order(wanted(now), true);
        started.map_err(|error| NotStarted {
            what: "the thread of the poll triggers",
            reason: Reason::by(Class::Setup, error),
        })
    }

    fn retire(&mut self, next: &Definitions) {
        // Without a new thread nothing can fail.
        let _ = self.order(wanted(next), false);
    }

    fn switch(&mut self, next: &Definitions) {
        if let Err(error) = self.order(wanted(next), true) {
            tracing::error!(%error, "[TS-0631] the poll triggers do not start: they start no runs until the next reload");
        }
    }

    fn stop(&mut self) {
        if let Some((orders, thread)) = self.thread.take() {
            // Without orders to wait for the thread ends.
            drop(orders);
            let _ = thread.join();
        }
    }
}

impl Drop for PollIntake {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wanted(definitions: &Definitions) -> Wanted {
    let mut wanted = Wanted::new();
    for (plan, trigger) in definitions.usable() {
        if let TriggerKind::Poll(settings) = &trigger.kind {
            wanted.insert(trigger.id.clone(), (plan.clone(), settings.as_ref().clone()));
        }
    }
    wanted
}

fn work(runtime: Runtime, mut orders: UnboundedReceiver<Order>, tools: &Tools, box_id: &str) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut all: BTreeMap<String, Running> = BTreeMap::new();
    runtime.block_on(async {
        while let Some(order) = orders.recv().await {
            let stays = |id: &String, running: &Running| {
                order.wanted.get(id).is_some_and(|(_, settings)| *settings == running.settings)
            };
            let gone: Vec<String> = all.iter().filter(|(id, one)| !stays(id, one)).map(|(id, _)| id.clone()).collect();
            for id in gone {
                let Some(running) = all.remove(&id) else { continue };
                running.task.abort();
                // So that nothing of it is under way when the order is done.
                let _ = running.task.await;
            }
            if !order.begin {
                continue;
            }
            for (trigger_id, (plan, settings)) in order.wanted.clone() {
                if let Some(running) = all.get(&trigger_id) {
                    *lock(&running.plan) = plan;
                    continue;
                }
                let plan = Arc::new(Mutex::new(plan));
                let poller = Poller {
                    tools: tools.clone(),
                    trigger_id: trigger_id.clone(),
                    settings: settings.clone(),
                    plan: plan.clone(),
                    box_id: box_id.to_owned(),
                    room: room.clone(),
                };
                let task = tokio::spawn(poller.work());
                all.insert(trigger_id, Running { settings, plan, task });
            }
        }
    });
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
}
