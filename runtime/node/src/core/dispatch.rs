//! Live runs and the order in which things happen to them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use trackside_codes::{Told, code};

use trackside_engine::{Command, Effect, Event, Phase, RunId, RunState, to_entry};
use trackside_spec::Plan;
use trackside_store::{CommitReport, Ended, Hold, NewRun, Txn, TxnNumber, Write};

use super::{
    attempts::Attempts,
    commits::{After, Commits},
    definitions::Definitions,
    groups::Groups,
    ledger::Ledger,
    live_runs::{LiveRuns, weight},
    schedules::Schedules,
    splits::WorkflowSplit,
    types::{Action, History, Input, Revived, RunUpdate},
    waiting::Waiting,
};

/// How long nothing more is said of a full house.
const TELL_AGAIN_MS: i64 = 600_000;
/// What is said while it is so.
const DEGRADED: &str = "the disk is full: what is under way goes on, nothing new is accepted until there is room \
                        again, and what retention does not keep is being removed; make room on the disk of the data folder, \
                        or let [retention] keep less";

/// How the core is set up.
#[derive(Debug, Clone, Copy)]
pub struct CoreSettings {
    /// Steps that run at the same time.
    pub max_steps: usize,
    /// Runs under way at the same time; more are answered `Busy`.
    pub max_runs: usize,
    /// What their documents may take in memory, bytes; one run may go beyond.
    pub max_documents: usize,
}

/// The dispatcher's state: parts that own what they know, and between them what happens in which order.
pub struct Core {
    pub(super) definitions: Definitions,
    /// Workflows that are rolled out, by name.
    pub(super) splits: BTreeMap<String, WorkflowSplit>,
    pub(super) schedules: Schedules,
    pub(super) live: LiveRuns,
    pub(super) attempts: Attempts,
    pub(super) groups: Groups,
    pub(super) ledger: Ledger,
    pub(super) commits: Commits,
    /// What runs have for each other and for themselves, in order. Given only when the command before it is through: 10,000
    /// items that fail at once must not stand on each other's shoulders.
    pub(super) letters: VecDeque<(RunId, Command)>,
    pub(super) waiting: Waiting,
    pub(super) chance: Box<dyn FnMut() -> u64 + Send>,
    /// Set while the disk refuses commits.
    pub(super) trouble: Option<Told>,
    /// Set while the disk is full and the node lives on its reserve.
    degraded: bool,
    /// When it was told that the box takes on nothing more.
    told_full_ms: Option<i64>,
    /// Facts that the engine should not have wished for: bugs, told in the log.
    pub(super) left_out: usize,
}

impl Core {
    /// An empty core. Workflows, cron positions and live runs are put in before the first input.
    #[must_use]
    pub fn new(settings: CoreSettings, history: Box<dyn History>, chance: Box<dyn FnMut() -> u64 + Send>) -> Self {
        Self {
            definitions: Definitions::default(),
            splits: BTreeMap::new(),
            schedules: Schedules::new(),
            live: LiveRuns::new(settings.max_runs, settings.max_documents),
            attempts: Attempts::new(settings.max_steps),
            groups: Groups::new(),
            ledger: Ledger::new(history),
            commits: Commits::new(),
            letters: VecDeque::new(),
            waiting: Waiting::default(),
            chance,
            trouble: None,
            degraded: false,
            told_full_ms: None,
            left_out: 0,
        }
    }

    /// Run ids handed out from now on are larger than this.
    pub fn set_last_run(&mut self, last: Option<RunId>) {
        self.live.set_last(last);
    }

    /// Adds a workflow under its name.
    pub fn add_workflow(&mut self, plan: Arc<Plan>) {
        self.definitions.add(plan);
    }

    /// The newest run's id.
    #[must_use]
    pub fn last_run(&self) -> Option<RunId> {
        self.live.last()
    }

    /// Takes over a run that was under way when the node went down, and moves it on.
    pub fn recover(&mut self, revived: Revived, outbox_open: u32, now_ms: i64) -> Vec<Action> {
        let Revived { state, entries } = revived;
        let run = state.id();
        let ended = matches!(state.phase(), Phase::Ended(..));
        // A run that repeats another one, or is made for a past time, is not the schedule's: no time waits for it.
        let own = state.repeats().is_none() && !state.trigger().is_backfill();
        if let (false, true, Some("cron"), Some(id)) = (ended, own, state.trigger().kind(), state.trigger().id()) {
            self.schedules.began(run, id.to_owned());
        }
        let held = state.documents().into_iter().map(weight).sum();
        self.live.insert(state, entries, outbox_open);
        self.live.hold_bytes(run, held);
        self.command(run, Command::Recover, now_ms, Extras::default());
        self.give_letters(now_ms);
        self.commits.take_actions()
    }

