//! Live runs and the order in which things happen to them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde_json::Value;
use trackside_engine::{Admission, Command, Effect, Event, Outcome, Phase, RunId, RunState, StepError};
use trackside_spec::{Action as StepAction, Plan, StepIndex, Trigger, TriggerKind};
use trackside_store::{CommitReport, Ended, NewRun, ResultRow, Txn, TxnNumber, Write};
use trackside_triggers::cron::{CronTable, TimeGate};

use super::{
    checked,
    follow::artifacts_in,
    together::Returning,
    turns::{Place, Turns},
    types::{
        Action, Carried, CarriedResult, History, Input, KeptResult, Passed, Revived, RunUpdate, StateChange, StepJob,
        StepResult,
    },
};

/// How the core is set up.
#[derive(Debug, Clone, Copy)]
pub struct CoreSettings {
    /// Steps that run at the same time.
    pub max_steps: usize,
    /// Runs under way at the same time; more are answered `Busy`.
    pub max_runs: usize,
}

/// Runs between two notes of where live runs begin.
const WATERMARK_EVERY: u32 = 256;

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
    pub(super) last_run: Option<RunId>,
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
    submitted: TxnNumber,
    committed: TxnNumber,
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
    since_watermark: u32,
    pub(super) after_commit: VecDeque<(TxnNumber, After)>,
    /// Triggers that wait for other runs, with their workflows.
    pub(super) followers: Vec<(String, Trigger)>,
    /// A transaction that is being put together: what is submitted meanwhile becomes part of it.
    pub(super) open: Option<Txn>,
    /// Facts that the engine should not have wished for: bugs, told in the log.
    pub(super) left_out: usize,
    /// Set while the disk refuses commits.
    pub(super) trouble: Option<String>,
    pub(super) actions: Vec<Action>,
}

/// A step under way.
pub(super) struct UnderWay {
    /// Its workflow.
    pub(super) workflow: String,
    /// How it was handed over.
    pub(super) place: Place,
    /// Whether it holds the workflow's state.
    holds_state: bool,
}

