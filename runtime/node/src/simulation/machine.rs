//! The node without its threads: what a crash destroys.

use std::{
    cell::RefCell,
    collections::{HashSet, VecDeque},
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use trackside_outbox::{Rounds, Wake};
use trackside_store::{CommitReport, Committer, Durability, Reader, StoreError, Txn};
use trackside_triggers::cron::GateState;

use crate::{
    core::{Action, Core, CoreSettings, Input, StepJob},
    node::{NodeOptions, set_up},
};

use super::{
    broker::Connection,
    by_hand::ByHand,
    chance::Chance,
    disk::Disk,
    models::InService,
    observer::Observer,
    project,
    remote::Asked,
    waiting::Waits,
    witness::{Slot, Witness},
    world::World,
};

pub struct Machine {
    pub core: Core,
    pub committer: Committer,
    pub reader: Reader,
    pub broker: Connection,
    pub rounds: Rounds,
    /// What the broker's client tells the outbox.
    wakes: Receiver<Wake>,
    pub pending: VecDeque<Txn>,
    committed: u64,
    pub executing: Vec<StepJob>,
    pub stopped: HashSet<Slot>,
    pub carry: bool,
    pub observer: Observer,
    pub asked: Asked,
    pub waits: Waits,
    pub models: InService,
    witness: Arc<Mutex<Witness>>,
}

impl Machine {
    pub fn boot(world: &mut World) -> Self {
        let project = project::at(world.folder.path());
        let committer = Committer::open(&project.data_dir(), Durability::Relaxed).unwrap();
        let open = || Reader::open(&project.data_dir()).unwrap();
        let mut chance = Chance::new(world.chance.next());
        let settings = CoreSettings { max_steps: 5, max_runs: 40, max_documents: 20 << 10 };
        let disk = Disk { reader: open(), fails: world.reads_fail.clone(), witness: world.witness.clone() };
        let mut core = Core::new(settings, Box::new(disk), Box::new(move || chance.next()));
        let options = NodeOptions { triggers: true, clock: world.clock.clone() };
        let last = crate::reload::last_good(&open()).unwrap();
        let (actions, carry) = set_up(&mut core, &project, &open(), &options, &last).unwrap();
        let (brokers, by_hand) = ByHand::new("plant");
        let (wake, wakes) = channel();
        let rounds = Rounds::new(committer.artifacts().clone(), project.root.clone(), Arc::new(brokers), wake);
        let mut machine = Self {
            core,
            committer,
            reader: open(),
            broker: world.broker.connect(by_hand),
            rounds,
            wakes,
            pending: VecDeque::new(),
            committed: 0,
            executing: Vec::new(),
            stopped: HashSet::new(),
            carry,
            observer: Observer::new(world),
            asked: Asked::default(),
            waits: Waits::default(),
            models: InService::boot(world),
            witness: world.witness.clone(),
        };
        machine.witness().began_with_a_wrong_clock = machine.core.gate().is_some();
        machine.perform(actions);
        machine.give(Input::Wake, world.now());
        machine
    }

    pub fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap()
    }

    pub fn give(&mut self, input: Input, now: i64) {
        let woken = matches!(input, Input::Wake);
        let actions = self.core.handle(input, now);
        let next = self.core.next_deadline();
        assert!(
            !woken || next.is_none_or(|at| at > now),
            "a node that was woken is not woken again for the same: {next:?}"
        );
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Submit(txn) => self.pending.push_back(txn),
                Action::Execute(job) => self.execute(*job),
                Action::Stop { run, step, item } => {
                    self.stopped.insert((run, step.0, item));
                }
                Action::Call(call) => call(),
                Action::Publish(update) => self.witness().published(&update),
                Action::Carry => self.carry = true,
            }
        }
        self.waits.look(&mut self.witness.lock().unwrap());
    }

    fn execute(&mut self, job: StepJob) {
        let slot = (job.run, job.step.0, job.item);
        let twin = self.executing.iter().any(|other| (other.run, other.step.0, other.item) == slot);
        assert!(!twin, "an attempt is under way once at a time: {slot:?}");
        // What the executor kept of an earlier attempt of the slot is replaced.
        self.stopped.remove(&slot);
        self.witness().asked_for(&job);
        let mutex = |job: &StepJob| job.plan.step(job.step).mutex.clone();
        // The inputs of a child that was stopped may still be looked at: nothing comes of that.
        let works = |job: &StepJob| !matches!(job.plan.step(job.step).action, trackside_spec::Action::Workflow(_));
        let rival = self.executing.iter().filter(|other| works(other));
        let rival = rival.filter(|other| mutex(other).is_some()).find(|other| mutex(other) == mutex(&job));
        assert!(rival.is_none(), "a mutex is held by one: {slot:?} and {rival:?}");
        self.executing.push(job);
    }

    /// Some of what was submitted is on disk. The core hears of it, unless the machine goes down before.
    pub fn commit(&mut self, most: usize, hears: bool, now: i64) {
        let batch: Vec<Txn> = self.pending.drain(..most.min(self.pending.len())).collect();
        if batch.is_empty() {
            return;
        }
        self.committer.commit(&batch).unwrap();
        self.committed += batch.len() as u64;
        batch.iter().for_each(|txn| self.witness().commit(txn));
        if hears {
            self.give(Input::Store(CommitReport::Committed(self.committed)), now);
        }
    }

    /// The disk refuses a commit.
    pub fn fail_to_commit(&mut self, now: i64) {
        let source = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let error = StoreError::Io { action: "flush", path: self.committer.data_dir().to_owned(), source };
        self.give(Input::Store(CommitReport::Trouble(error)), now);
        assert!(self.core.trouble().is_some());
    }

    /// A round over the outbox. The core hears of it, unless the machine goes down before.
    pub fn carry_out(&mut self, hears: bool, now: i64) {
        self.carry = false;
        let carried = RefCell::new(Vec::new());
        let report = |done| carried.borrow_mut().push(done);
        while let Ok(wake) = self.wakes.try_recv() {
            if let Wake::Sent(entry, sent) = wake {
                self.rounds.sent(entry, sent, &report);
            }
        }
        let reader = &self.reader;
        self.rounds.round(&|after| reader.outbox(after, 3), &report).unwrap();
        for done in carried.into_inner().into_iter().filter(|_| hears) {
            self.give(Input::Carried(done), now);
        }
    }

    /// Lets schedules go when the clock is to be believed.
    pub fn look_at_the_clock(&mut self, waited: Duration, now: i64) {
        let Some(gate) = self.core.gate() else { return };
        if matches!(gate.state(now, waited), GateState::Wait(_)) {
            return;
        }
        self.witness().saw("schedules held by a wrong clock");
        let actions = self.core.release_schedules(now);
        self.perform(actions);
    }
}
