//! Predictions and their truth.
//!
//! - `labels`: telling what would have been right
//! - `samples`: inputs that are kept for a label
//! - `accuracy`: how often a model is right, and how sure that is

mod accuracy;
mod labels;
mod samples;

pub use accuracy::{
    AccuracyDocument, AccuracyError, BandDocument, EstimateDocument, LatelyDocument, VersionAccuracy, model_accuracy,
};
pub use labels::{LabelOutcome, LabelTold, LabelsTold, tell_labels, tell_labels_offline};
pub use samples::{
    AnswerDocument, ExportedSamples, LabelSample, SampleDocument, SampleError, SampleLabelled, export_samples,
    label_sample, label_sample_offline, list_samples,
};
