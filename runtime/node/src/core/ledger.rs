//! What the ledger says of a wish before it becomes a run. One rule for files, messages, requests, times of schedules and the
//! runs of steps: **what can not be looked up starts nothing, and is looked up again.** Started on a guess, it could have its
//! run twice.
//!
//! Who offers things themselves (the watcher of files, a broker's client, a sender) hears `Busy` and offers them again. What
//! the core has of its own waits here in its order: a time of a schedule, which is in the queue on disk meanwhile so that a
//! crash does not lose it; a step's run, which the next start asks for again; and the news of its end.
//!
//! Followers have nothing to look up: an event is in the journal once, and its followers are in the same transaction.

use std::collections::{HashMap, VecDeque};

use trackside_engine::{Effect, Parent, RunId};
use trackside_facts::DecisionKind;
use trackside_store::{LedgerRow, StoreError, Txn, Write};
use trackside_triggers::cron::CronFire;

use super::{
    dispatch::Core,
    schedules::decision,
    types::{History, PastEnd},
};

/// How long what could not be looked up waits before it is looked up again.
const LOOK_AGAIN_MS: i64 = 1_000;

/// The past as far as it is asked about: the ledger with what is on its way there, and the ends of runs.
pub(super) struct Ledger {
    history: Box<dyn History>,
    /// Identities whose runs are accepted and not yet on disk.
    in_flight: HashMap<(String, String), RunId>,
    /// Runs that were under way, can not be read and were given an end at this start.
    given_up: HashMap<RunId, PastEnd>,
    /// What waits until the database can be read, and when it is tried again.
    held_back: VecDeque<Held>,
    look_again_ms: Option<i64>,
    /// The database refused to tell, and that was said.
    blind: bool,
}

/// What is known of an identity.
pub(super) enum Known {
    /// It had no run.
    Free,
    /// Its run is about to be committed.
    InFlight(RunId),
    /// It had its run.
    Had(LedgerRow),
}

/// The database refused to tell. It is in the log.
pub(super) struct Unreadable;

/// What waits for an answer.
pub(super) enum Held {
    /// A time of a schedule.
    Time(CronFire),
    /// A step's wish that its run be started or stopped.
    Child(RunId, Effect),
    /// How this run ended, for the step that waits for it.
    End(RunId, Parent),
}

impl Ledger {
    pub(super) fn new(history: Box<dyn History>) -> Self {
        let (in_flight, given_up, held_back) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Self { history, in_flight, given_up, held_back, look_again_ms: None, blind: false }
    }

    /// Asks for an identity.
    pub(super) fn look_up(&mut self, trigger: &str, identity: &str) -> Result<Known, Unreadable> {
        if let Some(run) = self.in_flight.get(&(trigger.to_owned(), identity.to_owned())) {
            return Ok(Known::InFlight(*run));
        }
        let row = self.history.ledger(trigger, identity);
        Ok(self.told(row)?.map_or(Known::Free, Known::Had))
    }

    /// The run of this identity is accepted. [`Ledger::free`] when it is on disk: the ledger has it then.
    pub(super) fn take(&mut self, identity: (String, String), run: RunId) {
        self.in_flight.insert(identity, run);
    }

    /// The ledger on disk has it.
    pub(super) fn free(&mut self, identity: &(String, String)) {
        self.in_flight.remove(identity);
    }

    /// How a run of the past ended; `None` when it has not.
    pub(super) fn end_of(&mut self, run: RunId) -> Result<Option<PastEnd>, Unreadable> {
        if let Some(past) = self.given_up.get(&run) {
            return Ok(Some(past.clone()));
        }
        let answer = self.history.end_of(run);
        self.told(answer)
    }

    /// Remembers the end of a run that can not be read.
    pub(super) fn give_up(&mut self, run: RunId, past: PastEnd) {
        self.given_up.insert(run, past);
    }

    /// Whether a run was given up at this start.
    pub(super) fn was_given_up(&self, run: RunId) -> bool {
        self.given_up.contains_key(&run)
    }

    /// Whether no run was given up at this start.
    pub(super) fn gave_up_none(&self) -> bool {
        self.given_up.is_empty()
    }

