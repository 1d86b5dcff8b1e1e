//! Runs that were under way and can not be read any more: their journal is damaged, or this version of the program does not
//! take the definition that they were accepted with. They can not go on. Left open, they would stay so for ever, and with
//! them every run that waits for one; so they get an end, and the reason is in it.

use trackside_engine::{Event, RUN_UNREADABLE, RunEnd, RunError, RunId};
use trackside_store::{Ended, Txn};

use super::{
    dispatch::{Core, journal},
    types::{Action, PastEnd},
};

/// What a run's end says that can not be read.
pub(super) fn unreadable(reason: &str) -> PastEnd {
    let message = format!("[TS-0634] the run can not be read: {reason}");
    let error = RunError { step: None, code: RUN_UNREADABLE.to_owned(), message };
    PastEnd { end: RunEnd::Failed, error: Some(error), outputs: serde_json::Value::Null }
}

impl Core {
    /// Ends a run that can not go on. To be called before the runs that may wait for it are recovered.
    pub fn give_up(&mut self, run: RunId, workflow: &str, reason: &str, now_ms: i64) -> Vec<Action> {
        let past = unreadable(reason);
        let PastEnd { end, error, outputs } = past.clone();
        let message = error.as_ref().map(|error| error.message.clone());
        tracing::error!(%run, workflow, "[TS-0634] the run can not go on and ends as failed: {reason}");
        let ended = Ended { end, error: message.clone() };
        let events = [Event::Ended { end, error, outputs }];
        self.ledger.give_up(run, past);
        self.as_one(|core| {
            core.commits.submit(Txn::of(vec![journal(run, now_ms, &events, Some(ended))]));
            core.follow_end_of(run, workflow, end, message, now_ms);
        });
        self.commits.take_actions()
    }
}
