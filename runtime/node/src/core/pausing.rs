//! What somebody has paused: triggers, whose files stay where they are and whose times are recorded and start nothing;
//! runs, in which nothing more begins.

use trackside_engine::{Command, Phase, RunId, RunState};
use trackside_store::{PausedRow, Txn, Write};

use super::{
    dispatch::{After, Core, Extras},
    types::{Fire, PauseAnswer},
};

/// The row that pauses a trigger, or takes its pause away.
pub(crate) fn pause_row(trigger: String, pause: bool, by: String, at_ms: i64) -> Write {
    match pause {
        true => Write::Paused(PausedRow { trigger, at_ms, by }),
        false => Write::Resumed { trigger, at_ms, by },
    }
}

/// What became of a wish to pause or resume a run, by where the run stands afterwards.
pub(crate) fn answer(state: Option<&RunState>, pause: bool) -> PauseAnswer {
    match state {
        None => PauseAnswer::NotLive,
        Some(state) if matches!(state.phase(), Phase::Ended(..)) => PauseAnswer::NotLive,
        Some(state) if pause && state.paused_by().is_none() => PauseAnswer::Ending,
        Some(_) => PauseAnswer::Done,
    }
}

impl Core {
    /// What a start finds. To be told before schedules are added.
    pub fn restore_pauses(&mut self, triggers: impl IntoIterator<Item = String>) {
        self.paused.extend(triggers);
    }

    /// Pauses or resumes a trigger. It holds from now on; the answer waits for the disk, so that what was answered is not
    /// forgotten.
    pub(super) fn pause_trigger(
        &mut self,
        trigger: String,
        pause: bool,
        by: String,
        reply: Box<dyn FnOnce(bool) + Send>,
        now_ms: i64,
    ) {
        let changed = if pause { self.paused.insert(trigger.clone()) } else { self.paused.remove(trigger.as_str()) };
        if changed {
            self.submit(Txn::of(vec![pause_row(trigger, pause, by, now_ms)]));
        }
        self.after(self.submitted(), After::Call(Box::new(move || reply(changed))));
    }

    /// Pauses or resumes a run.
    pub(super) fn pause_run(
        &mut self,
        run: RunId,
        pause: bool,
        by: String,
        reply: Box<dyn FnOnce(PauseAnswer) + Send>,
        now_ms: i64,
    ) {
        if self.runs.contains_key(&run) {
            let command = if pause { Command::Pause { by } } else { Command::Resume { by } };
            self.command(run, command, now_ms, Extras::default());
        }
        let answer = answer(self.runs.get(&run).map(|live| &live.state), pause);
        self.after(self.submitted(), After::Call(Box::new(move || reply(answer))));
    }

    /// Whether the wish is a paused trigger's own. What a person asks for in its name goes through.
    pub(super) fn is_paused(&self, fire: &Fire) -> bool {
        !matches!(fire.kind, "manual" | "backfill") && fire.trigger.id().is_some_and(|id| self.paused.contains(id))
    }

    /// What is recorded about a time of a paused trigger.
    pub(super) fn pause_of(&self, trigger: &str) -> Option<String> {
        self.paused.contains(trigger).then(|| "the trigger is paused".to_owned())
    }
}
