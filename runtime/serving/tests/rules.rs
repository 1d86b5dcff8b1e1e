//! The rules in virtual time: thousands of clients, seeded chance, and what must hold at every instant.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use trackside_serving::{
    breaker::{Breaker, BreakerRules, Passed},
    gcra::{Meter, Rate},
    lane::{Entered, Lane, Priority, Ticket},
};

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The seeds of this run; one alone with `TRACKSIDE_SIM_SEED`.
fn seeds() -> Vec<u64> {
    match std::env::var("TRACKSIDE_SIM_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=200).collect(),
    }
}

/// What a request became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ran,
    Refused,
    Shed,
    Gone,
}

/// A lane under chance: who runs, who waits, and what must hold.
struct World {
    lane: Lane<u64>,
    at_once: usize,
    room: usize,
    running: BTreeSet<u64>,
    /// Those who wait, with their place and their importance.
    waiting: BTreeMap<u64, (Ticket, Priority)>,
    ends: BTreeMap<u64, End>,
    came: u64,
    /// Of those that waited and ran: importance and number of arrival.
    order: Vec<(Priority, u64)>,
}

impl World {
    fn new(chance: &mut Chance) -> Self {
        let (at_once, room) = (1 + chance.below(4) as usize, chance.below(12) as usize);
        Self {
            lane: Lane::new(at_once, room),
            at_once,
            room,
            running: BTreeSet::new(),
            waiting: BTreeMap::new(),
            ends: BTreeMap::new(),
            came: 0,
            order: Vec::new(),
        }
    }

    fn comes(&mut self, priority: Priority) {
        let name = self.came;
        self.came += 1;
        match self.lane.enter(priority, name) {
            Entered::Run(name) => assert!(self.running.insert(name)),
            Entered::Waits(ticket) => drop(self.waiting.insert(name, (ticket, priority))),
            Entered::Instead(ticket, shed) => {
                let (_, least) = self.waiting.remove(&shed).unwrap();
                assert!(least > priority, "{least} gave way to {priority}");
                assert!(self.waiting.values().all(|(_, other)| *other <= least), "it was not the least important");
                self.end(shed, End::Shed);
                self.waiting.insert(name, (ticket, priority));
            }
            Entered::Full(name) => {
                assert_eq!(self.waiting.len(), self.room, "refused while there was room");
                assert!(self.waiting.values().all(|(_, other)| *other <= priority), "it should have shed another");
                self.end(name, End::Refused);
            }
        }
    }

    fn ends(&mut self, chance: &mut Chance) {
        let Some(name) = self.running.iter().nth(chance.below(self.running.len().max(1) as u64) as usize).copied()
        else {
            return;
        };
        self.running.remove(&name);
        self.end(name, End::Ran);
        if let Some(next) = self.lane.leave() {
            let (_, priority) = self.waiting.remove(&next).unwrap();
            let first = self.waiting.iter().map(|(name, (_, other))| (*other, *name)).min();
            assert!(first.is_none_or(|first| (priority, next) < first), "{next} overtook {first:?}");
            self.order.push((priority, next));
            self.running.insert(next);
        }
    }

    fn goes(&mut self, chance: &mut Chance) {
        let Some((name, (ticket, _))) =
            self.waiting.iter().nth(chance.below(self.waiting.len().max(1) as u64) as usize).map(|(n, w)| (*n, *w))
        else {
            return;
        };
        assert_eq!(self.lane.withdraw(ticket), Some(name));
        self.waiting.remove(&name);
        self.end(name, End::Gone);
    }

    fn end(&mut self, name: u64, end: End) {
        assert_eq!(self.ends.insert(name, end), None, "{name} ended twice");
    }

    fn holds(&self) {
        assert!(self.running.len() <= self.at_once && self.waiting.len() <= self.room);
        assert_eq!((self.lane.running(), self.lane.waiting()), (self.running.len(), self.waiting.len()));
        assert!(self.waiting.is_empty() || self.running.len() == self.at_once, "somebody waits for a free place");
    }
}

