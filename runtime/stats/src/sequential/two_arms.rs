//! Errors of two arms, each request in one of them.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::log_mix;
use crate::{Decision, Level, StatsError, Verdict};

use super::gate::Race;

/// Which version answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// The version in service.
    Stable,
    /// The one that is tried.
    Candidate,
}

/// A line between good and bad: the candidate may have `ratio` times the stable version's rate plus `extra`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// Times the stable rate; 1 or more.
    pub ratio: f64,
    /// Plus this share of requests (0.01 is one percentage point); 0 or more.
    pub extra: f64,
}

impl Margin {
    /// No worse at all.
    pub const NONE: Self = Self { ratio: 1.0, extra: 0.0 };

    fn at(self, stable: f64) -> f64 {
        self.ratio * stable + self.extra
    }

    fn checked(self) -> Result<Self, StatsError> {
        within("the ratio of a margin", self.ratio, 1.0, 1000.0)?;
        within("the extra of a margin", self.extra, 0.0, 0.9)?;
        Ok(self)
    }
}

/// What a [`TwoArms`] test decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorGate {
    /// The most that a candidate within `tolerated` is failed.
    pub alpha: Level,
    /// The most that a candidate at or beyond `margin` is passed.
    pub beta: Level,
    /// Up to here the candidate is as good as the stable version; [`Margin::NONE`] is usual.
    pub tolerated: Margin,
    /// From here on it is worse. Beyond `tolerated` in one of its parts, below it in none.
    pub margin: Margin,
    /// What the stable version's rate is thought to be. Wrong, it costs a few requests; no error bound rests on it.
    pub expected: f64,
}

/// How much worse, as a factor on the odds of an error, the failing side bets on, and how much on each.
const WORSE: [f64; 6] = [1.5, 2.0, 3.0, 6.0, 15.0, 50.0];
const WORSE_SHARES: [f64; 6] = [0.2, 0.2, 0.2, 0.15, 0.15, 0.1];
/// Where between the stable rate (0) and the margin (1) the passing side takes the candidate's rate to be; below 0: better, as a share.
const BETTER: [f64; 4] = [0.0, 0.3, -0.5, -0.9];
const BETTER_SHARES: [f64; 4] = [0.4, 0.2, 0.2, 0.2];
/// Requests of each arm that close a block. At one, blocks are lopsided and waste a sixth of what they hold; at four, a candidate that
/// fails every second request is noticed later.
const BLOCK: f64 = 2.0;
/// The weight of `expected`, in errors.
const PRIOR: f64 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Tally {
    requests: f64,
    errors: f64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
    }

    fn rate(self, expected: f64) -> f64 {
        ((self.errors + PRIOR) / (self.requests + PRIOR / expected)).clamp(1e-6, 1.0 - 1e-6)
    }

    /// ln of the likelihood ratio of two rates.
    fn against(self, rate: f64, other: f64) -> f64 {
        self.errors * (rate / other).ln() + (self.requests - self.errors) * ((1.0 - rate) / (1.0 - other)).ln()
    }
}

/// An e-process test of two Bernoulli rates, valid however often one looks and however the traffic is split.
///
/// Requests are put together in blocks that have two or more of each arm in them. A block's e-value is its likelihood ratio between an
/// alternative (what the stable rate was so far, and a candidate's rate beyond the line) and that point of the claim which is nearest
/// to it in Kullback-Leibler divergence; alternatives are averaged. Source: Turner, Ly & Grünwald, "Generic E-variables for exact
/// sequential k-sample tests that allow for optional stopping" (JSPI 2024); for lines other than equality Turner & Grünwald, "Exact
/// anytime-valid confidence intervals for contingency tables and beyond" (Stat. Prob. Letters 2023): the claim's rates are a convex
/// set. Assumes: given the arm, errors are independent with one rate per arm for both arms' time (what moves both arms alike within a
/// block does no harm between blocks), and arms are not chosen by outcomes. Subjects that stick to an arm and err at rates of their own
/// break that where they are fewer than about thirty: count each once. Both arms must have traffic at the same time: where one follows
/// the other (blue-green), compare with the rate that the first had ([`Sprt`](super::Sprt), [`MeanGate`](super::MeanGate)). Unit of an
/// observation: a request.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoArms {
    gate: ErrorGate,
    /// What is in no closed block yet; then all closed blocks: stable, candidate.
    open: [Tally; 2],
    closed: [Tally; 2],
    harm: [f64; 6],
    safe: [f64; 4],
    race: Race,
}

