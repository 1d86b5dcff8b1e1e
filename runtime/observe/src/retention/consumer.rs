//! Enters runs that have ended, and counts artifacts that entries of before this table name.

use std::collections::{BTreeMap, HashMap};

use trackside_engine::{Event, RunId};
use trackside_store::{EndedRun, JournalRow, Reader, StoreError, Write};

use crate::{consumer::Consumer, damage};

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
            seen.bytes += entry.events.len() as u64;
            seen.parent = seen.parent.or_else(|| parent(entry));
        }
        Ok(seen)
    }
}

/// The run that started this one, as its first entry says it.
fn parent(entry: &JournalRow) -> Option<RunId> {
    if entry.previous != 0 || !entry.events.contains("\"parent\":{") {
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

    fn take(&mut self, entries: &[JournalRow], reader: &Reader) -> Result<Vec<Write>, StoreError> {
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(Vec::new()) };
        let mut writes = Vec::new();
        let uncounted = reader.uncounted()?;
        let mut fresh: BTreeMap<RunId, Seen> = BTreeMap::new();
        for entry in entries {
            let Some(run) = entry.run() else { continue };
            let seen = fresh.entry(run).or_default();
            seen.bytes += entry.events.len() as u64;
            seen.whole |= entry.previous == 0;
            seen.parent = seen.parent.or_else(|| parent(entry));
            if entry.seq <= uncounted {
                writes.push(Write::Counted { run, events: entry.events.clone() });
            }
        }
        if uncounted > 0 && last >= uncounted {
            writes.push(Write::AllCounted);
        }
        let runs: Vec<RunId> = fresh.keys().copied().collect();
        let mut over = Vec::new();
        let mut held: BTreeMap<String, Vec<EndedRun>> = BTreeMap::new();
        for head in reader.run_heads(&runs)? {
            let Some(ended_ms) = head.ended_ms else { continue };
            let run = head.run;
            let before = self.open.get(&run).copied().unwrap_or_default();
            let new = fresh.get(&run).copied().unwrap_or_default();
            let seen = if head.is_entered || before.whole || new.whole {
                Seen { bytes: before.bytes + new.bytes, parent: before.parent.or(new.parent), whole: true }
            } else {
                Self::look_back(reader, run, last)?
            };
            over.push(run);
            let ended = EndedRun {
                run,
                holding: 0,
                ended_ms,
                parent: seen.parent,
                row_bytes: seen.bytes,
                log_bytes: head.log_bytes,
                artifact_bytes: head.artifact_bytes,
            };
            held.entry(head.workflow).or_default().push(ended);
        }
        writes.extend(held.into_iter().map(|(workflow, ended)| Write::Held { workflow, ended }));
        // Nothing fails from here on: the same entries are not added twice.
        for (run, new) in fresh {
            let known = self.open.get_mut(&run);
            match known {
                Some(seen) => seen.bytes += new.bytes,
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
