//! Other definitions, taken into use between two inputs: whatever starts before does so on the old ones, whatever starts
//! after on the new ones. Runs that were accepted keep the definition that they were accepted with.

use std::{collections::BTreeMap, sync::Arc};

use trackside_spec::{Plan, Trigger};
use trackside_store::{Activation, DecisionRow, Txn, Write};
use trackside_triggers::cron::CronEntry;

use super::{commits::After, dispatch::Core, types::Action};
use trackside_facts::{DecisionKind, DecisionSubject, rfc3339};

/// Everything that is to be in use, and what is written about the change.
pub struct NewDefinitions {
    /// All workflows, by name.
    pub workflows: BTreeMap<String, Arc<Plan>>,
    /// All schedules, with the keys that their positions are kept under.
    pub schedules: Vec<(CronEntry, String)>,
    /// All triggers, with their workflows. Only those that wait for other runs count.
    pub followers: Vec<(String, Trigger)>,
    /// What has changed.
    pub activations: Vec<Activation>,
}

impl Core {
    /// Takes other definitions into use. `reply` is called when that is on disk.
    pub(super) fn activate(&mut self, new: NewDefinitions, reply: Box<dyn FnOnce() + Send>, now_ms: i64) {
        // Times that have come are the old schedules'.
        self.cron_due(now_ms);
        self.as_one(|core| {
            let mut writes: Vec<Write> = new.activations.into_iter().map(Write::Activated).collect();
            core.definitions.replace(new.workflows, new.followers);
            for id in core.schedules.others(&new.schedules) {
                let waiting = core.schedules.remove(&id);
                for logical_ms in core.ledger.give_up_times_of(&id).into_iter().chain(waiting) {
                    writes.push(Write::Decision(DecisionRow {
                        trigger: id.clone(),
                        subject: DecisionSubject::Time(logical_ms),
                        at_ms: now_ms,
                        decision: DecisionKind::Skipped.into(),
                        detail: format!("{} waited, and the trigger was taken out", rfc3339(logical_ms)),
                    }));
                }
                writes.push(Write::CronCleared { trigger: id });
            }
            for (entry, key) in new.schedules {
                writes.extend(core.schedules.change(entry, key, now_ms));
            }
            core.commits.submit(Txn::of(writes));
        });
        self.commits.after_all(After::Call(reply));
    }

    /// Writes rows at a start, before the first input.
    pub fn keep_at_start(&mut self, writes: Vec<Write>) -> Vec<Action> {
        if !writes.is_empty() {
            self.commits.submit(Txn::of(writes));
        }
        self.commits.take_actions()
    }
}