#[test]
fn nobody_is_lost_overtaken_or_let_in_beyond_the_bounds() {
    for seed in seeds() {
        let mut chance = Chance(seed);
        let mut world = World::new(&mut chance);
        for _ in 0..2_000 {
            match chance.below(10) {
                0..=4 => world.comes(chance.below(4) as Priority),
                5..=8 => world.ends(&mut chance),
                _ => world.goes(&mut chance),
            }
            world.holds();
        }
        while !world.running.is_empty() {
            world.ends(&mut chance);
            world.holds();
        }
        assert_eq!(world.ends.len() as u64, world.came, "seed {seed}: somebody has no end");
        assert!(!world.order.is_empty() || world.room == 0, "seed {seed}: nobody waited");
    }
}

#[test]
fn no_window_of_time_sees_more_than_the_rate_and_the_burst() {
    for seed in seeds() {
        let mut chance = Chance(seed);
        let (per_second, burst) = (1 + chance.below(500) as u32, 1 + chance.below(50) as u32);
        let (rate, mut meter) = (Rate::new(per_second, burst), Meter::default());
        let (mut now, mut passed) = (Duration::from_secs(5), Vec::new());
        for _ in 0..5_000 {
            now += Duration::from_micros(chance.below(2_000_000 / u64::from(per_second)));
            match meter.pass(rate, now) {
                Ok(()) => passed.push(now),
                Err(wait) => {
                    // Whoever comes when it was told to is let in, and nobody before.
                    let (mut early, mut punctual) = (meter.clone(), meter.clone());
                    assert!(early.pass(rate, now + wait - Duration::from_nanos(1)).is_err(), "seed {seed}: {wait:?}");
                    assert!(punctual.pass(rate, now + wait).is_ok(), "seed {seed}: {wait:?}");
                }
            }
            let window = Duration::from_millis(1 + chance.below(2_000));
            let since = now.saturating_sub(window);
            let seen = passed.iter().rev().take_while(|at| **at > since).count() as f64;
            let most = f64::from(burst) + window.as_secs_f64() * f64::from(per_second) + 1.0;
            assert!(seen <= most, "seed {seed}: {seen} in {window:?}, {most} are allowed");
        }
    }
}

#[test]
fn an_open_circuit_lets_one_through_at_a_time_and_closes_when_that_ends_well() {
    for seed in seeds() {
        let mut chance = Chance(seed);
        let rules = BreakerRules {
            window: Duration::from_millis(100 + chance.below(10_000)),
            requests: 1 + chance.below(20) as u32,
            failures: 1 + chance.below(100) as u32,
            open: Duration::from_millis(100 + chance.below(5_000)),
        };
        let (mut breaker, mut now) = (Breaker::default(), Duration::ZERO);
        let mut probes: Vec<Duration> = Vec::new();
        let mut is_broken = false;
        for _ in 0..5_000 {
            now += Duration::from_millis(chance.below(300));
            if chance.below(200) == 0 {
                is_broken = !is_broken;
            }
            match breaker.pass(rules, now) {
                Err(wait) => {
                    assert!(wait > Duration::ZERO && wait <= rules.open, "seed {seed}: {wait:?}");
                    assert!(breaker.is_open(now));
                }
                Ok(passed) => {
                    let well = !is_broken;
                    if passed == Passed::Probe {
                        let last = probes.last().copied();
                        assert!(last.is_none_or(|last| now > last), "seed {seed}: two probes at {now:?}");
                        probes.push(now);
                    }
                    breaker.ended(rules, now, passed, Some(well));
                    if passed == Passed::Probe {
                        assert_eq!(breaker.is_open(now), !well, "seed {seed}: one probe decides");
                    }
                }
            }
        }
        // A model that answers is asked again, whatever was before.
        now += rules.open;
        let passed = breaker.pass(rules, now).unwrap();
        breaker.ended(rules, now, passed, Some(true));
        assert!(breaker.pass(rules, now).is_ok(), "seed {seed}");
    }
}
