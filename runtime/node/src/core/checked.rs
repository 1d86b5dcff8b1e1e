//! Steps whose inputs are checked before they start.

use serde_json::{Map, Value};
use trackside_engine::{Outcome, Parent, RunId, RunState, StepError};
use trackside_facts::{AttemptReport, ContractReport};
use trackside_spec::{
    Action as StepAction, ArtifactRef, Plan, StepIndex,
    expr::ExprError,
    plan::{Contract, Severity},
};
use trackside_store::{Txn, Write};

use super::{attempts::Slot, dispatch::Core, types::Checked};

/// Where the bad rows stand in a step's output.
const QUARANTINE: &str = "quarantine";

impl Core {
    /// The inputs fit: the attempt gets what its expressions make of them, or the other run is started.
    pub(super) fn checked(&mut self, checked: Checked, now_ms: i64) {
        let Checked { run, step, item, attempt, mut passed, reply } = checked;
        let current = self.live.get(run).filter(|live| live.state.is_current(step, item, attempt));
        let Some(live) = current else {
            self.over(run, (step, item));
            reply(Err(StepError::fatal("cancelled", "nobody waits for this attempt any more")));
            return;
        };
        if !matches!(live.state.plan().step(step).action, StepAction::Workflow(_)) {
            let given = given(&live.state, (step, item), &passed.requires);
            self.attempts.pass(run, (step, item), passed);
            reply(given);
            return;
        }
        let parent = Parent { run, step, item, attempt, depth: live.state.depth() + 1 };
        // The other run must not begin before what it is given is on disk, and nothing comes after it that could tell.
        let (lines, artifacts) = (std::mem::take(&mut passed.logs), std::mem::take(&mut passed.artifacts));
        let log = Write::Log { run, step: step.0, item, attempt, lines };
        if !matches!(&log, Write::Log { lines, .. } if lines.is_empty()) || !artifacts.is_empty() {
            self.commits.submit(Txn { writes: vec![log], artifacts, holds: passed.hold.iter().cloned().collect() });
        }
        self.attempts.pass(run, (step, item), passed);
        self.over(run, (step, item));
        self.start_child(run, (step, item), attempt, parent, now_ms);
    }

    /// The check of a step that is another run holds its place no longer.
    fn over(&mut self, run: RunId, (step, item): Slot) {
        let state = self.live.state(run);
        // A plugin's or a model's attempt says itself that it is over.
        if state.is_none_or(|state| matches!(state.plan().step(step).action, StepAction::Workflow(_))) {
            self.attempts.end(run, (step, item));
        }
    }

    /// Forgets a check whose step is not tried again.
    pub(super) fn forget_passed(&mut self, run: RunId, step: StepIndex, item: Option<u32>) {
        let record = self.live.state(run).and_then(|state| state.record(step, item));
        if record.is_none_or(|record| record.status.is_final()) {
            self.attempts.forget_passed(run, (step, item));
        }
    }
}

/// What an attempt is given, with the inputs that passed.
pub(super) fn given(
    state: &RunState,
    (step, item): Slot,
    requires: &Value,
) -> Result<(Value, Option<Value>), StepError> {
    let given = state.input(step, item, requires).and_then(|input| Ok((input, state.command(step, item, requires)?)));
    given.map_err(|error| bad_input(state.plan(), step, &error))
}

pub(super) fn bad_input(plan: &Plan, step: StepIndex, error: &ExprError) -> StepError {
    let message = format!("the input of step `{}` can not be evaluated: {error}", plan.step(step).id);
    StepError::fatal("bad-expression", message)
}

/// Puts the rows that went into quarantine beside what a step made: `quarantine.NAME` for every contract that splits, null
/// when no row was bad.
pub(super) fn set_aside(outcome: Outcome, contracts: &[Contract], report: &[ContractReport]) -> Outcome {
    let found = |name: &str| {
        let told = report.iter().find(|told| told.name == name).and_then(|told| told.quarantine.as_ref());
        told.map_or(Value::Null, ArtifactRef::to_json)
    };
    let split = contracts.iter().filter(|contract| contract.severity == Severity::Quarantine);
    let aside: Map<String, Value> = split.map(|contract| (contract.name.clone(), found(&contract.name))).collect();
    if aside.is_empty() {
        return outcome;
    }
    let put = |mut output: Value| {
        // What has no fields has none for the rows either: they stay where the report has them.
        if let Some(fields) = output.as_object_mut() {
            if fields.contains_key(QUARANTINE) {
                let message = format!(
                    "the output has a field `{QUARANTINE}` of its own, where the bad rows of the step's contracts stand: \
                     call the field otherwise, or check the rows in a step before"
                );
                return Err(Outcome::Failed(StepError::fatal("bad-output", message)));
            }
            fields.insert(QUARANTINE.to_owned(), aside.into());
        }
        Ok(output)
    };
    match outcome {
        Outcome::Succeeded(output) => put(output).map_or_else(|failed| failed, Outcome::Succeeded),
        Outcome::Cached(output) => put(output).map_or_else(|failed| failed, Outcome::Cached),
        other => other,
    }
}

/// Puts what does not fit into the report of an attempt.
pub(super) fn tell(report: &mut Option<Box<AttemptReport>>, contracts: &[ContractReport]) {
    if !contracts.is_empty() {
        report.get_or_insert_default().contracts = Some(contracts.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_spec::Digest;

    use super::*;

    #[test]
    fn bad_rows_stand_beside_fields_and_never_in_the_place_of_one() {
        let text = "version: 1\nname: w\nsteps:\n  a:\n    requires: [{ of: \"${[1]}\", name: n, severity: quarantine, \
                    columns: { v: { type: integer } } }]\n    plugin: echo\n    with: { value: 1 }\n";
        let plan = trackside_spec::load_workflow("w.yaml", text).unwrap();
        let quarantine =
            json!({ "artifact": Digest::of(b"rows"), "name": "q.csv", "media_type": "text/csv", "size": 1 });
        let report: [ContractReport; 1] =
            serde_json::from_value(json!([{ "name": "n", "severity": "quarantine", "quarantine": quarantine }]))
                .unwrap();
        let aside = |output: Value| set_aside(Outcome::Succeeded(output), &plan.steps[0].requires, &report);
        let kept = |output: Value| match aside(output) {
            Outcome::Succeeded(output) => output,
            other => panic!("{other:?}"),
        };
        assert_eq!(kept(json!({ "x": 1 })), json!({ "x": 1, "quarantine": { "n": quarantine } }));
        // There is no place for them, and the step has done its work.
        assert_eq!((kept(json!([1, 2])), kept(json!(7))), (json!([1, 2]), json!(7)));
        let Outcome::Failed(error) = aside(json!({ "quarantine": [] })) else { panic!("it hid a field") };
        assert!(error.message.contains("a field `quarantine` of its own"), "{error:?}");
    }
}
