//! From a wish to a run: the one way on which runs are accepted, whoever wants them.
//!
//! A wish is asked, in this order: is there room, is its trigger paused, do its parameters fit, has it had its run, is its
//! concurrency group free. What is not asked of whom stands in [`Origin`]. A run that is accepted is in one transaction with its
//! rows of the ledger and whatever else its maker wants committed with it.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};
use trackside_engine::{Command, Parent, Repeat, RunId};
use trackside_facts::{DecisionKind, TriggerDocument};
use trackside_spec::{Digest, Plan};
use trackside_store::{Hold, NewRun, TxnNumber, Write};

use super::{
    commits::After,
    dispatch::{Core, Extras},
    ledger::{Known, Unreadable},
    types::{Fire, FireAnswer, LedgerEntry, Reply},
};

/// A run that somebody wants.
pub(super) struct Wish {
    plan: Arc<Plan>,
    origin: Origin,
    trigger: TriggerDocument,
    logical_time_ms: i64,
    params: Params,
    /// At most one run for each of these.
    pub(super) ledger: Vec<LedgerEntry>,
    /// What is committed with the run, beside its own rows.
    pub(super) writes: Vec<Write>,
    /// What the trigger document refers to.
    pub(super) artifacts: Vec<Digest>,
    /// What keeps that until the run is on disk.
    pub(super) holds: Vec<Hold>,
}

/// Who wants a run, and with that what is asked of the wish.
pub(super) enum Origin {
    /// A trigger, a request, a person: who offers it again when there is no room.
    Offered {
        /// What the list of runs says of it.
        kind: &'static str,
    },
    /// A schedule. That there is room has been asked before its time was taken out of the table.
    Schedule {
        /// Which.
        trigger: String,
        /// Whether its runs under way make room for this one.
        cancel_previous: bool,
    },
    /// Something that happened on the box. It is in the transaction of what it follows: nobody would offer it again, and it
    /// happens once, so that there is nothing to look up.
    Follower {
        /// What the list of runs says of it.
        kind: &'static str,
    },
    /// A step that is another run. Its parent holds a place until it ends and would wait for itself.
    Child(Parent),
    /// Somebody wants a run repeated, with what that had and its steps made.
    Repeat(Box<Repeat>),
}

impl Origin {
    fn kind(&self) -> &'static str {
        match self {
            Self::Offered { kind } | Self::Follower { kind } => kind,
            Self::Schedule { .. } => "cron",
            Self::Child(_) => "workflow",
            Self::Repeat(_) => "retry",
        }
    }

    /// Whether it waits until there is room.
    const fn waits_for_room(&self) -> bool {
        matches!(self, Self::Offered { .. } | Self::Repeat(_))
    }

    /// Whether a paused trigger holds it up. What a person asks for in a trigger's name goes through.
    fn heeds_pauses(&self) -> bool {
        match self {
            Self::Offered { kind } => !matches!(*kind, "manual" | "backfill"),
            Self::Schedule { .. } | Self::Follower { .. } => true,
            Self::Child(_) | Self::Repeat(_) => false,
        }
    }

    /// Whether the ledger is asked for its identities. For a step's run that has been done: one that is there goes on.
    const fn looks_up(&self) -> bool {
        !matches!(self, Self::Follower { .. } | Self::Child(_))
    }

    /// Whether its identities may be asked for before they are on disk.
    const fn is_asked_for(&self) -> bool {
        !matches!(self, Self::Follower { .. })
    }

    /// Whether a concurrency group without room may turn it away. A step waits for its run, which waits for the group.
    const fn may_be_skipped(&self) -> bool {
        !matches!(self, Self::Child(_))
    }
}

/// A run's parameters.
pub(super) enum Params {
    /// As given; what is missing gets its default, and what does not fit is refused.
    Given(Map<String, Value>),
    /// As another run had them.
    Bound(Value),
}

/// A wish that did not become a run.
pub(super) struct Refusal {
    /// Why.
    pub(super) why: Denied,
    /// What was to be committed with the run.
    pub(super) writes: Vec<Write>,
}

