//! What is changed in a data folder that no node has open: pauses, and the registry of models.
//!
//! Nothing of a run moves there, so a fact about it is all there is to keep: nothing is started, carried out or recovered, as a
//! node would do. The facts and their rules are those of the engine and the core.

use std::path::Path;
use trackside_codes::{Code, Coded, code};

use trackside_engine::RunId;
use trackside_store::{Committer, Durability, Reader, StoreError, Txn, Write};

use crate::{
    core::{PauseAnswer, journal, pause_answer, pause_row},
    run_history::{RunHistory, UnreadableRun},
};

/// A data folder, open for writing. While it is, no node can have it.
pub struct Offline {
    committer: Committer,
    reader: Reader,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The data folder: another process has it, or it can not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run can not be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRun),
}

impl Coded for OfflineError {
    fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Unreadable(_) => code!("TS-0726"),
        }
    }
}

impl Offline {
    /// Takes the data folder.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when a process has it; others when it can not be used.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        // First the lock: nobody may start a node while something is looked at.
        let committer = Committer::open(data_dir, Durability::Full)?;
        Ok(Self { committer, reader: Reader::open(data_dir)? })
    }

    /// Committed data.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Pauses or resumes a run. It is on disk when this ends.
    ///
    /// # Errors
    /// Any [`OfflineError`]; nothing was changed then.
    pub fn pause_run(&mut self, run: RunId, pause: bool, by: &str, now_ms: i64) -> Result<PauseAnswer, OfflineError> {
        let Some(history) = RunHistory::open(&self.reader, run)? else { return Ok(PauseAnswer::NotLive) };
        if history.head.row.ended_ms.is_some() {
            return Ok(PauseAnswer::NotLive);
        }
        let mut state = history.state()?;
        if let Some(event) = state.pausing(pause, by) {
            state.apply(&event, now_ms).map_err(UnreadableRun::from)?;
            self.commit(journal(run, now_ms, &[event], None))?;
        }
        Ok(pause_answer(Some(&state), pause))
    }

    /// Pauses or resumes a trigger; says whether it was otherwise before. It is on disk when this ends.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub fn pause_trigger(&mut self, trigger: &str, pause: bool, by: &str, now_ms: i64) -> Result<bool, StoreError> {
        let paused = self.reader.paused()?.iter().any(|row| row.trigger == trigger);
        if paused != pause {
            self.commit(pause_row(trigger.to_owned(), pause, by.to_owned(), now_ms))?;
        }
        Ok(paused != pause)
    }

    /// Writes rows that go together. They are on disk when this ends.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub fn keep(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.committer.commit(&[Txn::of(writes)])
    }

    fn commit(&mut self, write: Write) -> Result<(), StoreError> {
        self.committer.commit(&[Txn { writes: vec![write], ..Txn::default() }])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use trackside_engine::{Command, RunState};
    use trackside_facts::TriggerDocument;
    use trackside_spec::load_workflow;
    use trackside_store::{Ended, NewRun};

    use super::*;

    const NOW_MS: i64 = 1_780_000_000_000;

    /// A folder with one run whose step is under way.
    fn folder() -> (tempfile::TempDir, RunState) {
        let folder = tempfile::tempdir().unwrap();
        let text = "version: 1\nname: w\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n";
        let plan = Arc::new(load_workflow("w.yaml", text).unwrap());
        let mut state = RunState::new(plan.clone(), RunId::next(None, NOW_MS, 7));
        let trigger = TriggerDocument::from_json(json!({ "kind": "manual" }));
        let start = Command::Start { params: json!({}), trigger, logical_time_ms: NOW_MS, parent: None };
        let events = state.handle(start, NOW_MS).events;
        let new = NewRun { run: state.id(), plan, trigger: "manual".to_owned(), started_ms: NOW_MS };
        keep(folder.path(), vec![Write::Run(new), journal(state.id(), NOW_MS, &events, None)]);
        (folder, state)
    }

    fn keep(folder: &Path, writes: Vec<Write>) {
        let mut committer = Committer::open(folder, Durability::Relaxed).unwrap();
        committer.commit(&[Txn { writes, ..Txn::default() }]).unwrap();
    }

    fn kept(folder: &Path, run: RunId) -> RunState {
        RunHistory::open(&Reader::open(folder).unwrap(), run).unwrap().unwrap().state().unwrap()
    }

    #[test]
    fn a_pause_is_a_fact_of_the_run_and_starts_nothing() {
        let (folder, state) = folder();
        let run = state.id();
        let set = |pause| Offline::open(folder.path()).unwrap().pause_run(run, pause, "ana", NOW_MS + 1).unwrap();
        assert_eq!(set(true), PauseAnswer::Done);
        assert_eq!(set(true), PauseAnswer::Done, "a second time changes nothing");
        let paused = kept(folder.path(), run);
        assert_eq!(paused.paused_by(), Some("ana"));
        assert_eq!(paused.steps(), state.steps());
        assert_eq!(set(false), PauseAnswer::Done);
        let resumed = kept(folder.path(), run);
        assert_eq!((resumed.paused_by(), resumed.steps()), (None, state.steps()));
        let entries = Reader::open(folder.path()).unwrap().journal(run).unwrap();
        assert_eq!(entries.len(), 3, "{entries:?}");
    }

    #[test]
    fn a_run_that_is_being_stopped_or_has_ended_is_not_paused() {
        let (folder, mut state) = folder();
        let run = state.id();
        let set = |run| Offline::open(folder.path()).unwrap().pause_run(run, true, "ana", NOW_MS + 1).unwrap();
        let cancelled = state.handle(Command::Cancel { by: "bo".to_owned() }, NOW_MS).events;
        keep(folder.path(), vec![journal(run, NOW_MS, &cancelled, None)]);
        assert_eq!(set(run), PauseAnswer::Ending);
        let ended = Ended { end: trackside_engine::RunEnd::Cancelled, error: None };
        keep(folder.path(), vec![journal(run, NOW_MS, &[], Some(ended))]);
        assert_eq!(set(run), PauseAnswer::NotLive);
        assert_eq!(set(RunId::next(Some(run), NOW_MS, 7)), PauseAnswer::NotLive);
    }

    #[test]
    fn a_paused_trigger_is_paused_until_it_is_resumed_and_no_node_has_the_folder_meanwhile() {
        let (folder, _) = folder();
        let mut offline = Offline::open(folder.path()).unwrap();
        assert!(matches!(Offline::open(folder.path()), Err(StoreError::Locked { .. })));
        let mut set = |pause| offline.pause_trigger("w/cron-0", pause, "ana", NOW_MS).unwrap();
        assert_eq!([set(true), set(true), set(false), set(false)], [true, false, true, false]);
    }
}
