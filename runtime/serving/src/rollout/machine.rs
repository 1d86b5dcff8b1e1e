//! A rollout as a state machine.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trackside_spec::{Promotion, RolloutMode, RolloutPlan};
use trackside_stats::{Level, Missing, StatsError, Verdict, multiplicity::spend, sequential::Arm};

use super::{
    gate::{Gated, KeptGate, count},
    split::Split,
    subjects::Subjects,
    told::{Due, GateReport, Status, Told},
};

/// Ends of the process that nobody ordered, after which the candidate gets nothing until a person has decided. The first may be a power
/// cut.
const UNCLEAN: u32 = 2;
/// A state is not larger.
const MOST_STATE: usize = 1 << 20;

/// Why a rollout can not begin, or not go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RolloutFault {
    /// Its gates can not be.
    #[error("its gates can not be: {0}")]
    Gates(#[from] StatsError),
    /// What was kept of it is damaged, or of a later version.
    #[error("what was kept of it can not be read: {0}")]
    Kept(String),
}

/// A rollout.
#[derive(Debug, Clone)]
pub struct Machine {
    plan: RolloutPlan,
    gates: Vec<Gated>,
    status: Status,
    /// Which share of the plan; blue-green has one before the first, with nothing.
    step: usize,
    /// How long it goes on, and this step, while somebody counted.
    ran: Duration,
    ran_step: Duration,
    /// Observations of each arm: all, and of this step.
    seen: [u64; 2],
    seen_step: [u64; 2],
    subjects: Subjects,
    /// Ends of the process that nobody ordered.
    unclean: u32,
    /// A person was asked already in this step.
    asked: bool,
}

/// How a rollout stands, for people and documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// In general.
    pub status: Status,
    /// Which step, from 1, of how many.
    pub step: (usize, usize),
    /// The candidate's share in percent; of a shadow, of requests that are run twice.
    pub share: f64,
    /// How long it goes on, and this step.
    pub ran: (Duration, Duration),
    /// Requests of the version in service and of the candidate, all and of this step.
    pub seen: ([u64; 2], [u64; 2]),
    /// Who asked, as far as they are counted (up to 60 in each arm), and requests of nobody; none without a subject.
    pub subjects: Option<([usize; 2], u64)>,
    /// Its gates.
    pub gates: Vec<GateReport>,
    /// What is still missing, in words.
    pub missing: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    status: Status,
    step: usize,
    ran_ms: u64,
    ran_step_ms: u64,
    seen: [u64; 2],
    seen_step: [u64; 2],
    subjects: Subjects,
    unclean: u32,
    asked: bool,
    gates: Vec<KeptGate>,
    /// Whether it was going on when it was kept.
    open: bool,
}