pub(super) struct LiveRun {
    pub(super) state: RunState,
    deadline: Option<i64>,
    outbox_open: u32,
    /// Entries of its journal, handed over or on disk.
    entries: u32,
    /// Events handed to the journal and not yet on disk.
    uncommitted: u32,
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
            last_run: None,
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
        let own = state.repeats().is_none() && state.trigger()["backfill"] != Value::Bool(true);
        if let (false, true, Some("cron"), Some(id)) =
            (ended, own, state.trigger()["kind"].as_str(), state.trigger()["id"].as_str())
        {
            self.cron_runs.insert(run, id.to_owned());
        }
        self.runs.insert(run, LiveRun { state, deadline: None, outbox_open, entries, uncommitted: 0 });
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
        self.trouble.as_deref()
    }

    /// When [`Input::Wake`] is wanted next, milliseconds since 1970.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        let run = self.deadlines.first().map(|(at, _)| *at);
        run.into_iter().chain(self.cron.next_deadline()).min()
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
            Input::Checked(checked) => self.checked(*checked, now_ms),
            Input::Carried(carried) => self.carried(carried, now_ms),
            Input::Claimed { trigger, identity } => {
                self.submit(Txn { writes: vec![Write::Claimed { trigger, identity }], artifacts: Vec::new() });
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
        self.cron_due(now_ms);
    }

    /// Accepts a run whose parameters have been checked. Gives the number of the commit that makes it durable.
    pub(super) fn begin(&mut self, new: NewRun, start: Command, extras: Extras) -> TxnNumber {
        let (run, now_ms) = (new.run, new.started_ms);
        let state = RunState::new(new.plan.clone(), run);
        self.runs.insert(run, LiveRun { state, deadline: None, outbox_open: 0, entries: 0, uncommitted: 0 });
        let mut writes = vec![Write::Run(new)];
        writes.extend(extras.writes);
        writes.extend(self.watermark());
        self.command(run, start, now_ms, Extras { writes, ..extras });
        self.submitted
    }

    fn step_done(&mut self, result: StepResult, now_ms: i64) {
        let (run, step, item) = (result.run, result.step, result.item);
        let under_way = self.running.remove(&(run, step, item));
        let Some(UnderWay { workflow, place, holds_state }) = under_way else { return };
        self.ready.ended(&workflow, place);
        if let Some(micros) = result.report["wall_us"].as_u64() {
            self.ready.took(&workflow, step, micros);
        }
        self.keep_outcome(result, now_ms);
        if holds_state {
            self.after(self.submitted, After::FreeState(workflow));
        }
    }

    /// Puts what an attempt left behind into a transaction, unless nobody waits for that attempt any more.
    fn keep_outcome(&mut self, result: StepResult, now_ms: i64) {
        let StepResult {
            run,
            step,
            item,
            attempt,
            outcome,
            mut report,
            artifacts,
            state,
            outbox,
            mut logs,
            kept: of_cache,
        } = result;
        let Some(live) = self.runs.get_mut(&run) else { return };
        if !live.state.is_current(step, item, attempt) {
            return;
        }
        // What the check of the step's inputs found is told with the attempt, however that ended.
        let mut kept_artifacts = Vec::new();
        if let Some(passed) = self.passed.get_mut(&(run, step, item)) {
            logs.insert_str(0, &std::mem::take(&mut passed.logs));
            kept_artifacts.clone_from(&passed.artifacts);
            checked::tell(&mut report, &passed.report);
        }
        let plan = live.state.plan().clone();
        let mut writes = Vec::new();
        if !logs.is_empty() {
            writes.push(Write::Log { run, step: step.0, item, attempt, lines: logs });
        }
        // What a failed attempt staged is dropped with it.
        let kept = !matches!(outcome, Outcome::Failed(_) | Outcome::Blocked { .. });
        match of_cache {
            Some(KeptResult::Used { key }) => writes.push(Write::KeptUsed { key }),
            Some(KeptResult::New { key, output, artifacts }) => {
                writes.push(Write::Kept { key, result: ResultRow { run, output, artifacts } });
            }
            None => {}
        }
        if kept {
            writes.extend(state.into_iter().map(|change| state_write(&plan.name, change, now_ms)));
            for (entry, staged) in (0u32..).zip(outbox) {
                writes.push(Write::Outbox { run, step: step.0, item, entry, body: staged.body });
                live.outbox_open += 1;
            }
        }
        let staged_effects = writes.iter().any(|write| matches!(write, Write::Outbox { .. }));
        let waited_for = self.followers.iter().any(|(_, trigger)| matches!(trigger.kind, TriggerKind::Dataset(_)));
        let made = match &outcome {
            Outcome::Succeeded(output) if waited_for && !artifacts.is_empty() => artifacts_in(output, &artifacts),
            _ => Vec::new(),
        };
        let chance = (self.chance)();
        if kept {
            kept_artifacts.extend(artifacts);
        }
        let command = Command::Finished { step, item, attempt, outcome, chance, report };
        let extras = Extras { writes, artifacts: kept_artifacts };
        if made.is_empty() {
            self.command(run, command, now_ms, extras);
        } else {
            self.as_one(|core| {
                core.command(run, command, now_ms, extras);
                core.follow_datasets(run, (step, item), &made, now_ms);
            });
        }
        self.forget_passed(run, step, item);
        if staged_effects {
            self.after(self.submitted, After::Carry);
        }
    }

    fn carried(&mut self, carried: Carried, now_ms: i64) {
        let Carried { row, run, step, item, entry, target, result } = carried;
        let event = match result {
            CarriedResult::Done => Event::Delivered { step, item, entry, target },
            CarriedResult::Refused(reason) => Event::DeliveryRefused { step, item, entry, target, reason },
        };
        let done = Write::OutboxDone { id: row };
        let Some(live) = self.runs.get_mut(&run) else {
            tracing::error!(%run, "an outbox entry of a run that could not be read again was carried out");
            self.submit(Txn { writes: vec![done], artifacts: Vec::new() });
            return;
        };
        live.outbox_open = live.outbox_open.saturating_sub(1);
        let legal = live.state.apply(&event, now_ms);
        if let Err(error) = legal {
            tracing::error!(%error, "an outbox entry of no known step was carried out");
        }
        self.record(run, now_ms, vec![event], Extras { writes: vec![done], artifacts: Vec::new() });
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

    fn record(&mut self, run: RunId, now_ms: i64, events: Vec<Event>, extras: Extras) {
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
        let number = self.submit(Txn { writes, artifacts: extras.artifacts });
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

    /// Evaluates a step's input and queues the attempt, behind a flush where the step needs one.
    pub(super) fn prepare(&mut self, run: RunId, (step, item): Slot, attempt: u32) {
        let Some(live) = self.runs.get(&run) else { return };
        let state = &live.state;
        let plan = state.plan().clone();
        let given = match self.passed.get(&(run, step, item)) {
            None if !plan.step(step).requires.is_empty() => {
                let unchecked =
                    state.contract_inputs(step, item).map_err(|error| checked::bad_input(&plan, step, &error));
                unchecked.map(|inputs| (Some(inputs), Value::Null, None))
            }
            passed => {
                let given = checked::given(state, (step, item), passed.map_or(&Value::Null, |passed| &passed.requires));
                given.map(|(input, command)| (None, input, command))
            }
        };
        let (contracts, input, given_command) = match given {
            Ok(given) => given,
            Err(error) => {
                let outcome = Outcome::Failed(error);
                let command = Command::Finished { step, item, attempt, outcome, chance: 0, report: Value::Null };
                self.later(run, command);
                return;
            }
        };
        let job = Box::new(StepJob {
            run,
            step,
            item,
            attempt,
            contracts,
            input,
            command: given_command,
            trigger: state.trigger().clone(),
            logical_time_ms: state.logical_time_ms(),
            plan: plan.clone(),
        });
        if needs_barrier(&plan, step) {
            self.after(self.submitted, After::Release(job));
        } else {
            self.ready.push_back(job);
        }
    }

    /// Stops a step: by its executor when it runs, on the spot when it still waits for its turn.
    fn stop(&mut self, run: RunId, (step, item): Slot) {
        if self.running.contains_key(&(run, step, item)) {
            self.actions.push(Action::Stop { run, step, item });
            return;
        }
        self.forget_job(run, (step, item));
        let Some(live) = self.runs.get(&run) else { return };
        let attempt = live.state.record(step, item).map_or(0, |record| record.attempts);
        let outcome = Outcome::Failed(StepError::fatal("cancelled", "stopped before it began"));
        let command = Command::Finished { step, item, attempt, outcome, chance: 0, report: Value::Null };
        self.later(run, command);
    }

    /// Takes a job that has not begun out of wherever it waits.
    pub(super) fn forget_job(&mut self, run: RunId, (step, item): Slot) {
        let is_it = |job: &StepJob| job.run == run && job.step == step && job.item == item;
        self.ready.forget(is_it);
        self.state_users.values_mut().for_each(|waiting| waiting.retain(|job| !is_it(job)));
        self.after_commit.retain(|(_, after)| !matches!(after, After::Release(job) if is_it(job)));
    }

    /// Hands queued jobs to executors while there is room.
    fn feed(&mut self) {
        while let Some((job, place)) = self.ready.next() {
            let workflow = job.plan.name.clone();
            let mut holds_state = false;
            if uses_state(&job.plan, job.step) {
                if let Some(waiting) = self.state_users.get_mut(&job.plan.name) {
                    waiting.push_back(job);
                    continue;
                }
                self.state_users.insert(workflow.clone(), VecDeque::new());
                holds_state = true;
            }
            self.ready.began(&workflow, place);
            self.running.insert((job.run, job.step, job.item), UnderWay { workflow, place, holds_state });
            self.actions.push(Action::Execute(job));
        }
    }

    /// The number of the last transaction that was handed over.
    pub(super) const fn submitted(&self) -> TxnNumber {
        self.submitted
    }

    /// Does several things in one transaction: what `work` submits is committed together or not at all.
    pub(super) fn as_one(&mut self, work: impl FnOnce(&mut Self)) {
        if self.open.is_some() {
            return work(self);
        }
        // Its number is taken now: whatever waits for the newest transaction waits for this one.
        self.submitted += 1;
        self.open = Some(Txn { writes: Vec::new(), artifacts: Vec::new() });
        work(self);
        // Also when nothing was submitted: the store counts transactions as the core does.
        self.actions.extend(self.open.take().map(Action::Submit));
    }

    pub(super) fn submit(&mut self, txn: Txn) -> TxnNumber {
        if let Some(open) = &mut self.open {
            open.writes.extend(txn.writes);
            open.artifacts.extend(txn.artifacts);
            return self.submitted;
        }
        self.submitted += 1;
        self.actions.push(Action::Submit(txn));
        self.submitted
    }

    pub(super) fn after(&mut self, number: TxnNumber, after: After) {
        self.after_commit.push_back((number, after));
    }

    /// Does what waited for commits that are on disk.
    fn go_on(&mut self) {
        while self.after_commit.front().is_some_and(|(number, _)| *number <= self.committed) {
            let Some((_, after)) = self.after_commit.pop_front() else { break };
            match after {
                After::Publish(mut update) => {
                    update.settled = self.settle(update.run);
                    self.actions.push(Action::Publish(update));
                }
                After::Call(call) => self.actions.push(Action::Call(call)),
                After::Release(job) => self.ready.push_back(job),
                After::Carry => self.actions.push(Action::Carry),
                After::FreeIdentity(identity) => {
                    self.in_flight.remove(&identity);
                }
                After::FreeChild(key) => {
                    self.children.remove(&key);
                }
                After::FreeState(workflow) => {
                    let waiting = self.state_users.remove(&workflow).unwrap_or_default();
                    // In front of the queue: they have waited longest. The first takes the state, the rest wait again.
                    waiting.into_iter().rev().for_each(|job| self.ready.push_front(job));
                }
            }
        }
    }

    /// One more of the run's transactions is on disk. Forgets the run, and says so, when it has ended, everything about
    /// it is on disk and nothing of it waits in the outbox.
    fn settle(&mut self, run: RunId) -> bool {
        let Some(live) = self.runs.get_mut(&run) else { return false };
        live.uncommitted -= 1;
        let over = matches!(live.state.phase(), Phase::Ended(..));
        if live.uncommitted > 0 || live.outbox_open > 0 || !over {
            return false;
        }
        if let Some(deadline) = live.deadline {
            self.deadlines.remove(&(deadline, run));
        }
        self.runs.remove(&run);
        self.passed.retain(|(of, ..), _| *of != run);
        true
    }

    /// Every so often, the place from which the next start has to look for live runs. It costs nothing beside a run's
    /// own rows, and spares the index that would be written with every run.
    fn watermark(&mut self) -> Option<Write> {
        self.since_watermark += 1;
        if self.since_watermark < WATERMARK_EVERY {
            return None;
        }
        self.since_watermark = 0;
        let oldest = self.runs.keys().min()?;
        Some(Write::LiveFrom { run: *oldest })
    }
}

/// A step, or one item of it.
pub(super) type Slot = (StepIndex, Option<u32>);

/// What goes into the same transaction as a run's events.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) writes: Vec<Write>,
    pub(super) artifacts: Vec<trackside_spec::Digest>,
}

