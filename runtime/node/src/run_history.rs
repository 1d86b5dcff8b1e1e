//! A run out of the store: its definition, its events and where it stands. The one way from a run's id to any of them.
//!
//! Damage has one behaviour for all that read a run: an entry of its journal that can not be understood is
//! [`StoreError::Damaged`] with the entry's number, and nothing of the run is given. A definition that this version of the program
//! does not take costs what needs the definition, and nothing else: the events are told all the same.

use std::sync::Arc;

use trackside_engine::{Event, IllegalTransition, RunId, RunState};
use trackside_spec::{Plan, SpecError, load_workflow};
use trackside_store::{Reader, RunRow, StoreError};

/// One entry of a run's journal.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub events: Vec<Event>,
}

/// Why a run that is on disk can not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnreadableRun {
    /// This version of the program does not take its definition.
    #[error("this version of the program does not take its definition: {0}")]
    Definition(#[source] SpecError),
    /// An event does not follow from those before it.
    #[error(transparent)]
    Journal(#[from] IllegalTransition),
}

/// A run and the definition that it started with.
#[derive(Debug, Clone)]
pub struct RunHead {
    /// The run in the list of runs.
    pub row: RunRow,
    /// Its definition, or why this version of the program does not take it.
    pub plan: Result<Arc<Plan>, UnreadableRun>,
}

/// A run with all that happened in it.
#[derive(Debug, Clone)]
pub struct RunHistory {
    /// The run and its definition.
    pub head: RunHead,
    /// Its journal, oldest entry first.
    pub entries: Vec<HistoryEntry>,
}

impl RunHead {
    /// Reads it; `None` when there is no such run.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn open(reader: &Reader, run: RunId) -> Result<Option<Self>, StoreError> {
        let Some(row) = reader.run(run)? else { return Ok(None) };
        let source = reader.definition_of(run)?.unwrap_or_default();
        let plan = load(&row.workflow, &source);
        Ok(Some(Self { row, plan }))
    }
}

impl RunHistory {
    /// Reads it; `None` when there is no such run.
    ///
    /// # Errors
    /// When the database refuses; [`StoreError::Damaged`] when an entry can not be understood.
    pub fn open(reader: &Reader, run: RunId) -> Result<Option<Self>, StoreError> {
        let Some(head) = RunHead::open(reader, run)? else { return Ok(None) };
        Ok(Some(Self { head, entries: entries(reader, run)? }))
    }

    /// All that happened, in order, and when.
    pub fn events(&self) -> impl Iterator<Item = (i64, &Event)> {
        self.entries.iter().flat_map(|entry| entry.events.iter().map(move |event| (entry.at_ms, event)))
    }

    /// Where the run stands.
    ///
    /// # Errors
    /// When its definition is not taken, or an event does not follow from those before it.
    pub fn state(&self) -> Result<RunState, UnreadableRun> {
        Ok(fold(self.head.row.run, self.head.plan.clone()?, &self.entries)?)
    }
}

/// A run's definition.
pub(crate) fn load(workflow: &str, source: &str) -> Result<Arc<Plan>, UnreadableRun> {
    load_workflow(workflow, source).map(Arc::new).map_err(UnreadableRun::Definition)
}

/// A run's journal, read.
pub(crate) fn entries(reader: &Reader, run: RunId) -> Result<Vec<HistoryEntry>, StoreError> {
    let rows = reader.journal(run)?;
    rows.iter().map(|row| Ok(HistoryEntry { at_ms: row.at_ms, events: row.events()? })).collect()
}

/// What the journal makes of a run.
pub(crate) fn fold(run: RunId, plan: Arc<Plan>, entries: &[HistoryEntry]) -> Result<RunState, IllegalTransition> {
    let mut state = RunState::new(plan, run);
    for entry in entries {
        for event in &entry.events {
            state.apply(event, entry.at_ms)?;
        }
    }
    Ok(state)
}