impl Machine {
    /// One that begins.
    ///
    /// # Errors
    /// Gates that can not be.
    pub fn new(plan: RolloutPlan) -> Result<Self, RolloutFault> {
        let plan = plan.filled();
        let error = Level::new(plan.error / 100.0)?;
        let alphas = spend(error, &vec![1.0; plan.gates.len()])?;
        let gates = plan.gates.iter().zip(alphas).map(|(gate, alpha)| Gated::new(*gate, plan.mode, alpha, error));
        let gates = gates.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            gates,
            status: Status::Running,
            step: 0,
            ran: Duration::ZERO,
            ran_step: Duration::ZERO,
            seen: [0; 2],
            seen_step: [0; 2],
            subjects: Subjects::default(),
            unclean: 0,
            asked: false,
            plan,
        })
    }

    /// Goes on where one was. `unclean`: the process that had it ended without a word.
    ///
    /// # Errors
    /// What was kept can not be read.
    pub fn read(plan: RolloutPlan, bytes: &[u8]) -> Result<Self, RolloutFault> {
        let mut machine = Self::new(plan)?;
        if bytes.len() > MOST_STATE {
            return Err(RolloutFault::Kept(format!("{} bytes", bytes.len())));
        }
        let kept: Kept = serde_json::from_slice(bytes).map_err(|error| RolloutFault::Kept(error.to_string()))?;
        if kept.version != 1 || kept.gates.len() != machine.gates.len() || kept.step >= machine.steps() {
            return Err(RolloutFault::Kept("it is of another plan, or of a later version of the program".to_owned()));
        }
        for (gate, kept) in machine.gates.iter_mut().zip(kept.gates) {
            gate.restore(kept)?;
        }
        machine.status = kept.status;
        machine.step = kept.step;
        machine.ran = Duration::from_millis(kept.ran_ms);
        machine.ran_step = Duration::from_millis(kept.ran_step_ms);
        (machine.seen, machine.seen_step, machine.subjects) = (kept.seen, kept.seen_step, kept.subjects);
        (machine.unclean, machine.asked) = (kept.unclean + u32::from(kept.open), kept.asked);
        if machine.unclean >= UNCLEAN && kept.open && !machine.status.is_over() {
            let why = format!(
                "the node ended {} times without being told to since the rollout began: power cuts, or a candidate that takes it down",
                machine.unclean
            );
            machine.status = Status::Stopped { why };
        }
        Ok(machine)
    }

    /// As it is kept. `open`: it goes on in this process, so that one that ends without a word is noticed.
    #[must_use]
    pub fn kept(&self, open: bool) -> Vec<u8> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let kept = Kept {
            version: 1,
            status: self.status.clone(),
            step: self.step,
            ran_ms: ms(self.ran),
            ran_step_ms: ms(self.ran_step),
            seen: self.seen,
            seen_step: self.seen_step,
            subjects: self.subjects.clone(),
            unclean: self.unclean,
            asked: self.asked,
            gates: self.gates.iter().map(Gated::kept).collect(),
            open: open && !self.status.is_over(),
        };
        // Numbers and texts: nothing in it can not be written.
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Its plan, with what stands for keys that were not given.
    #[must_use]
    pub fn plan(&self) -> &RolloutPlan {
        &self.plan
    }

    /// How it stands in general.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    fn steps(&self) -> usize {
        self.plan.shares.len() + usize::from(self.plan.mode == RolloutMode::BlueGreen)
    }

    /// The candidate's share of the answers now, of 100,000; none while nobody is to be answered by it.
    #[must_use]
    pub fn share(&self) -> u32 {
        if self.is_off() || self.plan.mode == RolloutMode::Shadow { 0 } else { Split::percent(self.percent()) }
    }

    /// The share of requests that both answer, of 100,000.
    #[must_use]
    pub fn shadowed(&self) -> u32 {
        if self.is_off() || self.plan.mode != RolloutMode::Shadow { 0 } else { Split::percent(self.percent()) }
    }

    /// Whether the candidate gets nothing: also from the observation on that has broken a gate, before that is written down.
    fn is_off(&self) -> bool {
        matches!(self.status, Status::Stopped { .. }) || self.status.is_over() || self.is_broken()
    }

    fn is_broken(&self) -> bool {
        self.gates.iter().any(|gate| gate.verdict() == Verdict::Fail)
    }

    fn percent(&self) -> f64 {
        let before = usize::from(self.plan.mode == RolloutMode::BlueGreen);
        self.step.checked_sub(before).and_then(|step| self.plan.shares.get(step)).copied().unwrap_or(0.0)
    }

    /// One more observation. True where something is to be done that was not before.
    pub fn tell(&mut self, told: &Told) -> bool {
        if self.status.is_over() {
            return false;
        }
        let count = |of: &mut [u64; 2], arm: Arm| of[arm as usize] = of[arm as usize].saturating_add(1);
        match told {
            Told::Answer { arm, subject, .. } => {
                count(&mut self.seen, *arm);
                count(&mut self.seen_step, *arm);
                if self.plan.subject.is_some() {
                    self.subjects.note(*arm, *subject);
                }
            }
            Told::Pair { .. } => {
                for arm in [Arm::Stable, Arm::Candidate] {
                    count(&mut self.seen, arm);
                    count(&mut self.seen_step, arm);
                }
            }
            Told::Truth { .. } | Told::PairTruth { .. } => {}
        }
        for gate in &mut self.gates {
            gate.tell(told, &self.subjects);
        }
        self.is_due()
    }

    /// Time has passed.
    pub fn pass(&mut self, time: Duration) {
        if !self.status.is_over() && !matches!(self.status, Status::Stopped { .. }) {
            self.ran += time;
            self.ran_step += time;
        }
    }

    fn is_due(&self) -> bool {
        self.is_broken() || self.can_go_on()
    }

    /// Whether nothing but a decision is missing for the next step, or the end.
    fn can_go_on(&self) -> bool {
        if !matches!(self.status, Status::Running | Status::Asks { .. }) || !self.has_baked() || !self.has_evidence() {
            return false;
        }
        let passed = self.gates.iter().all(|gate| gate.verdict() == Verdict::Pass);
        let asked = self.plan.promote == Promotion::Ask && matches!(self.status, Status::Asks { .. });
        self.step + 1 < self.steps() || passed && !asked
    }

    fn has_baked(&self) -> bool {
        self.ran_step >= self.plan.bake.to_std()
    }

    fn has_evidence(&self) -> bool {
        let observed = if self.observes_first() { Arm::Stable } else { Arm::Candidate };
        self.seen_step[observed as usize] >= u64::from(self.plan.evidence)
    }

    /// Whether the version in service is observed before the candidate answers anything.
    fn observes_first(&self) -> bool {
        self.plan.mode == RolloutMode::BlueGreen && self.step == 0
    }

    /// What should happen now. It is not done: see [`Machine::done`].
    #[must_use]
    pub fn due(&self) -> Option<Due> {
        if self.status.is_over() {
            return None;
        }
        if let Some(broken) = self.gates.iter().find(|gate| gate.verdict() == Verdict::Fail) {
            let GateReport { gate, seen, .. } = broken.report();
            return Some(Due::RollBack { why: format!("the gate {gate} is broken: {seen}") });
        }
        if self.can_go_on() {
            return Some(if self.step + 1 < self.steps() {
                Due::Advance
            } else if self.plan.promote == Promotion::Ask {
                Due::Ask { why: "all gates are passed; `promote: ask` wants a person to say so".to_owned() }
            } else {
                Due::Promote
            });
        }
        if self.status == Status::Running && !self.asked && self.ran >= self.plan.ask_after.to_std() {
            let missing = self.missing().join("; ");
            return Some(Due::Ask { why: format!("no verdict after {}: {missing}", self.plan.ask_after) });
        }
        None
    }

    /// How long until time alone makes something due; none where it can not.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        if self.status.is_over() || matches!(self.status, Status::Stopped { .. } | Status::Held { .. }) {
            return None;
        }
        let bake = self.plan.bake.to_std().checked_sub(self.ran_step).filter(|left| !left.is_zero());
        let ask = self.plan.ask_after.to_std().checked_sub(self.ran).filter(|left| !left.is_zero() && !self.asked);
        [bake, ask].into_iter().flatten().min()
    }

    /// What was due has been committed: it is so from now on.
    pub fn done(&mut self, due: &Due) {
        match due {
            Due::Advance => {
                self.step = (self.step + 1).min(self.steps() - 1);
                (self.ran_step, self.seen_step) = (Duration::ZERO, [0; 2]);
                self.status = Status::Running;
            }
            Due::Promote => self.status = Status::Promoted,
            Due::RollBack { why } => self.status = Status::RolledBack { why: why.clone() },
            Due::Ask { why } => {
                (self.status, self.asked) = (Status::Asks { why: why.clone() }, true);
            }
        }
    }

    /// A person has said how it is to stand: held, going on, promoted, aborted. False where that changes nothing: it is over.
    pub fn say(&mut self, status: Status) -> bool {
        if self.status.is_over() {
            return false;
        }
        if status == Status::Running {
            // Who lets it go on after it was stopped has looked.
            (self.unclean, self.asked) = (0, false);
            if self.ran >= self.plan.ask_after.to_std() {
                self.ran = Duration::ZERO;
            }
        }
        self.status = status;
        true
    }

    /// How it stands, for people.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            status: self.status.clone(),
            step: (self.step + 1, self.steps()),
            share: self.percent(),
            ran: (self.ran, self.ran_step),
            seen: (self.seen, self.seen_step),
            subjects: self.plan.subject.as_ref().map(|_| (self.subjects.counts(), self.subjects.unsaid)),
            gates: self.gates.iter().map(Gated::report).collect(),
            missing: if self.status.is_over() { Vec::new() } else { self.missing() },
        }
    }

    /// What is missing to the next step or the end, in words.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        // At what came so far, in a time.
        let at = |more: u64, seen: u64, time: Duration| {
            format!("about {} at the present rate", long(count(more) * time.as_secs_f64() / count(seen.max(1))))
        };
        let who = if self.observes_first() {
            ("the version in service", Arm::Stable)
        } else {
            ("the candidate", Arm::Candidate)
        };
        let have = self.seen_step[who.1 as usize];
        if !self.has_evidence() {
            let more = u64::from(self.plan.evidence) - have;
            let time = match have {
                0 if self.seen == [0; 2] => "no request came yet".to_owned(),
                0 => "none came in this step yet".to_owned(),
                _ => at(more, have, self.ran_step),
            };
            missing.push(format!("{more} more requests of {} in this step ({time})", who.0));
        }
        if let Some(left) = self.plan.bake.to_std().checked_sub(self.ran_step).filter(|left| !left.is_zero()) {
            missing.push(format!("{} until the bake time of this step is over", long(left.as_secs_f64())));
        }
        for gate in self.gates.iter().filter(|gate| gate.verdict() == Verdict::Inconclusive) {
            let GateReport { gate, observations, missing: more, unit, .. } = gate.report();
            missing.push(match more {
                Missing::About(more) => {
                    format!("{gate}: about {more} more {unit} ({})", at(more, observations, self.ran))
                }
                Missing::Never => {
                    format!("{gate}: at what was seen it can not be decided; choose another margin, or decide yourself")
                }
                Missing::Unknown | Missing::Nothing if observations == 0 => format!("{gate}: no {unit} yet"),
                Missing::Unknown | Missing::Nothing => format!("{gate}: more {unit}"),
            });
        }
        missing
    }
}

/// A time as one says it.
fn long(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s.is_nan() || s >= 3.15e9 => return "more than a hundred years".to_owned(),
        s if s < 99.5 => (s, "seconds"),
        s if s < 5_970.0 => (s / 60.0, "minutes"),
        s if s < 172_000.0 => (s / 3_600.0, "hours"),
        s => (s / 86_400.0, "days"),
    };
    format!("{:.0} {unit}", number.ceil())
}
