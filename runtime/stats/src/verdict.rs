//! What a sequential test says.

/// What follows from the evidence so far. The first of pass and fail that is reached stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is shown that the gate holds.
    Pass,
    /// It is shown that the gate is broken.
    Fail,
    /// Neither is shown. Not a weak form of one of them: nothing follows from it.
    Inconclusive,
}

/// How much is missing to a verdict, if what comes is like what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: there is a verdict.
    Nothing,
    /// About this many observations (requests, pairs or labels: what the test counts).
    About(u64),
    /// Nothing was seen yet that an estimate could rest on.
    Unknown,
    /// At what was seen, no amount decides: the truth lies where neither side can be shown, or too far away (over 10^12).
    Never,
}

/// The state of a gate in numbers, as a report prints it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// What follows.
    pub verdict: Verdict,
    /// Evidence that the gate is broken: the greatest e-value so far, as natural logarithm. It fails at `fail_bar`.
    pub fail: f64,
    /// ln(1/level) of the failing side.
    pub fail_bar: f64,
    /// Evidence that the gate holds, likewise.
    pub pass: f64,
    /// ln(1/level) of the passing side.
    pub pass_bar: f64,
    /// Observations so far.
    pub observations: u64,
    /// How many more it takes.
    pub missing: Missing,
}

impl Missing {
    /// From evidence still missing (`bar` minus what is there) and what an observation adds on average.
    pub(crate) fn at_rate(gap: f64, growth: f64) -> Self {
        if gap <= 0.0 {
            return Self::About(1);
        }
        if growth.is_nan() || growth <= 0.0 {
            return Self::Never;
        }
        let needed = (gap / growth).ceil().max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10^12")]
        if needed <= 1e12 { Self::About(needed as u64) } else { Self::Never }
    }

    /// The nearer of two.
    pub(crate) fn nearer(self, other: Self) -> Self {
        match (self, other) {
            (Self::About(a), Self::About(b)) => Self::About(a.min(b)),
            (Self::About(a), _) | (_, Self::About(a)) => Self::About(a),
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            _ => self,
        }
    }
}
