//! Which of two pieces of evidence reached its bar first.

use crate::{Decision, Level, Missing, Verdict};

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