fn describe(step: Option<&str>, message: &str) -> String {
    step.map_or_else(|| message.to_owned(), |step| format!("step `{step}`: {message}"))
}

fn journal(run: RunId, at_ms: i64, events: &[Event], ended: Option<Ended>) -> Write {
    // Events hold JSON values and strings only: there is nothing in them that can not be written.
    let events = serde_json::to_string(events).unwrap_or_default();
    Write::Journal { run, at_ms, events, ended }
}

fn state_write(workflow: &str, change: StateChange, now_ms: i64) -> Write {
    Write::State {
        workflow: workflow.to_owned(),
        scope: change.scope,
        key: change.key,
        expires_ms: change.ttl_ms.map(|ttl| now_ms.saturating_add_unsigned(ttl)),
        value: change.value,
    }
}

/// A step with direct effects must find everything that it rests on on disk; one that reads state must see what
/// earlier steps of its run wrote.
fn needs_barrier(plan: &Plan, step: StepIndex) -> bool {
    match &plan.step(step).action {
        StepAction::Plugin(call) => call.allow.has_direct_effects() || call.allow.state,
        StepAction::Model(_) | StepAction::Workflow(_) | StepAction::Approval(_) => false,
    }
}

fn uses_state(plan: &Plan, step: StepIndex) -> bool {
    matches!(&plan.step(step).action, StepAction::Plugin(call) if call.allow.state)
}
