//! What attempts leave behind, and what the outbox carried out.

use trackside_engine::{Command, Event, Outcome};
use trackside_store::{ResultRow, Txn, Write};

use crate::feedback::Telling;

use super::{
    attempts::Ended,
    checked,
    commits::After,
    dispatch::{Core, Extras},
    follow::artifacts_in,
    types::{Carried, CarriedResult, KeptResult, StateChange, StepResult},
};

impl Core {
    pub(super) fn step_done(&mut self, result: StepResult, now_ms: i64) {
        let (run, step, item) = (result.run, result.step, result.item);
        let Some(Ended { workflow, holds_state }) = self.attempts.end(run, (step, item)) else { return };
        if let Some(micros) = result.report.as_ref().and_then(|report| report.wall_us) {
            self.attempts.took(&workflow, step, micros);
        }
        self.keep_outcome(result, now_ms);
        if holds_state {
            self.commits.after_all(After::FreeState(workflow));
        }
    }

    /// Puts what an attempt left behind into a transaction, unless nobody waits for that attempt any more.
    fn keep_outcome(&mut self, result: StepResult, now_ms: i64) {
        let StepResult {
            run,
            step,
            item,
            attempt,
            mut outcome,
            mut report,
            artifacts,
            state,
            labels,
            outbox,
            mut logs,
            kept: of_cache,
            hold,
        } = result;
        let Some(live) = self.live.get_mut(run) else { return };
        if !live.state.is_current(step, item, attempt) {
            return;
        }
        // What the check of the step's inputs found is told with the attempt, however that ended.
        let (mut kept_artifacts, mut holds) = (Vec::new(), Vec::from_iter(hold));
        if let Some(passed) = self.attempts.passed_mut(run, (step, item)) {
            logs.insert_str(0, &std::mem::take(&mut passed.logs));
            kept_artifacts.clone_from(&passed.artifacts);
            holds.extend(passed.hold.clone());
            checked::tell(&mut report, &passed.report);
            outcome = checked::set_aside(outcome, &live.state.plan().step(step).requires, &passed.report);
        }
        let plan = live.state.plan().clone();
        let mut writes = Vec::new();
        if !logs.is_empty() {
            writes.push(Write::Log { run, step: step.0, item, attempt, lines: logs });
        }
        // What a failed attempt staged is dropped with it.
        let kept = !matches!(outcome, Outcome::Failed(_) | Outcome::Blocked { .. });
        match of_cache {
            Some(KeptResult::Used { key }) => writes.push(Write::KeptUsed { key }),
            Some(KeptResult::New { key, output, artifacts }) => {
                writes.push(Write::Kept { key, result: ResultRow { run, output, artifacts } });
            }
            None => {}
        }
        if kept {
            writes.extend(state.into_iter().map(|change| state_write(&plan.name, change, now_ms)));
            writes.extend(Telling::of(labels, &format!("run {run}"), now_ms).0);
            for (entry, staged) in (0u32..).zip(outbox) {
                writes.push(Write::Outbox { run, step: step.0, item, entry, body: staged.body });
                live.outbox_open += 1;
            }
        }
        let staged_effects = writes.iter().any(|write| matches!(write, Write::Outbox { .. }));
        let waited_for = self.definitions.waits_for_datasets();
        let made = match &outcome {
            Outcome::Succeeded(output) if waited_for => {
                // Rows in quarantine are a version of a dataset too, if somebody waits for one of that name.
                let made: Vec<_> = artifacts.iter().chain(&kept_artifacts).copied().collect();
                artifacts_in(output, &made)
            }
            _ => Vec::new(),
        };
        let chance = (self.chance)();
        if kept {
            kept_artifacts.extend(artifacts);
        }
        let command = Command::Finished { step, item, attempt, outcome, chance, report };
        let extras = Extras { writes, artifacts: kept_artifacts, holds };
        if made.is_empty() {
            self.command(run, command, now_ms, extras);
        } else {
            self.as_one(|core| {
                core.command(run, command, now_ms, extras);
                core.follow_datasets(run, (step, item), &made, now_ms);
            });
        }
        self.forget_passed(run, step, item);
        if staged_effects {
            self.commits.after_all(After::Carry);
        }
    }

    pub(super) fn carried(&mut self, carried: Carried, now_ms: i64) {
        let Carried { row, run, step, item, entry, target, result } = carried;
        if let CarriedResult::Emitted(event) = result {
            let of = item.map_or_else(String::new, |item| format!("/{item}"));
            let identity = format!("event:{run}/{}{of}/{entry}", step.0);
            let carried = Carried { row, run, step, item, entry, target, result: CarriedResult::Done };
            // Gone out and heard: one is not on disk without the other.
            return self.as_one(|core| {
                let chain = core.live.state(run).map_or(0, |state| state.trigger().chain());
                core.carried(carried, now_ms);
                core.happened(event, Some((run, chain)), &identity, now_ms);
            });
        }
        let event = match result {
            CarriedResult::Done | CarriedResult::Emitted(_) => Event::Delivered { step, item, entry, target },
            CarriedResult::Refused(reason) => {
                // The run may have succeeded long ago, and nobody looks at it any more.
                tracing::warn!(%run, target, reason, "an effect was refused for good; `trackside runs show` tells of it");
                Event::DeliveryRefused { step, item, entry, target, reason }
            }
        };
        let done = Write::OutboxDone { id: row };
        let Some(live) = self.live.get_mut(run) else {
            tracing::error!(%run, ?event, "[TS-0634] an effect of a run that can not be read was carried out");
            self.commits.submit(Txn::of(vec![done]));
            return;
        };
        live.outbox_open = live.outbox_open.saturating_sub(1);
        let legal = live.state.apply(&event, now_ms);
        if let Err(error) = legal {
            tracing::error!(%error, "an outbox entry of no known step was carried out");
        }
        self.record(run, now_ms, vec![event], Extras { writes: vec![done], ..Extras::default() });
    }
}

fn state_write(workflow: &str, change: StateChange, now_ms: i64) -> Write {
    Write::State {
        workflow: workflow.to_owned(),
        scope: change.scope,
        key: change.key,
        expires_ms: change.ttl_ms.map(|ttl| now_ms.saturating_add_unsigned(ttl)),
        value: change.value,
    }
}
