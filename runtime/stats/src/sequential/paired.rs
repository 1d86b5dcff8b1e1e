//! Two versions on the same requests: which of them is right.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::count;
use crate::{Decision, Level, StatsError, Verdict};

use super::bets::Bets;
use super::gate::Race;

/// How one request went with both versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Both right, or both wrong: they do not differ.
    Alike,
    /// Only the stable version was right.
    OnlyStable,
    /// Only the candidate was right.
    OnlyCandidate,
}

/// What a [`Paired`] test decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedGate {
    /// The most that a candidate that is no worse than `tolerated` may be failed.
    pub alpha: Level,
    /// The most that a candidate that is worse by `margin` or more may be passed.
    pub beta: Level,
    /// By how much the candidate's accuracy may be below the stable one's before it fails. In shares of all requests (0.01 is one
    /// percentage point); 0 is usual.
    pub tolerated: f64,
    /// By how much it may be below and still pass; above `tolerated`, and above 0: without a margin nothing can be shown to hold.
    pub margin: f64,
}

/// McNemar's test in its sequential form, with a margin.
///
/// d = +1 where only the candidate is right, -1 where only the stable version is, 0 else; its mean is the difference of accuracies.
/// Fails by an e-process against "mean ≥ -tolerated", passes by one against "mean ≤ -margin" ([`Bets`]). With `tolerated` 0 the failing
/// side is a sequential sign test of the requests on which they differ, which is McNemar's (1947) question. Source: as [`Bets`].
/// Assumes: the pairs' mean given the past is constant on each side of the claim; the two answers of a pair may depend on each other
/// at will. Unit of an observation: a pair with a known truth, or, for agreement, a shadowed request.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    gate: PairedGate,
    harm: Bets,
    safe: Bets,
    stable_only: u64,
    candidate_only: u64,
    race: Race,
}

impl Paired {
    /// A test that has seen nothing.
    ///
    /// # Errors
    /// Margins that are not 0 ≤ tolerated ≤ margin < 1, or a margin of 0.
    pub fn new(gate: PairedGate) -> Result<Self, StatsError> {
        within("the tolerated loss of accuracy", gate.tolerated, 0.0, 0.9)?;
        within("the margin of accuracy", gate.margin, gate.tolerated.max(1e-6), 0.9)?;
        Ok(Self {
            gate,
            harm: Bets::new(1.0 + gate.tolerated)?,
            safe: Bets::new(1.0 - gate.margin)?,
            stable_only: 0,
            candidate_only: 0,
            race: Race::new(gate.alpha, gate.beta),
        })
    }

    /// One more pair.
    pub fn observe(&mut self, pair: Pair) {
        let difference = match pair {
            Pair::Alike => 0.0,
            Pair::OnlyStable => {
                self.stable_only = self.stable_only.saturating_add(1);
                -1.0
            }
            Pair::OnlyCandidate => {
                self.candidate_only = self.candidate_only.saturating_add(1);
                1.0
            }
        };
        self.race.counted();
        // Both lie within their floors by construction.
        let harm = self.harm.observe(-difference - self.gate.tolerated);
        let safe = self.safe.observe(difference + self.gate.margin);
        debug_assert!(harm.is_ok() && safe.is_ok());
        self.race.stand(self.harm.log_e(), self.safe.log_e());
    }

    /// Pass, fail or neither.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.race.verdict()
    }

    /// What follows so far, in numbers.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let now = (self.harm.log_e(), self.safe.log_e());
        let pairs = count(self.race.decision(now, None).observations);
        if pairs == 0.0 {
            return self.race.decision(now, None);
        }
        let (down, up) = (count(self.stable_only) / pairs, count(self.candidate_only) / pairs);
        let same = 1.0 - down - up;
        let harm = |d: f64| -d - self.gate.tolerated;
        let safe = |d: f64| d + self.gate.margin;
        let growth = (
            self.harm.growth(&[(harm(-1.0), down), (harm(0.0), same), (harm(1.0), up)]),
            self.safe.growth(&[(safe(-1.0), down), (safe(0.0), same), (safe(1.0), up)]),
        );
        self.race.decision(now, Some(growth))
    }

    /// Accuracy of the candidate minus that of the stable version, as seen; none without a pair.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        let pairs = self.race.decision((0.0, 0.0), None).observations;
        (pairs > 0).then(|| (count(self.candidate_only) - count(self.stable_only)) / count(pairs))
    }
}

kept!(Paired);

impl Kept for Paired {
    const WHAT: &'static str = "a paired gate";
    const KIND: [u8; 3] = *b"TGp";

    fn put(&self, into: &mut Writer) {
        into.level(self.gate.alpha);
        into.level(self.gate.beta);
        into.f64s(&[self.gate.tolerated, self.gate.margin]);
        self.harm.put(into);
        self.safe.put(into);
        into.u64(self.stable_only);
        into.u64(self.candidate_only);
        self.race.put(into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (alpha, beta) = (from.level()?, from.level()?);
        let [tolerated, margin] = from.finites()?;
        let fresh = Self::new(PairedGate { alpha, beta, tolerated, margin })?;
        Ok(Self {
            harm: Bets::take(1.0 + tolerated, from)?,
            safe: Bets::take(1.0 - margin, from)?,
            stable_only: from.count()?,
            candidate_only: from.count()?,
            race: Race::take(alpha, beta, from)?,
            ..fresh
        })
    }
}