impl TwoArms {
    /// A test that has seen nothing.
    ///
    /// # Errors
    /// Margins that are not in order, or an expected rate outside of (0, 1).
    pub fn new(gate: ErrorGate) -> Result<Self, StatsError> {
        let (tolerated, margin) = (gate.tolerated.checked()?, gate.margin.checked()?);
        within("the ratio of the margin beyond what is tolerated", margin.ratio, tolerated.ratio, 1000.0)?;
        within("the extra of the margin beyond what is tolerated", margin.extra, tolerated.extra, 0.9)?;
        if margin == tolerated && margin == Margin::NONE {
            return Err(StatsError::Mismatch {
                what: "a margin of nothing: that a candidate is no worse at all can not be shown",
            });
        }
        within("the expected rate of errors", gate.expected, 1e-6, 0.999)?;
        Ok(Self {
            gate,
            open: [Tally::default(); 2],
            closed: [Tally::default(); 2],
            harm: [0.0; 6],
            safe: [0.0; 4],
            race: Race::new(gate.alpha, gate.beta),
        })
    }

    /// One more request, and whether it was an error.
    pub fn observe(&mut self, arm: Arm, error: bool) {
        self.race.counted();
        self.open[arm as usize].add(Tally { requests: 1.0, errors: f64::from(u8::from(error)) });
        if self.open.iter().any(|tally| tally.requests < BLOCK) {
            return;
        }
        let [stable, candidate] = self.open;
        let weights = (stable.requests, candidate.requests);
        let rate = self.closed[0].rate(self.gate.expected);
        let gain = |point: Option<Bet>| {
            point.map_or(0.0, |bet| {
                stable.against(bet.stable.0, bet.stable.1) + candidate.against(bet.candidate.0, bet.candidate.1)
            })
        };
        for (log, odds) in self.harm.iter_mut().zip(WORSE) {
            *log += gain(worse(rate, odds, self.gate.tolerated, weights));
        }
        for (log, along) in self.safe.iter_mut().zip(BETTER) {
            *log += gain(better(rate, along, self.gate.margin, weights));
        }
        self.closed[0].add(stable);
        self.closed[1].add(candidate);
        self.open = [Tally::default(); 2];
        let (fail, pass) = self.now();
        self.race.stand(fail, pass);
    }

    fn now(&self) -> (f64, f64) {
        (log_mix(&self.harm, &WORSE_SHARES), log_mix(&self.safe, &BETTER_SHARES))
    }

    /// Pass, fail or neither.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.race.verdict()
    }

    /// What follows so far, in numbers. `missing` counts requests of both arms, at the split and the rates seen (each drawn towards
    /// `expected` as by half an error).
    #[must_use]
    pub fn decision(&self) -> Decision {
        let [stable, candidate] = self.closed;
        let all = stable.requests + candidate.requests;
        if all == 0.0 {
            return self.race.decision(self.now(), None);
        }
        let shares = (stable.requests / all, candidate.requests / all);
        let rates = (stable.rate(self.gate.expected), candidate.rate(self.gate.expected));
        let mean = |bet: Option<Bet>| {
            bet.map_or(f64::NEG_INFINITY, |bet| {
                let one = |rate: f64| Tally { requests: 1.0, errors: rate };
                shares.0 * one(rates.0).against(bet.stable.0, bet.stable.1)
                    + shares.1 * one(rates.1).against(bet.candidate.0, bet.candidate.1)
            })
        };
        let best = |of: &mut dyn Iterator<Item = f64>| of.fold(f64::NEG_INFINITY, f64::max);
        let fail = best(&mut WORSE.iter().map(|odds| mean(worse(rates.0, *odds, self.gate.tolerated, shares))));
        let pass = best(&mut BETTER.iter().map(|along| mean(better(rates.0, *along, self.gate.margin, shares))));
        self.race.decision(self.now(), Some((fail, pass)))
    }

    /// Requests and errors so far: stable, candidate.
    #[must_use]
    pub fn seen(&self) -> [(u64, u64); 2] {
        let whole = |at: usize| {
            let mut all = self.closed[at];
            all.add(self.open[at]);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
            (all.requests as u64, all.errors as u64)
        };
        [whole(0), whole(1)]
    }
}

