//! Who is answered by which version.

use serde::{Deserialize, Serialize};
use trackside_spec::Digest;
use trackside_stats::sequential::Arm;

/// A share of the requests, drawn by a keyed hash: the same subject always falls to the same version, whoever computes it and whenever,
/// and a larger share keeps those whom a smaller one had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The key: of this rollout alone, so that two do not try on the same people.
    pub key: String,
    /// The candidate's share, of 100,000.
    pub share: u32,
}

/// All.
pub const WHOLE: u32 = 100_000;

impl Split {
    /// A share in percent.
    #[must_use]
    pub fn percent(share: f64) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 0 and 100000")]
        let share = (share * 1000.0).round().clamp(0.0, f64::from(WHOLE)) as u32;
        share
    }

    /// A subject as a number of this rollout: what is kept of who asks.
    #[must_use]
    pub fn number(&self, subject: &str) -> u64 {
        // The key has a fixed length, so no two pairs of key and subject read alike.
        let digest = Digest::of(format!("{}\n{subject}", self.key).as_bytes());
        digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Which version answers a subject of this number.
    #[must_use]
    pub fn arm(&self, number: u64) -> Arm {
        let place = (u128::from(number) * u128::from(WHOLE)) >> 64;
        if place < u128::from(self.share) { Arm::Candidate } else { Arm::Stable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share_and_grows_around_those_it_has() {
        let split = |share| Split { key: "a".to_owned(), share: Split::percent(share) };
        let arms = |split: &Split| -> Vec<Arm> {
            (0..20_000).map(|subject| split.arm(split.number(&format!("pump-{subject}")))).collect()
        };
        let (small, large) = (arms(&split(5.0)), arms(&split(25.0)));
        let share = |arms: &[Arm]| arms.iter().filter(|arm| **arm == Arm::Candidate).count();
        assert!((900..1_100).contains(&share(&small)), "{}", share(&small));
        assert!((4_700..5_300).contains(&share(&large)), "{}", share(&large));
        assert!(small.iter().zip(&large).all(|(small, large)| *small == Arm::Stable || *large == Arm::Candidate));
        assert_eq!(share(&arms(&split(0.0))), 0);
        assert_eq!(share(&arms(&split(100.0))), 20_000);
        let other = Split { key: "b".to_owned(), share: Split::percent(50.0) };
        let mine = Split { key: "a".to_owned(), ..other.clone() };
        let both = arms(&mine).iter().zip(arms(&other)).filter(|(mine, other)| *mine == other).count();
        assert!((9_700..10_300).contains(&both), "two rollouts hang together: {both}");
    }
}
