//! Texts that the journal says all the time.

use std::sync::LazyLock;

/// The words, by their numbers. The first 64 are one byte, the next 256 are two. On disk for ever: new ones go to the end, none
/// is changed, none is removed, none stands twice.
pub const WORDS: &[&str] = &[
    // One byte each.
    "event",
    "step-started",
    "step-succeeded",
    "ended",
    "started",
    "step",
    "attempt",
    "item",
    "output",
    "report",
    "plugin",
    "version",
    "digest",
    "began_us",
    "wall_us",
    "cpu_us",
    "memory",
    "input_bytes",
    "output_bytes",
    "table_elements",
    "deterministic",
    "end",
    "succeeded",
    "params",
    "trigger",
    "logical_time_ms",
    "logical_time",
    "kind",
    "id",
    "file",
    "manual",
    "name",
    "value",
    "artifact",
    "media_type",
    "size",
    "path",
    "modified_ms",
    "model",
    "engine",
    "engine_version",
    "queued_us",
    "run_us",
    "cron",
    "webhook",
    "mqtt",
    "payload",
    "headers",
    "body",
    "cached",
    "error",
    "code",
    "message",
    "retryable",
    "details",
    "artifact_bytes_read",
    "artifact_bytes_written",
    "artifacts",
    "log_bytes",
    "log_lines",
    "failed",
    "scheduled",
    "missed",
    "run",
    // Two bytes each.
    "cached_from",
    "earlier_runs",
    "fuel",
    "log_lines_dropped",
    "state_entries",
    "state_bytes",
    "tensor_bytes",
    "deliveries",
    "http_requests",
    "http_bytes",
    "model_runs",
    "secrets_sent",
    "secrets_revealed",
    "denials",
    "metrics",
    "contracts",
    "attributes",
    "counter",
    "gauge",
    "histogram",
    "severity",
    "warn",
    "rows",
    "bad_rows",
    "problems",
    "line",
    "column",
    "reason",
    "whole",
    "quarantine",
    "parent",
    "depth",
    "queued",
    "group",
    "admitted",
    "paused",
    "resumed",
    "by",
    "retries",
    "from",
    "only",
    "step-taken",
    "run-failed",
    "step-expanded",
    "items",
    "step-collected",
    "skipped",
    "step-queued",
    "mutex",
    "step-blocked",
    "child-started",
    "approval-requested",
    "approvers",
    "deadline_ms",
    "approval-decided",
    "approved",
    "comment",
    "step-suspended",
    "until_ms",
    "on",
    "step-skipped",
    "condition",
    "upstream",
    "upstream-failed",
    "unwanted",
    "said",
    "not-repeated",
    "step-retried",
    "due_ms",
    "step-failed",
    "step-cancelled",
    "step-interrupted",
    "cancel-requested",
    "timed-out",
    "finishing",
    "outputs",
    "delivered",
    "delivery-refused",
    "entry",
    "target",
    "cancelled",
    "retry_after_ms",
    "files",
    "backfill",
    "topic",
    "url",
    "previous",
    "chain",
    "workflow",
    "state",
    "dataset",
    "poll",
    "data",
    "type",
    "subject",
    "source",
    "time",
    "at",
    "text/csv",
    "application/json",
    "application/octet-stream",
    "content-type",
    "content-length",
    "user-agent",
    "accept",
    "host",
    "*/*",
    "accept-encoding",
    "results",
    "result",
    "index",
    "count",
    "text",
    "label",
    "labels",
    "score",
    "scores",
    "features",
    "prediction",
    "predictions",
    "probabilities",
    "shape",
    "datatype",
];

/// Places of the table below: many more than words, so that nearly every text is decided at the first look.
const PLACES: usize = 2048;

/// Numbers of words, one more than each, by what [`place_of`] makes of them; what collides stands behind. Asked for every text that
/// is written, so it is no map with a hash that withstands enemies: the words are ours, and a text that is none is given up at the
/// first empty place.
static NUMBERS: LazyLock<[u16; PLACES]> = LazyLock::new(|| {
    let mut numbers = [0; PLACES];
    for (number, word) in (1..).zip(WORDS) {
        let mut place = place_of(word.as_bytes());
        while numbers[place] != 0 {
            place = (place + 1) % PLACES;
        }
        numbers[place] = number;
    }
    numbers
});
const LONGEST: usize = 24;

/// Of its length, its first and its last bytes.
fn place_of(text: &[u8]) -> usize {
    let part = |bytes: &[u8]| bytes.iter().fold(0u64, |part, byte| (part << 8) | u64::from(*byte));
    let ends = text.len().min(4);
    let mixed = ((part(&text[..ends]) << 32) ^ part(&text[text.len() - ends..]) ^ text.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 53) as usize
}

/// The number of a text, if it is a word.
pub(crate) fn number_of(text: &str) -> Option<usize> {
    if text.len() > LONGEST || text.len() < 2 {
        return None;
    }
    let mut place = place_of(text.as_bytes());
    loop {
        let number = usize::from(NUMBERS[place]).checked_sub(1)?;
        if WORDS[number] == text {
            return Some(number);
        }
        place = (place + 1) % PLACES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_one_number() {
        let mut sorted = WORDS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), WORDS.len(), "a word stands twice");
        assert!(WORDS.len() <= 64 + 256);
        assert!(["", "x", "evenT", "events", "no word of ours", "ste"].iter().all(|text| number_of(text).is_none()));
        for (number, word) in WORDS.iter().enumerate() {
            assert_eq!(number_of(word), Some(number), "{word}: too long or too short for the quick look");
        }
    }
}
