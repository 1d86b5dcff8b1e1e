//! Other definitions, taken into use between two inputs: whatever starts before does so on the old ones, whatever starts
//! after on the new ones. Runs that were accepted keep the definition that they were accepted with.

use std::{collections::BTreeMap, sync::Arc};

use trackside_spec::{Plan, Trigger};
use trackside_store::{Activation, DecisionRow, Txn, Write};
use trackside_triggers::cron::CronEntry;

use super::{
    dispatch::{After, Core},
    types::Action,
};
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
            core.workflows = new.workflows;
            core.followers.clear();
            new.followers.iter().for_each(|(workflow, trigger)| core.add_follower(workflow, trigger));
            let is_gone = |id: &&String| !new.schedules.iter().any(|(entry, _)| entry.trigger_id == **id);
            let gone: Vec<String> = core.cron_keys.keys().filter(is_gone).cloned().collect();
            for id in gone {
                core.cron_keys.remove(&id);
                let waiting = core.cron.remove(&id).into_iter().map(|tick| tick.logical_ms);
                for logical_ms in core.give_up_times_of(&id).into_iter().chain(waiting) {
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
                writes.extend(core.change_schedule(entry, key, now_ms));
            }
            core.submit(Txn::of(writes));
        });
        self.after(self.submitted(), After::Call(reply));
    }

    fn change_schedule(&mut self, entry: CronEntry, key: String, now_ms: i64) -> Vec<Write> {
        let id = entry.trigger_id.clone();
        let before = self.cron_keys.insert(id.clone(), key.clone());
        let mut writes = Vec::new();
        let fresh = match before {
            Some(before) => self.cron.replace(entry, before == key, now_ms),
            None => {
                writes.push(Write::CronCleared { trigger: id.clone() });
                let fresh = self.cron.insert(entry, None, now_ms);
                // Runs of a trigger that was taken out and came back are its runs.
                let live = self.cron_runs.values().filter(|trigger| **trigger == id).count();
                self.cron.restore(&id, u32::try_from(live).unwrap_or(u32::MAX), []);
                fresh
            }
        };
        writes.extend(fresh.map(|position_ms| Write::Position { trigger: key, position_ms }));
        writes
    }

    /// Writes rows at a start, before the first input.
    pub fn keep_at_start(&mut self, writes: Vec<Write>) -> Vec<Action> {
        if !writes.is_empty() {
            self.submit(Txn::of(writes));
        }
        self.take_actions()
    }
}
