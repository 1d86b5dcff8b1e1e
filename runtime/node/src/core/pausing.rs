//! What somebody has paused: triggers, whose files stay where they are and whose times are recorded and start nothing;
//! runs, in which nothing more begins.

use trackside_engine::{Command, Phase, RunId, RunState};
use trackside_store::{PausedRow, Txn, Write};

use super::{
    commits::After,
    dispatch::{Core, Extras},
    types::PauseAnswer,
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
        for trigger in triggers {
            self.definitions.pause(&trigger, true);
        }
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
        let changed = self.definitions.pause(&trigger, pause);
        if changed {
            self.commits.submit(Txn::of(vec![pause_row(trigger, pause, by, now_ms)]));
        }
        self.commits.after_all(After::Call(Box::new(move || reply(changed))));
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
        if self.live.contains(run) {
            let command = if pause { Command::Pause { by } } else { Command::Resume { by } };
            self.command(run, command, now_ms, Extras::default());
        }
        let answer = answer(self.live.state(run), pause);
        self.commits.after_all(After::Call(Box::new(move || reply(answer))));
    }
}
