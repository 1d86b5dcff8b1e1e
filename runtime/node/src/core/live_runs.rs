//! Runs under way: where each stands, when something of it is due, and how much of them the box takes on: so many runs, and
//! so much of what they hold in memory.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use trackside_engine::{Event, Phase, RunId, RunState};

/// Runs between two notes of where live runs begin.
const WATERMARK_EVERY: u32 = 256;

/// Runs under way.
pub(super) struct LiveRuns {
    runs: HashMap<RunId, LiveRun>,
    deadlines: BTreeSet<(i64, RunId)>,
    /// What they hold in memory, bytes.
    held: usize,
    max_runs: usize,
    max_documents: usize,
    last: Option<RunId>,
    /// Runs accepted since the last note of where live runs begin.
    since_watermark: u32,
}

/// A run under way.
pub(super) struct LiveRun {
    pub(super) state: RunState,
    /// Effects that it staged and that are not carried out.
    pub(super) outbox_open: u32,
    deadline: Option<i64>,
    /// Entries of its journal, handed over or on disk.
    entries: u32,
    /// Transactions with something of it that were handed over and are not on disk.
    uncommitted: u32,
    /// What its documents take in memory, bytes.
    held: usize,
}

impl LiveRun {
    /// A transaction about it was handed over, with an entry of its journal or without; gives how many entries it has.
    pub(super) fn handed_over(&mut self, is_entry: bool) -> u32 {
        self.uncommitted += 1;
        self.entries += u32::from(is_entry);
        self.entries
    }

    /// Whether its end is decided.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state.phase(), Phase::Ended(..))
    }
}

impl LiveRuns {
    /// None yet; at most so many at the same time, with so many bytes of documents, except that one run may go beyond.
    pub(super) fn new(max_runs: usize, max_documents: usize) -> Self {
        let (runs, deadlines) = (HashMap::new(), BTreeSet::new());
        Self { runs, deadlines, held: 0, max_runs, max_documents, last: None, since_watermark: 0 }
    }

    /// The newest run's id.
    pub(super) const fn last(&self) -> Option<RunId> {
        self.last
    }

    /// Ids given from now on are larger than this.
    pub(super) fn set_last(&mut self, last: Option<RunId>) {
        self.last = last;
    }

    /// The id of the next run.
    pub(super) fn next_id(&mut self, now_ms: i64, chance: u64) -> RunId {
        let run = RunId::next(self.last, now_ms, (chance >> 32) as u32);
        self.last = Some(run);
        run
    }

    /// Adds a run that has so many journal entries, and effects that are not carried out.
    pub(super) fn insert(&mut self, state: RunState, entries: u32, outbox_open: u32) {
        let run = state.id();
        self.runs.insert(run, LiveRun { state, outbox_open, deadline: None, entries, uncommitted: 0, held: 0 });
    }

    pub(super) fn get(&self, run: RunId) -> Option<&LiveRun> {
        self.runs.get(&run)
    }

    pub(super) fn get_mut(&mut self, run: RunId) -> Option<&mut LiveRun> {
        self.runs.get_mut(&run)
    }

    /// Where a run stands.
    pub(super) fn state(&self, run: RunId) -> Option<&RunState> {
        self.runs.get(&run).map(|live| &live.state)
    }

    pub(super) fn contains(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// What all hold in memory, bytes.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// All of them, in no order.
    pub(super) fn states(&self) -> impl Iterator<Item = &RunState> {
        self.runs.values().map(|live| &live.state)
    }

    /// Whether they are as many, or as large, as the box takes on.
    pub(super) fn is_full(&self) -> bool {
        self.runs.len() >= self.max_runs || self.held >= self.max_documents
    }

    /// Counts what these events add to what a run holds.
    pub(super) fn hold(&mut self, run: RunId, events: &[Event]) {
        self.hold_bytes(run, weight_of(events));
    }

    /// Counts bytes that a run holds from now on until it is settled.
    pub(super) fn hold_bytes(&mut self, run: RunId, bytes: usize) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        live.held += bytes;
        self.held += bytes;
    }

    /// Asks a run again when something of it is due.
    pub(super) fn update_deadline(&mut self, run: RunId) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        let deadline = live.state.next_deadline();
        if deadline != live.deadline {
            if let Some(old) = live.deadline {
                self.deadlines.remove(&(old, run));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, run));
            }
            live.deadline = deadline;
        }
    }

    /// When something of a run is due next.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The next run of which something is due. Its deadline counts as passed until it is asked again.
    pub(super) fn take_due(&mut self, now_ms: i64) -> Option<RunId> {
        let (at, run) = self.deadlines.first().copied().filter(|(at, _)| *at <= now_ms)?;
        self.deadlines.remove(&(at, run));
        if let Some(live) = self.runs.get_mut(&run) {
            live.deadline = None;
        }
        Some(run)
    }

    /// One more of the run's transactions is on disk. Forgets the run, and says so, when it has ended, everything about it is
    /// on disk and nothing of it waits in the outbox.
    pub(super) fn settle(&mut self, run: RunId) -> bool {
        let Some(live) = self.runs.get_mut(&run) else { return false };
        live.uncommitted = live.uncommitted.saturating_sub(1);
        if live.uncommitted > 0 || live.outbox_open > 0 || !live.has_ended() {
            return false;
        }
        if let Some(deadline) = live.deadline {
            self.deadlines.remove(&(deadline, run));
        }
        self.held -= live.held;
        self.runs.remove(&run);
        true
    }

    /// Counts a run that was accepted. Every so often, the place from which the next start has to look for live runs: it
    /// costs nothing beside a run's own rows, and spares the index that would be written with every run.
    pub(super) fn watermark(&mut self) -> Option<RunId> {
        self.since_watermark += 1;
        if self.since_watermark < WATERMARK_EVERY {
            return None;
        }
        self.since_watermark = 0;
        self.runs.keys().min().copied()
    }

    /// How many deadlines are kept.
    #[cfg(test)]
    pub(super) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }
}

