//! Latency: is a quantile of the candidate's not worse than the stable version's by more than a factor.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::sketch::{Edges, Histogram};
use crate::{Decision, Level, Missing, StatsError, Verdict};

use super::gate::{put_verdict, take_verdict};
use super::quantile::{Quantile, QuantileBand, ends, quantile_band};
use super::two_arms::Arm;

/// What a [`LatencyTest`] decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyGate {
    /// The most that a candidate within `tolerated` is failed.
    pub alpha: Level,
    /// The most that a candidate beyond `margin` is passed.
    pub beta: Level,
    /// Which quantile is compared.
    pub quantile: Quantile,
    /// The candidate's may be this many times the stable version's before it fails; 1 or more.
    pub tolerated: f64,
    /// And this many times it to pass; `tolerated` or more.
    pub margin: f64,
}

/// Two arms' latencies, and whether the candidate's quantile is within a factor of the stable one's.
///
/// Passes when the upper end of the candidate's band is at most `margin` times the lower end of the stable one's; fails when its lower
/// end is above `tolerated` times the stable one's upper end. Each end fails at any time with at most half of the level
/// ([`quantile_band`]), so the verdict with at most all of it. Assumes: as there, in each arm; the arms may depend
/// on each other. Unit: seconds. "At most this long for this share" against a fixed limit is a [`MeanGate`](super::MeanGate) of "in time".
///
/// Memory: 2 x 3 KiB.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyTest {
    gate: LatencyGate,
    arms: [Histogram; 2],
    verdict: Verdict,
}

impl LatencyTest {
    /// A test that has seen nothing. Cells are 5 % wide, from 10 µs to 1,000 s.
    ///
    /// # Errors
    /// Factors that are not 1 ≤ tolerated ≤ margin ≤ 1000, or a margin below 1.06, which is finer than the cells.
    pub fn new(gate: LatencyGate) -> Result<Self, StatsError> {
        within("the tolerated factor of latency", gate.tolerated, 1.0, 1000.0)?;
        within("the margin of latency", gate.margin, gate.tolerated.max(1.06), 1000.0)?;
        let arm = Histogram::new(Edges::geometric(1e-5, 1e3, 1.05)?);
        Ok(Self { gate, arms: [arm.clone(), arm], verdict: Verdict::Inconclusive })
    }

    /// One more answer, and how long it took in seconds. An infinite time is one that never came.
    ///
    /// # Errors
    /// NaN or below zero; nothing is counted.
    pub fn observe(&mut self, arm: Arm, seconds: f64) -> Result<(), StatsError> {
        if seconds.is_nan() || seconds < 0.0 {
            return Err(StatsError::OutOfRange { what: "a latency", value: seconds, low: 0.0, high: f64::INFINITY });
        }
        self.arms[arm as usize].observe(seconds);
        Ok(())
    }

    /// What was counted: stable, candidate.
    #[must_use]
    pub const fn arms(&self) -> &[Histogram; 2] {
        &self.arms
    }

    /// Where the quantile lies in each arm: stable, candidate. Both bands hold at all times together with the failing side's level for
    /// each.
    #[must_use]
    pub fn bands(&self) -> [QuantileBand; 2] {
        [&self.arms[0], &self.arms[1]].map(|arm| quantile_band(arm, self.gate.quantile, self.gate.alpha))
    }

    /// What follows now; the first verdict that was seen here stays. The evidence is given as 0 or as its bar: a band has no e-value.
    /// `missing` takes both distributions to stay as they are.
    pub fn look(&mut self) -> Decision {
        self.verdict_now();
        let (fail_bar, pass_bar) = (self.gate.alpha.bar(), self.gate.beta.bar());
        let observations = self.arms.iter().map(Histogram::ordered).sum();
        Decision {
            verdict: self.verdict,
            fail: if self.verdict == Verdict::Fail { fail_bar } else { 0.0 },
            fail_bar,
            pass: if self.verdict == Verdict::Pass { pass_bar } else { 0.0 },
            pass_bar,
            observations,
            missing: self.missing(observations),
        }
    }

    /// The verdict of the last look.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The verdict alone, which costs less than [`look`](Self::look).
    pub fn verdict_now(&mut self) -> Verdict {
        if self.verdict == Verdict::Inconclusive {
            self.verdict = self.at(1.0);
        }
        self.verdict
    }

    fn at(&self, times: f64) -> Verdict {
        let (alpha, beta) = (self.gate.alpha.split(2).bar(), self.gate.beta.split(2).bar());
        let [stable, candidate] = &self.arms;
        // Of the stable arm the lower end is the passing side's and the upper end the failing side's; of the candidate the other way.
        let (stable_low, stable_high) = ends(stable, self.gate.quantile, beta, alpha, times);
        let (candidate_low, candidate_high) = ends(candidate, self.gate.quantile, alpha, beta, times);
        if let (Some(low), Some(high)) = (candidate_low, stable_high)
            && low > self.gate.tolerated * high
        {
            return Verdict::Fail;
        }
        if let (Some(low), Some(high)) = (stable_low, candidate_high)
            && high <= self.gate.margin * low
        {
            return Verdict::Pass;
        }
        Verdict::Inconclusive
    }

    fn missing(&self, observations: u64) -> Missing {
        if self.verdict != Verdict::Inconclusive {
            return Missing::Nothing;
        }
        if self.arms.iter().any(|arm| arm.ordered() == 0) {
            return Missing::Unknown;
        }
        let decided = |times: f64| self.at(times) != Verdict::Inconclusive;
        let seen = crate::special::count(observations);
        let mut high = 2.0;
        while !decided(high) {
            high *= 2.0;
            if high * seen > 1e12 {
                return Missing::Never;
            }
        }
        let mut low = high / 2.0;
        for _ in 0..12 {
            let middle = f64::midpoint(low, high);
            if decided(middle) { high = middle } else { low = middle }
        }
        Missing::at_rate((high - 1.0) * seen, 1.0)
    }
}

kept!(LatencyTest);

impl Kept for LatencyTest {
    const WHAT: &'static str = "a latency gate";
    const KIND: [u8; 3] = *b"TGl";

    fn put(&self, into: &mut Writer) {
        into.level(self.gate.alpha);
        into.level(self.gate.beta);
        into.f64s(&[self.gate.quantile.get(), self.gate.tolerated, self.gate.margin]);
        put_verdict(self.verdict, into);
        self.arms.iter().for_each(|arm| into.state(arm));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (alpha, beta) = (from.level()?, from.level()?);
        let [quantile, tolerated, margin] = from.finites()?;
        let fresh = Self::new(LatencyGate { alpha, beta, quantile: Quantile::new(quantile)?, tolerated, margin })?;
        let verdict = take_verdict(from)?;
        let arms: [Histogram; 2] = [from.state()?, from.state()?];
        let ours = arms.iter().all(|arm| arm.edges() == fresh.arms[0].edges());
        from.check(ours, "times counted between other edges")?;
        Ok(Self { arms, verdict, ..fresh })
    }
}
