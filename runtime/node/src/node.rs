//! The box: opens the store, recovers, wires the rooms together, and takes them apart again.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use trackside_codes::{Class, Code, Coded, Reason, code};

use tokio::sync::watch;
use trackside_engine::{DecisionRefused, Repeat, RunId};
use trackside_facts::{BoxEvent, DriftAlarm};
use trackside_intake::{
    BrokerStatus, Brokers, FilesIntake, GoingDown, Intake, MqttIntake, NotStarted, Pauses, PollIntake,
    Tools as IntakeTools, ask,
};
use trackside_observe::Removed;
use trackside_outbox::Carrier;
use trackside_spec::{Plan, StepIndex, TriggerKind};
use trackside_steps::{Executor, Report, Workshop};
use trackside_store::{
    Clock, CommitReport, Committer, DecisionRow, LiveRun, Reader, Readers, Store, StoreError, Txn, Write,
};
use trackside_triggers::{
    clock_watch::ClockWatch,
    cron::{CronEntry, GateState, LONGEST_WAIT, TimeGate},
    files::Sight,
};

use crate::{
    asking::Questions,
    clock_wait::ClockWait,
    core::{
        Action, Core, CoreSettings, Fire, FireAnswer, Input, PauseAnswer, Revived, RunUpdate, SetOff, WorkflowSplit,
    },
    dispatcher::{Dispatcher, Inbox, Message, Status, reporter},
    held::Held,
    keeper::Keeper,
    observer::{Bell, Observer, Tools},
    project::{Project, ProjectError},
    reload::{self, InForce, InUse, Intakes, Notice, Reloaded, Reloader, folder},
    rollouts::WorkflowTrials,
    run_history::{self, UnreadableRun},
    watchers::Watchers,
    workshop::{max_steps, workshop},
};

/// Runs under way at the same time; a burst of files beyond that waits in its folder.
const MAX_RUNS: usize = 1024;
/// What their documents may take in memory, bytes. JSON is up to sixteen times as large there as its text: without a bound a
/// thousand messages of 1 MiB would be 16 GiB.
const MAX_DOCUMENTS: usize = 256 << 20;
/// Updates that a watcher may be behind.
const WATCHER_BUFFER: usize = 4096;
/// How long a reload may take that a rollout waits for.
const RELOAD: Duration = Duration::from_secs(60);
/// How long the file watcher may take to say how a file stands.
const SIGHT: Duration = Duration::from_secs(5);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow files.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// What is not kept could not be removed.
    #[error(transparent)]
    Prune(Arc<StoreError>),
    /// The files were not read, or not all of them.
    #[error("{0}")]
    Reload(#[source] ProjectError),
    /// A thread, a watch.
    #[error("[{code}] cannot start {what}: {reason}", code = self.code())]
    Start {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// The node is going down.
    #[error("[{code}] the node is going down", code = self.code())]
    Closed,
}

impl Coded for NodeError {
    fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Prune(error) => error.code(),
            Self::Reload(error) => error.code(),
            Self::Start { .. } => code!("TS-0631"),
            Self::Closed => code!("TS-0632"),
        }
    }

    fn has_places(&self) -> bool {
        match self {
            Self::Project(error) | Self::Reload(error) => error.has_places(),
            _ => false,
        }
    }
}

