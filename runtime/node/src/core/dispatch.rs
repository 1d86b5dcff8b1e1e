//! Live runs and the order in which things happen to them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use trackside_engine::{Admission, Command, Effect, Event, Phase, RunId, RunState};
use trackside_spec::{Plan, StepIndex, Trigger};
use trackside_store::{CommitReport, Ended, Hold, NewRun, Txn, TxnNumber, Write};
use trackside_triggers::cron::{CronTable, TimeGate};

use super::{
    ledger::Held,
    room::weight,
    together::Returning,
    turns::{Place, Turns},
    types::{Action, History, Input, Passed, PastEnd, Revived, RunUpdate, StepJob},
};

/// What is said while it is so.
const DEGRADED: &str = "[TS-0216] the disk is full: what is under way goes on, nothing new is accepted until there is room \
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

/// The dispatcher's state.
pub struct Core {
    pub(super) settings: CoreSettings,
    pub(super) workflows: BTreeMap<String, Arc<Plan>>,
    pub(super) cron: CronTable,
    /// Trigger id to the key that its position is kept under.
    pub(super) cron_keys: HashMap<String, String>,
    /// Runs of schedules under way, and their triggers.
    pub(super) cron_runs: HashMap<RunId, String>,
    /// Triggers that start nothing.
    pub(super) paused: BTreeSet<String>,
    /// Set while the wall clock is not believed.
    pub(super) gate: Option<TimeGate>,
    pub(super) history: Box<dyn History>,
    pub(super) chance: Box<dyn FnMut() -> u64 + Send>,
    pub(super) runs: HashMap<RunId, LiveRun>,
    /// What they hold in memory, bytes.
    pub(super) held: usize,
    /// When it was told that this, or their number, is as much as the box takes on.
    pub(super) told_full_ms: Option<i64>,
    pub(super) last_run: Option<RunId>,
    /// What waits until the ledger can be read, and when it is tried again.
    pub(super) held_back: VecDeque<Held>,
    pub(super) look_again_ms: Option<i64>,
    /// The database refused to tell, and that was said.
    pub(super) blind: bool,
    /// Runs that were under way, can not be read and were given an end at this start.
    pub(super) given_up: HashMap<RunId, PastEnd>,
    /// Ledger identities accepted but not yet on disk.
    pub(super) in_flight: HashSet<(String, String)>,
    pub(super) deadlines: BTreeSet<(i64, RunId)>,
    pub(super) ready: Turns,
    /// Attempts under way.
    pub(super) running: HashMap<(RunId, StepIndex, Option<u32>), UnderWay>,
    /// Inputs that were checked, while their step may be tried again: the check is made once.
    pub(super) passed: HashMap<(RunId, StepIndex, Option<u32>), Passed>,
    /// Workflows whose state a step is using; its successors wait until its result is on disk.
    pub(super) state_users: HashMap<String, VecDeque<Box<StepJob>>>,
    pub(super) submitted: TxnNumber,
    pub(super) committed: TxnNumber,
    /// Who is in which concurrency group, and who holds which mutex.
    pub(super) admission: Admission,
    /// Wishes for a place from before the first input: those that had one come first.
    pub(super) returning: Option<Vec<Returning>>,
    /// What runs have for each other and for themselves, in order. Given only when the command before it is through: 10,000
    /// items that fail at once must not stand on each other's shoulders.
    pub(super) letters: VecDeque<(RunId, Command)>,
    /// Children started and not yet on disk, by their key.
    pub(super) children: HashMap<String, RunId>,
    /// Runs accepted since the last [`Write::LiveFrom`].
    pub(super) since_watermark: u32,
    pub(super) after_commit: VecDeque<(TxnNumber, After)>,
    /// Triggers that wait for other runs, with their workflows.
    pub(super) followers: Vec<(String, Trigger)>,
    /// A transaction that is being put together: what is submitted meanwhile becomes part of it.
    pub(super) open: Option<Txn>,
    /// Facts that the engine should not have wished for: bugs, told in the log.
    pub(super) left_out: usize,
    /// Set while the disk refuses commits.
    pub(super) trouble: Option<String>,
    /// Set while the disk is full and the node lives on its reserve.
    pub(super) degraded: bool,
    pub(super) actions: Vec<Action>,
}

/// A step under way.
pub(super) struct UnderWay {
    /// Its workflow.
    pub(super) workflow: String,
    /// How it was handed over.
    pub(super) place: Place,
    /// Whether it holds the workflow's state.
    pub(super) holds_state: bool,
}

pub(super) struct LiveRun {
    pub(super) state: RunState,
    pub(super) deadline: Option<i64>,
    pub(super) outbox_open: u32,
    /// Entries of its journal, handed over or on disk.
    pub(super) entries: u32,
    /// Events handed to the journal and not yet on disk.
    pub(super) uncommitted: u32,
    /// What its documents take in memory, bytes.
    pub(super) held: usize,
}

