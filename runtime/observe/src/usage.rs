//! What each workflow used on each day: runs, their ends, time, memory, bytes.
//!
//! Days are those of UTC. What an entry says counts for the day on which it was written.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use trackside_facts::Used;
use trackside_store::{JournalRow, Reader, StoreError, UsageRow, Write};

use crate::{
    consumer::{Batch, Consumer},
    damage,
};

/// Its cursor's name.
const NAME: &str = "usage";
const DAY_MS: i64 = 86_400_000;

/// The day of a time, counted from 1970, UTC.
#[must_use]
pub const fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The consumer.
#[derive(Debug, Default)]
pub struct Usage;

/// What of an event counts. Nothing else of it is looked at: outputs may be large.
#[derive(Deserialize)]
struct Counted<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    end: Option<Cow<'a, str>>,
    #[serde(default)]
    report: Option<Report>,
}

/// What of an attempt's report counts.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Report {
    wall_us: u64,
    cpu_us: u64,
    /// Of a model: how long it computed.
    run_us: u64,
    memory: u64,
    log_bytes: u64,
    artifact_bytes_written: u64,
}

type Days = BTreeMap<(Arc<str>, i64), UsageRow>;

fn add(days: &mut Days, Batch { entries, owners }: Batch<'_>) {
    for entry in entries {
        let Some(owner) = entry.run().and_then(|run| owners.get(&run)) else { continue };
        let events: Vec<Counted<'_>> = match entry.entry.read() {
            Ok(events) => events,
            Err(error) => {
                damage::tell(NAME, entry, &error);
                continue;
            }
        };
        let day = day_of(entry.at_ms);
        let blank = || UsageRow { workflow: owner.workflow.to_string(), day, used: Used::default() };
        let row = days.entry((owner.workflow.clone(), day)).or_insert_with(blank);
        row.used.bytes_written = row.used.bytes_written.saturating_add(entry.stored as u64);
        events.iter().for_each(|event| count(&mut row.used, event));
    }
}

fn count(used: &mut Used, event: &Counted<'_>) {
    match (event.event.as_ref(), event.end.as_deref()) {
        ("started", _) => used.runs += 1,
        ("step-started", _) => used.attempts += 1,
        ("ended", Some("succeeded")) => used.succeeded += 1,
        ("ended", Some("failed")) => used.failed += 1,
        ("ended", Some("cancelled")) => used.cancelled += 1,
        _ => {}
    }
    if let Some(report) = &event.report {
        used.add(&Used {
            wall_us: report.wall_us,
            cpu_us: report.cpu_us,
            model_us: report.run_us,
            memory_peak: report.memory,
            bytes_written: report.log_bytes.saturating_add(report.artifact_bytes_written),
            ..Used::default()
        });
    }
}

impl Consumer for Usage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn take(&mut self, batch: Batch<'_>, _: &Reader) -> Result<Vec<Write>, StoreError> {
        let mut days = Days::new();
        add(&mut days, batch);
        Ok(days.into_values().map(Write::Usage).collect())
    }
}

/// What was used from the day `from` on, by workflow and day; what the consumer has not come to yet is counted here.
///
/// # Errors
/// When the database refuses.
pub fn usage_since(reader: &Reader, from: i64) -> Result<Vec<UsageRow>, StoreError> {
    // The cursor first: what the consumer works in meanwhile would be missed otherwise, not counted twice.
    let (rows, mut seq) = reader.snapshot(|reader| Ok((reader.usage(from)?, reader.cursor(NAME)?)))?;
    let mut days: Days = rows.into_iter().map(|row| ((row.workflow.as_str().into(), row.day), row)).collect();
    loop {
        let entries = reader.journal_batch(seq, i64::MAX)?;
        let Some(last) = entries.last() else { break };
        seq = last.seq;
        let owners = reader.owners_of(entries.iter().filter_map(JournalRow::run))?;
        add(&mut days, Batch { entries: &entries, owners: &owners });
    }
    Ok(days.into_values().filter(|row| row.day >= from).collect())
}
