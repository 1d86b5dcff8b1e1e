//! What the world saw on disk, transaction by transaction, and what the node told it. It outlives every crash.
//!
//! Each invariant is an assertion whose message says it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use trackside_engine::{Event, Outcome, RunEnd, RunId};
use trackside_facts::{Decided, DecisionKind, TriggerDocument};
use trackside_spec::{Action, Overlap, Plan, StepIndex, TriggerKind};
use trackside_store::{NewRun, Txn, Write};

use crate::core::{RunUpdate, StepJob, StepResult};

use super::registered::Registered;

/// Run, step, item.
pub type Slot = (RunId, u16, Option<u32>);

/// What is known of a run from its committed journal.
pub struct Facts {
    pub plan: Arc<Plan>,
    /// What kind of trigger its row names.
    pub kind: String,
    pub trigger: TriggerDocument,
    pub ended: Option<RunEnd>,
    pub child_of: Option<RunId>,
    pub paused: bool,
    /// It was cancelled, timed out, failed or runs its handlers.
    pub stopping: bool,
    /// The group that it waits for.
    waits: bool,
    /// Open approvals.
    pub asked: BTreeSet<u16>,
    queued: BTreeSet<(u16, Option<u32>)>,
    /// Steps that wait for an event.
    pub hears: BTreeSet<u16>,
}

#[derive(Default)]
pub struct Witness {
    pub runs: BTreeMap<RunId, Facts>,
    pub live: BTreeSet<RunId>,
    /// Trigger and identity.
    pub ledger: BTreeMap<(String, String), RunId>,
    children: BTreeMap<String, RunId>,
    groups: BTreeMap<String, BTreeSet<RunId>>,
    mutexes: BTreeMap<String, Slot>,
    /// Triggers.
    pub paused: BTreeSet<String>,
    /// Slots that have ended for good.
    finals: BTreeSet<Slot>,
    attempts: BTreeSet<(Slot, u32)>,
    /// Attempts that failed or were lost in a crash, and are followed by another.
    over: BTreeSet<(Slot, u32)>,
    /// Last attempt with an effect.
    effects: BTreeMap<Slot, u32>,
    /// Staged entries and their bodies, and which of them were carried out (or else refused).
    pub staged: BTreeMap<(Slot, u32), Value>,
    /// The same in the order of their commits.
    pub order: Vec<(Slot, u32)>,
    pub carried: BTreeMap<(Slot, u32), bool>,
    decided: BTreeMap<(RunId, u16), (Option<String>, bool)>,
    /// Whether schedules were held when the machine came up.
    pub began_with_a_wrong_clock: bool,
    /// How far schedules have come.
    positions: BTreeMap<String, i64>,
    /// Steps that counted, by workflow.
    pub counted: BTreeMap<String, u64>,
    pub totals: BTreeMap<&'static str, u64>,
    /// Runs that retention removed.
    pub gone: BTreeSet<RunId>,
    /// The newest change of what is polled that is remembered on disk.
    pub elsewhere: u64,
    pub models: Registered,
}

impl Witness {
    pub fn saw(&mut self, what: &'static str) {
        *self.totals.entry(what).or_default() += 1;
    }

    /// The machine went down: what it held in memory is free again.
    pub fn crashed(&mut self) {
        let runs = &self.runs;
        // A run that a step waits for goes on, and with it the step's attempt.
        self.mutexes
            .retain(|_, (run, step, _)| matches!(runs[run].plan.step(StepIndex(*step)).action, Action::Workflow(_)));
    }

    /// A transaction is on disk.
    pub fn commit(&mut self, txn: &Txn) {
        let heard = self.listeners();
        for write in &txn.writes {
            match write {
                Write::Run(new) => self.run(new),
                Write::Ledger { trigger, identity, run: Some(run), .. } => {
                    let earlier = self.ledger.insert((trigger.clone(), identity.clone()), *run);
                    assert_eq!(earlier, None, "at most one run for each identity: {trigger} {identity}");
                }
                Write::Journal { run, entry, ended, .. } => {
                    let events: Vec<Event> = entry.read().unwrap();
                    let over = events.iter().any(|event| matches!(event, Event::Ended { .. }));
                    assert_eq!(over, ended.is_some(), "a run's row ends with its journal");
                    events.iter().for_each(|event| self.event(*run, event));
                }
                Write::Outbox { run, step, item, entry, body } => {
                    let (key, body) = (((*run, *step, *item), *entry), serde_json::from_str(body).unwrap());
                    assert_eq!(self.staged.insert(key, body), None, "an effect is staged once: {key:?}");
                    self.order.push(key);
                }
                Write::Paused(row) => {
                    self.saw("paused triggers");
                    self.paused.insert(row.trigger.clone());
                }
                Write::Resumed { trigger, .. } => {
                    self.paused.remove(trigger);
                }
                Write::CronQueued { .. } => self.saw("queued times"),
                Write::Decision(row) => self.saw(match row.decision {
                    Decided::Known(DecisionKind::Misfired) => "misfired times",
                    Decided::Known(DecisionKind::Overlapped) => "overlapped times",
                    Decided::Known(DecisionKind::Skipped) => "skipped runs",
                    Decided::Known(DecisionKind::Paused) => "times of paused triggers",
                    Decided::Known(DecisionKind::Blocked) => "blocked triggers",
                    _ => "other decisions",
                }),
                _ => {}
            }
        }
        self.follow(txn);
        self.heard(txn, &heard);
        self.pruned(txn);
        self.looked(txn);
        self.schedules(txn);
        self.registered(txn);
    }