/// Why a wish did not become a run.
pub(super) enum Denied {
    /// There is no room.
    Full,
    /// Its trigger is paused.
    Paused,
    /// Its parameters do not fit: what is wrong, for people.
    Params(String),
    /// The ledger has it, from a run that is on disk: where the first one lay.
    Had(String),
    /// The run of the same identity is about to be on disk.
    InFlight,
    /// The ledger can not be read.
    Unreadable,
    /// Its concurrency group has no room and it is not to wait; what is in the way, for people.
    Skipped(String),
}

impl Denied {
    /// What the record of the trigger says of it.
    pub(super) const fn decision(&self) -> DecisionKind {
        match self {
            // The clock was set back by days and a schedule went through this time once more.
            Self::Had(_) | Self::InFlight => DecisionKind::Deduped,
            Self::Paused => DecisionKind::Paused,
            Self::Skipped(_) => DecisionKind::Skipped,
            Self::Params(_) | Self::Full | Self::Unreadable => DecisionKind::Blocked,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no room for more runs"),
            Self::Paused => f.write_str("the trigger is paused"),
            Self::Params(reason) | Self::Skipped(reason) => f.write_str(reason),
            Self::Had(_) | Self::InFlight => f.write_str("it has had its run"),
            Self::Unreadable => f.write_str("the ledger can not be read"),
        }
    }
}

impl Wish {
    /// A wish with nothing beside it.
    pub(super) fn new(
        plan: Arc<Plan>,
        origin: Origin,
        trigger: TriggerDocument,
        logical_time_ms: i64,
        params: Params,
    ) -> Self {
        let (ledger, writes, artifacts, holds) = Default::default();
        Self { plan, origin, trigger, logical_time_ms, params, ledger, writes, artifacts, holds }
    }
}

impl Core {
    /// Makes a run of a wish. Gives its id, and the number of the commit that makes it durable.
    pub(super) fn accept(&mut self, mut wish: Wish, now_ms: i64) -> Result<(RunId, TxnNumber), Refusal> {
        match self.may_start(&mut wish) {
            Ok(params) => Ok(self.start(wish, params, now_ms)),
            Err(why) => Err(Refusal { why, writes: wish.writes }),
        }
    }

    /// Everything that a wish is asked. Gives its parameters.
    fn may_start(&mut self, wish: &mut Wish) -> Result<Value, Denied> {
        let (waits, heeds) = (wish.origin.waits_for_room(), wish.origin.heeds_pauses());
        if waits && (self.is_full() || self.trouble.is_some()) {
            return Err(Denied::Full);
        }
        if heeds && wish.trigger.id().is_some_and(|id| self.definitions.is_paused(id)) {
            return Err(Denied::Paused);
        }
        if let Some(plan) = self.chosen(&wish.plan, &wish.origin, &wish.trigger) {
            wish.plan = plan;
        }
        let params = match std::mem::replace(&mut wish.params, Params::Bound(Value::Null)) {
            Params::Bound(params) => params,
            Params::Given(given) => wish.plan.bind_params(&given).map(Value::Object).map_err(|problems| {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Denied::Params(lines.join("; "))
            })?,
        };
        let origin = &wish.origin;
        if origin.looks_up() {
            // All are asked before any is taken: a batch is accepted as a whole or not at all.
            wish.ledger.iter().filter(|entry| !entry.is_once()).try_for_each(|entry| {
                match self.ledger.look_up(&entry.trigger, &entry.identity) {
                    Ok(Known::Free) => Ok(()),
                    Ok(Known::Had(row)) => Err(Denied::Had(row.path)),
                    Ok(Known::InFlight(_)) => Err(Denied::InFlight),
                    Err(Unreadable) => Err(Denied::Unreadable),
                }
            })?;
        }
        if origin.may_be_skipped()
            && let Some(reason) = self.groups.conflict(&wish.plan, &params, &wish.trigger)
        {
            return Err(Denied::Skipped(reason));
        }
        Ok(params)
    }

