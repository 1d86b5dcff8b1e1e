//! The items of a step with `foreach`.

use std::{collections::BTreeSet, io};

use serde_json::{Value, json};
use trackside_spec::OnFailure;

use crate::{
    event::StepError,
    state::{StepRecord, StepStatus},
};

/// Most bytes that the outputs of all items may have as JSON, together: what is larger belongs into artifacts.
pub const MAX_COLLECTED_BYTES: usize = 16 << 20;

/// The items of a step with `foreach`, and where each stands.
///
/// Items start in their order, so those that have started are a prefix of the list, and only those under way are ever
/// searched: the work for one event does not grow with the number of items.
#[derive(Clone, Debug, PartialEq)]
pub struct Fanout {
    items: Vec<Value>,
    /// Of the items that have started, been skipped, or failed before they could start.
    records: Vec<StepRecord>,
    results: Vec<Value>,
    /// Started and not ended.
    open: BTreeSet<u32>,
    succeeded: u32,
    skipped: u32,
    /// Failed or blocked, in the order in which they did.
    failed: Vec<u32>,
    /// Size of the outputs as JSON.
    bytes: usize,
}

impl Fanout {
    pub(crate) fn new(items: Vec<Value>) -> Self {
        Self {
            results: vec![Value::Null; items.len()],
            items,
            records: Vec::new(),
            open: BTreeSet::new(),
            succeeded: 0,
            skipped: 0,
            failed: Vec::new(),
            bytes: 0,
        }
    }

    /// The items in their order.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// What is known of the items that have started, by index: those that have not are missing at the end.
    #[must_use]
    pub fn records(&self) -> &[StepRecord] {
        &self.records
    }

    /// The items under way, those that wait for their next attempt among them.
    #[must_use]
    pub const fn open(&self) -> &BTreeSet<u32> {
        &self.open
    }

    /// How many items succeeded, were skipped, and failed or were blocked.
    #[must_use]
    pub fn counts(&self) -> (u32, u32, u32) {
        (self.succeeded, self.skipped, count(self.failed.len()))
    }

    /// The next item to start.
    pub(crate) fn next(&self) -> Option<u32> {
        (self.records.len() < self.items.len()).then(|| count(self.records.len()))
    }

    /// Whether nothing is under way and nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.open.is_empty() && self.next().is_none()
    }

    /// Why no more items may start, if so.
    pub(crate) fn breach(&self, policy: OnFailure) -> Option<Breach> {
        if self.bytes > MAX_COLLECTED_BYTES {
            return Some(Breach::TooLarge);
        }
        match policy {
            OnFailure::FailFast => self.failed.first().map(|item| Breach::Failed(*item)),
            OnFailure::Collect => None,
        }
    }

    pub(crate) fn record(&self, item: u32) -> Option<&StepRecord> {
        self.records.get(item as usize)
    }

    /// The record of an item that has started, or of the next one, which starts with this.
    pub(crate) fn record_mut(&mut self, item: u32) -> Option<&mut StepRecord> {
        let place = item as usize;
        if place == self.records.len() && place < self.items.len() {
            self.records.push(StepRecord::blank());
            self.open.insert(item);
        }
        self.records.get_mut(place)
    }

    /// The record of an item that has started.
    pub(crate) fn started_mut(&mut self, item: u32) -> Option<&mut StepRecord> {
        self.records.get_mut(item as usize)
    }

    /// Takes an item that has reached a final status out of those under way.
    pub(crate) fn close(&mut self, item: u32, output: Option<&Value>) {
        self.open.remove(&item);
        let Some(record) = self.records.get(item as usize) else { return };
        match record.status {
            StepStatus::Succeeded => self.succeeded += 1,
            StepStatus::Skipped(_) => self.skipped += 1,
            StepStatus::Failed(_) | StepStatus::Blocked(_) => self.failed.push(item),
            _ => {}
        }
        if let (Some(output), Some(place)) = (output, self.results.get_mut(item as usize)) {
            self.bytes = self.bytes.saturating_add(json_bytes(output));
            *place = output.clone();
        }
    }

    /// The step's output. The results are moved into it: they are not needed twice.
    pub(crate) fn collect(&mut self) -> Value {
        let mut failed = self.failed.clone();
        failed.sort_unstable();
        let failed: Vec<Value> = failed
            .into_iter()
            .filter_map(|item| {
                let error = self.error_of(item)?;
                Some(json!({ "index": item, "code": error.code, "message": error.message }))
            })
            .collect();
        let results = std::mem::take(&mut self.results);
        json!({ "count": self.items.len(), "failed": failed, "results": results })
    }

    /// How an item failed or was blocked.
    pub(crate) fn error_of(&self, item: u32) -> Option<&StepError> {
        match &self.record(item)?.status {
            StepStatus::Failed(error) | StepStatus::Blocked(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a step with `foreach` starts no more items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// This item failed, and the step fails with the first error.
    Failed(u32),
    /// The outputs together are larger than [`MAX_COLLECTED_BYTES`].
    TooLarge,
}

/// There are at most 10,000 items.
fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

fn json_bytes(value: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Values have text keys only, and the counter takes everything: this does not fail.
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}
