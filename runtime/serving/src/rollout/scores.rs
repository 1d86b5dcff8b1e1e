//! Whether the distribution of what is answered has moved: no e-process, so it is looked at seldom, and the level is spent over the looks.

use serde::{Deserialize, Serialize};
use trackside_stats::{
    Decision, Level, Missing, StatsError, Verdict,
    drift::{Order, Outcome, psi},
    multiplicity::look,
    sequential::Arm,
    sketch::{Edges, Histogram},
};

use super::{
    gate::count,
    kept::{Bytes, bytes},
};

/// Scores of the version in service from which the cells are made.
const FIRST: usize = 200;
/// Cells.
const CELLS: usize = 10;
/// The fewest scores of each arm at the first look; then at twice as many, and so on.
const FIRST_LOOK: u64 = 200;

/// Scores of both arms.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    most: f64,
    alpha: Level,
    /// Until there are cells: stable, candidate.
    waiting: [Vec<f64>; 2],
    arms: Option<[Histogram; 2]>,
    looks: u32,
    last: Option<(f64, f64)>,
    verdict: Verdict,
}

/// As they are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptScores {
    waiting: [Vec<f64>; 2],
    arms: Option<[Bytes; 2]>,
    looks: u32,
    last: Option<(f64, f64)>,
    verdict: u8,
}

impl Scores {
    pub(super) const fn new(most: f64, alpha: Level) -> Self {
        let waiting = [Vec::new(), Vec::new()];
        Self { most, alpha, waiting, arms: None, looks: 0, last: None, verdict: Verdict::Inconclusive }
    }

    pub(super) fn observe(&mut self, arm: Arm, score: f64) {
        if !score.is_finite() {
            return;
        }
        match &mut self.arms {
            Some(arms) => arms[arm as usize].observe(score),
            None => {
                let waiting = &mut self.waiting[arm as usize];
                if waiting.len() < FIRST {
                    waiting.push(score);
                }
                if self.waiting[0].len() == FIRST {
                    self.begin();
                }
            }
        }
        self.look();
    }

    fn begin(&mut self) {
        let [stable, candidate] = std::mem::take(&mut self.waiting);
        let Ok(edges) = Edges::of_values(&stable, CELLS) else { return };
        let mut arms = [Histogram::new(edges.clone()), Histogram::new(edges)];
        stable.into_iter().for_each(|score| arms[0].observe(score));
        candidate.into_iter().for_each(|score| arms[1].observe(score));
        self.arms = Some(arms);
    }

    fn seen(&self) -> [u64; 2] {
        match &self.arms {
            Some([stable, candidate]) => [stable.ordered(), candidate.ordered()],
            None => [self.waiting[0].len() as u64, self.waiting[1].len() as u64],
        }
    }

    fn next(&self) -> u64 {
        FIRST_LOOK << self.looks.min(40)
    }

    fn look(&mut self) {
        let Some([stable, candidate]) = &self.arms else { return };
        if self.verdict != Verdict::Inconclusive || self.seen().into_iter().min().unwrap_or(0) < self.next() {
            return;
        }
        self.looks += 1;
        let Ok(Outcome::Tested(tested)) = psi(stable.cells(), candidate.cells(), Order::Ordered, None) else { return };
        self.last = Some((tested.effect, tested.critical));
        if tested.p <= look(self.alpha, self.looks).get() && tested.effect >= self.most {
            self.verdict = Verdict::Fail;
        } else if tested.effect + tested.critical < self.most {
            // What chance alone may add to it is less than what is allowed.
            self.verdict = Verdict::Pass;
        }
    }

    pub(super) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(super) fn words(&self) -> String {
        let [stable, candidate] = self.seen();
        match self.last {
            Some((effect, critical)) => {
                format!("index {effect:.3}, of which {critical:.3} may be chance; {stable} and {candidate} answers")
            }
            None => format!("{stable} and {candidate} answers so far"),
        }
    }

    pub(super) fn decision(&self, (alpha, beta): (Level, Level)) -> Decision {
        let (fail_bar, pass_bar) = (alpha.bar(), beta.bar());
        let seen = self.seen();
        let missing = match self.verdict {
            Verdict::Inconclusive => {
                let (least, all) = (seen[0].min(seen[1]), seen[0] + seen[1]);
                let more = self.next().saturating_sub(least);
                // At the split so far.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
                if least == 0 {
                    Missing::Unknown
                } else {
                    Missing::About((count(more) * count(all) / count(least)) as u64)
                }
            }
            Verdict::Pass | Verdict::Fail => Missing::Nothing,
        };
        Decision {
            verdict: self.verdict,
            fail: if self.verdict == Verdict::Fail { fail_bar } else { 0.0 },
            fail_bar,
            pass: if self.verdict == Verdict::Pass { pass_bar } else { 0.0 },
            pass_bar,
            observations: seen[0] + seen[1],
            missing,
        }
    }

    pub(super) fn kept(&self) -> KeptScores {
        KeptScores {
            waiting: self.waiting.clone(),
            arms: self.arms.as_ref().map(|[a, b]| [bytes(a.to_bytes()), bytes(b.to_bytes())]),
            looks: self.looks,
            last: self.last,
            verdict: match self.verdict {
                Verdict::Inconclusive => 0,
                Verdict::Pass => 1,
                Verdict::Fail => 2,
            },
        }
    }

    /// # Errors
    /// Damaged.
    pub(super) fn restore(&mut self, kept: KeptScores) -> Result<(), StatsError> {
        let arms =
            kept.arms.map(|[a, b]| Ok::<_, StatsError>([Histogram::from_bytes(&a.0)?, Histogram::from_bytes(&b.0)?]));
        let arms = arms.transpose()?;
        if arms.as_ref().is_some_and(|[a, b]| a.edges() != b.edges())
            || kept.waiting.iter().any(|list| list.len() > FIRST)
        {
            return Err(StatsError::Mismatch { what: "scores with other cells" });
        }
        let verdict = match kept.verdict {
            1 => Verdict::Pass,
            2 => Verdict::Fail,
            _ => Verdict::Inconclusive,
        };
        *self = Self {
            waiting: kept.waiting,
            arms,
            looks: kept.looks,
            last: kept.last,
            verdict,
            ..Self::new(self.most, self.alpha)
        };
        Ok(())
    }
}