    fn start(&mut self, wish: Wish, params: Value, now_ms: i64) -> (RunId, TxnNumber) {
        let Wish { plan, origin, trigger, logical_time_ms, ledger, mut writes, artifacts, holds, .. } = wish;
        if let Origin::Schedule { trigger, cancel_previous: true } = &origin {
            self.cancel_runs_of(trigger, now_ms);
        }
        let chance = (self.chance)();
        let run = self.live.next_id(now_ms, chance);
        let new = NewRun { run, plan, trigger: origin.kind().to_owned(), started_ms: now_ms };
        let is_asked_for = origin.is_asked_for();
        let mut parent = None;
        let start = match origin {
            Origin::Repeat(repeat) => Command::StartAgain(repeat),
            origin => {
                match origin {
                    Origin::Schedule { trigger, .. } => self.schedules.began(run, trigger),
                    Origin::Child(of) => {
                        parent = Some(of);
                        // Before anything that the child has for its parent.
                        let Parent { step, item, attempt, .. } = of;
                        self.later(of.run, Command::ChildStarted { step, item, attempt, run });
                    }
                    Origin::Offered { .. } | Origin::Follower { .. } | Origin::Repeat(_) => {}
                }
                Command::Start { params, trigger, logical_time_ms, parent }
            }
        };
        let mut identities = Vec::new();
        for entry in ledger {
            if entry.is_once() {
                writes.push(Write::Request { trigger: entry.trigger, path: entry.path, run });
                continue;
            }
            let LedgerEntry { trigger, identity, path, stat } = entry;
            if is_asked_for {
                identities.push((trigger.clone(), identity.clone()));
            }
            writes.push(Write::Ledger { trigger, identity, run: Some(run), path, stat, at_ms: now_ms });
        }
        let number = self.begin(new, start, Extras { writes, artifacts, holds });
        for identity in identities {
            self.ledger.take(identity.clone(), run);
            // Until the ledger on disk has it.
            self.commits.after(number, After::FreeIdentity(identity));
        }
        (run, number)
    }

    /// Somebody offers a run and waits for the answer. Gives the run that was accepted.
    pub(super) fn fire(&mut self, fire: Fire, reply: Reply, now_ms: i64) -> Option<RunId> {
        let Some(plan) = self.definitions.workflow(&fire.workflow).cloned() else {
            let reason = format!("there is no workflow `{}`; {}", fire.workflow, self.definitions.known());
            self.commits.call(move || reply(FireAnswer::Refused(reason)));
            return None;
        };
        let origin = Origin::Offered { kind: fire.kind };
        let mut wish = Wish::new(plan, origin, fire.trigger, fire.logical_time_ms, Params::Given(fire.params));
        wish.ledger = fire.ledger;
        wish.writes = fire.rows;
        wish.artifacts = fire.artifacts;
        wish.holds = fire.hold.into_iter().collect();
        self.offer(wish, reply, now_ms)
    }

    /// Somebody wants a run repeated and waits for the answer.
    pub(super) fn repeat(&mut self, plan: &Arc<Plan>, repeat: Repeat, reply: Reply, now_ms: i64) {
        let (trigger, params) = (repeat.trigger.clone(), Params::Bound(repeat.params.clone()));
        let time = repeat.logical_time_ms;
        let wish = Wish::new(plan.clone(), Origin::Repeat(Box::new(repeat)), trigger, time, params);
        self.offer(wish, reply, now_ms);
    }

    fn offer(&mut self, wish: Wish, reply: Reply, now_ms: i64) -> Option<RunId> {
        match self.accept(wish, now_ms) {
            Ok((run, number)) => {
                self.commits.after(number, After::Call(Box::new(move || reply(FireAnswer::Accepted(run)))));
                Some(run)
            }
            Err(refusal) => {
                self.commits.call(move || reply(answer(refusal.why)));
                None
            }
        }
    }
}

fn answer(why: Denied) -> FireAnswer {
    match why {
        // Its twin is about to be committed; asked again, the ledger will name it.
        Denied::Full | Denied::InFlight | Denied::Unreadable => FireAnswer::Busy,
        Denied::Paused => FireAnswer::Paused,
        Denied::Params(reason) => FireAnswer::Refused(reason),
        Denied::Had(path) => FireAnswer::Duplicate(path),
        Denied::Skipped(reason) => FireAnswer::Skipped(reason),
    }
}