/// How a node runs.
#[derive(Clone)]
pub struct NodeOptions {
    /// Whether schedules and files start runs. Off for a single run by hand.
    pub triggers: bool,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// A running node. Dropping it stops it; what was accepted goes on at the next start.
pub struct Node {
    handle: Handle,
    reloader: Option<Reloader>,
    /// Where nothing is reloaded; otherwise the reloader has them.
    intakes: Option<Intakes>,
    clock_watch: Option<ClockWatch>,
    executor: Option<Arc<Executor>>,
    keeper: Option<Keeper>,
    observer: Observer,
    dispatcher: Option<JoinHandle<()>>,
}

/// What others may ask of a running node.
#[derive(Clone)]
pub struct Handle {
    pub(crate) inbox: Sender<Message>,
    readers: Arc<Readers>,
    pub(crate) questions: Arc<Questions>,
    workshop: Arc<Workshop>,
    commits: Arc<AtomicU64>,
    pauses: Arc<Pauses>,
    in_force: watch::Receiver<Arc<InForce>>,
    reload: Sender<Notice>,
    brokers: Arc<Brokers>,
    bell: Arc<Bell>,
    doors: Arc<ModelDoors>,
    workflow_trials: Arc<WorkflowTrials>,
}

/// What lets one at a time into the registry of models.
#[derive(Debug, Default)]
pub struct ModelDoors {
    /// Held from the look at how things stand to the commit that changes them.
    pub change: Mutex<()>,
    /// Held while a model is looked at in a process of its own, which may take half of the box's memory.
    pub probe: Mutex<()>,
    /// Held while predictions are on their way from memory to the dispatcher: who tells the truth about one must come after it.
    pub(crate) predictions: Mutex<()>,
}

impl Node {
    /// Starts a node on a project. Everything that is live in the store goes on at once. With triggers, a workflow whose file
    /// is not right any more is used as it was before: see [`Handle::in_force`].
    ///
    /// # Errors
    /// When the data folder is in use or can not be used, or a thread can not be started.
    pub fn start(project: &Project, options: &NodeOptions) -> Result<Self, NodeError> {
        let data_dir = project.data_dir();
        let committer = Committer::open(&data_dir, project.config.node.durability)?;
        let artifacts = committer.artifacts().clone();
        artifacts.keep_free(project.config.node.min_free.as_bytes());
        let readers = artifacts.readers().clone();
        let workshop = Arc::new(workshop(project, artifacts.clone(), readers.clone(), options.clock.clone()));
        let (inbox, messages) = channel();
        let (bell, tell) = (Arc::new(Bell::default()), reporter(&inbox, Input::Store));
        let rung = bell.clone();
        let heard = move |report: CommitReport| {
            let is_commit = matches!(report, CommitReport::Committed(_));
            tell(report);
            if is_commit {
                rung.committed();
            }
        };
        let store = Store::start(committer, Box::new(heard))?;
        let reserve = store.reserve().clone();
        let history = store.reader()?;
        let commits = store.commits();
        let mut core = Core::new(settings(project), Box::new(store.reader()?), Box::new(chance()));
        let looks = folder::looks(&project.workflow_dir()).ok();
        let (project, last) = if options.triggers {
            let last = reload::last_good(&history)?;
            (Arc::new(project.bare().with_workflows(&last, None)?), last)
        } else {
            (Arc::new(project.for_runs_by_hand()), InUse::new())
        };
        let (first, carry) = set_up(&mut core, &project, &history, options, &last)?;
        let project = &project;
        let (publish, in_force) = watch::channel(Arc::new(InForce { project: project.clone(), config_note: None }));
        let notices = channel();
        let pauses = Arc::new(Pauses::new(history.paused()?.into_iter().map(|row| row.trigger)));
        drop(history);
        let report = reporter(&inbox, |report| match report {
            Report::Checked(checked) => Input::Checked(checked),
            Report::Done(result) => Input::StepDone(result),
        });
        let executor =
            Arc::new(Executor::start(workshop.clone(), max_steps(project), report).map_err(start("the executors"))?);
        let carried = reporter(&inbox, Input::Carried);
        let (brokers, waiting) = Brokers::new(&project.config.mqtt);
        let brokers = Arc::new(brokers);
        let root = project.root.clone();
        let carrier = Carrier::start(readers.clone(), artifacts.clone(), root, brokers.clone(), carried)
            .map_err(start("the outbox"))?;
        let wake = Arc::new(carrier.waker());
        if carry {
            carrier.wake();
        }
        let dispatcher = Dispatcher {
            core,
            store,
            executor: executor.clone(),
            carrier,
            clock: options.clock.clone(),
            inbox: messages,
            watchers: Watchers::default(),
            held: Held::default(),
            clock_wait: None,
        };
        let thread = std::thread::Builder::new()
            .name("dispatcher".into())
            .spawn(move || dispatcher.work(first))
            .map_err(start("the dispatcher"))?;
        let tools = Tools {
            inbox: inbox.clone(),
            readers: readers.clone(),
            artifacts: artifacts.clone(),
            reserve,
            clock: options.clock.clone(),
            in_force: in_force.clone(),
            stays: options.triggers,
            prunes: options.triggers || project.problems.is_empty(),
        };
        let observer = Observer::start(bell.clone(), tools).map_err(start("the consumers of the journal"))?;
        let mut node = Self {
            handle: Handle {
                inbox: inbox.clone(),
                readers: readers.clone(),
                questions: Arc::default(),
                workshop,
                commits,
                pauses: pauses.clone(),
                in_force,
                reload: notices.0.clone(),
                brokers: brokers.clone(),
                bell,
                doors: Arc::default(),
                workflow_trials: Arc::default(),
            },
            reloader: None,
            intakes: None,
            clock_watch: None,
            executor: Some(executor.clone()),
            keeper: None,
            observer,
            dispatcher: Some(thread),
        };
        let keeper = Keeper::start(node.handle()).map_err(start("the thread that keeps what models teach"))?;
        node.keeper = Some(keeper);
        let listeners = node.handle.workshop.own.clone();
        let tools = IntakeTools {
            dispatch: Arc::new(Inbox(inbox.clone())),
            readers: readers.clone(),
            artifacts,
            clock: options.clock.clone(),
            config: project.config.clone(),
            project: project.root.clone(),
            pauses,
            own: Arc::new(move |address| listeners.covers(address)),
            labels: {
                let handle = node.handle();
                Arc::new(move |payload, by| handle.label_message(payload, by).map_err(|_| GoingDown))
            },
        };
        let box_id = readers.with(|reader| reader.box_id())?;
        let kinds: Vec<Box<dyn Intake>> = vec![
            Box::new(FilesIntake::new(&tools, box_id.clone())),
            Box::new(MqttIntake::new(&tools, (brokers, waiting), options.triggers, wake)),
            Box::new(PollIntake::new(&tools, box_id.clone())),
        ];
        let mut intakes = Intakes { inbox: inbox.clone(), executor: executor.clone(), box_id, kinds };
        intakes.start(options.triggers.then_some(&**project))?;
        if options.triggers {
            let workshop = node.handle.workshop.clone();
            let reloader = Reloader::start(notices, workshop, publish, intakes, looks);
            node.reloader = Some(reloader.map_err(start("the watch over the workflow files"))?);
            let woken = reporter(&inbox, |()| Input::Wake);
            node.clock_watch = Some(ClockWatch::start(move || woken(())).map_err(start("the clock watch"))?);
            executor.warm(project.workflows.values().cloned());
        } else {
            node.intakes = Some(intakes);
        }
        Ok(node)
    }

