//! The thread that owns the core: messages in, actions carried out, sleeps exactly until something is due.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};
use trackside_codes::Told;

use trackside_engine::RunId;
use trackside_intake::{Dispatch, GoingDown};
use trackside_outbox::Carrier;
use trackside_steps::Executor;
use trackside_store::{Clock, Store, Txn};
use trackside_triggers::cron::GateState;

use crate::{
    clock_wait::ClockWait,
    core::{Action, Core, Fire, Input, Reply},
    held::Held,
    watchers::{Follower, Following, Watcher, Watchers},
};

/// To the dispatcher.
pub enum Message {
    /// For the core.
    Input(Input),
    /// Events of all runs, from now on.
    Watch(Watcher),
    /// Events of one run, from now on.
    Follow(RunId, Follower, Following),
    /// How things stand.
    Status(Box<dyn FnOnce(Status) + Send>),
    /// The end.
    Shutdown,
}

/// How things stand.
#[derive(Debug, Clone)]
pub struct Status {
    /// Runs under way.
    pub live_runs: usize,
    /// Why nothing is acknowledged at the moment, if so.
    pub trouble: Option<Told>,
    /// When something is due next, milliseconds since 1970.
    pub next_deadline_ms: Option<i64>,
    /// Why no schedule is looked at, while the clock is obviously wrong.
    pub schedules_wait: Option<String>,
}

/// Messages that are worked in before anything is done about them, at most.
const AT_ONCE: u32 = 64;
/// No sleep is longer: it bounds what a clock that was set without notice can cost.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

pub(crate) struct Dispatcher {
    pub(crate) core: Core,
    pub(crate) store: Store,
    pub(crate) executor: Arc<Executor>,
    pub(crate) carrier: Carrier,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Receiver<Message>,
    pub(crate) watchers: Watchers,
    pub(crate) held: Held,
    /// How long a clock that is obviously wrong is waited for yet.
    pub(crate) clock_wait: Option<Duration>,
}

