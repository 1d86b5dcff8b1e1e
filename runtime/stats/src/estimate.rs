//! How often a model is right, where nobody has said yet.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::sequential::{Band, proportion_band};
use crate::special::{count, normal_quantile};
use crate::{Level, StatsError};

/// Cells of a calibration table: confidence 0 to 1 in twentieths.
const CELLS: usize = 20;

/// What confidence was worth on answers whose truth is known: a table of 20 cells, 320 bytes.
///
/// Source: histogram binning (Zadrozny & Elkan, ICML 2001), each cell drawn to its own middle as by two answers, so that an empty cell
/// takes the model at its word.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration {
    right: [u64; CELLS],
    all: [u64; CELLS],
}

impl Calibration {
    /// One answer with its confidence, and whether it was right.
    ///
    /// # Errors
    /// A confidence outside of [0, 1]; nothing is counted.
    pub fn observe(&mut self, confidence: f64, right: bool) -> Result<(), StatsError> {
        let cell = cell(confidence)?;
        self.all[cell] = self.all[cell].saturating_add(1);
        self.right[cell] = self.right[cell].saturating_add(u64::from(right));
        Ok(())
    }

    /// Takes back an answer that was counted, because its truth is another one; one that never was changes nothing.
    ///
    /// # Errors
    /// A confidence outside of [0, 1].
    pub fn retract(&mut self, confidence: f64, right: bool) -> Result<(), StatsError> {
        let cell = cell(confidence)?;
        let (of_right, all) = (u64::from(right), self.all[cell]);
        if all > 0 && self.right[cell] >= of_right && self.right[cell] - of_right < all {
            self.all[cell] -= 1;
            self.right[cell] -= of_right;
        }
        Ok(())
    }

    /// The share of answers of this confidence that are right.
    ///
    /// # Errors
    /// A confidence outside of [0, 1].
    pub fn calibrated(&self, confidence: f64) -> Result<f64, StatsError> {
        let at = cell(confidence)?;
        let middle = (count(at as u64) + 0.5) / count(CELLS as u64);
        Ok((count(self.right[at]) + 2.0 * middle) / (count(self.all[at]) + 2.0))
    }

    /// The counts, cell by cell: right, all. For keeping.
    #[must_use]
    pub const fn counts(&self) -> (&[u64; CELLS], &[u64; CELLS]) {
        (&self.right, &self.all)
    }
}

fn cell(confidence: f64) -> Result<usize, StatsError> {
    let confidence = within("a confidence", confidence, 0.0, 1.0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20")]
    Ok(((confidence * count(CELLS as u64)) as usize).min(CELLS - 1))
}

/// The accuracy of answers whose truth is not known, from their confidence.
///
/// The mean of calibrated confidences; the band is that of a sum of independent coins (Lyapunov's theorem), and says nothing of whether
/// the calibration still holds. Source: Hendrycks & Gimpel's and NannyML's confidence-based performance estimation; Garg et al. (ICLR
/// 2022) for how it fails. **Assumes that confidence means today what it meant when it was calibrated**: inputs may move, what is
/// right for an input may not. Where that changes, this sees nothing. Print that beside the number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AccuracyEstimate {
    answers: u64,
    sum: f64,
    variance: f64,
}

impl AccuracyEstimate {
    /// One more answer, with its calibrated confidence.
    ///
    /// # Errors
    /// Outside of [0, 1]; nothing is counted.
    pub fn observe(&mut self, calibrated: f64) -> Result<(), StatsError> {
        let p = within("a confidence", calibrated, 0.0, 1.0)?;
        self.answers = self.answers.saturating_add(1);
        self.sum += p;
        self.variance += p * (1.0 - p);
        Ok(())
    }

    /// The estimate now, with a band for this one look; none without answers.
    #[must_use]
    pub fn band(&self, level: Level) -> Option<Band> {
        if self.answers == 0 {
            return None;
        }
        let n = count(self.answers);
        let half = normal_quantile(1.0 - level.get() / 2.0) * self.variance.sqrt() / n;
        let estimate = self.sum / n;
        Some(Band { low: (estimate - half).max(0.0), estimate, high: (estimate + half).min(1.0) })
    }

    /// Whether labels that came contradict the estimate: their band ([`proportion_band`]), true at all times, does not touch this
    /// one's. Then the calibration no longer holds. None where either has nothing.
    ///
    /// # Errors
    /// More right than labelled.
    pub fn contradicted(&self, right: u64, labelled: u64, level: Level) -> Result<Option<bool>, StatsError> {
        let seen = proportion_band(right, labelled, level.split(2))?;
        let Some(guess) = self.band(level.split(2)).filter(|_| labelled > 0) else { return Ok(None) };
        Ok(Some(seen.low > guess.high || seen.high < guess.low))
    }
}

kept!(Calibration, AccuracyEstimate);

impl Kept for Calibration {
    const WHAT: &'static str = "a calibration";
    const KIND: [u8; 3] = *b"TEc";

    fn put(&self, into: &mut Writer) {
        self.right.iter().chain(&self.all).for_each(|count| into.u64(*count));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let mut read = Self::default();
        for count in read.right.iter_mut().chain(&mut read.all) {
            *count = from.count()?;
        }
        from.check(read.right.iter().zip(&read.all).all(|(right, all)| right <= all), "more right than there are")?;
        Ok(read)
    }
}

impl Kept for AccuracyEstimate {
    const WHAT: &'static str = "an estimate of accuracy";
    const KIND: [u8; 3] = *b"TEa";

    fn put(&self, into: &mut Writer) {
        into.u64(self.answers);
        into.f64s(&[self.sum, self.variance]);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let answers = from.count()?;
        let [sum, variance] = from.finites()?;
        let within = |part: f64| (0.0..=count(answers)).contains(&part);
        from.check(within(sum) && within(variance), "sums that can not be")?;
        Ok(Self { answers, sum, variance })
    }
}