/// What waits for a commit.
pub(super) enum After {
    Publish(RunUpdate),
    Call(Box<dyn FnOnce() + Send>),
    Release(Box<StepJob>),
    FreeState(String),
    FreeIdentity((String, String)),
    FreeChild(String),
    Carry,
}

impl Core {
    /// An empty core. Workflows, cron positions and live runs are put in before the first input.
    #[must_use]
    pub fn new(settings: CoreSettings, history: Box<dyn History>, chance: Box<dyn FnMut() -> u64 + Send>) -> Self {
        Self {
            settings,
            workflows: BTreeMap::new(),
            cron: CronTable::new(),
            cron_keys: HashMap::new(),
            cron_runs: HashMap::new(),
            paused: BTreeSet::new(),
            gate: None,
            history,
            chance,
            runs: HashMap::new(),
            held: 0,
            told_full_ms: None,
            last_run: None,
            held_back: VecDeque::new(),
            look_again_ms: None,
            blind: false,
            given_up: HashMap::new(),
            in_flight: HashSet::new(),
            deadlines: BTreeSet::new(),
            ready: Turns::new(settings.max_steps),
            running: HashMap::new(),
            passed: HashMap::new(),
            state_users: HashMap::new(),
            submitted: 0,
            committed: 0,
            admission: Admission::new(),
            returning: Some(Vec::new()),
            letters: VecDeque::new(),
            children: HashMap::new(),
            since_watermark: 0,
            after_commit: VecDeque::new(),
            followers: Vec::new(),
            open: None,
            left_out: 0,
            trouble: None,
            degraded: false,
            actions: Vec::new(),
        }
    }

    /// Run ids handed out from now on are larger than this.
    pub fn set_last_run(&mut self, last: Option<RunId>) {
        self.last_run = last;
    }

    /// Adds a workflow under its name.
    pub fn add_workflow(&mut self, plan: Arc<Plan>) {
        self.workflows.insert(plan.name.clone(), plan);
    }

    /// The newest run's id.
    #[must_use]
    pub fn last_run(&self) -> Option<RunId> {
        self.last_run
    }

    /// Takes over a run that was under way when the node went down, and moves it on.
    pub fn recover(&mut self, revived: Revived, outbox_open: u32, now_ms: i64) -> Vec<Action> {
        let Revived { state, entries } = revived;
        let run = state.id();
        let ended = matches!(state.phase(), Phase::Ended(..));
        // A run that repeats another one, or is made for a past time, is not the schedule's: no time waits for it.
        let own = state.repeats().is_none() && !state.trigger().is_backfill();
        if let (false, true, Some("cron"), Some(id)) = (ended, own, state.trigger().kind(), state.trigger().id()) {
            self.cron_runs.insert(run, id.to_owned());
        }
        let held = state.documents().into_iter().map(weight).sum();
        self.runs.insert(run, LiveRun { state, deadline: None, outbox_open, entries, uncommitted: 0, held: 0 });
        self.hold_bytes(run, held);
        self.command(run, Command::Recover, now_ms, Extras::default());
        self.give_letters(now_ms);
        self.take_actions()
    }

    /// How many runs are under way.
    #[must_use]
    pub fn live_runs(&self) -> usize {
        self.runs.len()
    }

    /// Attempts that executors have beyond the places that they have: they need no more for a moment.
    #[must_use]
    pub fn ahead(&self) -> usize {
        self.ready.ahead()
    }

    /// Whether something of this run is still to come.
    #[must_use]
    pub fn is_live(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    /// Why nothing is acknowledged at the moment, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref().or(self.degraded.then_some(DEGRADED))
    }

