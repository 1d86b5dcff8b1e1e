//! What outlives a crash: the disk, the clock, the broker, and what the world was told. And what happens next.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use trackside_store::Clock;

use crate::core::Input;

use super::{
    broker::Broker,
    chance::Chance,
    ending,
    machine::Machine,
    models::{Broken, Ticks},
    observer, registered,
    witness::Witness,
};

/// Things that happen before the world becomes calm.
const TURNS: usize = 700;
/// More than any world needs to come to its end.
const MOST_TURNS: usize = 60_000;

pub struct FakeClock(AtomicI64);

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub clock: Arc<FakeClock>,
    pub chance: Chance,
    pub broker: Broker,
    pub witness: Arc<Mutex<Witness>>,
    /// The version of what is polled.
    pub elsewhere: u64,
    disk_full: bool,
    /// How many ended runs of each workflow are kept.
    pub keeps: Option<u64>,
    pub ticks: Arc<Ticks>,
    pub broken: Broken,
    /// The disk gives nothing.
    pub reads_fail: Arc<AtomicBool>,
}

/// How often what happened, over all worlds.
#[derive(Debug, Default)]
pub struct Totals(BTreeMap<&'static str, u64>);

/// What a run of all seeds must have brought about, or it shows nothing.
const EVERYTHING: [&str; 55] = [
    "acceptances",
    "aliases that moved",
    "answers by the version before one that is broken",
    "answers of models",
    "answers that it is busy",
    "approvals by people",
    "approvals by time",
    "artifacts that retention removed",
    "batches of usage",
    "blocked attempts",
    "cancelled runs",
    "changes elsewhere",
    "checked inputs",
    "children",
    "children that could not be looked up",
    "clock jumps",
    "commits that were refused",
    "crashes",
    "crashes after a commit that nobody heard of",
    "crashes after effects that nobody heard of",
    "decisions that were not taken",
    "effects carried out",
    "effects refused",
    "ends that were waited for",
    "ends that could not be looked up",
    "files that could not be looked up",
    "events heard",
    "events that ended waits",
    "followers",
    "followers that did not start",
    "folders that a crash left without a row",
    "interrupted attempts",
    "kept results",
    "misfired times",
    "models that broke on disk",
    "models that did not load",
    "mutexes taken",
    "overlapped times",
    "paused runs",
    "paused triggers",
    "queued times",
    "repeated effects",
    "repeated runs",
    "requests above a model's rate",
    "retries",
    "runs in groups",
    "runs that retention removed",
    "runs out of time",
    "schedules held by a wrong clock",
    "skipped runs",
    "small artifacts that a crash left whole",
    "steps that a model answered",
    "times that could not be looked up",
    "versions of models",
    "versions of models that went",
];

impl Totals {
    pub fn add(&mut self, other: &BTreeMap<&'static str, u64>) {
        for (what, times) in other {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub fn must_have_seen_everything(&self) {
        let missing: Vec<&str> = EVERYTHING.into_iter().filter(|what| !self.0.contains_key(what)).collect();
        assert!(missing.is_empty(), "no world had these: {missing:?}");
    }
}

pub fn simulate(seed: u64) -> BTreeMap<&'static str, u64> {
    let mut world = World::new(seed);
    let mut machine = Machine::boot(&mut world);
    for _ in 0..TURNS {
        machine = world.turn(machine);
    }
    // No more trouble: everything that was accepted must come to its end.
    world.disk_full = false;
    world.reads_fail.store(false, Ordering::Relaxed);
    world.broker.turn(&mut machine.broker, true);
    world.mount(true);
    for turn in 0.. {
        let idle = machine.pending.is_empty() && machine.executing.is_empty();
        if turn > 20 && idle && machine.core.live_runs() == 0 && !machine.core.holds_back() {
            break;
        }
        assert!(turn < MOST_TURNS, "every run ends, and {} do not", machine.core.live_runs());
        world.calm_turn(&mut machine, idle, turn);
    }
    ending::check(&mut world, machine);
    Arc::into_inner(world.witness).unwrap().into_inner().unwrap().totals
}

impl World {
    fn new(seed: u64) -> Self {
        let base = Path::new("/dev/shm");
        let folder = if base.is_dir() { tempfile::tempdir_in(base) } else { tempfile::tempdir() }.unwrap();
        let clock = Arc::new(FakeClock(AtomicI64::new(1_800_000_000_000)));
        Self {
            folder,
            ticks: Arc::new(Ticks::new(clock.clone())),
            broken: Broken::default(),
            clock,
            chance: Chance::new(seed),
            broker: Broker::default(),
            witness: Arc::default(),
            elsewhere: 0,
            disk_full: false,
            keeps: seed.is_multiple_of(2).then_some(1 + seed % 5),
            reads_fail: Arc::default(),
        }
    }

    pub fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn saw(&self, what: &'static str) {
        self.witness.lock().unwrap().saw(what);
    }

    fn turn(&mut self, mut machine: Machine) -> Machine {
        let now = self.now();
        match self.chance.below(160) {
            0..20 if self.disk_full && !machine.pending.is_empty() => {
                self.saw("commits that were refused");
                machine.fail_to_commit(now);
            }
            0..20 => machine.commit(1 + self.chance.below(6), true, now),
            20..58 if !machine.executing.is_empty() => self.move_attempt(&mut machine, false),
            58..64 => machine.carry_out(true, now),
            64..70 => self.answer(&mut machine, false),
            70..76 => self.wait(&mut machine),
            76..82 => self.fire_files(&mut machine),
            82..93 => self.fire_by_hand(&mut machine),
            93..95 => self.cancel(&mut machine),
            95..98 => self.pause_run(&mut machine),
            98..102 => self.decide(&mut machine),
            102..105 => self.again(&mut machine),
            105..107 => {
                let pause = !self.chance.one_in(3);
                self.pause_trigger(&mut machine, pause);
            }
            107..108 => self.keep_rows(&mut machine),
            108..113 => self.jump(&mut machine),
            113..116 => return self.crash(machine),
            116..118 => self.disk_full = !self.disk_full && self.chance.one_in(2),
            118..120 => {
                let up = !self.broker.up;
                self.broker.turn(&mut machine.broker, up);
            }
            120..122 => {
                let there = self.chance.one_in(2);
                self.mount(there);
            }
            122..124 => machine.rounds.let_time_pass(),
            124..126 => {
                let waited = if self.chance.one_in(3) { Duration::from_secs(601) } else { Duration::ZERO };
                machine.look_at_the_clock(waited, now);
            }
            126..128 => {
                let fail = !self.reads_fail.load(Ordering::Relaxed) && self.chance.one_in(2);
                self.reads_fail.store(fail, Ordering::Relaxed);
            }
            128..140 => drop(self.observe(&mut machine)),
            140..143 => self.look_elsewhere(&mut machine),
            143..147 => self.change_models(&mut machine),
            147..154 => self.ask_a_model(&mut machine),
            // Time passes.
            _ => self.clock.0.store(now + 1 + self.chance.below(3_000) as i64, Ordering::Relaxed),
        }
        machine
    }

    fn calm_turn(&mut self, machine: &mut Machine, idle: bool, turn: usize) {
        let now = self.now();
        if turn.is_multiple_of(40) {
            machine.look_at_the_clock(Duration::from_secs(601), now);
            self.resume_runs(machine);
            machine.rounds.let_time_pass();
            machine.carry_out(true, now);
        }
        self.answer(machine, true);
        if machine.carry {
            machine.carry_out(true, now);
        }
        match self.chance.below(10) {
            0..3 => machine.commit(8, true, now),
            3..9 if !machine.executing.is_empty() => self.move_attempt(machine, true),
            9 => self.decide(machine),
            _ if idle => self.wait(machine),
            _ => {}
        }
    }

    fn answer(&mut self, machine: &mut Machine, calm: bool) {
        let came = self.broker.answer(&mut machine.broker, &mut self.chance, calm);
        let witness = self.witness.lock().unwrap();
        for key in came {
            let known = |((run, step, item), entry): &((_, _, _), u32)| {
                super::attempts::key_of(*run, *step, *item, *entry) == key
            };
            let place = witness.order.iter().position(known).expect("what leaves is on disk");
            if self.broker.times(&key) == 1 {
                assert!(place >= self.broker.next, "messages come in the order of their commits: {key}");
                self.broker.next = place + 1;
            }
            assert!(!witness.carried.keys().any(known), "what is carried out is not carried out again: {key}");
        }
    }

    /// Nothing happens until something is due.
    fn wait(&mut self, machine: &mut Machine) {
        let due = machine.core.next_deadline().unwrap_or(0).max(self.now());
        self.clock.0.store(due, Ordering::Relaxed);
        machine.give(Input::Wake, due);
    }

    /// Somebody sets the clock, or the box was suspended.
    fn jump(&mut self, machine: &mut Machine) {
        self.saw("clock jumps");
        let jump = self
            .chance
            .pick(&[-90_000_007, -7_200_011, -61_013, 517, 61_019, 600_023, 28_800_029, 90_000_031])
            .unwrap();
        let now = self.now() + jump;
        self.clock.0.store(now, Ordering::Relaxed);
        machine.give(Input::Wake, now);
    }

    /// The folder of deliveries is there, or a file lies in its place.
    fn mount(&self, there: bool) {
        let [out, away] = ["out", "out-away"].map(|name| self.folder.path().join(name));
        if there && out.is_file() {
            std::fs::remove_file(&out).unwrap();
            if away.is_dir() {
                std::fs::rename(&away, &out).unwrap();
            }
        } else if !there && !out.is_file() {
            if out.is_dir() {
                std::fs::rename(&out, &away).unwrap();
            }
            std::fs::write(&out, "not mounted").unwrap();
        }
    }

    /// The machine goes down, perhaps between something that happened and the news of it.
    fn crash(&mut self, mut machine: Machine) -> Machine {
        self.saw("crashes");
        let now = self.now();
        match self.chance.below(4) {
            0 if !self.disk_full && !machine.pending.is_empty() => {
                self.saw("crashes after a commit that nobody heard of");
                machine.commit(1 + self.chance.below(6), false, now);
            }
            1 if !machine.reader.outbox(0, 1).unwrap().is_empty() => {
                self.saw("crashes after effects that nobody heard of");
                machine.carry_out(false, now);
                self.answer(&mut machine, false);
            }
            _ => {}
        }
        drop(machine);
        self.witness.lock().unwrap().crashed();
        let machine = Machine::boot(self);
        registered::check(self, &machine);
        if observer::artifacts_of_runs_are_there(&machine) > 0 {
            self.saw("small artifacts that a crash left whole");
        }
        machine
    }
}
