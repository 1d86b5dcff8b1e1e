//! A share of many: which predictions are recorded when there are more than are kept.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Mutex,
    time::{Duration, Instant},
};

use trackside_sync::lock;

const SECOND: Duration = Duration::from_secs(1);
/// Halvings: of a million a second at most one in 65,536 is kept.
const MOST_HALVINGS: u32 = 16;

/// Chooses by the id alone, so that what is chosen says nothing of what was asked, and a candidate in the shadow records the same ids. The
/// share is halved as soon as a second has had its number, and doubled again when a second had less than half of it.
pub(crate) struct Share {
    rate: u32,
    state: Mutex<State>,
}

struct State {
    since: Instant,
    taken: u32,
    halvings: u32,
    /// Whether the share was halved within this second.
    halved: bool,
}

impl Share {
    pub(crate) fn of(rate: u32) -> Self {
        let state = State { since: Instant::now(), taken: 0, halvings: 0, halved: false };
        Self { rate: rate.max(1), state: Mutex::new(state) }
    }

    pub(crate) fn takes(&self, id: &str) -> bool {
        self.takes_at(id, Instant::now())
    }

    fn takes_at(&self, id: &str, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let place = hasher.finish();
        let mut state = lock(&self.state);
        if now.saturating_duration_since(state.since) >= SECOND {
            if !state.halved && state.taken <= self.rate / 2 {
                state.halvings = state.halvings.saturating_sub(1);
            }
            (state.since, state.taken, state.halved) = (now, 0, false);
        }
        if place.trailing_zeros() < state.halvings {
            return false;
        }
        if state.taken < self.rate {
            state.taken += 1;
            return true;
        }
        if state.halvings < MOST_HALVINGS && !state.halved {
            state.halvings += 1;
        }
        state.halved = true;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many ids within each of these seconds are taken.
    fn taken(share: &Share, start: Instant, seconds: u64, each: u64) -> Vec<u64> {
        (0..seconds)
            .map(|second| {
                let at = |id: u64| {
                    start
                        + SECOND * u32::try_from(second).unwrap()
                        + SECOND * u32::try_from(id).unwrap() / u32::try_from(each).unwrap()
                };
                (0..each).filter(|id| share.takes_at(&format!("{second}-{id}"), at(*id))).count() as u64
            })
            .collect()
    }

    #[test]
    fn all_are_taken_of_few_and_a_share_of_many() {
        let (share, start) = (Share::of(10), Instant::now());
        assert_eq!(taken(&share, start, 3, 10), [10, 10, 10]);
        let many = taken(&Share::of(10), start, 20, 1000);
        assert!(many.iter().all(|taken| *taken <= 10), "{many:?}");
        // Once the share is found, it lasts the second: no burst at its beginning takes it all.
        assert!(many[10..].iter().sum::<u64>() >= 30, "{many:?}");
    }

    #[test]
    fn the_share_grows_again_when_fewer_come() {
        let (share, start) = (Share::of(10), Instant::now());
        taken(&share, start, 20, 1000);
        let after = taken(&share, start + SECOND * 20, 20, 8);
        assert_eq!(after[19], 8, "{after:?}");
    }
}
