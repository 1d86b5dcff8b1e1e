//! What executors report.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use trackside_engine::{Outcome, StepError};
use trackside_facts::{AttemptReport, BoxEvent, Delivery, Effect, OutgoingMessage, Present};
use trackside_spec::{Action, ArtifactRef, Digest};
use trackside_store::{Hold, LARGEST_SMALL};

use crate::core::{Checked, Input, KeptResult, OutboxItem, Passed, StateChange, StepJob, StepResult};

use super::{machine::Machine, world::World};

/// The key that the broker sees: of the slot and the place, whatever the attempt.
pub fn key_of(job_run: trackside_engine::RunId, step: u16, item: Option<u32>, entry: u32) -> String {
    format!("{job_run}/{step}/{item:?}/{entry}")
}

impl World {
    /// One attempt goes on: its inputs are checked, or it ends.
    pub fn move_attempt(&mut self, machine: &mut Machine, calm: bool) {
        let at = self.chance.below(machine.executing.len());
        let mut job = machine.executing.swap_remove(at);
        let now = self.now();
        if let Some(inputs) = job.contracts.take() {
            return self.check(machine, job, &inputs);
        }
        let result = self.finish(machine, &job, calm);
        machine.give(Input::StepDone(Box::new(result)), now);
    }

    fn check(&mut self, machine: &mut Machine, mut job: StepJob, inputs: &[Value]) {
        let (now, key) = (self.now(), (job.run, job.step, job.item));
        let blank = |error| StepResult::failed(key, job.attempt, error);
        let refusal = if machine.stopped.contains(&(job.run, job.step.0, job.item)) {
            Some(blank(StepError::fatal("cancelled", "stopped")))
        } else if inputs.iter().any(|input| input.as_array().is_none_or(Vec::is_empty)) {
            let outcome = Outcome::Blocked { message: "no rows".into(), report: AttemptReport::default().into() };
            Some(StepResult { outcome, ..blank(StepError::fatal("", "")) })
        } else {
            None
        };
        if let Some(result) = refusal {
            machine.witness().saw("blocked attempts");
            return machine.give(Input::StepDone(Box::new(result)), now);
        }
        let mut passed = Passed { requires: json!({ "list": inputs[0] }), ..Passed::default() };
        if self.chance.one_in(2) {
            passed.hold = Some(Hold::new(machine.committer.artifacts()));
            let artifact = store(&passed.hold, &format!("bad rows of {}", job.run), "quarantine-list");
            passed.report = serde_json::from_value(
                json!([{ "name": "list", "severity": "quarantine", "quarantine": artifact.to_json() }]),
            )
            .unwrap();
            passed.artifacts.push(artifact.digest);
            passed.logs = "{\"message\":\"split\"}\n".into();
        }
        let given = Arc::new(Mutex::new(None));
        let answer = given.clone();
        let reply = Box::new(move |given| *answer.lock().unwrap() = Some(given));
        let (run, step, item, attempt) = (job.run, job.step, job.item, job.attempt);
        machine.witness().saw("checked inputs");
        machine.give(Input::Checked(Box::new(Checked { run, step, item, attempt, passed, reply })), now);
        let given = given.lock().unwrap().take();
        let is_child = matches!(job.plan.step(job.step).action, Action::Workflow(_));
        match given {
            Some(Ok((input, command))) => {
                (job.input, job.command) = (input, command);
                machine.executing.push(job);
            }
            // The executor says nothing more about a step that is a run.
            _ if is_child => {}
            Some(Err(error)) => {
                machine.give(Input::StepDone(Box::new(StepResult::failed((run, step, item), attempt, error))), now);
            }
            None => panic!("a check is answered at once"),
        }
    }

    fn finish(&mut self, machine: &mut Machine, job: &StepJob, calm: bool) -> StepResult {
        let stopped = machine.stopped.contains(&(job.run, job.step.0, job.item));
        let hold = Some(Hold::new(machine.committer.artifacts()));
        let result =
            StepResult::failed((job.run, job.step, job.item), job.attempt, StepError::fatal("unlucky", "fatal"));
        let result = StepResult { hold, ..result };
        // Some results come in spite of the request to stop.
        if stopped && !self.chance.one_in(4) {
            return result;
        }
        match if calm { 0 } else { self.chance.below(14) } {
            13 => result,
            11 | 12 => {
                let retry_after_ms = self.chance.one_in(3).then_some(5_000);
                let error = StepError { retryable: true, retry_after_ms, ..StepError::fatal("busy", "again") };
                StepResult { outcome: Outcome::Failed(error), ..self.succeed(machine, job, result) }
            }
            10 => StepResult { outcome: Outcome::Skipped("nothing to do".into()), ..result },
            _ => self.succeed(machine, job, result),
        }
    }