    /// An answer of the database. That it gives none is said once, until it gives one again.
    fn told<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, Unreadable> {
        match answer {
            Ok(answer) => {
                if std::mem::take(&mut self.blind) {
                    tracing::info!("the database can be read again");
                }
                Ok(answer)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.blind, true) {
                    tracing::error!(
                        %error,
                        "[TS-0633] the ledger can not be read: what it would have to be asked about waits, and is tried again"
                    );
                }
                Err(Unreadable)
            }
        }
    }

    /// Keeps something until it can be looked up.
    pub(super) fn hold_back(&mut self, held: Held, now_ms: i64) {
        self.held_back.push_back(held);
        self.look_again_ms.get_or_insert(now_ms.saturating_add(LOOK_AGAIN_MS));
    }

    /// Whether something waits.
    pub(super) fn holds_back(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// When what waits is looked up again.
    pub(super) const fn next_look(&self) -> Option<i64> {
        self.look_again_ms
    }

    /// Whether a time of this trigger waits: a later one must not come before it.
    pub(super) fn holds_time_of(&self, trigger: &str) -> bool {
        self.held_back.iter().any(|held| matches!(held, Held::Time(fire) if fire.trigger_id == trigger))
    }

    /// A trigger is taken out: gives its times that waited.
    pub(super) fn give_up_times_of(&mut self, trigger: &str) -> Vec<i64> {
        let mut given_up = Vec::new();
        self.held_back.retain(|held| match held {
            Held::Time(fire) if fire.trigger_id == trigger => {
                given_up.push(fire.logical_ms);
                false
            }
            _ => true,
        });
        given_up
    }

    /// The step does not want its run any more: a wish for it that waits is forgotten.
    pub(super) fn forget_start(&mut self, of: &Parent) {
        self.held_back.retain(
            |held| !matches!(held, Held::Child(_, Effect::StartChild { parent, .. }) if parent.key() == of.key()),
        );
    }

    /// What waits and is to be looked up now, in its order.
    fn take_due(&mut self, now_ms: i64) -> VecDeque<Held> {
        // A clock that was set back does not make it wait for the time that it had before.
        let is_due = self.look_again_ms.is_some_and(|at| now_ms >= at || at.saturating_sub(now_ms) > LOOK_AGAIN_MS);
        if !is_due {
            return VecDeque::new();
        }
        self.look_again_ms = None;
        std::mem::take(&mut self.held_back)
    }

    /// Sizes of what grows: identities in flight, and what waits.
    #[cfg(test)]
    pub(super) fn left_over(&self) -> [(&'static str, usize); 2] {
        [("ledger identities in flight", self.in_flight.len()), ("what waits for the ledger", self.held_back.len())]
    }
}

impl Core {
    /// Keeps a time of a schedule until it can be looked up, together with what was to be written with its run.
    pub(super) fn hold_time(&mut self, fire: &CronFire, mut writes: Vec<Write>, now_ms: i64) {
        let (trigger, logical_ms) = (fire.trigger_id.clone(), fire.logical_ms);
        if fire.from_queue {
            // It is there already, and stays.
            writes.retain(|write| !matches!(write, Write::CronDequeued { .. }));
        } else {
            let reason = "the ledger can not be read: it waits for that".to_owned();
            writes.push(decision(&trigger, logical_ms, now_ms, DecisionKind::Queued, reason));
            writes.push(Write::CronQueued { trigger, logical_ms, missed: fire.missed });
        }
        if !writes.is_empty() {
            self.commits.submit(Txn::of(writes));
        }
        self.ledger.hold_back(Held::Time(CronFire { from_queue: true, ..fire.clone() }), now_ms);
    }

    /// Looks up once more what waits, when it is time. What still can not be looked up waits again, in the same order.
    pub(super) fn look_again(&mut self, now_ms: i64) {
        for held in self.ledger.take_due(now_ms) {
            match held {
                Held::Time(fire) => self.start_waiting(Some(fire), now_ms),
                Held::Child(run, effect) => {
                    let wanted = match &effect {
                        Effect::StartChild { step, item, attempt, .. } => {
                            self.live.state(run).is_some_and(|state| state.is_current(*step, *item, *attempt))
                        }
                        _ => true,
                    };
                    if wanted {
                        self.of_others(run, effect, now_ms);
                    }
                }
                Held::End(child, parent) => self.tell_past_end(child, &parent, now_ms),
            }
        }
        self.give_letters(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    /// A database that answers, or not.
    struct Answers(Arc<AtomicBool>);

    impl History for Answers {
        fn ledger(&self, _: &str, identity: &str) -> Result<Option<LedgerRow>, StoreError> {
            if !self.0.load(Ordering::Relaxed) {
                let source = std::io::Error::other("nothing");
                return Err(StoreError::Io { action: "read", path: "trackside.db".into(), source });
            }
            let row = LedgerRow {
                identity: identity.to_owned(),
                run: Some(RunId::from_i64(1)),
                path: String::new(),
                stat: String::new(),
                claimed: false,
                at_ms: 0,
            };
            Ok((identity == "had").then_some(row))
        }

        fn end_of(&self, _: RunId) -> Result<Option<PastEnd>, StoreError> {
            Ok(None)
        }
    }

    fn ledger() -> (Ledger, Arc<AtomicBool>) {
        let answers = Arc::new(AtomicBool::new(true));
        (Ledger::new(Box::new(Answers(answers.clone()))), answers)
    }

    #[test]
    fn an_identity_is_in_flight_until_the_ledger_on_disk_has_it() {
        let (mut ledger, _) = ledger();
        let place = ("t".to_owned(), "new".to_owned());
        assert!(matches!(ledger.look_up("t", "new"), Ok(Known::Free)));
        ledger.take(place.clone(), RunId::from_i64(5));
        assert!(matches!(ledger.look_up("t", "new"), Ok(Known::InFlight(run)) if run == RunId::from_i64(5)));
        assert!(matches!(ledger.look_up("other", "new"), Ok(Known::Free)));
        ledger.free(&place);
        assert!(matches!(ledger.look_up("t", "new"), Ok(Known::Free)));
        assert!(matches!(ledger.look_up("t", "had"), Ok(Known::Had(_))));
    }

    #[test]
    fn what_can_not_be_looked_up_waits_a_second_also_when_the_clock_is_set_back() {
        let (mut ledger, answers) = ledger();
        answers.store(false, Ordering::Relaxed);
        assert!(ledger.look_up("t", "new").is_err());
        let parent =
            Parent { run: RunId::from_i64(1), step: trackside_spec::StepIndex(0), item: None, attempt: 1, depth: 1 };
        ledger.hold_back(Held::End(RunId::from_i64(2), parent), 10_000);
        assert_eq!((ledger.next_look(), ledger.take_due(10_999).len()), (Some(11_000), 0));
        // A day back: it is not a day that it waits.
        assert_eq!(ledger.take_due(-86_400_000).len(), 1);
        assert!(!ledger.holds_back() && ledger.next_look().is_none());
    }
}