    /// A schedule moves on only together with the run of the time that it reaches, or with the reason why there is none.
    fn schedules(&mut self, txn: &Txn) {
        for write in &txn.writes {
            let Write::Position { trigger: key, position_ms } = write else { continue };
            let Some((id, _)) = key.split_once(' ') else { continue };
            let before = self.positions.insert(key.clone(), *position_ms);
            // A clock that was set back by more than a day, or was wrong at the start, makes schedules begin anew where it
            // stands; that is no time of theirs.
            let anew = self.began_with_a_wrong_clock || position_ms % 60_000 != 0;
            if anew || before.is_none_or(|before| before >= *position_ms) {
                continue;
            }
            let time = format!("at:{position_ms}");
            let has_its_end = txn.writes.iter().any(|write| match write {
                Write::Ledger { trigger, identity, .. } => trigger == key && *identity == time,
                Write::Decision(row) => {
                    row.trigger == id && (row.subject.text() == time || row.decision == DecisionKind::Misfired)
                }
                _ => false,
            });
            assert!(has_its_end, "a time that has passed has its run or a decision: {key} {position_ms}");
        }
    }

    fn run(&mut self, new: &NewRun) {
        let facts = Facts {
            plan: new.plan.clone(),
            kind: new.trigger.clone(),
            trigger: TriggerDocument::default(),
            ended: None,
            child_of: None,
            paused: false,
            stopping: false,
            waits: false,
            asked: BTreeSet::new(),
            queued: BTreeSet::new(),
            hears: BTreeSet::new(),
        };
        assert!(self.runs.insert(new.run, facts).is_none(), "a run's id is its own: {}", new.run);
        self.live.insert(new.run);
    }

