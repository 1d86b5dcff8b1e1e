//! Predictions and their truth.
//!
//! - `labels`: telling what would have been right
//! - `accuracy`: how often a model is right, and how sure that is

mod accuracy;
mod labels;

pub use accuracy::{
    AccuracyDocument, AccuracyError, BandDocument, EstimateDocument, LatelyDocument, VersionAccuracy, model_accuracy,
};
pub use labels::{
    LabelError, LabelOutcome, LabelRequest, LabelTold, LabelsTold, MOST_LABELS, TellLabels, tell_labels,
    tell_labels_offline,
};
