//! Runs that other runs start: on their end, and on what they make.
//!
//! The run that follows is in the transaction of what it follows: there is never one without the other.

use std::sync::Arc;

use serde_json::{Map, Value};
use trackside_engine::{Event, RunEnd, RunId};
use trackside_facts::{
    BoxEvent, Cause, DatasetVersion, DecisionKind, DecisionSubject, DriftAlarm, EndedRun, TriggerDocument,
};
use trackside_spec::{ArtifactRef, Digest, DriftTurn, Plan, RunEnding, StepIndex, Trigger, TriggerKind};
use trackside_store::{DecisionRow, Txn, Write};

use super::{
    accept::{Origin, Params, Wish},
    commits::After,
    dispatch::Core,
    types::LedgerEntry,
};

/// Runs that follow each other without anything from outside in between. Datasets can go round in a circle that nobody
/// sees in the files.
const LONGEST_CHAIN: u64 = 16;

/// What a trigger waits for.
pub(super) struct Awaited {
    /// The run that it came from, when it was one.
    pub(super) run: Option<RunId>,
    /// How many runs in a row have started each other up to that one.
    pub(super) chain: u64,
    /// What makes it itself: at most one run of each trigger. It names the run and what happened to it, which is in the journal
    /// once: there is nothing to look up. The row in the ledger is for people.
    pub(super) identity: String,
    /// What the decision is about, should it start nothing.
    pub(super) subject: String,
    /// What it is.
    pub(super) about: About,
    pub(super) artifact: Option<Digest>,
}

/// What a trigger waited for.
#[derive(Clone)]
pub(super) enum About {
    Run(EndedRun),
    Dataset(DatasetVersion),
    Event(BoxEvent),
    Drift(DriftAlarm),
}

impl Core {
    /// Adds triggers that wait for other runs. Those of other kinds are left out.
    pub fn add_follower(&mut self, workflow: &str, trigger: &Trigger) {
        self.definitions.add_follower(workflow.to_owned(), trigger.clone());
    }

    /// A run has ended: starts those that wait for that.
    pub(super) fn follow_end(&mut self, run: RunId, events: &[Event], now_ms: i64) {
        let Some((end, error)) = events.iter().find_map(|event| match event {
            Event::Ended { end, error, .. } => Some((*end, error.as_ref())),
            _ => None,
        }) else {
            return;
        };
        let Some(state) = self.live.state(run) else { return };
        let name = state.plan().name.clone();
        self.follow_end_of(run, &name, end, error.map(|error| error.message.clone()), now_ms);
    }

    /// The same for a run of which nothing else is known.
    pub(super) fn follow_end_of(&mut self, run: RunId, name: &str, end: RunEnd, error: Option<String>, now_ms: i64) {
        let ending = match end {
            RunEnd::Succeeded => RunEnding::Succeeded,
            RunEnd::Failed => RunEnding::Failed,
            RunEnd::Cancelled => RunEnding::Cancelled,
        };
        let waits = |kind: &TriggerKind| matches!(kind, TriggerKind::Workflow(other) if other.name == name && other.on.contains(&ending));
        let about = About::Run(EndedRun { id: run.to_string(), workflow: name.to_owned(), state: end.name(), error });
        for (plan, trigger) in self.definitions.followers(waits) {
            let identity = format!("run:{run}");
            let subject = identity.clone();
            let (chain, about) = (self.chain_of(run), about.clone());
            let cause = Awaited { run: Some(run), chain, subject, identity, about, artifact: None };
            self.follow(plan, &trigger, cause, now_ms);
        }
    }

    /// A step has made artifacts: starts those that wait for one of that name.
    pub(super) fn follow_datasets(
        &mut self,
        run: RunId,
        (step, item): (StepIndex, Option<u32>),
        made: &[ArtifactRef],
        now_ms: i64,
    ) {
        let Some(state) = self.live.state(run) else { return };
        let own = state.plan().name.clone();
        for artifact in made {
            let waits =
                |kind: &TriggerKind| matches!(kind, TriggerKind::Dataset(dataset) if dataset.name == artifact.name);
            for (plan, trigger) in self.definitions.followers(waits) {
                // A workflow that keeps a dataset up to date does not run for its own work.
                if plan.name == own {
                    continue;
                }
                let item = item.map_or_else(String::new, |item| format!("/{item}"));
                let identity = format!("made:{run}/{}{item}:{}", step.0, artifact.digest);
                let about = About::Dataset(DatasetVersion {
                    name: artifact.name.clone(),
                    run: run.to_string(),
                    artifact: artifact.clone(),
                });
                let (subject, chain) = (artifact.name.clone(), self.chain_of(run));
                let artifact = Some(artifact.digest);
                let cause = Awaited { run: Some(run), chain, identity, subject, about, artifact };
                self.follow(plan, &trigger, cause, now_ms);
            }
        }
    }