    fn event(&mut self, run: RunId, event: &Event) {
        let facts = self.runs.get_mut(&run).unwrap_or_else(|| panic!("a journal has its run: {run}"));
        let late = matches!(event, Event::Delivered { .. } | Event::DeliveryRefused { .. });
        assert!(facts.ended.is_none() || late, "nothing but deliveries follows the end of a run: {run} {event:?}");
        match event {
            Event::Started { trigger, parent, .. } => {
                facts.trigger = trigger.clone();
                facts.child_of = parent.map(|parent| parent.run);
                if let Some(parent) = parent {
                    assert!(self.runs.contains_key(&parent.run), "a child is not on disk before its parent");
                    let earlier = self.children.insert(parent.key(), run);
                    assert_eq!(earlier, None, "one child for each run, step, item and attempt: {parent:?}");
                    self.saw("children");
                }
                self.starts(run);
            }
            Event::Queued { .. } => facts.waits = true,
            Event::Admitted => self.admitted(run),
            Event::Paused { .. } => {
                facts.paused = true;
                self.saw("paused runs");
            }
            Event::Resumed { .. } => facts.paused = false,
            Event::Retries { .. } => self.saw("repeated runs"),
            Event::CancelRequested { .. } | Event::TimedOut | Event::RunFailed { .. } | Event::Finishing { .. } => {
                facts.stopping = true;
                self.saw(match event {
                    Event::CancelRequested { .. } => "cancelled runs",
                    Event::TimedOut => "runs out of time",
                    Event::RunFailed { .. } => "runs that waited too long",
                    _ => "runs with handlers",
                });
            }
            Event::Ended { end, .. } => {
                facts.ended = Some(*end);
                self.live.remove(&run);
                self.groups.values_mut().for_each(|inside| inside.retain(|other| *other != run));
                self.saw("runs");
            }
            Event::StepQueued { step, item, .. } => {
                self.begins(run, event);
                self.runs.get_mut(&run).unwrap().queued.insert((step.0, *item));
            }
            Event::StepExpanded { .. } => self.begins(run, event),
            Event::ApprovalRequested { step, .. } => {
                self.begins(run, event);
                self.runs.get_mut(&run).unwrap().asked.insert(step.0);
            }
            Event::StepSuspended { step, on, .. } => {
                self.begins(run, event);
                if on.is_some() {
                    self.runs.get_mut(&run).unwrap().hears.insert(step.0);
                }
            }
            Event::ApprovalDecided { step, approved, by, .. } => {
                assert!(facts.asked.remove(&step.0), "an approval is decided once: {run} {step:?}");
                self.decided.insert((run, step.0), (by.clone(), *approved));
                self.saw(if by.is_some() { "approvals by people" } else { "approvals by time" });
            }
            Event::StepStarted { step, item, attempt } => self.attempt((run, step.0, *item), *attempt, event),
            Event::StepRetried { step, item, attempt, .. } => {
                self.lost((run, step.0, *item), *attempt);
                self.saw("retries");
            }
            Event::StepInterrupted { step, item, attempt } => {
                self.lost((run, step.0, *item), *attempt);
                self.saw("interrupted attempts");
            }
            Event::StepSucceeded { step, item, cached, report, .. } => {
                if let Some((model, digest)) =
                    report.as_ref().and_then(|report| report.model.as_ref().zip(report.digest))
                {
                    self.answered_by(model, &digest);
                    self.saw("steps that a model answered");
                }
                let facts = &self.runs[&run];
                let definition = facts.plan.step(*step);
                if matches!(&definition.action, Action::Plugin(call) if call.allow.state) {
                    *self.counted.entry(facts.plan.name.clone()).or_default() += 1;
                }
                if *cached {
                    self.saw("kept results");
                }
                if self.runs.get_mut(&run).unwrap().hears.remove(&step.0) {
                    self.saw("waits for events that ended");
                }
                self.ends((run, step.0, *item));
            }
            Event::StepSkipped { step, item, .. }
            | Event::StepFailed { step, item, .. }
            | Event::StepBlocked { step, item, .. }
            | Event::StepCancelled { step, item } => {
                facts.asked.remove(&step.0);
                facts.hears.remove(&step.0);
                self.ends((run, step.0, *item));
            }
            Event::StepCollected { step, .. } | Event::StepTaken { step, .. } => self.ends((run, step.0, None)),
            Event::ChildStarted { run: child, .. } => {
                assert!(self.runs.contains_key(child), "a child is on disk before its parent says so");
            }
            Event::Delivered { step, item, entry, .. } => self.carried((run, step.0, *item), *entry, true),
            Event::DeliveryRefused { step, item, entry, .. } => self.carried((run, step.0, *item), *entry, false),
        }
    }

    fn starts(&mut self, run: RunId) {
        let facts = &self.runs[&run];
        let Some(id) = facts.trigger.id() else { return };
        let by_trigger = !matches!(facts.kind.as_str(), "manual" | "retry") && facts.child_of.is_none();
        assert!(!by_trigger || !self.paused.contains(id), "a paused trigger starts nothing: {id}");
        let overlap = facts.plan.triggers.iter().find(|trigger| trigger.id == id).map(|trigger| &trigger.kind);
        let (Some(TriggerKind::Cron(cron)), "cron") = (overlap, facts.kind.as_str()) else { return };
        let mut others = self
            .live
            .iter()
            .map(|other| (other, &self.runs[other]))
            .filter(|(other, facts)| **other != run && facts.kind == "cron" && facts.trigger.id() == Some(id));
        match cron.overlap {
            Overlap::Allow => {}
            Overlap::Skip | Overlap::Queue => {
                assert!(others.next().is_none(), "a schedule that does not overlap has one run under way: {id}");
            }
            Overlap::CancelPrevious => {
                assert!(others.all(|(_, other)| other.stopping), "the previous run of a schedule is cancelled: {id}");
            }
        }
    }

    fn admitted(&mut self, run: RunId) {
        let facts = self.runs.get_mut(&run).unwrap();
        assert!(std::mem::take(&mut facts.waits), "a run is let in once: {run}");
        let limit = facts.plan.concurrency.as_ref().unwrap().limit as usize;
        // The names of the groups in these worlds are fixed.
        let name = match facts.plan.name.as_str() {
            "line-queue" | "line-skip" | "after-line" => "line",
            other => other,
        };
        let inside = self.groups.entry(name.to_owned()).or_default();
        inside.insert(run);
        assert!(inside.len() <= limit, "a group keeps its limit: {name} {inside:?}");
        self.saw("runs in groups");
    }

    /// Something of an ordinary step, or of a handler, begins.
    fn begins(&self, run: RunId, event: &Event) {
        let facts = &self.runs[&run];
        assert!(!facts.waits || facts.stopping, "nothing of a run begins before its group has room: {event:?}");
        assert!(!facts.paused || facts.stopping, "nothing begins in a paused run: {event:?}");
    }