    fn succeed(&mut self, machine: &mut Machine, job: &StepJob, mut result: StepResult) -> StepResult {
        let step = job.plan.step(job.step);
        if matches!(step.action, Action::Model(_)) {
            return self.ask(machine, result);
        }
        let Action::Plugin(call) = &step.action else { panic!("nothing to execute") };
        result.outcome = Outcome::Succeeded(json!({ "from": step.id }));
        if self.chance.one_in(4) {
            result.logs = "{\"message\":\"hello\"}\n".into();
        }
        match (call.plugin.as_str(), step.id.as_str()) {
            (_, "make") => self.make(job, &mut result),
            _ if step.cache => keep(machine, job, &mut result),
            ("deliver-file", _) => {
                let body = job.run.to_string();
                let artifact = store(&result.hold, &body, "r");
                result.artifacts.push(artifact.digest);
                let delivery =
                    Delivery { artifact, folder: "out".into(), path: format!("{body}.txt"), present: Present::Refuse };
                result.outbox.push(OutboxItem { body: Effect::Deliver(delivery).body() });
            }
            ("tally", _) => {
                let row = machine.reader.state(&job.plan.name, "", "n", 0).unwrap();
                let before: u64 = row.map_or(0, |row| String::from_utf8(row.value).unwrap().parse().unwrap());
                let value = Some((before + 1).to_string().into_bytes());
                result.state.push(StateChange { scope: String::new(), key: "n".into(), value, ttl_ms: None });
            }
            ("emit", _) => {
                let event = BoxEvent {
                    name: "done".into(),
                    data: json!({ "of": "waits" }),
                    at: self.now(),
                    run: Some(job.run.to_string()),
                    workflow: Some(job.plan.name.clone()),
                    step: Some(step.id.clone()),
                };
                result.outbox.push(OutboxItem { body: Effect::Emit(event).body() });
            }
            ("misbehave", _) => {
                for entry in 0..2 {
                    let key = key_of(job.run, job.step.0, job.item, entry);
                    let (payload, attributes) = (STANDARD.encode(&key), Vec::new());
                    let message = OutgoingMessage {
                        broker: "plant".into(),
                        topic: "site/alarm".into(),
                        payload,
                        attributes,
                        key,
                    };
                    result.outbox.push(OutboxItem { body: Effect::Publish(message).body() });
                }
            }
            _ => {}
        }
        result
    }

    /// A step that is a model: it fails for now when the model is away, or asked too often.
    fn ask(&self, machine: &mut Machine, result: StepResult) -> StepResult {
        let Some((model, digest, y)) = self.ask_for_a_step(machine) else {
            let error = StepError { retryable: true, ..StepError::fatal("model", "it does not answer") };
            return StepResult { outcome: Outcome::Failed(error), ..result };
        };
        let report = AttemptReport { model: Some(model), digest: Some(digest), ..AttemptReport::default() };
        StepResult { outcome: Outcome::Succeeded(json!({ "y": y })), report: Some(report.into()), ..result }
    }

    /// An artifact of a dataset; not always, so that those that go round come to an end.
    fn make(&mut self, job: &StepJob, result: &mut StepResult) {
        let name = match job.plan.name.as_str() {
            "chain" => "readings",
            own => own,
        };
        if self.chance.one_in(2) {
            let artifact = store(&result.hold, &format!("{name} of {} {:?}", job.run, job.item), name);
            result.artifacts.push(artifact.digest);
            result.outcome = Outcome::Succeeded(json!({ "made": artifact.to_json() }));
        }
    }
}

/// A pure function of the input, kept or made.
fn keep(machine: &Machine, job: &StepJob, result: &mut StepResult) {
    let step = job.plan.step(job.step);
    let output = json!({ "n": job.input["n"] });
    let key = Digest::of(format!("{}/{}/{}", job.plan.name, step.id, job.input).as_bytes());
    if let Some(row) = machine.reader.kept_result(&key).unwrap() {
        assert_eq!(row.output, output.to_string(), "a kept result is what the step would have made");
        result.outcome = Outcome::Cached(output);
        let hold = result.hold.as_ref().unwrap();
        row.artifacts.iter().for_each(|digest| hold.keep(digest));
        result.artifacts = row.artifacts;
        result.kept = Some(KeptResult::Used { key });
        machine.witness().found_kept(result, row.run);
        return;
    }
    let artifact = store(&result.hold, &output.to_string(), "kept");
    result.artifacts.push(artifact.digest);
    result.kept = Some(KeptResult::New { key, output: output.to_string(), artifacts: vec![artifact.digest] });
    result.outcome = Outcome::Succeeded(output);
}

/// Some come into the database with what names them, some are files.
pub fn store(hold: &Option<Hold>, content: &str, name: &str) -> ArtifactRef {
    let mut bytes = content.as_bytes().to_vec();
    if content.len().is_multiple_of(3) {
        bytes.resize(LARGEST_SMALL + 1, b' ');
    }
    hold.as_ref().unwrap().store(&mut bytes.as_slice(), name, "text/plain").unwrap()
}