    /// When [`Input::Wake`] is wanted next, milliseconds since 1970.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        let run = self.deadlines.first().map(|(at, _)| *at);
        // Times wait for room, and what makes room wakes the node by itself; and for what waits for the ledger.
        let waits = self.is_full() || !self.held_back.is_empty();
        let time = if waits { None } else { self.cron.next_deadline() };
        run.into_iter().chain(time).chain(self.look_again_ms).min()
    }

    /// Works one input in.
    pub fn handle(&mut self, input: Input, now_ms: i64) -> Vec<Action> {
        match input {
            Input::Fire(fire, reply) => self.fire(*fire, reply, now_ms),
            Input::StepDone(result) => self.step_done(*result, now_ms),
            Input::Store(CommitReport::Committed(upto)) => {
                self.trouble = None;
                self.committed = upto;
            }
            Input::Store(CommitReport::Trouble(error)) => self.trouble = Some(error.to_string()),
            Input::Store(CommitReport::Degraded(degraded)) => self.degraded = degraded,
            Input::Checked(checked) => self.checked(*checked, now_ms),
            Input::Carried(carried) => self.carried(carried, now_ms),
            Input::Claimed { trigger, identity } => {
                self.submit(Txn::of(vec![Write::Claimed { trigger, identity }]));
            }
            Input::Keep(txn, done) => {
                let number = self.submit(txn);
                self.after(number, After::Call(done));
            }
            Input::Cancel { run, by, reply } => {
                let live = self.runs.get(&run).is_some_and(|live| !matches!(live.state.phase(), Phase::Ended(..)));
                if live {
                    self.command(run, Command::Cancel { by }, now_ms, Extras::default());
                }
                self.actions.push(Action::Call(Box::new(move || reply(live))));
            }
            Input::PauseRun { run, pause, by, reply } => self.pause_run(run, pause, by, reply, now_ms),
            Input::Again(plan, repeat, reply) => self.repeat(&plan, *repeat, reply, now_ms),
            Input::PauseTrigger { trigger, pause, by, reply } => self.pause_trigger(trigger, pause, by, reply, now_ms),
            Input::Decide { run, step, by, approve, comment, reply } => {
                let allowed = self.runs.get(&run).map(|live| live.state.may_decide(step, &by));
                if allowed == Some(Ok(())) {
                    let command = Command::Decide { step, by, approve, comment };
                    self.command(run, command, now_ms, Extras::default());
                }
                self.after(self.submitted, After::Call(Box::new(move || reply(allowed))));
            }
            Input::Activate(new, reply) => self.activate(*new, reply, now_ms),
            Input::Wake => self.wake(now_ms),
        }
        self.give_letters(now_ms);
        self.go_on();
        self.feed();
        self.tell_room(now_ms);
        self.take_actions()
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

    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    fn wake(&mut self, now_ms: i64) {
        while let Some((at, run)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now_ms) {
            self.deadlines.remove(&(at, run));
            if let Some(live) = self.runs.get_mut(&run) {
                live.deadline = None;
                self.command(run, Command::Wake, now_ms, Extras::default());
            }
        }
        self.look_again(now_ms);
        self.cron_due(now_ms);
    }

    /// Accepts a run whose parameters have been checked. Gives the number of the commit that makes it durable.
    pub(super) fn begin(&mut self, new: NewRun, start: Command, extras: Extras) -> TxnNumber {
        let (run, now_ms) = (new.run, new.started_ms);
        let state = RunState::new(new.plan.clone(), run);
        self.runs.insert(run, LiveRun { state, deadline: None, outbox_open: 0, entries: 0, uncommitted: 0, held: 0 });
        let mut writes = vec![Write::Run(new)];
        writes.extend(extras.writes);
        writes.extend(self.watermark());
        self.command(run, start, now_ms, Extras { writes, ..extras });
        self.submitted
    }

    /// Gives a live run a command and does what follows: journal, jobs, deadlines.
    pub(super) fn command(&mut self, run: RunId, command: Command, now_ms: i64, extras: Extras) {
        let Some(live) = self.runs.get_mut(&run) else { return };
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
                other => self.together(run, other, now_ms),
            }
        }
        self.update_deadline(run);
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
        if ended.is_some() && self.open.is_none() && !self.followers.is_empty() {
            return self.as_one(|core| core.record(run, now_ms, events, extras));
        }
        self.hold(run, &events);
        let Some(live) = self.runs.get_mut(&run) else { return };
        live.uncommitted += 1;
        let ended_now = ended.is_some();
        let mut writes = extras.writes;
        // The run's own row, when it is among the writes, must come before its first journal entry.
        if !events.is_empty() {
            live.entries += 1;
            writes.push(journal(run, now_ms, &events, ended));
        }
        let entry = live.entries;
        let number = self.submit(Txn { writes, artifacts: extras.artifacts, holds: extras.holds });
        let events = Arc::new(events);
        let update = RunUpdate { run, at_ms: now_ms, events: events.clone(), entry, settled: false };
        self.after(number, After::Publish(update));
        if ended_now {
            self.follow_end(run, &events, now_ms);
            self.scheduled_run_ended(run, now_ms);
        }
    }

    fn update_deadline(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        let deadline = live.state.next_deadline();
        if deadline != live.deadline {
            if let Some(old) = live.deadline {
                self.deadlines.remove(&(old, run));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, run));
            }
            live.deadline = deadline;
        }
    }
}

/// A step, or one item of it.
pub(super) type Slot = (StepIndex, Option<u32>);

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
    // Events hold JSON values and strings only: there is nothing in them that can not be written.
    let events = serde_json::to_string(events).unwrap_or_default();
    Write::Journal { run, at_ms, events, ended }
}
