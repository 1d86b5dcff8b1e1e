//! What triggers and people want.

use serde_json::{Map, Value, json};
use trackside_engine::{Again, RunId};
use trackside_facts::{DecisionKind, DecisionSubject, TriggerDocument};
use trackside_spec::StepIndex;
use trackside_store::{DecisionRow, Hold, Txn, Write};

use crate::{
    core::{Fire, FireAnswer, Input, LedgerEntry, Reply},
    node::fold,
};

use super::{attempts::store, machine::Machine, project, world::World};

impl World {
    /// Files, one or a batch, some of them known already.
    pub fn fire_files(&mut self, machine: &mut Machine) {
        let batch = self.chance.one_in(3);
        let (workflow, id, most, names) =
            if batch { ("batch", "batch/file-0", 4, 40) } else { ("chain", "chain/file-0", 1, 25) };
        let mut files = Vec::new();
        for _ in 0..=self.chance.below(most) {
            let name = format!("file-{}", self.chance.below(names));
            if !files.contains(&name) {
                files.push(name);
            }
        }
        let hold = Some(Hold::new(machine.committer.artifacts()));
        let stored: Vec<_> = files.iter().map(|name| store(&hold, &format!("{id}: {name}"), name)).collect();
        let documents: Vec<Value> = stored.iter().map(|artifact| artifact.to_json()).collect();
        let now = self.now();
        let mut trigger = json!({ "kind": "file", "id": id, "logical_time_ms": now });
        match batch {
            true => trigger["files"] = documents.into(),
            false => trigger["file"] = documents[0].clone(),
        }
        let entry = |name: &String| LedgerEntry {
            trigger: id.into(),
            identity: name.clone(),
            path: name.clone(),
            stat: "1:2:3".into(),
        };
        let fire = Fire {
            workflow: workflow.into(),
            kind: "file",
            trigger: TriggerDocument::from_json(trigger),
            params: Map::new(),
            logical_time_ms: now,
            ledger: files.iter().map(entry).collect(),
            artifacts: stored.iter().map(|artifact| artifact.digest).collect(),
            hold,
            rows: Vec::new(),
        };
        let identities = files.into_iter().map(|name| (id.to_owned(), name)).collect();
        let reply = self.reply(identities, false);
        machine.give(Input::Fire(Box::new(fire), reply), now);
    }

    pub fn fire_by_hand(&mut self, machine: &mut Machine) {
        let workflow = self.chance.pick(&project::BY_HAND).unwrap();
        let mut params = Map::new();
        match workflow {
            "pure" => drop(params.insert("n".into(), self.chance.below(3).into())),
            "nested" | "contract" if self.chance.one_in(4) => drop(params.insert("list".into(), json!([]))),
            _ => {}
        }
        let now = self.now();
        let fire = Fire {
            workflow: workflow.into(),
            kind: "manual",
            trigger: TriggerDocument::from_json(json!({ "kind": "manual", "id": format!("{workflow}/manual") })),
            params,
            logical_time_ms: now,
            ledger: Vec::new(),
            artifacts: Vec::new(),
            hold: None,
            rows: Vec::new(),
        };
        let reply = self.reply(Vec::new(), workflow == "line-skip");
        let (reply, waiter) = machine.waits.of_fire(reply);
        machine.give(Input::FireAndWait(Box::new(fire), reply, waiter), now);
        // And for another one, from one that is over long since to this one.
        let all: Vec<RunId> = self.witness.lock().unwrap().runs.keys().copied().collect();
        if let Some(run) = all.get(all.len() / 2) {
            machine.wait_for(*run, now);
        }
    }

    /// Checks the answer at the moment when it is given.
    fn reply(&self, identities: Vec<(String, String)>, may_be_skipped: bool) -> Reply {
        let witness = self.witness.clone();
        Box::new(move |answer| {
            let mut witness = witness.lock().unwrap();
            match answer {
                FireAnswer::Accepted(run) => witness.accepted(run, &identities),
                FireAnswer::Duplicate(_) => witness.refused_as_known(&identities),
                FireAnswer::Busy => witness.saw("answers that it is busy"),
                FireAnswer::Paused => {}
                FireAnswer::Skipped(_) if may_be_skipped => witness.saw("skipped runs"),
                FireAnswer::Refused(reason) | FireAnswer::Skipped(reason) => panic!("{reason}"),
            }
        })
    }