    /// For asking things of the node, from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nothing new comes in, what runs is stopped, what was decided is committed: in this order.
        self.reloader = None;
        self.intakes = None;
        self.clock_watch = None;
        self.observer.close();
        if let Some(executor) = self.executor.take() {
            executor.close();
        }
        // After the last request of a model, before the last commit.
        self.keeper = None;
        // The dispatcher may be gone already.
        let _ = self.handle.inbox.send(Message::Shutdown);
        if let Some(dispatcher) = self.dispatcher.take() {
            let _ = dispatcher.join();
        }
    }
}

impl From<GoingDown> for NodeError {
    fn from(_: GoingDown) -> Self {
        Self::Closed
    }
}

impl From<NotStarted> for NodeError {
    fn from(NotStarted { what, reason }: NotStarted) -> Self {
        Self::Start { what, reason }
    }
}

impl Handle {
    /// Asks for a run; `reply` is called on the dispatcher's thread.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub fn fire(&self, fire: Fire, reply: crate::core::Reply) -> Result<(), NodeError> {
        self.inbox.send(Message::Input(Input::Fire(Box::new(fire), reply))).map_err(|_| NodeError::Closed)
    }

    /// Records that a trigger started nothing. It is on disk when this ends, or the node is going down.
    pub async fn record_decision(&self, row: DecisionRow) {
        let txn = Txn::of(vec![Write::Decision(row)]);
        // Going down, it is not on disk, and nobody can be told.
        let _ = self.ask(|done| Message::Input(Input::Keep(txn, Box::new(move || done(()))))).await;
    }

    /// Committed events of all runs, from now on.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub fn watch(&self) -> Result<tokio::sync::mpsc::Receiver<RunUpdate>, NodeError> {
        let (watcher, updates) = tokio::sync::mpsc::channel(WATCHER_BUFFER);
        self.inbox.send(Message::Watch(watcher)).map_err(|_| NodeError::Closed)?;
        Ok(updates)
    }

    /// Emits an event. What it set off is on disk when the answer comes; nothing when there is no room for more.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn emit(&self, name: &str, data: serde_json::Value) -> Result<Option<SetOff>, NodeError> {
        let at = self.workshop.clock.now_ms();
        let event = BoxEvent { name: name.to_owned(), data, at, run: None, workflow: None, step: None };
        self.ask(|reply| Message::Input(Input::Emit(event, reply))).await
    }

    /// Stops a run; says whether it was under way.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn cancel(&self, run: RunId, by: &str) -> Result<bool, NodeError> {
        let by = by.to_owned();
        self.ask(|reply| Message::Input(Input::Cancel { run, by, reply })).await
    }

    /// Decides about a step that waits for a person; nothing when the run is over. The answer comes when the decision is on
    /// disk.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn decide(
        &self,
        run: RunId,
        step: StepIndex,
        by: &str,
        approve: bool,
        comment: &str,
    ) -> Result<Option<Result<(), DecisionRefused>>, NodeError> {
        let (by, comment) = (by.to_owned(), comment.to_owned());
        self.ask(|reply| Message::Input(Input::Decide { run, step, by, approve, comment, reply })).await
    }

    /// Pauses or resumes a run; what became of it is on disk when the answer comes.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn pause_run(&self, run: RunId, pause: bool, by: &str) -> Result<PauseAnswer, NodeError> {
        let by = by.to_owned();
        self.ask(|reply| Message::Input(Input::PauseRun { run, pause, by, reply })).await
    }

    /// Starts a run that repeats another one on the definition that one had.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn repeat(&self, plan: Arc<Plan>, repeat: Repeat) -> Result<FireAnswer, NodeError> {
        self.ask(|reply| Message::Input(Input::Again(plan, Box::new(repeat), reply))).await
    }

    /// Pauses or resumes a trigger; says whether that changed anything. It is on disk when the answer comes.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn pause_trigger(&self, trigger: &str, pause: bool, by: &str) -> Result<bool, NodeError> {
        if pause {
            // Before the core knows: the watcher must not offer what the core refuses.
            self.pauses.set(trigger, true);
        }
        let (id, by) = (trigger.to_owned(), by.to_owned());
        let changed = self.ask(|reply| Message::Input(Input::PauseTrigger { trigger: id, pause, by, reply })).await?;
        if !pause {
            self.pauses.set(trigger, false);
        }
        Ok(changed)
    }

    /// How the file at this path below the folder of a trigger stands; `None` when no watcher has such a trigger, or it is too
    /// busy to answer.
    pub async fn sight(&self, trigger: &str, path: &Path) -> Option<Sight> {
        let answer = self.pauses.watcher()?.ask(trigger, path);
        // Its thread may be reading a large file.
        let answered = tokio::task::spawn_blocking(move || answer.recv_timeout(SIGHT)).await;
        answered.ok()?.ok()?
    }

    /// How things stand.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down.
    pub async fn status(&self) -> Result<Status, NodeError> {
        self.ask(Message::Status).await
    }

    /// Removes what is not kept, now; what was removed is on disk when the answer comes.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down, [`NodeError::Prune`] when the database refuses.
    pub async fn prune(&self) -> Result<Removed, NodeError> {
        let answer = self.bell.ask();
        // The thread works on the disk.
        let answer = tokio::task::spawn_blocking(move || answer.recv()).await.map_err(|_| NodeError::Closed)?;
        answer.map_err(|_| NodeError::Closed)?.map_err(NodeError::Prune)
    }

    /// Has the workflow files read now. What is right is in use when the answer comes.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down, or runs without triggers; [`NodeError::Reload`] when the files can
    /// not be read.
    pub async fn reload(&self, by: &str) -> Result<Reloaded, NodeError> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let reply = Box::new(move |done| drop(reply.send(done)));
        self.reload.send(Notice::Reload { by: by.to_owned(), reply }).map_err(|_| NodeError::Closed)?;
        answer.await.map_err(|_| NodeError::Closed)?.map_err(NodeError::Reload)
    }

    /// Has rows written that go together; they are on disk when this ends. For a thread that may block.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down: whether they were written is then not known.
    pub fn keep(&self, writes: Vec<Write>) -> Result<(), NodeError> {
        self.submit(writes)?.recv().map_err(|_| NodeError::Closed)
    }

    /// The same without waiting: what is submitted first is written first.
    pub(crate) fn submit(&self, writes: Vec<Write>) -> Result<Receiver<()>, NodeError> {
        let (tell, told) = channel();
        let done = Box::new(move || {
            // Who asked may have gone.
            let _ = tell.send(());
        });
        let input = Message::Input(Input::Keep(Txn::of(writes), done));
        self.inbox.send(input).map_err(|_| NodeError::Closed)?;
        Ok(told)
    }

    /// The rollouts of workflows that go on here.
    pub(crate) fn workflow_trials(&self) -> &WorkflowTrials {
        &self.workflow_trials
    }

    /// A share of a workflow's runs starts on another definition from now on; without one, none does.
    pub(crate) fn split(&self, workflow: &str, split: Option<Box<WorkflowSplit>>) {
        // Going down, nothing starts any more.
        let _ = self.inbox.send(Message::Input(Input::Split(workflow.to_owned(), split)));
    }

    /// As [`Handle::reload`], for a thread that may block.
    pub(crate) fn reload_here(&self, by: &str) -> Result<Reloaded, NodeError> {
        let (tell, told) = channel();
        let reply = Box::new(move |done| {
            // It was waited for long enough.
            let _ = tell.send(done);
        });
        self.reload.send(Notice::Reload { by: by.to_owned(), reply }).map_err(|_| NodeError::Closed)?;
        told.recv_timeout(RELOAD).map_err(|_| NodeError::Closed)?.map_err(NodeError::Reload)
    }

    /// Keeps what alarms of drift say, with the runs that they start: whether it is on disk. It is not while there is no room for more
    /// runs; then nothing has happened.
    ///
    /// # Errors
    /// [`NodeError::Closed`] when the node is going down: whether it was written is then not known.
    pub(crate) fn keep_drift(&self, writes: Vec<Write>, alarms: Vec<(String, DriftAlarm)>) -> Result<bool, NodeError> {
        let (tell, told) = channel();
        let reply = Box::new(move |done| {
            // Who asked may have gone.
            let _ = tell.send(done);
        });
        self.inbox.send(Message::Input(Input::Drift(writes, alarms, reply))).map_err(|_| NodeError::Closed)?;
        told.recv().map_err(|_| NodeError::Closed)
    }

    /// Who changes the registry of models holds these, one after the other.
    #[must_use]
    pub fn model_doors(&self) -> &Arc<ModelDoors> {
        &self.doors
    }

    /// Sends a question to the dispatcher and waits for its answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        message: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Message,
    ) -> Result<T, NodeError> {
        Ok(ask(|reply| self.inbox.send(message(reply)).map_err(|_| GoingDown)).await?)
    }

    /// What is in use: now, and whenever that changes.
    #[must_use]
    pub fn in_force(&self) -> watch::Receiver<Arc<InForce>> {
        self.in_force.clone()
    }

    /// The project as it is in use now.
    #[must_use]
    pub fn project(&self) -> Arc<Project> {
        self.in_force.borrow().project.clone()
    }

    /// How each broker stands.
    #[must_use]
    pub fn brokers(&self) -> Vec<BrokerStatus> {
        self.brokers.status()
    }

    /// How many commits there have been since the start; each is one flush.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Committed data.
    #[must_use]
    pub fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// Plugins, models, artifacts.
    #[must_use]
    pub fn workshop(&self) -> &Arc<Workshop> {
        &self.workshop
    }
}

