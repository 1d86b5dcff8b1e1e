//! Which of two pieces of evidence reached its bar first.

use crate::bytes::{Reader, Writer};
use crate::{Decision, Level, Missing, StatsError, Verdict};

/// Two e-processes against each other: one for "broken", one for "holds".
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Race {
    fail_bar: f64,
    pass_bar: f64,
    fail: f64,
    pass: f64,
    verdict: Verdict,
    observations: u64,
}

impl Race {
    pub(super) fn new(alpha: Level, beta: Level) -> Self {
        Self {
            fail_bar: alpha.bar(),
            pass_bar: beta.bar(),
            fail: 0.0,
            pass: 0.0,
            verdict: Verdict::Inconclusive,
            observations: 0,
        }
    }

    pub(super) const fn counted(&mut self) {
        self.observations = self.observations.saturating_add(1);
    }

    pub(super) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The logarithms of both e-values as they are now. The greatest so far count: the bound is on ever reaching the bar.
    pub(super) fn stand(&mut self, fail: f64, pass: f64) {
        self.fail = self.fail.max(fail);
        self.pass = self.pass.max(pass);
        if self.verdict == Verdict::Inconclusive {
            // Where both are reached by one observation, harm is what is acted on.
            if self.fail >= self.fail_bar {
                self.verdict = Verdict::Fail;
            } else if self.pass >= self.pass_bar {
                self.verdict = Verdict::Pass;
            }
        }
    }

    /// `fail`, `pass`: the logarithms as they are now; `growth`: what an observation adds to each at the rates seen.
    pub(super) fn decision(&self, now: (f64, f64), growth: Option<(f64, f64)>) -> Decision {
        let missing = if self.verdict == Verdict::Inconclusive {
            growth.map_or(Missing::Unknown, |(fail, pass)| {
                Missing::at_rate(self.fail_bar - now.0, fail).nearer(Missing::at_rate(self.pass_bar - now.1, pass))
            })
        } else {
            Missing::Nothing
        };
        Decision {
            verdict: self.verdict,
            fail: self.fail,
            fail_bar: self.fail_bar,
            pass: self.pass,
            pass_bar: self.pass_bar,
            observations: self.observations,
            missing,
        }
    }
}

impl Race {
    pub(super) fn put(&self, into: &mut Writer) {
        into.f64s(&[self.fail, self.pass]);
        put_verdict(self.verdict, into);
        into.u64(self.observations);
    }

    /// A race between these levels as it stood.
    pub(super) fn take(alpha: Level, beta: Level, from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let [fail, pass] = from.finites()?;
        let verdict = take_verdict(from)?;
        let read = Self { fail, pass, verdict, observations: from.count()?, ..Self::new(alpha, beta) };
        // A verdict is what the greatest evidence says; where both bars are reached, either may have been first.
        let (failed, passed) = (fail >= read.fail_bar, pass >= read.pass_bar);
        let follows = match verdict {
            Verdict::Fail => failed,
            Verdict::Pass => passed,
            Verdict::Inconclusive => !failed && !passed,
        };
        from.check(follows && fail >= 0.0 && pass >= 0.0, "a verdict that does not follow")?;
        Ok(read)
    }
}

pub(super) fn put_verdict(verdict: Verdict, into: &mut Writer) {
    into.u8(match verdict {
        Verdict::Inconclusive => 0,
        Verdict::Pass => 1,
        Verdict::Fail => 2,
    });
}

pub(super) fn take_verdict(from: &mut Reader<'_>) -> Result<Verdict, StatsError> {
    match from.u8()? {
        0 => Ok(Verdict::Inconclusive),
        1 => Ok(Verdict::Pass),
        2 => Ok(Verdict::Fail),
        _ => Err(from.corrupt("a verdict that is none")),
    }
}
