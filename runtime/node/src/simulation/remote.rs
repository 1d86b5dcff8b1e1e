//! Something elsewhere that changes, and the trigger that asks for it: what it remembers is on disk with the run of the change,
//! and nowhere else.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Map;
use trackside_facts::{Cause, MessageContent, TriggerDocument};
use trackside_store::{Txn, Write};

use crate::core::{Fire, FireAnswer, Input, LedgerEntry};

use super::{machine::Machine, witness::Witness, world::World};

const WORKFLOW: &str = "watch";
const TRIGGER: &str = "watch/poll-0";
const KEY: &str = "poll";

/// What a crash destroys: whether an answer is still to come.
pub type Asked = Arc<AtomicBool>;

impl World {
    /// A look: what has changed since the one that is remembered gets a run.
    pub fn look_elsewhere(&mut self, machine: &mut Machine) {
        if self.chance.one_in(2) {
            self.elsewhere += 1;
        }
        if machine.asked.load(Ordering::Relaxed) {
            return;
        }
        let known = machine.reader.trigger_state(TRIGGER, KEY).unwrap();
        let known = known.map_or(0, |version| version.parse::<u64>().unwrap());
        if known == self.elsewhere {
            return;
        }
        let (now, version) = (self.now(), self.elsewhere.to_string());
        let cause = Cause::Poll {
            url: "https://example.org/version".into(),
            version: version.clone().into(),
            previous: known.into(),
            content: MessageContent::Payload(version.clone().into()),
        };
        let entry = LedgerEntry {
            trigger: TRIGGER.into(),
            // What is remembered decides what is the same, as the version may come back.
            identity: format!("after {known}: {version}"),
            path: "https://example.org/version".into(),
            stat: String::new(),
        };
        let fire = Fire {
            workflow: WORKFLOW.into(),
            kind: cause.run_kind(),
            trigger: TriggerDocument::new(TRIGGER, now, cause),
            params: Map::new(),
            logical_time_ms: now,
            ledger: vec![entry],
            artifacts: Vec::new(),
            hold: None,
            rows: vec![Write::TriggerState { trigger: TRIGGER.into(), key: KEY, value: version }],
        };
        let (asked, witness) = (machine.asked.clone(), self.witness.clone());
        asked.store(true, Ordering::Relaxed);
        let reply = Box::new(move |answer: FireAnswer| {
            asked.store(false, Ordering::Relaxed);
            match answer {
                FireAnswer::Accepted(run) => witness.lock().unwrap().accepted(run, &[]),
                FireAnswer::Busy | FireAnswer::Paused => {}
                FireAnswer::Duplicate(_) | FireAnswer::Refused(_) | FireAnswer::Skipped(_) => {
                    panic!("what a change's run was remembered for has none: {answer:?}")
                }
            }
        });
        machine.give(Input::Fire(Box::new(fire), reply), now);
    }
}

impl Witness {
    /// What is remembered moves on together with the run of the change, and never back.
    pub fn looked(&mut self, txn: &Txn) {
        let remembered = txn.writes.iter().find_map(|write| match write {
            Write::TriggerState { trigger, value, .. } if trigger == TRIGGER => Some(value.parse::<u64>().unwrap()),
            _ => None,
        });
        let runs = txn.writes.iter().filter(|write| matches!(write, Write::Run(new) if new.trigger == "poll")).count();
        assert_eq!(runs, usize::from(remembered.is_some()), "a change has its run where it is remembered");
        if let Some(version) = remembered {
            assert!(version > self.elsewhere, "a change has one run: {version} after {}", self.elsewhere);
            self.elsewhere = version;
            self.saw("changes elsewhere");
        }
    }
}