fn settings(project: &Project) -> CoreSettings {
    CoreSettings { max_steps: max_steps(project), max_runs: MAX_RUNS, max_documents: MAX_DOCUMENTS }
}

/// Numbers from the kernel, many for one call of it.
fn chance() -> impl FnMut() -> u64 + Send {
    let (mut store, mut left) = ([0u8; 512], 0);
    move || {
        if left == 0 {
            // Without the kernel's randomness jitter and run ids are merely predictable.
            if getrandom::fill(&mut store).is_err() {
                return 0x9e37_79b9_7f4a_7c15;
            }
            left = store.len();
        }
        left -= 8;
        store[left..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

fn start<E: Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> NodeError {
    move |error| NodeError::Start { what, reason: Reason::by(Class::Setup, error) }
}

/// Puts workflows, schedules and live runs into the core. Gives the first actions and whether the outbox has rows.
pub(crate) fn set_up(
    core: &mut Core,
    project: &Project,
    history: &Reader,
    options: &NodeOptions,
    last: &InUse,
) -> Result<(Vec<Action>, bool), NodeError> {
    let now = options.clock.now_ms();
    core.set_last_run(history.latest_run()?);
    core.restore_pauses(history.paused()?.into_iter().map(|row| row.trigger));
    let mut actions = Vec::new();
    let box_id = history.box_id()?;
    let gate = TimeGate::new(history.newest_start()?);
    if gate.state(now, Duration::ZERO) != GateState::Open {
        core.hold_schedules(gate);
        let crons = project.workflows.values().flat_map(|plan| &plan.triggers);
        if options.triggers && crons.map(|trigger| &trigger.kind).any(|kind| matches!(kind, TriggerKind::Cron(_))) {
            tracing::warn!("[TS-0635] {}", ClockWait { now_ms: now, gate, left: LONGEST_WAIT });
        }
    }
    if options.triggers {
        let (_, rows) = reload::changes(last, project, now, "the start");
        let gone =
            cron_keys(last).into_keys().filter(|id| !project.workflows.values().any(|plan| has_trigger(plan, id)));
        let mut writes: Vec<Write> = rows.into_iter().map(Write::Activated).collect();
        writes.extend(gone.map(|trigger| Write::CronCleared { trigger }));
        actions.extend(core.keep_at_start(writes));
    }
    let before = cron_keys(last);
    let mut queues = HashMap::new();
    for plan in project.workflows.values() {
        core.add_workflow(plan.clone());
        for trigger in plan.triggers.iter().filter(|_| options.triggers) {
            let TriggerKind::Cron(cron) = &trigger.kind else { continue };
            match CronEntry::new(&trigger.id, cron, &box_id) {
                Ok(entry) => {
                    let key = reload::schedule_key(&trigger.id, cron);
                    // A schedule that was not in use before is new, also when it was in use some time ago.
                    let is_old = last.is_empty() || before.get(&trigger.id) == Some(&key);
                    let position = if is_old { history.position(&key)? } else { None };
                    queues.insert(trigger.id.clone(), history.cron_queue(&trigger.id)?);
                    actions.extend(core.add_schedule(entry, key, position, now));
                }
                Err(error) => tracing::error!(trigger = trigger.id, %error, "the schedule is not used"),
            }
        }
    }
    for (plan, trigger) in project.usable_triggers().filter(|_| options.triggers) {
        core.add_follower(&plan.name, trigger);
    }
    // Runs of one definition share it: it is read once, however many they are.
    let mut plans: HashMap<String, Arc<Plan>> =
        project.workflows.values().map(|plan| (plan.source.clone(), plan.clone())).collect();
    let mut revived = Vec::new();
    for live in history.open_runs()? {
        match revive_with(history, &live, &mut plans) {
            Ok(one) => revived.push(one),
            Err(NotRevived::Now(error)) => {
                tracing::error!(run = %live.run, %error, "[TS-0634] the run can not be read now; the next start tries again");
            }
            Err(NotRevived::Ever(reason)) if has_ended(history, live.run)? => {
                tracing::error!(run = %live.run, "[TS-0634] the run has ended and can not be read; its effects are carried out: {reason}");
            }
            // Before the runs that may wait for it are there.
            Err(NotRevived::Ever(reason)) => {
                actions.extend(core.give_up(live.run, &live.workflow, &reason.to_string(), now))
            }
        }
    }
    for one in revived {
        let open = u32::try_from(history.outbox_of(one.state.id())?).unwrap_or(u32::MAX);
        actions.extend(core.recover(one, open, now));
    }
    actions.extend(core.recovered(now));
    actions.extend(core.restore_schedules(queues, now));
    Ok((actions, !history.outbox(0, 1)?.is_empty()))
}

/// The schedules of these definitions: trigger to the key of its position.
fn cron_keys(definitions: &InUse) -> BTreeMap<String, String> {
    let triggers = definitions.iter().flat_map(|(_, plan)| &plan.triggers);
    let key = |trigger: &trackside_spec::Trigger| match &trigger.kind {
        TriggerKind::Cron(cron) => Some((trigger.id.clone(), reload::schedule_key(&trigger.id, cron))),
        _ => None,
    };
    triggers.filter_map(key).collect()
}

fn has_trigger(plan: &Plan, id: &str) -> bool {
    plan.triggers.iter().any(|trigger| trigger.id == id)
}

fn has_ended(history: &Reader, run: RunId) -> Result<bool, StoreError> {
    Ok(history.run(run)?.is_none_or(|row| row.ended_ms.is_some()))
}

/// Why a run is not read back from its journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRevived {
    /// The database does not give it now.
    #[error(transparent)]
    Now(StoreError),
    /// What is there can not be understood.
    #[error(transparent)]
    Ever(Reason),
}

impl From<StoreError> for NotRevived {
    fn from(error: StoreError) -> Self {
        if error.is_damage() { Self::Ever(Reason::of(error)) } else { Self::Now(error) }
    }
}

impl From<UnreadableRun> for NotRevived {
    fn from(error: UnreadableRun) -> Self {
        Self::Ever(Reason::by(Class::Damaged, error))
    }
}

/// Reads a live run, with the definitions that are known already, by their text.
fn revive_with(
    history: &Reader,
    live: &LiveRun,
    plans: &mut HashMap<String, Arc<Plan>>,
) -> Result<Revived, NotRevived> {
    let plan = match plans.get(&live.source) {
        Some(plan) => plan.clone(),
        None => {
            let plan = run_history::load(&live.workflow, &live.source)?;
            plans.entry(live.source.clone()).or_insert(plan).clone()
        }
    };
    fold(history, live.run, plan)
}

/// What the journal makes of a run.
pub(crate) fn fold(history: &Reader, run: RunId, plan: Arc<Plan>) -> Result<Revived, NotRevived> {
    let entries = run_history::entries(history, run)?;
    let state = run_history::fold(run, plan, &entries).map_err(UnreadableRun::from)?;
    Ok(Revived { state, entries: u32::try_from(entries.len()).unwrap_or(u32::MAX) })
}
