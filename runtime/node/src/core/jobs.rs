//! From an attempt that the engine wishes for to a job in an executor's hands.

use serde_json::Value;
use trackside_engine::{Command, Outcome, RunId, StepError};

use super::{
    attempts::Slot,
    checked,
    commits::After,
    dispatch::Core,
    types::{Action, StepJob},
};

impl Core {
    /// Evaluates a step's input and queues the attempt, behind a flush where the step needs one.
    pub(super) fn prepare(&mut self, run: RunId, (step, item): Slot, attempt: u32) {
        let Some(state) = self.live.state(run) else { return };
        let plan = state.plan().clone();
        let given = match self.attempts.passed(run, (step, item)) {
            None if !plan.step(step).requires.is_empty() => {
                let unchecked =
                    state.contract_inputs(step, item).map_err(|error| checked::bad_input(&plan, step, &error));
                unchecked.map(|inputs| (Some(inputs), Value::Null, None))
            }
            passed => {
                let given = checked::given(state, (step, item), passed.map_or(&Value::Null, |passed| &passed.requires));
                given.map(|(input, command)| (None, input, command))
            }
        };
        let (contracts, input, given_command) = match given {
            Ok(given) => given,
            Err(error) => {
                let outcome = Outcome::Failed(error);
                let command = Command::Finished { step, item, attempt, outcome, chance: 0, report: None };
                self.later(run, command);
                return;
            }
        };
        let job = Box::new(StepJob {
            run,
            step,
            item,
            attempt,
            contracts,
            input,
            command: given_command,
            trigger: state.trigger().clone(),
            logical_time_ms: state.logical_time_ms(),
            plan: plan.clone(),
        });
        if plan.step(step).action.kind().needs_barrier() {
            self.commits.after_all(After::Release(job));
        } else {
            self.attempts.queue(job);
        }
    }

    /// Stops a step: by its executor when it runs, on the spot when it still waits for its turn.
    pub(super) fn stop(&mut self, run: RunId, (step, item): Slot) {
        if self.attempts.is_running(run, (step, item)) {
            self.commits.act(Action::Stop { run, step, item });
            return;
        }
        self.forget_job(run, (step, item));
        let Some(state) = self.live.state(run) else { return };
        let attempt = state.record(step, item).map_or(0, |record| record.attempts);
        let outcome = Outcome::Failed(StepError::fatal("cancelled", "stopped before it began"));
        let command = Command::Finished { step, item, attempt, outcome, chance: 0, report: None };
        self.later(run, command);
    }

    /// Takes a job that has not begun out of wherever it waits.
    pub(super) fn forget_job(&mut self, run: RunId, (step, item): Slot) {
        let is_it = |job: &StepJob| job.run == run && job.step == step && job.item == item;
        self.attempts.forget(is_it);
        self.commits.forget_jobs(is_it);
    }

    /// Hands queued jobs to executors while there is room.
    pub(super) fn feed(&mut self) {
        while let Some(job) = self.attempts.next() {
            self.commits.act(Action::Execute(job));
        }
    }
}