    /// Alarms of drift have begun or ended: what says so goes to the disk with the runs that they start. While there is no room for
    /// more, nothing happens, and whoever tells of them comes again.
    pub(super) fn drifted(
        &mut self,
        writes: Vec<Write>,
        alarms: Vec<(String, DriftAlarm)>,
        reply: Box<dyn FnOnce(bool) + Send>,
        now_ms: i64,
    ) {
        if !alarms.is_empty() && (self.is_full() || self.trouble.is_some()) {
            return self.commits.call(move || reply(false));
        }
        self.as_one(|core| {
            core.commits.submit(Txn::of(writes));
            for (identity, alarm) in alarms {
                let waits = |kind: &TriggerKind| {
                    let turns = |on: &[DriftTurn]| on.iter().any(|turn| turn.name() == alarm.turn);
                    matches!(kind, TriggerKind::Drift(drift) if drift.name == alarm.name && turns(&drift.on))
                };
                for (plan, trigger) in core.definitions.followers(waits) {
                    let (subject, about) = (alarm.name.clone(), About::Drift(alarm.clone()));
                    let identity = identity.clone();
                    let cause = Awaited { run: None, chain: 0, identity, subject, about, artifact: None };
                    core.follow(plan, &trigger, cause, now_ms);
                }
            }
        });
        self.commits.after_all(After::Call(Box::new(move || reply(true))));
    }

    fn chain_of(&self, run: RunId) -> u64 {
        self.live.state(run).map_or(0, |state| state.trigger().chain())
    }

    /// Starts the run of one trigger; when there is none, the record of the trigger says why.
    pub(super) fn follow(&mut self, plan: Arc<Plan>, trigger: &Trigger, cause: Awaited, now_ms: i64) -> Option<RunId> {
        let (from, subject) = (cause.run, cause.subject.clone());
        match self.start_follower(plan, trigger, cause, now_ms) {
            Ok(run) => Some(run),
            Err((decision, reason)) => {
                let run = from.map_or_else(|| "none".to_owned(), |run| run.to_string());
                tracing::warn!(trigger = trigger.id, run, "{decision}: {reason}");
                let row = DecisionRow {
                    trigger: trigger.id.clone(),
                    subject: DecisionSubject::Named(subject),
                    at_ms: now_ms,
                    decision: decision.into(),
                    detail: reason,
                };
                self.commits.submit(Txn::of(vec![Write::Decision(row)]));
                None
            }
        }
    }

    fn start_follower(
        &mut self,
        plan: Arc<Plan>,
        trigger: &Trigger,
        cause: Awaited,
        now_ms: i64,
    ) -> Result<RunId, (DecisionKind, String)> {
        if cause.chain >= LONGEST_CHAIN {
            let what = match cause.about {
                About::Event(_) => "events",
                About::Run(_) | About::Dataset(_) | About::Drift(_) => "datasets",
            };
            let reason =
                format!("{LONGEST_CHAIN} runs have started each other already: the {what} go round in a circle");
            return Err((DecisionKind::Blocked, reason));
        }
        let chain = cause.chain + 1;
        let started = match cause.about {
            About::Run(run) => Cause::Workflow { run, chain },
            About::Dataset(version) => Cause::Dataset { version, chain },
            About::Event(event) => Cause::Event { event, chain },
            About::Drift(alarm) => Cause::Drift { alarm, chain },
        };
        let origin = Origin::Follower { kind: started.run_kind() };
        let document = TriggerDocument::new(&trigger.id, now_ms, started);
        let mut wish = Wish::new(plan, origin, document, now_ms, Params::Given(Map::new()));
        wish.ledger.push(LedgerEntry {
            trigger: trigger.id.clone(),
            identity: cause.identity,
            path: cause.subject,
            stat: String::new(),
        });
        wish.artifacts.extend(cause.artifact);
        let accepted = self.accept(wish, now_ms);
        accepted.map(|(run, _)| run).map_err(|refusal| (refusal.why.decision(), refusal.why.to_string()))
    }
}

/// The references in a document to artifacts among `made`, each once.
pub(super) fn artifacts_in(document: &Value, made: &[Digest]) -> Vec<ArtifactRef> {
    let (mut found, mut left) = (Vec::<ArtifactRef>::new(), vec![document]);
    while let Some(value) = left.pop() {
        match ArtifactRef::from_json(value) {
            Some(artifact) => {
                let is_new = !found.iter().any(|one| one.digest == artifact.digest && one.name == artifact.name);
                if is_new && made.contains(&artifact.digest) {
                    found.push(artifact);
                }
            }
            None => match value {
                Value::Array(items) => left.extend(items),
                Value::Object(members) => left.extend(members.values()),
                _ => {}
            },
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_step_made_is_found_and_each_name_once() {
        let artifact = |text: &str, name: &str| ArtifactRef {
            digest: Digest::of(text.as_bytes()),
            name: name.to_owned(),
            media_type: "text/csv".to_owned(),
            size: 1,
        };
        let (made, given) = (artifact("a", "readings"), artifact("b", "readings"));
        let document =
            serde_json::json!({ "table": made.to_json(), "all": [[made.to_json()], given.to_json()], "n": 1 });
        assert_eq!(artifacts_in(&document, &[made.digest]), [made]);
    }
}