    /// All runs that were under way have been handed to [`Core::recover`]: groups are filled again and mutexes taken, by
    /// those first that had them before.
    pub fn recovered(&mut self, now_ms: i64) -> Vec<Action> {
        self.fill_groups();
        self.stop_orphans();
        self.give_letters(now_ms);
        self.commits.take_actions()
    }

    /// How many runs are under way.
    #[must_use]
    pub fn live_runs(&self) -> usize {
        self.live.len()
    }

    /// Attempts under way whose results come in a moment: a commit may wait for them.
    #[must_use]
    pub const fn brief(&self) -> usize {
        self.attempts.brief()
    }

    /// Whether one attempt is all that is under way, and will be over in a moment.
    #[must_use]
    pub fn is_one_brief(&self) -> bool {
        self.attempts.is_one_brief()
    }

    /// Whether what comes now has to wait until something is over.
    pub(super) fn is_full(&self) -> bool {
        self.degraded || self.live.is_full()
    }

    /// Says that there is no room, once in a while: in a storm of files there is a place free every moment, and none the next.
    fn tell_full(&mut self, now_ms: i64) {
        let is_told = self.told_full_ms.is_some_and(|told| (0..TELL_AGAIN_MS).contains(&now_ms.saturating_sub(told)));
        if self.live.is_full() && !self.degraded && !is_told {
            self.told_full_ms = Some(now_ms);
            let (runs, mib) = (self.live.len(), self.live.held() >> 20);
            tracing::warn!(runs, mib, "[TS-0629] no room for more runs: what comes now waits until one is over");
        }
    }

