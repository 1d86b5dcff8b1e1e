//! How much later than its time a trigger's runs start on this box.

use sha2::{Digest as _, Sha256};
use trackside_spec::Duration;

/// A part of `jitter` that is always the same for one trigger on one box, and evenly spread over boxes and triggers, so
/// that a thousand boxes with one schedule do not call the same server at the same instant. In milliseconds, less than
/// `jitter`.
///
/// It is the first eight bytes of SHA-256 over both names, as a fraction. Neither another version of this program nor
/// another machine may answer differently: a trigger would run twice or not at all around the change.
#[must_use]
pub fn jitter_offset(box_id: &str, trigger_id: &str, jitter: Duration) -> i64 {
    let mut hash = Sha256::new();
    // The length keeps ("a", "bc") and ("ab", "c") apart.
    hash.update((box_id.len() as u64).to_be_bytes());
    hash.update(box_id.as_bytes());
    hash.update(trigger_id.as_bytes());
    let digest = hash.finalize();
    let fraction = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let offset = (u128::from(fraction) * u128::from(jitter.as_millis())) >> 64;
    i64::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_MINUTES: Duration = Duration::from_millis(300_000);

    #[test]
    fn it_is_stable_and_differs_between_boxes_and_triggers() {
        // Fixed for ever: boxes in the field count on it.
        assert_eq!(jitter_offset("box-1", "w/cron-0", FIVE_MINUTES), PINNED);
        assert_ne!(jitter_offset("box-2", "w/cron-0", FIVE_MINUTES), PINNED);
        assert_ne!(jitter_offset("box-1", "w/cron-1", FIVE_MINUTES), PINNED);
        assert_eq!(jitter_offset("box-1", "w/cron-0", Duration::default()), 0);
    }

    const PINNED: i64 = 247_376;

    #[test]
    fn a_thousand_boxes_are_spread_evenly() {
        let mut minutes = [0; 5];
        for number in 0..1000 {
            let offset = jitter_offset(&format!("box-{number}"), "w/cron-0", FIVE_MINUTES);
            minutes[usize::try_from(offset / 60_000).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|count| (150..250).contains(count)), "{minutes:?}");
    }
}