impl Dispatcher {
    pub(crate) fn work(mut self, first: Vec<Action>) {
        self.perform(first, false);
        self.input(Input::Wake);
        let started = Instant::now();
        loop {
            let patience = self.believe_the_clock(started);
            self.clock_wait = patience;
            self.store.set_company(self.core.live_runs() as u64);
            let held = self.held.left(self.store.patience(), Instant::now());
            let wait = |core: &Core, now: i64| {
                let left = |at: i64| Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0));
                core.next_deadline().map(left).into_iter().chain(patience).chain(held).min()
            };
            let message = match wait(&self.core, self.clock.now_ms()) {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => self.inbox.recv_timeout(wait.min(LONGEST_SLEEP)),
            };
            let first = match message {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => Message::Input(Input::Wake),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if self.take(first) {
                break;
            }
        }
        let held = self.held.take();
        self.hand_over(held);
    }

    /// Works a message in, and with it what has come meanwhile: what follows from them is handed over together. Says
    /// whether this is the end.
    fn take(&mut self, first: Message) -> bool {
        let mut actions = Vec::new();
        let (mut next, mut taken) = (Some(first), 0);
        while let Some(message) = next {
            match message {
                Message::Input(input) => actions.extend(self.core.handle(input, self.clock.now_ms())),
                other => {
                    self.perform(std::mem::take(&mut actions), false);
                    if self.answer(other) {
                        return true;
                    }
                }
            }
            taken += 1;
            next = if taken < AT_ONCE { self.inbox.try_recv().ok() } else { None };
        }
        self.perform(actions, taken == 1);
        false
    }

    /// Everything that asks and changes nothing, and the end: says whether it is that.
    fn answer(&mut self, message: Message) -> bool {
        match message {
            Message::Watch(watcher) => self.watchers.watch(watcher),
            Message::Follow(run, follower, reply) => {
                // Of a run that is over nothing comes any more: who asked reads the store.
                let plan = self.core.plan_of(run);
                if plan.is_some() {
                    self.watchers.follow(run, follower);
                }
                reply(plan);
            }
            Message::Status(reply) => reply(Status {
                live_runs: self.core.live_runs(),
                trouble: self.core.trouble(),
                next_deadline_ms: self.core.next_deadline(),
                schedules_wait: self.core.gate().zip(self.clock_wait).map(|(gate, left)| {
                    let now_ms = self.clock.now_ms();
                    ClockWait { now_ms, gate, left }.to_string()
                }),
            }),
            Message::Input(_) => {}
            Message::Shutdown => return true,
        }
        false
    }

    /// Lets schedules go when the clock was set or nobody sets it; how long they wait yet, if they do.
    fn believe_the_clock(&mut self, started: Instant) -> Option<Duration> {
        let now = self.clock.now_ms();
        match self.core.gate()?.state(now, started.elapsed()) {
            GateState::Wait(left) => return Some(left),
            GateState::Open => tracing::info!("the clock was set; schedules begin"),
            GateState::GivenUp => tracing::warn!("the clock is obviously wrong and nobody sets it; schedules begin"),
        }
        let actions = self.core.release_schedules(now);
        self.perform(actions, false);
        None
    }

    fn hand_over(&self, txns: Vec<Txn>) {
        if !txns.is_empty()
            && let Err(error) = self.store.submit(txns)
        {
            tracing::error!(%error, "transactions were not taken");
        }
    }

    fn input(&mut self, input: Input) {
        let actions = self.core.handle(input, self.clock.now_ms());
        self.perform(actions, false);
    }

    /// Carries actions out; `is_idle` when nothing but them is to be done at the moment.
    fn perform(&mut self, actions: Vec<Action>, is_idle: bool) {
        let mut txns = Vec::new();
        let mut others = Vec::with_capacity(actions.len());
        for action in actions {
            match action {
                Action::Submit(txn) => txns.push(txn),
                other => others.push(other),
            }
        }
        let now = self.held.add(txns, self.core.brief(), self.store.patience(), Instant::now());
        self.hand_over(now);
        let here = is_idle && self.core.is_one_brief();
        for action in others {
            match action {
                Action::Submit(_) => {}
                Action::Execute(job) if here => self.executor.execute_here(job),
                Action::Execute(job) => self.executor.execute(job),
                Action::Stop { run, step, item } => self.executor.stop(run, step, item),
                Action::Call(call) => call(),
                Action::Publish(update) => self.watchers.publish(&update),
                Action::Carry => self.carrier.wake(),
            }
        }
    }
}

/// A sender that the other rooms' callbacks use.
pub(crate) fn reporter<T, W: Fn(T) -> Input>(inbox: &Sender<Message>, wrap: W) -> impl Fn(T) + use<T, W> {
    let inbox = inbox.clone();
    move |value| {
        // After the end nobody is there to hear it.
        let _ = inbox.send(Message::Input(wrap(value)));
    }
}

/// The dispatcher as triggers see it.
pub(crate) struct Inbox(pub(crate) Sender<Message>);

impl Inbox {
    fn input(&self, input: Input) -> Result<(), GoingDown> {
        self.0.send(Message::Input(input)).map_err(|_| GoingDown)
    }
}

impl Dispatch for Inbox {
    fn fire(&self, fire: Fire, reply: Reply) -> Result<(), GoingDown> {
        self.input(Input::Fire(Box::new(fire), reply))
    }

    fn keep(&self, txn: Txn, done: Box<dyn FnOnce() + Send>) -> Result<(), GoingDown> {
        self.input(Input::Keep(txn, done))
    }

    fn claimed(&self, trigger: &str, identity: &str) -> Result<(), GoingDown> {
        self.input(Input::Claimed { trigger: trigger.to_owned(), identity: identity.to_owned() })
    }
}