/// For each arm: the rate that is bet on, and that of the claim's nearest point.
struct Bet {
    stable: (f64, f64),
    candidate: (f64, f64),
}

fn worse(stable: f64, odds: f64, line: Margin, weights: (f64, f64)) -> Option<Bet> {
    let at = line.at(stable).min(0.999);
    let candidate = at * odds / (1.0 + at * (odds - 1.0));
    (candidate > line.at(stable)).then(|| nearest(stable, candidate, line, weights))
}

fn better(stable: f64, along: f64, line: Margin, weights: (f64, f64)) -> Option<Bet> {
    let candidate = if along < 0.0 { stable * (1.0 + along) } else { stable + along * (line.at(stable) - stable) };
    (candidate < line.at(stable) && candidate < 1.0).then(|| nearest(stable, candidate, line, weights))
}

/// The point of the line that is nearest to the two rates: the divergence is convex along it, so its derivative has one zero, which
/// lies between where the line meets either rate.
fn nearest(stable: f64, candidate: f64, line: Margin, weights: (f64, f64)) -> Bet {
    let at = if line == Margin::NONE {
        (weights.0 * stable + weights.1 * candidate) / (weights.0 + weights.1)
    } else {
        let top = ((1.0 - line.extra) / line.ratio).min(1.0);
        let meets = ((candidate - line.extra) / line.ratio).clamp(0.0, top);
        let (mut low, mut high) = (stable.min(meets), stable.max(meets).min(top));
        // Newton's steps, held between what is known to be too low and too high.
        let mut x = f64::midpoint(low, high);
        for _ in 0..60 {
            let y = line.at(x);
            let slope = weights.0 * ((1.0 - stable) / (1.0 - x) - stable / x)
                + weights.1 * line.ratio * ((1.0 - candidate) / (1.0 - y) - candidate / y);
            if slope < 0.0 {
                low = x
            } else {
                high = x
            }
            let curve = weights.0 * ((1.0 - stable) / (1.0 - x).powi(2) + stable / x.powi(2))
                + weights.1 * line.ratio.powi(2) * ((1.0 - candidate) / (1.0 - y).powi(2) + candidate / y.powi(2));
            let next = x - slope / curve;
            let next = if next > low && next < high { next } else { f64::midpoint(low, high) };
            let done = (next - x).abs() <= 1e-14 * x;
            x = next;
            if done {
                break;
            }
        }
        x
    };
    Bet { stable: (stable, at), candidate: (candidate, line.at(at)) }
}

kept!(TwoArms);

impl Kept for TwoArms {
    const WHAT: &'static str = "an error gate";
    const KIND: [u8; 3] = *b"TGe";

    fn put(&self, into: &mut Writer) {
        let gate = &self.gate;
        into.level(gate.alpha);
        into.level(gate.beta);
        into.f64s(&[gate.tolerated.ratio, gate.tolerated.extra, gate.margin.ratio, gate.margin.extra, gate.expected]);
        for tally in self.open.iter().chain(&self.closed) {
            into.f64s(&[tally.requests, tally.errors]);
        }
        into.f64s(&self.harm);
        into.f64s(&self.safe);
        self.race.put(into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (alpha, beta) = (from.level()?, from.level()?);
        let [ratio, extra, far_ratio, far_extra, expected] = from.finites()?;
        let gate = ErrorGate {
            alpha,
            beta,
            tolerated: Margin { ratio, extra },
            margin: Margin { ratio: far_ratio, extra: far_extra },
            expected,
        };
        let mut tallies = [Tally::default(); 4];
        for tally in &mut tallies {
            let [requests, errors] = from.finites()?;
            let whole = |count: f64| count.fract() == 0.0 && (0.0..=1e15).contains(&count);
            from.check(whole(requests) && whole(errors) && errors <= requests, "counts that can not be")?;
            *tally = Tally { requests, errors };
        }
        let [a, b, c, d] = tallies;
        let fresh = Self::new(gate)?;
        let (harm, safe) = (from.finites()?, from.finites()?);
        Ok(Self { open: [a, b], closed: [c, d], harm, safe, race: Race::take(alpha, beta, from)?, ..fresh })
    }
}
