//! What the ledger says of a wish before it becomes a run. One rule for files, messages, requests, times of schedules and the
//! runs of steps: **what can not be looked up starts nothing, and is looked up again.** Started on a guess, it could have its
//! run twice.
//!
//! Who offers things themselves (the watcher of files, a broker's client, a sender) hears `Busy` and offers them again. What
//! the core has of its own waits here in its order: a time of a schedule, which is in the queue on disk meanwhile so that a
//! crash does not lose it; a step's run, which the next start asks for again; and the news of its end.
//!
//! Followers have nothing to look up: an event is in the journal once, and its followers are in the same transaction.

use trackside_engine::{Effect, Parent, RunId};
use trackside_facts::DecisionKind;
use trackside_store::{LedgerRow, StoreError, Txn, Write};
use trackside_triggers::cron::CronFire;

use super::{dispatch::Core, schedules::decision};

/// How long what could not be looked up waits before it is looked up again.
const LOOK_AGAIN_MS: i64 = 1_000;

/// What is known of an identity.
pub(super) enum Known {
    /// It had no run.
    Free,
    /// Its run is about to be committed.
    InFlight,
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

impl Core {
    /// Asks the ledger, and what is on its way there.
    pub(super) fn look_up(&mut self, trigger: &str, identity: &str) -> Result<Known, Unreadable> {
        if self.in_flight.contains(&(trigger.to_owned(), identity.to_owned())) {
            return Ok(Known::InFlight);
        }
        let row = self.history.ledger(trigger, identity);
        Ok(self.told(row)?.map_or(Known::Free, Known::Had))
    }

    /// An answer of the database. That it gives none is said once, until it gives one again.
    pub(super) fn told<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, Unreadable> {
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

    /// The same for a time of a schedule, together with what was to be written with its run.
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
            self.submit(Txn::of(writes));
        }
        self.hold_back(Held::Time(CronFire { from_queue: true, ..fire.clone() }), now_ms);
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

    /// Looks up once more what waits, when it is time. What still can not be looked up waits again, in the same order.
    pub(super) fn look_again(&mut self, now_ms: i64) {
        let Some(at_ms) = self.look_again_ms else { return };
        // A clock that was set back does not make it wait for the time that it had before.
        if now_ms < at_ms && at_ms.saturating_sub(now_ms) <= LOOK_AGAIN_MS {
            return;
        }
        self.look_again_ms = None;
        for held in std::mem::take(&mut self.held_back) {
            match held {
                Held::Time(fire) => self.start_waiting(Some(fire), now_ms),
                Held::Child(run, effect) => {
                    let wanted = match &effect {
                        Effect::StartChild { step, item, attempt, .. } => {
                            self.runs.get(&run).is_some_and(|live| live.state.is_current(*step, *item, *attempt))
                        }
                        _ => true,
                    };
                    if wanted {
                        self.together(run, effect, now_ms);
                    }
                }
                Held::End(child, parent) => self.tell_past_end(child, &parent, now_ms),
            }
        }
        self.give_letters(now_ms);
    }
}