    fn attempt(&mut self, slot: Slot, attempt: u32, event: &Event) {
        let (run, step, item) = slot;
        assert!(!self.finals.contains(&slot), "a step with a result is not started again: {slot:?}");
        assert!(self.attempts.insert((slot, attempt)), "an attempt is started once: {slot:?} {attempt}");
        let before = attempt - 1;
        assert!(
            before == 0 || self.over.contains(&(slot, before)),
            "an attempt begins when the one before it failed or was lost: {slot:?} {attempt}"
        );
        if !self.runs.get_mut(&run).unwrap().queued.remove(&(step, item)) {
            self.begins(run, event);
        }
        if let Some(mutex) = self.runs[&run].plan.step(StepIndex(step)).mutex.clone() {
            let holder = self.mutexes.insert(mutex.clone(), slot);
            assert_eq!(holder, None, "a mutex is held by one: `{mutex}`, wanted by {slot:?}");
            self.saw("mutexes taken");
        }
    }

    fn lost(&mut self, slot: Slot, attempt: u32) {
        self.over.insert((slot, attempt));
        self.mutexes.retain(|_, holder| *holder != slot);
    }

    fn ends(&mut self, slot: Slot) {
        assert!(self.finals.insert(slot), "nothing ends twice: {slot:?}");
        self.mutexes.retain(|_, holder| *holder != slot);
    }

    fn carried(&mut self, slot: Slot, entry: u32, done: bool) {
        assert!(self.staged.contains_key(&(slot, entry)), "only what was staged is carried out: {slot:?} {entry}");
        assert!(self.carried.insert((slot, entry), done).is_none(), "an effect ends once: {slot:?} {entry}");
        self.saw(if done { "effects carried out" } else { "effects refused" });
    }

    /// The core asks for an attempt.
    pub fn asked_for(&mut self, job: &StepJob) {
        let slot = (job.run, job.step.0, job.item);
        let facts = self.runs.get(&job.run);
        assert!(facts.is_none_or(|facts| facts.ended.is_none()), "nothing is asked for after the end: {slot:?}");
        assert!(!self.finals.contains(&slot), "a step's finished result is never asked for again: {slot:?} {job:?}");
        let Action::Plugin(call) = &job.plan.step(job.step).action else { return };
        if call.allow.has_direct_effects() || call.allow.state {
            assert!(
                self.attempts.contains(&(slot, job.attempt)),
                "a step with effects finds its start on disk: {slot:?} {}",
                job.attempt
            );
        }
        if call.allow.has_direct_effects() {
            // The request leaves now, under the key of the slot.
            if let Some(before) = self.effects.insert(slot, job.attempt) {
                let in_flight = before < job.attempt && self.over.contains(&(slot, before));
                assert!(in_flight, "effects repeat only for attempts in flight: {slot:?} {before}");
                self.saw("repeated effects");
            }
        }
    }

    /// An executor found a kept result.
    pub fn found_kept(&self, result: &StepResult, of: RunId) {
        assert!(matches!(result.outcome, Outcome::Cached(_)));
        assert!(self.runs.contains_key(&of), "a kept result is of a run that is on disk: {of}");
    }

    pub fn accepted(&mut self, run: RunId, identities: &[(String, String)]) {
        assert!(self.runs.contains_key(&run), "an answered acceptance has its run on disk: {run}");
        for identity in identities {
            assert_eq!(self.ledger.get(identity), Some(&run), "a batch is accepted as a whole: {identity:?}");
        }
        self.saw("acceptances");
    }

    pub fn refused_as_known(&self, identities: &[(String, String)]) {
        assert!(identities.iter().any(|one| self.ledger.contains_key(one)), "what is known is on disk: {identities:?}");
    }

    pub fn decided(&self, run: RunId, step: u16, by: &str, approve: bool) {
        let decided = self.decided.get(&(run, step));
        assert_eq!(decided, Some(&(Some(by.to_owned()), approve)), "a decision that was taken is on disk and stands");
    }

    /// Watchers are told.
    pub fn published(&mut self, update: &RunUpdate) {
        let facts = self.runs.get(&update.run).expect("nothing is told that is not on disk");
        let over = update.events.iter().any(|event| matches!(event, Event::Ended { .. }));
        assert!(!over || facts.ended.is_some(), "an end is told when it is on disk");
        if update.settled {
            let open = self.staged.keys().find(|key| key.0.0 == update.run && !self.carried.contains_key(key));
            assert_eq!(open, None, "a run is settled when all that it staged is carried out");
        }
    }
}
