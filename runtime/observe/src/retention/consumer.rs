//! Enters runs that have ended, and counts artifacts that entries of before this table name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use trackside_engine::{Event, RunId};
use trackside_store::{EndedRun, JournalRow, Reader, RunOwner, StoreError, Write};

use crate::{
    consumer::{Batch, Consumer},
    damage,
};

/// Its cursor's name.
pub(crate) const NAME: &str = "retention";

/// The consumer.
#[derive(Debug, Default)]
pub struct Retention {
    /// Runs under way whose first entry was seen. Of others the journal is asked when they end.
    open: HashMap<RunId, Seen>,
}

/// What was seen of a run.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    bytes: u64,
    parent: Option<RunId>,
    /// From the first entry on.
    whole: bool,
}

impl Seen {
    /// What two parts of a run's entries say together.
    fn and(self, later: Self) -> Self {
        Self { bytes: self.bytes + later.bytes, parent: self.parent.or(later.parent), whole: self.whole || later.whole }
    }
}

impl Retention {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a run holds that was under way before this consumer began.
    fn look_back(reader: &Reader, run: RunId, upto: i64) -> Result<Seen, StoreError> {
        let mut seen = Seen::default();
        let entries = match reader.journal(run) {
            Err(error) if error.is_damage() => {
                tracing::error!(%run, %error, "what the run holds is counted as nothing");
                return Ok(seen);
            }
            entries => entries?,
        };
        for entry in entries.iter().filter(|entry| entry.seq <= upto) {
            seen.bytes += entry.stored as u64;
            seen.parent = seen.parent.or_else(|| parent(entry));
        }
        Ok(seen)
    }
}

/// The run that started this one, as its first entry says it.
fn parent(entry: &JournalRow) -> Option<RunId> {
    if entry.previous != 0 || !entry.entry.may_have("parent") {
        return None;
    }
    match entry.events() {
        Ok(events) => events.into_iter().find_map(|event| match event {
            Event::Started { parent, .. } => parent.map(|parent| parent.run),
            _ => None,
        }),
        Err(error) => {
            damage::tell(NAME, entry, &error);
            None
        }
    }
}

impl Consumer for Retention {
    fn name(&self) -> &'static str {
        NAME
    }

    fn take(&mut self, Batch { entries, owners }: Batch<'_>, reader: &Reader) -> Result<Vec<Write>, StoreError> {
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(Vec::new()) };
        let mut writes = Vec::new();
        let uncounted = reader.uncounted()?;
        let mut fresh: BTreeMap<RunId, Seen> = BTreeMap::new();
        for entry in entries {
            let Some(run) = entry.run() else { continue };
            let seen = fresh.entry(run).or_default();
            seen.bytes += entry.stored as u64;
            seen.whole |= entry.previous == 0;
            seen.parent = seen.parent.or_else(|| parent(entry));
            if entry.seq <= uncounted {
                writes.push(Write::Counted { run, artifacts: entry.entry.artifacts() });
            }
        }
        if uncounted > 0 && last >= uncounted {
            writes.push(Write::AllCounted);
        }
        let mut over = Vec::new();
        let mut held: BTreeMap<&Arc<str>, Vec<EndedRun>> = BTreeMap::new();
        for (&run, &new) in &fresh {
            let Some(RunOwner { workflow, ended_ms: Some(ended_ms) }) = owners.get(&run) else { continue };
            let beside = reader.held_by(run)?;
            let seen = self.open.get(&run).copied().unwrap_or_default().and(new);
            let seen = if beside.is_entered || seen.whole { seen } else { Self::look_back(reader, run, last)? };
            over.push(run);
            held.entry(workflow).or_default().push(EndedRun {
                run,
                holding: 0,
                ended_ms: *ended_ms,
                parent: seen.parent,
                row_bytes: seen.bytes,
                log_bytes: beside.log_bytes,
                artifact_bytes: beside.artifact_bytes,
            });
        }
        writes.extend(held.into_iter().map(|(workflow, ended)| Write::Held { workflow: workflow.to_string(), ended }));
        // Nothing fails from here on: the same entries are not added twice.
        for (run, new) in fresh {
            let known = self.open.get_mut(&run);
            match known {
                Some(seen) => *seen = seen.and(new),
                None if new.whole => {
                    self.open.insert(run, new);
                }
                None => {}
            }
        }
        for run in over {
            self.open.remove(&run);
        }
        Ok(writes)
    }
}
