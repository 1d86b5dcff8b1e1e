//! A follower's run is there exactly when what it follows is: in the same transaction, or the reason why not.

use std::collections::{BTreeMap, BTreeSet};

use trackside_engine::{Event, RunEnd, RunId};
use trackside_spec::{ArtifactRef, RunEnding, Trigger, TriggerKind};
use trackside_store::{Txn, Write};

use super::{project, witness::Witness};

impl Witness {
    pub fn follow(&mut self, txn: &Txn) {
        // By trigger and identity: what the decision is about, should there be no run.
        let mut wanted: BTreeMap<(String, String), String> = BTreeMap::new();
        let (mut started, mut reasons) = (BTreeSet::new(), BTreeSet::new());
        for write in &txn.writes {
            match write {
                Write::Journal { run, entry, .. } => {
                    let events: Vec<Event> = entry.read().unwrap();
                    let own = self.runs[run].plan.name.clone();
                    for event in events {
                        match event {
                            Event::Ended { end, .. } => {
                                for id in followers_of_end(&own, end) {
                                    wanted.insert((id, format!("run:{run}")), format!("run:{run}"));
                                }
                            }
                            Event::StepSucceeded { step, item, output, cached: false, .. } => {
                                let Some(made) = ArtifactRef::from_json(&output["made"]) else { continue };
                                let item = item.map_or_else(String::new, |item| format!("/{item}"));
                                for id in followers_of_dataset(&own, &made.name) {
                                    let identity = format!("made:{run}/{}{item}:{}", step.0, made.digest);
                                    wanted.insert((id, identity), made.name.clone());
                                }
                            }
                            _ => {}
                        }
                    }
                }
                Write::Ledger { trigger, identity, .. } if identity.contains(':') => {
                    started.insert((trigger.clone(), identity.clone()));
                }
                Write::Decision(row) => drop(reasons.insert((row.trigger.clone(), row.subject.text().into_owned()))),
                _ => {}
            }
        }
        for ((trigger, identity), subject) in &wanted {
            let is_there = started.contains(&(trigger.clone(), identity.clone()));
            let is_refused = reasons.contains(&(trigger.clone(), subject.clone()));
            assert!(is_there || is_refused, "a follower is there when what it follows is: {trigger} {identity}");
            self.saw(if is_there { "followers" } else { "followers that did not start" });
        }
        for (trigger, identity) in started {
            let follows = identity.starts_with("run:") || identity.starts_with("made:");
            let is_wanted = wanted.contains_key(&(trigger.clone(), identity.clone()));
            assert!(!follows || is_wanted, "a follower is there only when what it follows is: {trigger} {identity}");
        }
    }
}

impl Witness {
    /// Steps of runs under way that wait for an event.
    pub fn listeners(&self) -> BTreeSet<(RunId, u16)> {
        let of = |run: &RunId| self.runs[run].hears.iter().map(|step| (*run, *step)).collect::<Vec<_>>();
        self.live.iter().flat_map(of).collect()
    }

    /// An event that has gone out was heard in the same transaction, by those who listened before it.
    pub fn heard(&mut self, txn: &Txn, listened: &BTreeSet<(RunId, u16)>) {
        let (mut gone_out, mut started) = (0, 0);
        for write in &txn.writes {
            match write {
                Write::Journal { entry, .. } => {
                    let events: Vec<Event> = entry.read().unwrap();
                    let is_event =
                        |event: &&Event| matches!(event, Event::Delivered { target, .. } if target == "event done");
                    gone_out += events.iter().filter(is_event).count();
                }
                Write::Run(new) if new.plan.name == "hears" && new.trigger == "event" => started += 1,
                Write::Decision(row) if row.trigger == "hears/event-0" => started += 1,
                _ => {}
            }
        }
        assert_eq!(gone_out, started, "an event that has gone out has its run, or the reason why not");
        if gone_out > 0 {
            let deaf: Vec<_> = self.listeners().intersection(listened).copied().collect();
            assert!(deaf.is_empty(), "an event that has gone out ends the waits for it: {deaf:?}");
            self.saw("events heard");
            if !listened.is_empty() {
                self.saw("events that ended waits");
            }
        }
    }
}

fn all() -> impl Iterator<Item = (&'static str, &'static Trigger)> {
    let plans = project::read().workflows.values();
    plans.flat_map(|plan| plan.triggers.iter().map(|trigger| (plan.name.as_str(), trigger)))
}

fn followers_of_end(of: &str, end: RunEnd) -> Vec<String> {
    let ending = match end {
        RunEnd::Succeeded => RunEnding::Succeeded,
        RunEnd::Failed => RunEnding::Failed,
        RunEnd::Cancelled => RunEnding::Cancelled,
    };
    let waits =
        |kind: &TriggerKind| matches!(kind, TriggerKind::Workflow(one) if one.name == of && one.on.contains(&ending));
    all().filter(|(_, trigger)| waits(&trigger.kind)).map(|(_, trigger)| trigger.id.clone()).collect()
}

fn followers_of_dataset(own: &str, name: &str) -> Vec<String> {
    let waits = |kind: &TriggerKind| matches!(kind, TriggerKind::Dataset(one) if one.name == name);
    let others = all().filter(|(workflow, trigger)| *workflow != own && waits(&trigger.kind));
    others.map(|(_, trigger)| trigger.id.clone()).collect()
}