/// What the documents of these events take in memory, bytes.
pub(crate) fn weight_of(events: &[Event]) -> usize {
    events.iter().map(held_by).sum()
}

fn held_by(event: &Event) -> usize {
    match event {
        Event::Started { params, trigger, .. } => weight(params) + weight(trigger.as_json()),
        Event::StepSucceeded { output, .. } | Event::StepTaken { output, .. } => weight(output),
        _ => 0,
    }
}

/// What a document takes in memory, bytes: its values, their texts and names.
pub(super) fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        // Beside the value a name, a hash and a place in the index.
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + size_of::<(String, u64, usize)>() + weight(member)).sum()
        }
    };
    size_of::<Value>() + inside
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use trackside_engine::Command;
    use trackside_facts::TriggerDocument;
    use trackside_spec::load_workflow;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn a_document_weighs_what_its_values_take_and_not_what_its_text_takes() {
        let text = format!("[{}1]", "1,".repeat(999));
        let numbers: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(weight(&numbers), 1001 * size_of::<Value>());
        assert!(weight(&numbers) >= text.len() * 12);
        assert_eq!(weight(&json!("x".repeat(1000))), 1000 + size_of::<Value>());
        assert!(weight(&json!({ "name": null })) > 2 * size_of::<Value>() + 4);
    }

    /// Adds a run whose workflow has a deadline of a minute; hands its first entry over.
    fn start(live: &mut LiveRuns) -> RunId {
        let text = "version: 1\nname: w\ntimeout: 1m\nsteps: { s: { plugin: echo } }";
        let plan = Arc::new(load_workflow("w.yaml", text).unwrap());
        let run = live.next_id(NOW, 7);
        live.insert(RunState::new(plan, run), 0, 0);
        let trigger = TriggerDocument::from_json(json!({ "kind": "manual" }));
        let start = Command::Start { params: json!({}), trigger, logical_time_ms: NOW, parent: None };
        let one = live.get_mut(run).unwrap();
        let decision = one.state.handle(start, NOW);
        assert_eq!(one.handed_over(true), 1);
        live.hold(run, &decision.events);
        live.update_deadline(run);
        run
    }

    #[test]
    fn a_run_holds_its_room_until_its_end_is_on_disk_and_its_effects_are_carried_out() {
        let mut live = LiveRuns::new(1, usize::MAX);
        let run = start(&mut live);
        assert!(live.is_full() && live.held() > 0);
        let one = live.get_mut(run).unwrap();
        one.outbox_open = 1;
        one.state.handle(Command::Cancel { by: "me".into() }, NOW);
        let error = trackside_engine::StepError::fatal("cancelled", "stopped");
        let outcome = trackside_engine::Outcome::Failed(error);
        let step = trackside_spec::StepIndex(0);
        let ended = Command::Finished { step, item: None, attempt: 1, outcome, chance: 0, report: None };
        one.state.handle(ended, NOW);
        one.handed_over(true);
        assert!(one.has_ended());
        assert!(!live.settle(run), "its end is not on disk");
        assert!(!live.settle(run), "an effect waits in the outbox");
        let one = live.get_mut(run).unwrap();
        one.outbox_open = 0;
        one.handed_over(true);
        assert!(live.settle(run) && !live.is_full());
        assert_eq!((live.len(), live.held(), live.deadlines()), (0, 0, 0));
    }

    #[test]
    fn what_is_due_is_given_once_until_the_run_is_asked_again() {
        let mut live = LiveRuns::new(10, usize::MAX);
        let run = start(&mut live);
        let at = live.next_deadline().unwrap();
        assert_eq!(live.take_due(at - 1), None);
        assert_eq!((live.take_due(at), live.take_due(at)), (Some(run), None));
        live.update_deadline(run);
        assert_eq!(live.next_deadline(), Some(at));
    }

    #[test]
    fn ids_grow_also_when_the_clock_is_set_back_and_the_place_of_the_oldest_is_noted_now_and_then() {
        let mut live = LiveRuns::new(10, usize::MAX);
        let first = start(&mut live);
        let second = live.next_id(NOW - 1_000_000, 7);
        assert!(second > first && live.last() == Some(second));
        let noted: Vec<_> = (0..2 * WATERMARK_EVERY).filter_map(|_| live.watermark()).collect();
        assert_eq!(noted, [first, first]);
    }
}
