//! How rollouts stand, and what became of them.

use serde::Serialize;
use trackside_facts::{Subject, SubjectEvent};
use trackside_node::{Handle, RolloutDocument, rfc3339, rollout_document};
use trackside_store::{Reader, RolloutRow};

use super::{RolloutsError, rollout_subject};

/// Rollouts that are listed, and entries that are looked through for one.
const LISTED: u32 = 100;
const ENTRIES: u32 = 10_000;

/// Something that became of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutEntry {
    /// When.
    pub at: String,
    /// The same, milliseconds since 1970.
    pub at_ms: i64,
    /// What, as the journal has it.
    #[serde(flatten)]
    pub event: SubjectEvent,
}

fn document(row: &RolloutRow, node: Option<&Handle>) -> RolloutDocument {
    rollout_document(row, node.and_then(|node| node.rollout_standing(row)))
}

/// Rollouts, the newest first; `node` knows those that go on in this process to the last request.
///
/// # Errors
/// When the database refuses.
pub fn list_rollouts(
    reader: &Reader,
    node: Option<&Handle>,
    of: Option<&str>,
) -> Result<Vec<RolloutDocument>, RolloutsError> {
    let rows = match of {
        Some(of) => reader.rollouts_of(&rollout_subject(of), LISTED)?,
        None => reader.rollouts(LISTED)?,
    };
    Ok(rows.iter().map(|row| document(row, node)).collect())
}

/// The rollout of this number, or the last one of this model.
///
/// # Errors
/// When there is none, or the database refuses.
pub fn show_rollout(reader: &Reader, node: Option<&Handle>, which: &str) -> Result<RolloutDocument, RolloutsError> {
    let row = match which.parse::<i64>() {
        Ok(id) => reader.rollout(id)?,
        Err(_) => reader.rollouts_of(&rollout_subject(which), 1)?.into_iter().next(),
    };
    let told =
        || if which.parse::<i64>().is_ok() { which.to_owned() } else { format!("of {}", rollout_subject(which)) };
    row.map(|row| document(&row, node)).ok_or_else(|| RolloutsError::Unknown(told()))
}

/// What became of a rollout, the oldest first, each with the evidence at that time.
///
/// # Errors
/// When the database refuses, or an entry is damaged.
pub fn explain_rollout(reader: &Reader, rollout: &RolloutDocument) -> Result<Vec<RolloutEntry>, RolloutsError> {
    let Some(subject) = Subject::of_rollout(&rollout.subject) else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for entry in reader.subject(&subject, ENTRIES)? {
        if entry.at_ms < rollout.started_ms.saturating_sub(86_400_000) {
            break;
        }
        for event in entry.facts()?.into_iter().rev() {
            if matches!(&event, SubjectEvent::Rollout { rollout: id, .. } if *id == rollout.rollout) {
                entries.push(RolloutEntry { at: rfc3339(entry.at_ms), at_ms: entry.at_ms, event });
            }
        }
    }
    entries.reverse();
    Ok(entries)
}
