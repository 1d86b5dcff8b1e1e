//! Enters runs that have ended, and counts artifacts that entries of before this table name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use trackside_engine::{Event, RunId};
use trackside_store::{EndedRun, JournalRow, Reader, StoreError, Write};

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
            seen.bytes += entry.entry.bytes() as u64;
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

    fn take(&mut self, Batch { entries, places }: Batch<'_>, reader: &Reader) -> Result<Vec<Write>, StoreError> {
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(Vec::new()) };
        let mut writes = Vec::new();
        let uncounted = reader.uncounted()?;
        let mut fresh: BTreeMap<RunId, Seen> = BTreeMap::new();
        for entry in entries {
            let Some(run) = entry.run() else { continue };
            let seen = fresh.entry(run).or_default();
            seen.bytes += entry.entry.bytes() as u64;
            seen.whole |= entry.previous == 0;
            seen.parent = seen.parent.or_else(|| parent(entry));
            if entry.seq <= uncounted {
                writes.push(Write::Counted { run, artifacts: entry.entry.artifacts() });
            }
        }
        if uncounted > 0 && last >= uncounted {
            writes.push(Write::AllCounted);
        }
        let (mut over, mut asked) = (Vec::new(), Vec::new());
        let mut held: BTreeMap<Arc<str>, Vec<EndedRun>> = BTreeMap::new();
        let mut enter = |workflow: &Arc<str>, run: RunId, ended_ms: i64, seen: Seen, logs: u64, artifacts: u64| {
            over.push(run);
            let (parent, row_bytes) = (seen.parent, seen.bytes);
            let (log_bytes, artifact_bytes) = (logs, artifacts);
            let ended = EndedRun { run, holding: 0, ended_ms, parent, row_bytes, log_bytes, artifact_bytes };
            held.entry(workflow.clone()).or_default().push(ended);
        };
        for (&run, &new) in &fresh {
            let Some((workflow, ended_ms)) = places.get(&run).and_then(|of| Some((&of.workflow, of.ended_ms?))) else {
                continue;
            };
            let seen = self.open.get(&run).copied().unwrap_or_default().and(new);
            // What its entries of this batch name is not counted yet when they are older than the count.
            if seen.whole && uncounted == 0 && !reader.has_logs_or_artifacts(run)? {
                enter(workflow, run, ended_ms, seen, 0, 0);
            } else {
                asked.push(run);
            }
        }
        for head in reader.run_heads(&asked)? {
            let Some(ended_ms) = head.ended_ms else { continue };
            let run = head.run;
            let before = self.open.get(&run).copied().unwrap_or_default();
            let seen = before.and(fresh.get(&run).copied().unwrap_or_default());
            let seen = if head.is_entered || seen.whole { seen } else { Self::look_back(reader, run, last)? };
            enter(&head.workflow.into(), run, ended_ms, seen, head.log_bytes, head.artifact_bytes);
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
