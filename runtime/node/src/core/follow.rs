//! Runs that other runs start: on their end, and on what they make.
//!
//! The run that follows is in the transaction of what it follows: there is never one without the other.

use serde_json::Value;
use trackside_engine::{Command, Event, RunEnd, RunId};
use trackside_facts::{Cause, DatasetVersion, DecisionKind, DecisionSubject, EndedRun, TriggerDocument};
use trackside_spec::{ArtifactRef, Digest, Plan, RunEnding, StepIndex, Trigger, TriggerKind};
use trackside_store::{DecisionRow, Write};

use super::{
    accept::new_run,
    dispatch::{Core, Extras},
};

/// Runs that follow each other without anything from outside in between. Datasets can go round in a circle that nobody
/// sees in the files.
const LONGEST_CHAIN: u64 = 16;

/// What a trigger waits for.
struct Awaited {
    run: RunId,
    /// What makes it itself: at most one run of each trigger. It names the run and what happened to it, which is in the journal
    /// once: there is nothing to look up. The row in the ledger is for people.
    identity: String,
    /// What the decision is about, should it start nothing.
    subject: String,
    /// What it is.
    about: About,
    artifact: Option<Digest>,
}

/// What a trigger waited for.
#[derive(Clone)]
enum About {
    Run(EndedRun),
    Dataset(DatasetVersion),
}

impl Core {
    /// Adds triggers that wait for other runs. Those of other kinds are left out.
    pub fn add_follower(&mut self, workflow: &str, trigger: &Trigger) {
        if matches!(trigger.kind, TriggerKind::Workflow(_) | TriggerKind::Dataset(_)) {
            self.followers.push((workflow.to_owned(), trigger.clone()));
        }
    }

    /// A run has ended: starts those that wait for that.
    pub(super) fn follow_end(&mut self, run: RunId, events: &[Event], now_ms: i64) {
        let Some((end, error)) = events.iter().find_map(|event| match event {
            Event::Ended { end, error, .. } => Some((*end, error.as_ref())),
            _ => None,
        }) else {
            return;
        };
        let Some(live) = self.runs.get(&run) else { return };
        let name = live.state.plan().name.clone();
        self.follow_end_of(run, &name, end, error.map(|error| error.message.clone()), now_ms);
    }

    /// The same for a run of which nothing else is known.
    pub(super) fn follow_end_of(&mut self, run: RunId, name: &str, end: RunEnd, error: Option<String>, now_ms: i64) {
        let ending = match end {
            RunEnd::Succeeded => RunEnding::Succeeded,
            RunEnd::Failed => RunEnding::Failed,
            RunEnd::Cancelled => RunEnding::Cancelled,
        };
        let waits = |trigger: &Trigger| matches!(&trigger.kind, TriggerKind::Workflow(other) if other.name == name && other.on.contains(&ending));
        let about = About::Run(EndedRun { id: run.to_string(), workflow: name.to_owned(), state: end.name(), error });
        for (workflow, trigger) in self.waiting_for(waits) {
            let identity = format!("run:{run}");
            let cause = Awaited { run, subject: identity.clone(), identity, about: about.clone(), artifact: None };
            self.follow(&workflow, &trigger, cause, now_ms);
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
        let Some(live) = self.runs.get(&run) else { return };
        let own = live.state.plan().name.clone();
        for artifact in made {
            let waits = |trigger: &Trigger| matches!(&trigger.kind, TriggerKind::Dataset(dataset) if dataset.name == artifact.name);
            for (workflow, trigger) in self.waiting_for(waits) {
                // A workflow that keeps a dataset up to date does not run for its own work.
                if workflow == own {
                    continue;
                }
                let item = item.map_or_else(String::new, |item| format!("/{item}"));
                let identity = format!("made:{run}/{}{item}:{}", step.0, artifact.digest);
                let about = About::Dataset(DatasetVersion {
                    name: artifact.name.clone(),
                    run: run.to_string(),
                    artifact: artifact.clone(),
                });
                let cause =
                    Awaited { run, identity, subject: artifact.name.clone(), about, artifact: Some(artifact.digest) };
                self.follow(&workflow, &trigger, cause, now_ms);
            }
        }
    }

    fn waiting_for(&self, waits: impl Fn(&Trigger) -> bool) -> Vec<(String, Trigger)> {
        self.followers.iter().filter(|(_, trigger)| waits(trigger)).cloned().collect()
    }

    fn follow(&mut self, workflow: &str, trigger: &Trigger, cause: Awaited, now_ms: i64) {
        let Some(plan) = self.workflows.get(workflow).cloned() else { return };
        match self.start_follower(&plan, trigger, &cause, now_ms) {
            Ok(()) => {}
            Err((decision, reason)) => {
                tracing::warn!(trigger = trigger.id, run = %cause.run, "{decision}: {reason}");
                let row = DecisionRow {
                    trigger: trigger.id.clone(),
                    subject: DecisionSubject::Named(cause.subject),
                    at_ms: now_ms,
                    decision: decision.into(),
                    detail: reason,
                };
                self.submit(trackside_store::Txn::of(vec![Write::Decision(row)]));
            }
        }
    }

    fn start_follower(
        &mut self,
        plan: &std::sync::Arc<Plan>,
        trigger: &Trigger,
        cause: &Awaited,
        now_ms: i64,
    ) -> Result<(), (DecisionKind, String)> {
        let before = self.runs.get(&cause.run).map_or(0, |live| live.state.trigger().chain());
        if before >= LONGEST_CHAIN {
            let reason =
                format!("{LONGEST_CHAIN} runs have started each other already: the datasets go round in a circle");
            return Err((DecisionKind::Blocked, reason));
        }
        let chain = before + 1;
        let started = match cause.about.clone() {
            About::Run(run) => Cause::Workflow { run, chain },
            About::Dataset(version) => Cause::Dataset { version, chain },
        };
        let kind = started.run_kind();
        let document = TriggerDocument::new(&trigger.id, now_ms, started);
        let params = plan.bind_params(&serde_json::Map::new()).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            (DecisionKind::Blocked, lines.join("; "))
        })?;
        if let Some(reason) = self.pause_of(&trigger.id) {
            return Err((DecisionKind::Paused, reason));
        }
        let params = Value::Object(params);
        if let Some(reason) = self.conflict(plan, &params, &document) {
            return Err((DecisionKind::Skipped, reason));
        }
        let run = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
        self.last_run = Some(run);
        let row = Write::Ledger {
            trigger: trigger.id.clone(),
            identity: cause.identity.clone(),
            run: Some(run),
            path: cause.subject.clone(),
            stat: String::new(),
            at_ms: now_ms,
        };
        let start = Command::Start { params, trigger: document, logical_time_ms: now_ms, parent: None };
        let new = new_run(run, plan, kind.to_owned(), now_ms);
        self.begin(
            new,
            start,
            Extras { writes: vec![row], artifacts: cause.artifact.into_iter().collect(), ..Extras::default() },
        );
        Ok(())
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