    /// Why nothing is acknowledged at the moment, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<Told> {
        self.trouble.clone().or_else(|| self.degraded.then(|| Told::new(code!("TS-0216"), DEGRADED)))
    }

    /// When [`Input::Wake`] is wanted next, milliseconds since 1970.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        // Times wait for room, and what makes room wakes the node by itself; and for what waits for the ledger.
        let waits = self.is_full() || self.ledger.holds_back();
        let time = if waits { None } else { self.schedules.next_deadline() };
        self.live.next_deadline().into_iter().chain(time).chain(self.ledger.next_look()).min()
    }

    /// Works one input in.
    pub fn handle(&mut self, input: Input, now_ms: i64) -> Vec<Action> {
        match input {
            Input::Fire(fire, reply) => {
                self.fire(*fire, reply, now_ms);
            }
            Input::FireAndWait(fire, reply, waiter) => self.fire_and_wait(*fire, reply, waiter, now_ms),
            Input::Wait(run, waiter) => self.wait_for(run, waiter),
            Input::StepDone(result) => self.step_done(*result, now_ms),
            Input::Store(CommitReport::Committed(upto)) => {
                self.trouble = None;
                self.commits.committed(upto);
            }
            Input::Store(CommitReport::Trouble(error)) => self.trouble = Some(Told::of(&error)),
            Input::Store(CommitReport::Degraded(degraded)) => self.degraded = degraded,
            Input::Checked(checked) => self.checked(*checked, now_ms),
            Input::Carried(carried) => self.carried(carried, now_ms),
            Input::Claimed { trigger, identity } => {
                self.commits.submit(Txn::of(vec![Write::Claimed { trigger, identity }]));
            }
            Input::Keep(txn, done) => {
                let number = self.commits.submit(txn);
                self.commits.after(number, After::Call(done));
            }
            Input::Cancel { run, by, reply } => {
                let live = self.live.get(run).is_some_and(|live| !live.has_ended());
                if live {
                    self.command(run, Command::Cancel { by }, now_ms, Extras::default());
                }
                self.commits.call(move || reply(live));
            }
            Input::PauseRun { run, pause, by, reply } => self.pause_run(run, pause, by, reply, now_ms),
            Input::Again(plan, repeat, reply) => self.repeat(&plan, *repeat, reply, now_ms),
            Input::PauseTrigger { trigger, pause, by, reply } => self.pause_trigger(trigger, pause, by, reply, now_ms),
            Input::Decide { run, step, by, approve, comment, reply } => {
                let allowed = self.live.state(run).map(|state| state.may_decide(step, &by));
                if allowed == Some(Ok(())) {
                    let command = Command::Decide { step, by, approve, comment };
                    self.command(run, command, now_ms, Extras::default());
                }
                self.commits.after_all(After::Call(Box::new(move || reply(allowed))));
            }
            Input::Emit(event, reply) => self.emitted_by_hand(event, reply, now_ms),
            Input::Drift(writes, alarms, reply) => self.drifted(writes, alarms, reply, now_ms),
            Input::Split(workflow, split) => self.split(workflow, split.map(|split| *split)),
            Input::Activate(new, reply) => self.activate(*new, reply, now_ms),
            Input::Wake => self.wake(now_ms),
        }
        self.give_letters(now_ms);
        self.go_on();
        self.feed();
        self.tell_full(now_ms);
        self.commits.take_actions()
    }

    /// Has a run given a command once the one under way is through.
    pub(super) fn later(&mut self, run: RunId, command: Command) {
        self.letters.push_back((run, command));
    }

    pub(super) fn give_letters(&mut self, now_ms: i64) {
        while let Some((run, command)) = self.letters.pop_front() {
            self.command(run, command, now_ms, Extras::default());
        }
    }

    fn wake(&mut self, now_ms: i64) {
        loop {
            while let Some(run) = self.live.take_due(now_ms) {
                self.command(run, Command::Wake, now_ms, Extras::default());
            }
            self.look_again(now_ms);
            self.cron_due(now_ms);
            // What these told a run may be due at once, such as a retry without a delay.
            if self.live.next_deadline().is_none_or(|at| at > now_ms) {
                return;
            }
        }
    }

    /// Accepts a run whose parameters have been checked. Gives the number of the commit that makes it durable.
    pub(super) fn begin(&mut self, new: NewRun, start: Command, extras: Extras) -> TxnNumber {
        let (run, now_ms) = (new.run, new.started_ms);
        self.live.insert(RunState::new(new.plan.clone(), run), 0, 0);
        let mut writes = vec![Write::Run(new)];
        writes.extend(extras.writes);
        writes.extend(self.live.watermark().map(|run| Write::LiveFrom { run }));
        self.command(run, start, now_ms, Extras { writes, ..extras });
        self.commits.submitted()
    }

    /// Gives a live run a command and does what follows: journal, jobs, deadlines.
    pub(super) fn command(&mut self, run: RunId, command: Command, now_ms: i64, extras: Extras) {
        let Some(live) = self.live.get_mut(run) else { return };
        let decision = live.state.handle(command, now_ms);
        if let Some(illegal) = decision.illegal {
            self.left_out += 1;
            tracing::error!(%run, illegal, "a bug: the run's journal was kept legal by leaving this out");
        }
        if !decision.events.is_empty() || !extras.writes.is_empty() {
            self.record(run, now_ms, decision.events, extras);
        }
        for effect in decision.effects {
            match effect {
                Effect::Execute { step, item, attempt } => self.prepare(run, (step, item), attempt),
                Effect::Stop { step, item } => self.stop(run, (step, item)),
                other => self.of_others(run, other, now_ms),
            }
        }
        self.live.update_deadline(run);
        self.tell_parent(run);
    }

    pub(super) fn record(&mut self, run: RunId, now_ms: i64, events: Vec<Event>, extras: Extras) {
        let ended = events.iter().find_map(|event| match event {
            Event::Ended { end, error, .. } => Some(Ended {
                end: *end,
                error: error.as_ref().map(|error| describe(error.step.as_deref(), &error.message)),
            }),
            _ => None,
        });
        if ended.is_some() && !self.commits.is_open() && self.definitions.waits_for_ends() {
            return self.as_one(|core| core.record(run, now_ms, events, extras));
        }
        self.live.hold(run, &events);
        let Some(live) = self.live.get_mut(run) else { return };
        let ended_now = ended.is_some();
        let entry = live.handed_over(!events.is_empty());
        let mut writes = extras.writes;
        // The run's own row, when it is among the writes, must come before its first journal entry.
        if !events.is_empty() {
            writes.push(journal(run, now_ms, &events, ended));
        }
        let number = self.commits.submit(Txn { writes, artifacts: extras.artifacts, holds: extras.holds });
        let events = Arc::new(events);
        let update = RunUpdate { run, at_ms: now_ms, events: events.clone(), entry, settled: false };
        self.commits.after(number, After::Publish(update));
        if ended_now {
            self.tell_waiting(run, &events, number);
            self.follow_end(run, &events, now_ms);
            self.scheduled_run_ended(run, now_ms);
        }
    }
}

/// What goes into the same transaction as a run's events.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) writes: Vec<Write>,
    pub(super) artifacts: Vec<trackside_spec::Digest>,
    pub(super) holds: Vec<Hold>,
}

fn describe(step: Option<&str>, message: &str) -> String {
    step.map_or_else(|| message.to_owned(), |step| format!("step `{step}`: {message}"))
}

pub(crate) fn journal(run: RunId, at_ms: i64, events: &[Event], ended: Option<Ended>) -> Write {
    Write::Journal { run, at_ms, entry: to_entry(events), ended }
}