    fn some_run(&mut self, live: bool) -> Option<RunId> {
        let witness = self.witness.lock().unwrap();
        let known: Vec<RunId> = match live {
            true => witness.live.iter().copied().collect(),
            false => {
                let over = witness.runs.iter().filter(|(_, facts)| facts.ended.is_some() && facts.child_of.is_none());
                over.map(|(run, _)| *run).filter(|run| !witness.gone.contains(run)).collect()
            }
        };
        drop(witness);
        self.chance.pick(&known)
    }

    pub fn cancel(&mut self, machine: &mut Machine) {
        let Some(run) = self.some_run(true) else { return };
        machine.give(Input::Cancel { run, by: "somebody".into(), reply: Box::new(|_| {}) }, self.now());
    }

    pub fn pause_run(&mut self, machine: &mut Machine) {
        let Some(run) = self.some_run(true) else { return };
        let pause = self.chance.one_in(2);
        self.set_paused(machine, run, pause);
    }

    /// In the end somebody resumes everything.
    pub fn resume_runs(&mut self, machine: &mut Machine) {
        let paused: Vec<RunId> = {
            let witness = self.witness.lock().unwrap();
            witness.live.iter().filter(|run| witness.runs[run].paused).copied().collect()
        };
        for run in paused {
            self.set_paused(machine, run, false);
        }
    }

    fn set_paused(&self, machine: &mut Machine, run: RunId, pause: bool) {
        machine.give(Input::PauseRun { run, pause, by: "ana".into(), reply: Box::new(|_| {}) }, self.now());
    }

    /// Somebody decides about an approval, allowed or not.
    pub fn decide(&mut self, machine: &mut Machine) {
        let open: Vec<(RunId, u16)> = {
            let witness = self.witness.lock().unwrap();
            let of = |run: &RunId| witness.runs[run].asked.iter().map(|step| (*run, *step)).collect::<Vec<_>>();
            witness.live.iter().flat_map(of).collect()
        };
        let Some((run, step)) = self.chance.pick(&open) else { return };
        let (by, approve) = (self.chance.pick(&["ana", "bo", "eve"]).unwrap(), !self.chance.one_in(3));
        let witness = self.witness.clone();
        let reply = Box::new(move |taken: Option<Result<(), _>>| {
            let mut witness = witness.lock().unwrap();
            match taken {
                Some(Ok(())) => witness.decided(run, step, by, approve),
                _ => witness.saw("decisions that were not taken"),
            }
        });
        let (by, comment) = (by.to_owned(), String::new());
        machine.give(Input::Decide { run, step: StepIndex(step), by, approve, comment, reply }, self.now());
    }

    /// Somebody repeats a run that has ended.
    pub fn again(&mut self, machine: &mut Machine) {
        let Some(run) = self.some_run(false) else { return };
        let plan = self.witness.lock().unwrap().runs[&run].plan.clone();
        let state = fold(&machine.reader, run, plan.clone()).unwrap().state;
        let again = match self.chance.below(3) {
            0 => Again::Unfinished,
            1 => Again::From(StepIndex(0)),
            _ => Again::Only(StepIndex(0)),
        };
        let Ok(repeat) = state.repeat(again, "ana") else { return };
        let reply = self.reply(Vec::new(), matches!(plan.name.as_str(), "line-skip" | "after-line"));
        machine.give(Input::Again(plan, Box::new(repeat), reply), self.now());
    }

    pub fn pause_trigger(&mut self, machine: &mut Machine, pause: bool) {
        let all: Vec<&str> = project::read()
            .workflows
            .values()
            .flat_map(|plan| plan.triggers.iter().map(|trigger| trigger.id.as_str()))
            .collect();
        let trigger = self.chance.pick(&all).unwrap().to_owned();
        let witness = self.witness.clone();
        let reply = Box::new(move |changed: bool| {
            if changed && pause {
                witness.lock().unwrap().saw("pauses that were answered");
            }
        });
        machine.give(Input::PauseTrigger { trigger, pause, by: "ana".into(), reply }, self.now());
    }

    /// A file has left its folder; a trigger keeps a decision.
    pub fn keep_rows(&mut self, machine: &mut Machine) {
        let now = self.now();
        let (trigger, identity) = ("chain/file-0".to_owned(), format!("file-{}", self.chance.below(25)));
        machine.give(Input::Claimed { trigger: trigger.clone(), identity: identity.clone() }, now);
        let row = DecisionRow {
            trigger,
            subject: DecisionSubject::Named(identity),
            at_ms: now,
            decision: DecisionKind::NotSettled.into(),
            detail: String::new(),
        };
        let txn = Txn::of(vec![Write::Decision(row)]);
        machine.give(Input::Keep(txn, Box::new(|| ())), now);
    }
}
