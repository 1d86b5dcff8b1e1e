//! What the journal says of a model: every change, and how things stood at any time.

use std::collections::{BTreeMap, BTreeSet};

use trackside_facts::{Subject, SubjectEvent};

use crate::{
    error::StoreError,
    read::{JournalRow, Reader},
};

/// How a model stood at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelAt {
    /// The versions that there were.
    pub versions: BTreeSet<u32>,
    /// The aliases, by name.
    pub aliases: BTreeMap<String, AliasAt>,
}

/// What an alias named at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasAt {
    /// The version.
    pub version: u32,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Who had moved it there.
    pub by: String,
}

impl ModelAt {
    /// What entries, oldest first, come to.
    fn fold(entries: &[JournalRow]) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for entry in entries {
            for fact in entry.facts()? {
                state.apply(fact, entry.at_ms);
            }
        }
        Ok(state)
    }

    fn apply(&mut self, fact: SubjectEvent, at_ms: i64) {
        match fact {
            SubjectEvent::ModelAdded { version, .. } => {
                self.versions.insert(version);
            }
            SubjectEvent::ModelRemoved { version, .. } => {
                self.versions.remove(&version);
            }
            SubjectEvent::ModelAliasMoved { alias, to: Some(version), by, .. } => {
                self.aliases.insert(alias, AliasAt { version, since_ms: at_ms, by });
            }
            SubjectEvent::ModelAliasMoved { alias, to: None, .. } => {
                self.aliases.remove(&alias);
            }
            SubjectEvent::ModelTested { .. }
            | SubjectEvent::DriftReference { .. }
            | SubjectEvent::DriftAlarm { .. }
            | SubjectEvent::DriftCleared { .. }
            | SubjectEvent::DriftReset { .. }
            | SubjectEvent::Labelled { .. }
            | SubjectEvent::ModelErrorMoved { .. }
            | SubjectEvent::Rollout { .. }
            | SubjectEvent::TokenMade { .. }
            | SubjectEvent::TokenRevoked { .. }
            | SubjectEvent::Activated { .. }
            | SubjectEvent::TriggerPaused { .. }
            | SubjectEvent::TriggerResumed { .. } => {}
        }
    }
}

impl Reader {
    /// What the journal says of a model, newest entry first. Nothing of it is ever removed.
    ///
    /// # Errors
    /// When SQLite refuses; [`StoreError::Damaged`] when an entry is another subject's.
    pub fn model_history(&self, name: &str, limit: u32) -> Result<Vec<JournalRow>, StoreError> {
        self.subject(&Subject::Model(name.to_owned()), limit)
    }

    /// How a model stood at this time: after the last entry that is not younger, in the order of the commits. None before its first.
    ///
    /// # Errors
    /// As for [`Reader::model_history`].
    pub fn model_at(&self, name: &str, at_ms: i64) -> Result<Option<ModelAt>, StoreError> {
        let mut entries = self.model_history(name, u32::MAX)?;
        // A clock that was set back: what was committed before an entry that is old enough happened before it.
        let Some(newest) = entries.iter().position(|entry| entry.at_ms <= at_ms) else { return Ok(None) };
        entries.drain(..newest);
        entries.reverse();
        ModelAt::fold(&entries).map(Some)
    }
}
