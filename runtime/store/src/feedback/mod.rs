//! Predictions and their truth.
//!
//! - `predictions`: what models said, and how much of that is kept
//! - `samples`: inputs that are kept for a label
//! - `truths`: what would have been right, told before, after or twice
//! - `ask`: what is known of a model's accuracy

mod ask;
mod predictions;
mod samples;
mod truths;

pub use ask::{AccuracyRow, KeptPredictions, VerdictRow};
pub use predictions::{AnswerCount, PredictionBatch, PredictionKeep, PredictionRow};
pub use samples::{SampleChange, SampleLabel, SampleRow};
pub use truths::{AccuracyState, DrawnVerdicts, EARLY_LABELS_KEPT, Told, TruthRow};

pub(crate) use predictions::enter as enter_predictions;
pub(crate) use samples::{change as change_samples, label as label_sample};
pub(crate) use truths::{draw, tell};
